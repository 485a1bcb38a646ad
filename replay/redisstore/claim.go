package redisstore

import (
	"context"
	"errors"

	"github.com/webhookauth/webhookauth/replay"
)

// maxTurns is how often a released key may be taken from under a claim, and be
// released again, before the claim gives way.
const maxTurns = 3

// Claim implements replay.Store. It costs one round trip, and a second one where
// the key was released before. InFlight comes without RetryAfter. Lapsed leases
// are not counted as attempts. It fails with ErrClockSkew or ErrEviction if a
// check found so, with replay.ErrFull at maxmemory, and with ErrUnconfirmed.
func (s *Store) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	if err := c.Check(); err != nil {
		return replay.Outcome{}, err
	}
	if err := s.ready(ctx); err != nil {
		return replay.Outcome{}, err
	}
	out, err := s.claim(ctx, c)
	if errors.Is(err, errNoAnswer) && ctx.Err() == nil {
		// If the first was executed, the record is ours, and the second says so.
		out, err = s.claim(ctx, c)
	}
	return out, err
}

func (s *Store) claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	var (
		key     = s.recordKey(c.Key)
		lease   = milliseconds(c.Lease)
		attempt = 1
	)
	found, confirmed, err := s.send(ctx, s.cfg.Replicas,
		Command{[]string{"SET"}, key, []string{heldRecord(c.Owner, attempt), "NX", "GET", "PX", lease}})
	err = clean(err)
	if errors.Is(err, replay.ErrFull) {
		// A full server refuses the whole command, but what it knows can be read.
		known, _, failed := s.send(ctx, 0, Command{Name: []string{"GET"}, Key: key})
		if failed == nil && known != nil {
			found, err = known, nil
		}
	}
	if err != nil {
		return replay.Outcome{}, err
	}
	for turn := 0; ; turn++ {
		r, err := parse(found)
		switch {
		case err != nil:
			return replay.Outcome{}, err
		case r.state == absent:
			return s.acquired(ctx, c, attempt, confirmed)
		case r.state == held && r.owner == c.Owner:
			return s.again(ctx, c, r.attempts)
		case r.state == held:
			return replay.Outcome{Status: replay.InFlight}, nil
		case r.state == done:
			return judge(r, c), nil
		case turn == maxTurns:
			return replay.Outcome{Status: replay.InFlight}, nil
		}
		attempt = r.attempts + 1
		found, confirmed, err = s.run(ctx, s.cfg.Replicas, s.takeOver, key,
			found.(string), heldRecord(c.Owner, attempt), lease)
		if err != nil {
			return replay.Outcome{}, err
		}
	}
}

// judge compares a claim with the work that was done.
func judge(r record, c replay.Claim) replay.Outcome {
	if known := r.fingerprint(); known != 0 && c.Fingerprint != 0 && known != c.Fingerprint {
		return replay.Outcome{Status: replay.Conflict}
	}
	return replay.Outcome{Status: replay.Duplicate, Answer: r.answer}
}

// again is a claim that was repeated: its reply was lost, or the client repeated
// the command by itself. With replicas something must be written, for WAIT waits
// only for that.
func (s *Store) again(ctx context.Context, c replay.Claim, attempt int) (replay.Outcome, error) {
	confirmed := true
	if s.cfg.Replicas > 0 {
		var (
			inWay any
			err   error
		)
		inWay, confirmed, err = s.run(ctx, s.cfg.Replicas, s.renew, s.recordKey(c.Key), heldBy(c.Owner), milliseconds(c.Lease))
		if err != nil {
			return replay.Outcome{}, err
		}
		if inWay != nil { // the lease lapsed meanwhile
			return replay.Outcome{Status: replay.InFlight}, nil
		}
	}
	return s.acquired(ctx, c, attempt, confirmed)
}

// acquired gives an unconfirmed claim back: a failover could hand the key to
// another. It is not counted as an attempt.
func (s *Store) acquired(ctx context.Context, c replay.Claim, attempt int, confirmed bool) (replay.Outcome, error) {
	if !confirmed {
		_, err := s.giveBack(ctx, c, "1")
		return replay.Outcome{}, errors.Join(ErrUnconfirmed, err)
	}
	return replay.Outcome{Status: replay.Acquired, Attempt: attempt}, nil
}
