package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	checkPause = time.Minute     // between two checks
	badPause   = 5 * time.Second // after a check that failed
	// maxCheck bounds the time that one claim spends on a check.
	maxCheck = time.Second
)

// verdict is what a check found.
type verdict struct {
	err   error         // ErrClockSkew or ErrEviction, or nil
	at    time.Time     // by Config.Now
	pause time.Duration // for how long it counts
}

// due tells whether it is time for the next check. So it is if the clock went
// back.
func (v *verdict) due(now time.Time) bool {
	since := now.Sub(v.at)
	return since >= v.pause || since < 0
}

// ready tells whether claims may be made. When the last check is too old one
// caller checks, and the others go on with the old verdict.
func (s *Store) ready(ctx context.Context) error {
	last := s.checked.Load()
	if !last.due(s.cfg.Now()) || !s.checking.TryLock() {
		return last.err
	}
	defer s.checking.Unlock()
	if last = s.checked.Load(); !last.due(s.cfg.Now()) {
		return last.err
	}
	// The claim itself needs the other half of the time.
	limit := maxCheck
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/2)
	}
	checking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	next := &verdict{pause: checkPause}
	if err := s.check(checking); err != nil {
		next.pause = badPause
		next.err = err
		if !errors.Is(err, ErrClockSkew) && !errors.Is(err, ErrEviction) {
			// A server that cannot be asked is not a verdict: its keys fail by
			// themselves, and those of the others need not.
			next.err = last.err
		}
	}
	next.at = s.cfg.Now()
	s.checked.Store(next)
	return next.err
}

// check looks at every server. Of several errors it gives the verdict first.
func (s *Store) check(ctx context.Context) error {
	servers, err := s.client.Servers(ctx)
	if err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() { errs[i] = s.checkServer(ctx, server) })
	}
	all.Wait()
	primaries, unknown := 0, error(nil)
	for _, err := range errs {
		switch {
		case errors.Is(err, errReplica):
			continue
		case errors.Is(err, ErrClockSkew), errors.Is(err, ErrEviction):
			return err
		case err != nil:
			unknown = err
		}
		primaries++
	}
	if primaries == 0 {
		return errReplica
	}
	return unknown
}

// errReplica is for a server that only repeats what another one writes.
var errReplica = errors.New("redisstore: the client reaches replicas only: claims need the primary")

func (s *Store) checkServer(ctx context.Context, server Server) error {
	info, err := server(ctx, Command{Name: []string{"INFO"}})
	switch _, refused := err.(ServerError); {
	case refused && s.cfg.InsecureUnknownEviction:
		return s.checkClock(ctx, server)
	case refused:
		return fmt.Errorf("%w (to INFO; Config.InsecureUnknownEviction does without)", clean(err))
	case err != nil:
		return clean(err)
	}
	text, _ := info.(string)
	fields := infoFields(text)
	if fields["role"] == "slave" {
		return errReplica
	}
	version := fields["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); version != "" && (err != nil || n < 7) {
		return fmt.Errorf("redisstore: the server is version %.20q: 7.0 or later is needed, for SET with NX and GET", version)
	}
	switch policy := fields["maxmemory_policy"]; {
	case policy == "" && !s.cfg.InsecureUnknownEviction:
		return errors.New("redisstore: the server does not tell its maxmemory-policy in INFO: Config.InsecureUnknownEviction accepts that")
	case policy != "" && policy != "noeviction":
		return fmt.Errorf("%w: it is %.20q", ErrEviction, policy)
	}
	return s.checkClock(ctx, server)
}

// infoFields reads the reply to INFO.
func infoFields(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// checkClock compares the clocks. The server looked at its own at some moment
// between the two at which we look at ours.
func (s *Store) checkClock(ctx context.Context, server Server) error {
	before := s.cfg.Now()
	reply, err := server(ctx, Command{Name: []string{"EVAL", timeScript, "0"}})
	after := s.cfg.Now()
	if err != nil {
		return clean(err)
	}
	micros, ok := reply.(int64)
	if !ok {
		return errors.New("redisstore: the server does not tell its time")
	}
	theirs := time.UnixMicro(micros)
	if ahead := theirs.Sub(after); ahead > s.cfg.MaxSkew {
		return fmt.Errorf("%w: it is %v behind", ErrClockSkew, ahead.Round(time.Millisecond))
	}
	if behind := before.Sub(theirs); behind > s.cfg.MaxSkew {
		return fmt.Errorf("%w: it is %v ahead", ErrClockSkew, behind.Round(time.Millisecond))
	}
	return nil
}
