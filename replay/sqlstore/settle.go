package sqlstore

import (
	"context"
	"errors"

	"github.com/webhookauth/webhookauth/replay"
)

// The claim set prune to a lease and a Keep from then, so a renewal changes it
// only for work that takes longer than Keep.
const renewSQL = `
UPDATE {table} SET
	expires = clock_timestamp() + $3::bigint * interval '1 millisecond',
	prune = greatest(prune, (date_part('epoch', clock_timestamp() + $3::bigint * interval '1 millisecond') / 60)::integer)
WHERE k = $1::uuid AND owner = $2::uuid AND state = {held} AND expires > clock_timestamp()`

// Renew implements replay.Store.
func (s *Store) Renew(ctx context.Context, c replay.Claim) error {
	if err := c.Check(); err != nil {
		return err
	}
	return s.settle(ctx, "renew", s.renewSQL, c.Key.String(), c.Owner.String(), c.Lease.Milliseconds())
}

// What the same owner completed before, as a client that repeats itself, keeps
// its answer; what it marked by ClaimTx gets the answer now.
const completeSQL = `
INSERT INTO {table} AS r (k, owner, state, attempt, fingerprint, expires, prune, answer)
SELECT $1::uuid, $2::uuid, {done}, 1, $3::bigint, clock_timestamp() + $4::bigint * interval '1 millisecond',
	(date_part('epoch', clock_timestamp() + $4::bigint * interval '1 millisecond') / 60)::integer, $5::bytea
ON CONFLICT (k) DO UPDATE SET
	owner = excluded.owner,
	state = {done},
	fingerprint = excluded.fingerprint,
	expires = excluded.expires,
	prune = greatest(r.prune, excluded.prune),
	answer = CASE WHEN r.state = {done} AND r.expires > clock_timestamp() THEN r.answer ELSE excluded.answer END
WHERE r.owner = excluded.owner OR r.state = {released} OR r.state >= {done} AND r.expires <= clock_timestamp()`

// Complete implements replay.Store. It succeeds too if ClaimTx marked the key for
// the same owner. An answer longer than Config.MaxAnswer is not kept.
func (s *Store) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	if err := c.Check(); err != nil {
		return err
	}
	var kept any // NULL, which not every driver makes of a nil slice
	if answer != nil && len(answer) <= s.cfg.MaxAnswer {
		kept = answer
	}
	return s.settle(ctx, "complete", s.completeSQL, c.Key.String(), c.Owner.String(), int64(c.Fingerprint), c.Keep.Milliseconds(), kept)
}

const releaseSQL = `
UPDATE {table} SET
	state = {released},
	expires = clock_timestamp() + $3::bigint * interval '1 millisecond',
	prune = greatest(prune, (date_part('epoch', clock_timestamp() + $3::bigint * interval '1 millisecond') / 60)::integer)
WHERE k = $1::uuid AND owner = $2::uuid AND state = {held} AND expires > clock_timestamp()`

// Release implements replay.Store.
func (s *Store) Release(ctx context.Context, c replay.Claim) error {
	if err := c.Check(); err != nil {
		return err
	}
	return s.settle(ctx, "release", s.releaseSQL, c.Key.String(), c.Owner.String(), c.Keep.Milliseconds())
}

// settle runs a statement that changes one row if the owner still has it. It is
// tried again where it did nothing: above READ COMMITTED another may be quicker.
func (s *Store) settle(ctx context.Context, op, text string, args ...any) error {
	for try := 1; ; try++ {
		result, err := s.db.ExecContext(ctx, text, args...)
		if sqlState(err) == serializationFailure && try < tries && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return failed(ctx, op, err)
		}
		switch n, err := result.RowsAffected(); {
		case err != nil:
			return failed(ctx, op, err)
		case n == 0:
			return replay.ErrLostLease
		}
		return nil
	}
}

const forgetSQL = `DELETE FROM {table} WHERE k = $1::uuid`

// Forget removes a key, whatever its state, so that the next claim is the first:
// for an operator who wants a message to run again. A key that is not there is no
// error; an owner at work loses its lease.
func (s *Store) Forget(ctx context.Context, key replay.Key) error {
	if key == (replay.Key{}) {
		return errors.New("sqlstore: the key is zero")
	}
	if _, err := s.db.ExecContext(ctx, s.forgetSQL, key.String()); err != nil {
		return failed(ctx, "forget", err)
	}
	return nil
}
