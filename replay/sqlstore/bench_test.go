package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

// BenchmarkClaim compares each way of use with a floor of the same run: a bare
// INSERT .. ON CONFLICT DO NOTHING of the key. "x-floor" is how many times as long
// an operation takes.
func BenchmarkClaim(b *testing.B) {
	for _, commit := range []string{"on", "off"} {
		db := open(b, testserver.StartPostgres(b, "fsync=on", "synchronous_commit="+commit, "max_connections=200").DSN)
		db.SetMaxOpenConns(64)
		db.SetMaxIdleConns(64)
		s := newStore(b, db, sqlstore.Config{})
		exec(b, db, `CREATE TABLE floor (k bytea PRIMARY KEY)`)
		exec(b, db, `CREATE TABLE effects (n integer)`)
		duplicate := fresh()
		complete(b, s, duplicate, nil)
		for _, callers := range []int{1, 16, 64} {
			var floor float64
			for _, way := range []struct {
				name string
				work func(context.Context) error
			}{
				{"floor", func(ctx context.Context) error {
					k := replay.NewOwner()
					_, err := db.ExecContext(ctx, `INSERT INTO floor VALUES ($1) ON CONFLICT DO NOTHING`, k[:])
					return err
				}},
				{"claim", func(ctx context.Context) error { return acquired(s.Claim(ctx, fresh())) }},
				{"duplicate", func(ctx context.Context) error { _, err := s.Claim(ctx, rival(duplicate)); return err }},
				{"claim+complete", func(ctx context.Context) error {
					c := fresh()
					if err := acquired(s.Claim(ctx, c)); err != nil {
						return err
					}
					return s.Complete(ctx, c, nil)
				}},
				{"effect in tx", func(ctx context.Context) error { return inTx(ctx, db, nil) }},
				{"effect and ClaimTx", func(ctx context.Context) error { return inTx(ctx, db, s) }},
			} {
				b.Run(fmt.Sprintf("commit=%s/callers=%d/%s", commit, callers, way.name), func(b *testing.B) {
					perOp := measure(b, callers, way.work)
					if way.name == "floor" {
						floor = perOp
					}
					b.ReportMetric(perOp/floor, "x-floor")
					b.ReportMetric(1e9/perOp, "op/s")
				})
			}
		}
	}
}

// acquired makes an error of any other outcome.
func acquired(out replay.Outcome, err error) error {
	if err == nil && out.Status != replay.Acquired {
		err = fmt.Errorf("the outcome is %v", out.Status)
	}
	return err
}

// inTx is a transaction with an effect, and with the mark if there is a store.
func inTx(ctx context.Context, db *sql.DB, s *sqlstore.Store) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `INSERT INTO effects VALUES (1)`); err != nil {
		return err
	}
	if s != nil {
		if err := acquired(s.ClaimTx(ctx, tx, fresh())); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// measure is the nanoseconds an operation takes with so many callers at once.
func measure(b *testing.B, callers int, work func(context.Context) error) float64 {
	var (
		all  sync.WaitGroup
		left atomic.Int64
	)
	left.Store(int64(b.N))
	b.ResetTimer()
	begun := time.Now()
	for range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := work(context.Background()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return float64(time.Since(begun)) / float64(b.N)
}

// BenchmarkBytes counts the bytes of a row, with its indexes, after 200,000
// webhooks that were claimed and completed, and how many of the completions
// stayed on their page (HOT), which takes the less room the fewer are in flight at
// once. The floor is the table of the bare key.
func BenchmarkBytes(b *testing.B) {
	for _, inFlight := range []int{16, 1600} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { measureBytes(b, inFlight/16) })
	}
}

// measureBytes lets each of 16 callers claim a batch and then complete it.
func measureBytes(b *testing.B, batch int) {
	const rows, callers = 200_000, 16
	server := testserver.StartPostgres(b, "synchronous_commit=off", "autovacuum=off")
	db := open(b, server.DSN)
	s := newStore(b, db, sqlstore.Config{TxWait: time.Minute})
	exec(b, db, `CREATE TABLE floor (k bytea PRIMARY KEY)`)
	exec(b, db, `INSERT INTO floor SELECT decode(md5(n::text), 'hex') FROM generate_series(1, 200000) AS n`)
	var all sync.WaitGroup // once, whatever b.N is: it is the bytes that count
	for range callers {
		all.Go(func() {
			claims := make([]replay.Claim, batch)
			for range rows / callers / batch {
				for i := range claims {
					claims[i] = fresh()
					if err := acquired(s.Claim(context.Background(), claims[i])); err != nil {
						b.Error(err)
					}
				}
				for _, c := range claims {
					if err := s.Complete(context.Background(), c, nil); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	size := func(expression string) float64 { return float64(count(b, db, `SELECT `+expression)) / rows }
	b.ReportMetric(size(`pg_relation_size('webhook_replay')`), "table-B/row")
	b.ReportMetric(size(`pg_relation_size('webhook_replay_pkey')`), "key-B/row")
	b.ReportMetric(size(`pg_relation_size('webhook_replay_prune')`), "prune-B/row")
	b.ReportMetric(size(`pg_total_relation_size('webhook_replay')`), "total-B/row")
	b.ReportMetric(size(`pg_total_relation_size('floor')`), "floor-B/row")
	_ = db.Close() // the last counts are reported when a connection ends
	again := open(b, server.DSN)
	testserver.Eventually(b, 10*time.Second, "the statistics", func() bool {
		return count(b, again, `SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'webhook_replay'`) >= rows
	})
	b.ReportMetric(float64(count(b, again, `SELECT 100 * n_tup_hot_upd / n_tup_upd FROM pg_stat_user_tables
		WHERE relname = 'webhook_replay'`)), "HOT-%")
}
