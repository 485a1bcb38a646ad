package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/webhookauth/webhookauth/replay"
)

// Renew implements replay.Store in one round trip.
func (s *Store) Renew(ctx context.Context, c replay.Claim) error {
	if err := c.Check(); err != nil {
		return err
	}
	inWay, _, err := s.run(ctx, 0, s.renew, s.recordKey(c.Key), heldBy(c.Owner), milliseconds(c.Lease))
	if err == nil && inWay != nil {
		err = replay.ErrLostLease
	}
	return err
}

// Complete implements replay.Store in one round trip. Its owner may repeat it. It
// works at maxmemory too. If it fails with ErrUnconfirmed, the work is recorded as
// done, but a failover may still forget it.
func (s *Store) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	if err := c.Check(); err != nil {
		return err
	}
	if len(answer) > s.cfg.MaxAnswer {
		answer = nil
	}
	err := s.completeOnce(ctx, c, answer)
	if errors.Is(err, errNoAnswer) && ctx.Err() == nil {
		err = s.completeOnce(ctx, c, answer)
	}
	return err
}

func (s *Store) completeOnce(ctx context.Context, c replay.Claim, answer []byte) error {
	inWay, confirmed, err := s.run(ctx, s.cfg.Replicas, s.complete, s.recordKey(c.Key),
		heldBy(c.Owner), doneRecord(c, answer), milliseconds(c.Keep))
	switch {
	case err != nil:
		return err
	case inWay == nil && !confirmed:
		return fmt.Errorf("%w: the work is recorded as done, but a failover may forget it", ErrUnconfirmed)
	case inWay == nil:
		return nil
	}
	r, err := parse(inWay)
	if err == nil && !r.doneBy(c) {
		err = replay.ErrLostLease
	}
	return err
}

// Release implements replay.Store in one round trip. It works at maxmemory too. A
// client that repeats it by itself, because the reply was lost, finds that nobody
// holds the key any more: then it fails with ErrLostLease although it did its work.
func (s *Store) Release(ctx context.Context, c replay.Claim) error {
	if err := c.Check(); err != nil {
		return err
	}
	inWay, err := s.giveBack(ctx, c, "0")
	if err == nil && inWay != nil {
		err = replay.ErrLostLease
	}
	return err
}

// giveBack releases a key with its count of attempts, less uncounted.
func (s *Store) giveBack(ctx context.Context, c replay.Claim, uncounted string) (inWay any, err error) {
	inWay, _, err = s.run(ctx, 0, s.release, s.recordKey(c.Key),
		heldBy(c.Owner), milliseconds(c.Keep), uncounted)
	return inWay, err
}
