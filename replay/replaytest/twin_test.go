package replaytest_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// twin is the plainest store that can be: one map, one mutex. It shares nothing
// with the suite's model. Its options are the liberties that a store has, its
// faults what a store must not do.
type twin struct {
	now          func() time.Time
	largest      int  // of the answers kept
	countsLapsed bool // as in Harness
	forgets      bool // a lapsed lease takes the count with it
	anew         bool // a claim repeated by its owner begins the lease anew
	strict       bool // Complete repeated by its owner is ErrLostLease
	retention    time.Duration
	fault        string

	mu      sync.Mutex
	records map[replay.Key]twinRecord
}

type twinRecord struct {
	held, done bool
	owner      replay.Owner
	until      time.Time // of the lease or of done
	keep       time.Time // "keep counts from the claim"
	print      uint64
	answer     []byte
	count      int
	countUntil time.Time
	previous   replay.Owner // whose lease lapsed
}

func (s *twin) Limits() replay.Limits { return replay.Limits{Retention: s.retention} }

// begin checks a call, locks and reads the record, with what has lapsed undone.
func (s *twin) begin(ctx context.Context, c replay.Claim) (twinRecord, error) {
	if err := ctx.Err(); err != nil && s.fault != "context ignored" {
		return twinRecord{}, err
	}
	if err := c.Check(); err != nil && s.fault != "bad claims taken" {
		return twinRecord{}, err
	}
	if s.retention > 0 && c.Keep > s.retention && s.fault != "limit not enforced" {
		return twinRecord{}, errors.New("twin: Keep is above the retention")
	}
	s.mu.Lock()
	if s.records == nil {
		s.records = map[replay.Key]twinRecord{}
	}
	r := s.records[s.key(c)]
	now := s.now()
	if r.held && !now.Before(r.until) && s.fault != "lease never lapses" {
		r.held, r.previous = false, r.owner
		switch {
		case s.countsLapsed:
			r.countUntil = now.Add(c.Keep)
		case s.forgets:
			r.count = 0
		default:
			r.count--
		}
	}
	if r.done && !now.Before(r.until) && s.fault != "kept for ever" {
		r = twinRecord{}
	}
	if !r.held && !r.done && !now.Before(r.countUntil) && s.fault != "count kept for ever" {
		r.count = 0
	}
	return r, nil
}

func (s *twin) key(c replay.Claim) replay.Key {
	if s.fault == "key cut" {
		c.Key[15] = 0
	}
	return c.Key
}

func (s *twin) same(a, b replay.Owner) bool {
	switch s.fault {
	case "owner cut":
		return bytes.Equal(a[:15], b[:15])
	case "owner as text":
		return bytes.Equal(bytes.TrimRight(a[:], "\x00"), bytes.TrimRight(b[:], "\x00")) ||
			bytes.EqualFold(a[:], b[:])
	}
	return a == b
}

func (s *twin) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	r, err := s.begin(ctx, c)
	if err != nil {
		return replay.Outcome{}, err
	}
	defer s.mu.Unlock()
	now := s.now()
	switch {
	case r.done && s.fault == "owner reopens done" && s.same(r.owner, c.Owner):
	case r.done:
		return s.finished(r, c), nil
	case r.held && s.same(r.owner, c.Owner) && s.fault != "repeat is in flight":
		if s.fault == "repeat counts" {
			r.count++
		}
		if s.anew {
			r.until = now.Add(c.Lease)
		}
		s.records[s.key(c)] = r
		return replay.Outcome{Status: replay.Acquired, Attempt: r.count}, nil
	case r.held:
		out := replay.Outcome{Status: replay.InFlight, RetryAfter: r.until.Sub(now)}
		switch s.fault {
		case "rival prolongs":
			r.until = now.Add(c.Lease)
			s.records[s.key(c)] = r
		case "retry after too long":
			out.RetryAfter += time.Second
		}
		return out, nil
	}
	if s.fault == "claim in two steps" {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
	r = twinRecord{held: true, owner: c.Owner, until: now.Add(c.Lease), keep: now.Add(c.Keep), count: r.count + 1, countUntil: r.countUntil}
	s.records[s.key(c)] = r
	return replay.Outcome{Status: replay.Acquired, Attempt: r.count}, nil
}

// finished answers a claim to a key that is done.
func (s *twin) finished(r twinRecord, c replay.Claim) replay.Outcome {
	kept, claimed := r.print, c.Fingerprint
	differ := kept != claimed && kept != 0 && claimed != 0
	switch s.fault {
	case "fingerprint ignored":
		differ = false
	case "fingerprint cut":
		differ = uint32(kept) != uint32(claimed) && kept != 0 && claimed != 0
	case "no fingerprint differs":
		differ = kept != claimed
	}
	if differ {
		return replay.Outcome{Status: replay.Conflict}
	}
	if s.fault == "answer shared" {
		return replay.Outcome{Status: replay.Duplicate, Answer: r.answer}
	}
	return replay.Outcome{Status: replay.Duplicate, Answer: bytes.Clone(r.answer)}
}

func (s *twin) Renew(ctx context.Context, c replay.Claim) error {
	r, err := s.begin(ctx, c)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case r.held && s.fault == "renew by anyone":
	case !r.held && !r.done && s.fault == "renew revives" && r.previous == c.Owner:
	case !r.held || !s.same(r.owner, c.Owner):
		return replay.ErrLostLease
	}
	r.held, r.owner = true, c.Owner
	if s.fault != "renew does nothing" {
		r.until = s.now().Add(c.Lease)
	}
	s.records[s.key(c)] = r
	return nil
}

func (s *twin) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	r, err := s.begin(ctx, c)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case r.held && !s.same(r.owner, c.Owner) && s.fault == "complete by anyone":
	case r.held && !s.same(r.owner, c.Owner):
		return replay.ErrLostLease
	case r.done && s.fault == "complete overwrites done":
	case r.done && s.fault == "complete repeated overwrites" && s.same(r.owner, c.Owner):
	case r.done && s.fault == "late complete succeeds":
		return nil
	case r.done && (s.strict || !s.same(r.owner, c.Owner)):
		return replay.ErrLostLease
	case r.done:
		return nil
	case !r.held && s.fault == "late work forgotten":
		return replay.ErrLostLease
	}
	keep := s.now().Add(c.Keep)
	switch s.fault {
	case "forgotten early":
		keep = s.now().Add(c.Keep * 3 / 4)
	case "keep counts from the claim":
		keep = r.keep
	case "done ends with the lease":
		keep = r.until
	}
	switch {
	case s.fault == "answer lost":
		answer = nil
	case s.fault == "answer cut":
		answer = answer[:min(len(answer), 100)]
	case s.fault == "large answer cut":
		answer = answer[:min(len(answer), s.largest)]
	case s.fault == "large answer fails" && len(answer) > s.largest:
		return errors.New("twin: the answer is too large")
	case s.fault == "empty answer is none" && len(answer) == 0:
		answer = nil
	case s.fault == "no answer is empty" && answer == nil:
		answer = []byte{}
	case len(answer) > s.largest, s.largest == 0:
		answer = nil
	}
	if s.fault != "answer shared" {
		answer = bytes.Clone(answer)
	}
	s.records[s.key(c)] = twinRecord{done: true, owner: c.Owner, until: keep, print: c.Fingerprint, answer: answer}
	return nil
}

func (s *twin) Release(ctx context.Context, c replay.Claim) error {
	r, err := s.begin(ctx, c)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case r.held && s.fault == "release by anyone":
	case r.done && s.fault == "release reopens done" && s.same(r.owner, c.Owner):
	case !r.held || !s.same(r.owner, c.Owner):
		return replay.ErrLostLease
	}
	released := twinRecord{count: r.count, countUntil: s.now().Add(c.Keep)}
	switch s.fault {
	case "release burns the key":
		released = twinRecord{done: true, owner: c.Owner, until: s.now().Add(c.Keep)}
	case "release does nothing":
		released = r
	case "release not counted":
		released.count = 0
	case "count forgotten early":
		released.countUntil = s.now().Add(c.Keep / 2)
	}
	s.records[s.key(c)] = released
	return nil
}

// faults names each fault with the subtest that must find it; others may too.
func faults() [][2]string {
	return [][2]string{
		{"claim in two steps", "K01 one of many"},
		{"release by anyone", "K10 slow owner changes nothing"},
		{"complete by anyone", "K09 lease lost before the first completes"},
		{"renew by anyone", "K10 slow owner changes nothing"},
		{"lease never lapses", "lapsed taken over"},
		{"forgotten early", "done kept"},
		{"kept for ever", "done kept"},
		{"keep counts from the claim", "done kept"},
		{"done ends with the lease", "held completed"},
		{"count kept for ever", "released count kept"},
		{"count forgotten early", "released count kept"},
		{"repeat is in flight", "held claim repeated by its owner"},
		{"repeat counts", "held claim repeated by its owner"},
		{"rival prolongs", "held lease lasts"},
		{"retry after too long", "held claim by another"},
		{"renew does nothing", "held renewed"},
		{"renew revives", "lapsed renewed or released"},
		{"complete overwrites done", "done operations by another"},
		{"complete repeated overwrites", "done operations by its owner"},
		{"late complete succeeds", "K09 lease lost before the first completes"},
		{"late work forgotten", "lapsed completed"},
		{"owner reopens done", "done fingerprints"},
		{"answer lost", "answers"},
		{"answer cut", "answers"},
		{"large answer cut", "answers"},
		{"large answer fails", "answers"},
		{"empty answer is none", "answers"},
		{"no answer is empty", "held completed"},
		{"answer shared", "answers belong to the store"},
		{"fingerprint ignored", "done fingerprints"},
		{"fingerprint cut", "done fingerprints"},
		{"no fingerprint differs", "done fingerprints"},
		{"release burns the key", "held released"},
		{"release does nothing", "held released"},
		{"release not counted", "held released"},
		{"release reopens done", "done operations by its owner"},
		{"context ignored", "context cancelled"},
		{"bad claims taken", "bad claims refused"},
		{"limit not enforced", "bad claims refused"},
		{"key cut", "keys are independent"},
		{"owner cut", "owners are compared whole"},
		{"owner as text", "owners are compared whole"},
		{"handles apart", "lapsed taken over"},
	}
}
