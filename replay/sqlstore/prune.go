package sqlstore

import (
	"context"
	"errors"
	"time"
)

// The oldest minutes first, by the index, whose order by prune is why a batch
// costs the same however large the table is. A row that a claim is at work on is
// locked and left for later; one that a claim took over in between is not expired
// any more when it is looked at again under its lock.
const pruneSQL = `
WITH expired AS MATERIALIZED (
	SELECT k FROM {table}
	WHERE prune <= (SELECT (date_part('epoch', clock_timestamp()) / 60)::integer) AND expires <= clock_timestamp()
	ORDER BY prune LIMIT $1::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM {table} AS r USING expired WHERE r.k = expired.k`

// Prune removes expired rows, batch of them at most, and says how many. It never
// removes a live one, waits for no claim, and may run on several nodes at once,
// which share the work. Nothing else removes rows.
func (s *Store) Prune(ctx context.Context, batch int) (removed int, err error) {
	if batch <= 0 {
		return 0, errors.New("sqlstore: the batch is not positive")
	}
	result, err := s.db.ExecContext(ctx, s.pruneSQL, batch)
	if err != nil {
		return 0, failed(ctx, "prune", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, failed(ctx, "prune", err)
	}
	return int(n), nil
}

// pruneBatch is small enough that a statement takes some milliseconds, and
// pruneLimit ends one whose server does not answer.
const (
	pruneBatch = 1000
	pruneLimit = 30 * time.Second
)

// PruneEvery prunes at once and then at every interval, in batches until nothing
// expired is left, until ctx ends; it returns ctx's error. Run it in a goroutine of
// yours, on one node or on all. The error of a round goes to Config.PruneFailed.
func (s *Store) PruneEvery(ctx context.Context, interval time.Duration) error {
	if interval <= 0 {
		return errors.New("sqlstore: the interval is not positive")
	}
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		if err := s.pruneAll(ctx); err != nil && ctx.Err() == nil && s.cfg.PruneFailed != nil {
			s.cfg.PruneFailed(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}

// pruneAll is one round.
func (s *Store) pruneAll(ctx context.Context) error {
	for {
		limited, cancel := context.WithTimeout(ctx, pruneLimit)
		removed, err := s.Prune(limited, pruneBatch)
		cancel()
		if err != nil || removed < pruneBatch {
			return err
		}
	}
}
