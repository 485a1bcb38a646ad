package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// claimSQL claims in one statement and always gives one row.
//
// A row that stands in the way is only read: a copy neither writes nor waits for
// a lock. Otherwise the insert decides, and checks again what it finds under the
// lock. Its wait is bounded by lock_timeout, which is set for it, and set back at
// the end for the sake of the transaction around. What the insert loses to may be
// too young for the snapshot of this statement; then the row says neither.
//
// Nothing is claimed if the clocks differ by more than $9.
const claimSQL = `
WITH clock AS MATERIALIZED (
	SELECT clock_timestamp() AS t, current_setting('lock_timeout') AS lock_timeout
), other AS MATERIALIZED (
	SELECT state, fingerprint, answer, expires - t AS rest
	FROM {table}, clock
	WHERE k = $1::uuid AND expires > t AND (state >= {done} OR state = {held} AND owner <> $2::uuid)
), may AS MATERIALIZED (
	SELECT set_config('lock_timeout', $8::text, true)
	FROM clock
	WHERE NOT EXISTS (SELECT FROM other)
		AND abs((date_part('epoch', t) * 1000)::bigint - $7::bigint) <= $9::bigint
), won AS (
	INSERT INTO {table} AS r (k, owner, state, attempt, fingerprint, expires, prune)
	SELECT $1::uuid, $2::uuid, $3::smallint, 1, $4::bigint,
		clock_timestamp() + $5::bigint * interval '1 millisecond',
		(date_part('epoch', clock_timestamp() + $6::bigint * interval '1 millisecond') / 60)::integer
	FROM may
	ON CONFLICT (k) DO UPDATE SET
		owner = excluded.owner,
		state = excluded.state,
		attempt = CASE
			WHEN r.state = {held} AND r.owner = excluded.owner AND r.expires > clock_timestamp() THEN r.attempt
			WHEN r.state = {held} OR r.state = {released} AND r.expires > clock_timestamp() THEN least(r.attempt, 32766) + 1
			ELSE 1 END,
		fingerprint = excluded.fingerprint,
		expires = clock_timestamp() + $5::bigint * interval '1 millisecond',
		prune = greatest(r.prune, excluded.prune),
		answer = NULL
	WHERE r.state = {released} OR r.expires <= clock_timestamp() OR r.state = {held} AND r.owner = excluded.owner
	RETURNING attempt
)
SELECT (date_part('epoch', t) * 1000)::bigint, won.attempt, other.state, other.fingerprint,
	(date_part('epoch', rest) * 1000)::bigint, answer, set_config('lock_timeout', lock_timeout, true)
FROM clock LEFT JOIN won ON true LEFT JOIN other ON true`

// tries bounds how often one call asks the server.
const tries = 4

// Claim implements replay.Store by one statement. It is asked again where the
// connection broke or another claim won at the same instant. A key that a
// transaction is at work on is InFlight after Config.TxWait.
func (s *Store) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	if err := c.Check(); err != nil {
		return replay.Outcome{}, err
	}
	for try := 1; ; try++ {
		out, err := s.claim(ctx, s.db, c, held)
		switch {
		case err != nil && (try == tries || ctx.Err() != nil || !repeatable(err)):
			return replay.Outcome{}, err
		case err == nil && out.Status != 0:
			return out, nil
		case err == nil && try == tries:
			return replay.Outcome{Status: replay.InFlight}, nil
		}
	}
}

// ClaimTx claims a key within a transaction, and marks it as done for Claim.Keep
// when that commits: what else the transaction writes and the mark come to be
// together or not at all. It works by itself as well as beneath a guard that
// holds the same claim, with the same Owner, whose Complete then succeeds.
//
// The caller does the work and commits if the outcome is Acquired, and must roll
// back after any other and after an error. While another transaction is at work
// on the key, ClaimTx waits for Config.TxWait at most and answers InFlight, by
// which the transaction is aborted; so it is, rarely, on a server too busy to
// enlarge its table in that time. In a transaction above READ COMMITTED a claim
// that lost fails with the SQLSTATE 40001, which asks for the whole to be tried
// again. The setting lock_timeout of the transaction stays what it was.
func (s *Store) ClaimTx(ctx context.Context, tx *sql.Tx, c replay.Claim) (replay.Outcome, error) {
	if tx == nil {
		return replay.Outcome{}, errors.New("sqlstore: the *sql.Tx is nil")
	}
	if err := c.Check(); err != nil {
		return replay.Outcome{}, err
	}
	for range tries {
		if out, err := s.claim(ctx, tx, c, doneInTx); err != nil || out.Status != 0 {
			return out, err
		}
	}
	return replay.Outcome{Status: replay.InFlight}, nil
}

// claim asks once. No status and no error means that another was quicker.
func (s *Store) claim(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, c replay.Claim, state int) (replay.Outcome, error) {
	lasts := c.Lease
	if state == doneInTx {
		lasts = c.Keep
	}
	var (
		clock                      int64
		attempt                    sql.NullInt64
		other, fingerprint, restMs sql.NullInt64
		answer                     []byte
		lockTimeout                string
	)
	sent := s.cfg.Now()
	err := q.QueryRowContext(ctx, s.claimSQL, c.Key.String(), c.Owner.String(), state, int64(c.Fingerprint),
		lasts.Milliseconds(), c.Lease.Milliseconds()+c.Keep.Milliseconds(), sent.UnixMilli(),
		strconv.FormatInt(s.cfg.TxWait.Milliseconds(), 10), s.cfg.MaxSkew.Milliseconds(),
	).Scan(&clock, &attempt, &other, &fingerprint, &restMs, &answer, &lockTimeout)
	came := s.cfg.Now()
	switch {
	case sqlState(err) == lockNotAvailable:
		return replay.Outcome{Status: replay.InFlight}, nil
	case err != nil:
		return replay.Outcome{}, failed(ctx, "claim", err)
	case s.skewed(sent, came, clock):
		return replay.Outcome{}, ErrClockSkew
	case attempt.Valid:
		return replay.Outcome{Status: replay.Acquired, Attempt: int(attempt.Int64)}, nil
	case other.Int64 == held:
		return replay.Outcome{Status: replay.InFlight, RetryAfter: time.Duration(restMs.Int64) * time.Millisecond}, nil
	case !other.Valid:
		return replay.Outcome{}, nil
	case c.Fingerprint != 0 && fingerprint.Int64 != 0 && uint64(fingerprint.Int64) != c.Fingerprint:
		return replay.Outcome{Status: replay.Conflict}, nil
	}
	return replay.Outcome{Status: replay.Duplicate, Answer: answer}, nil
}
