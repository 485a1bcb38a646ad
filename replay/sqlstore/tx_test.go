package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

// begin starts a transaction that is rolled back at the end of the test.
func begin(t testing.TB, db *sql.DB, isolation sql.IsolationLevel) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: isolation})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// claimTx claims in a transaction and expects a status.
func claimTx(t testing.TB, s *sqlstore.Store, tx *sql.Tx, c replay.Claim, want replay.Status) replay.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := s.ClaimTx(ctx, tx, c)
	if err != nil {
		t.Fatalf("ClaimTx: %v", err)
	}
	if out.Status != want {
		t.Fatalf("ClaimTx: %v, want %v", out.Status, want)
	}
	return out
}

func commit(t testing.TB, tx *sql.Tx) {
	t.Helper()
	if err := tx.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func TestClaimTx(t *testing.T) {
	each(t, map[string]func(*testing.T, *sql.DB){
		"K30 lock timeout":      lockTimeout,
		"K30 ends":              otherEnds,
		"copies do not wait":    copiesDoNotWait,
		"conflict":              txConflict,
		"then complete":         txThenComplete,
		"after a takeover":      txAfterTakeover,
		"restores lock_timeout": txRestoresLockTimeout,
		"serialization":         txSerialization,
		"refuses":               txRefuses,
	})
}

// lockTimeout waits for a transaction that goes on.
func lockTimeout(t *testing.T, db *sql.DB) {
	const wait = 200 * time.Millisecond
	s := newStore(t, db, sqlstore.Config{TxWait: wait})
	c := fresh()
	first := begin(t, db, 0)
	claimTx(t, s, first, c, replay.Acquired)

	begun := time.Now()
	second := begin(t, db, 0)
	claimTx(t, s, second, rival(c), replay.InFlight)
	if waited := time.Since(begun); waited < wait {
		t.Errorf("answered after %v, want a wait of %v for the other transaction", waited, wait)
	}
	if _, err := second.Exec(`SELECT 1`); err == nil {
		t.Error("the transaction that waited in vain goes on, want it aborted as documented")
	}
	_ = second.Rollback()
	claim(t, s, rival(c), replay.InFlight)

	commit(t, first)
	claimTx(t, s, begin(t, db, 0), rival(c), replay.Duplicate)
	claim(t, s, rival(c), replay.Duplicate)
}

// otherEnds is what a transaction that waits gets to know at the end of the other.
func otherEnds(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{TxWait: time.Minute})
	for _, test := range []struct {
		name string
		end  func(t *testing.T, tx *sql.Tx, pid int)
		want replay.Status
	}{
		{"committed", func(t *testing.T, tx *sql.Tx, _ int) { commit(t, tx) }, replay.Duplicate},
		{"rolled back", func(_ *testing.T, tx *sql.Tx, _ int) { _ = tx.Rollback() }, replay.Acquired},
		{"backend terminated", func(t *testing.T, _ *sql.Tx, pid int) {
			exec(t, db, `SELECT pg_terminate_backend($1)`, pid)
		}, replay.Acquired},
	} {
		for _, beneath := range []bool{false, true} {
			name := test.name
			if beneath {
				name += " beneath a guard"
			}
			t.Run(name, func(t *testing.T) {
				c, other := fresh(), fresh()
				other.Key = c.Key
				if beneath {
					claim(t, s, c, replay.Acquired)
					other.Owner = c.Owner // only the same owner may wait for it
				}
				tx := begin(t, db, 0)
				var pid int
				if err := tx.QueryRow(`SELECT pg_backend_pid()`).Scan(&pid); err != nil {
					t.Fatal(err)
				}
				claimTx(t, s, tx, c, replay.Acquired)

				type answer struct {
					out replay.Outcome
					err error
				}
				answers := make(chan answer)
				second := begin(t, db, 0)
				go func() {
					out, err := s.ClaimTx(context.Background(), second, other)
					answers <- answer{out, err}
				}()
				testserver.Eventually(t, 10*time.Second, "the wait of the second", func() bool {
					return count(t, db, `SELECT count(*) FROM pg_locks WHERE NOT granted`) == 1
				})
				test.end(t, tx, pid)
				if got := <-answers; got.err != nil || got.out.Status != test.want {
					t.Fatalf("the second: %v, %v; want %v", got.out.Status, got.err, test.want)
				}
				if test.want == replay.Acquired {
					commit(t, second)
				}
				claim(t, s, rival(c), replay.Duplicate)
			})
		}
	}
}

// The fingerprint of the transaction that won tells its content from another's.
func txConflict(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	c := fresh()
	c.Fingerprint = 5
	tx := begin(t, db, 0)
	claimTx(t, s, tx, c, replay.Acquired)
	commit(t, tx)
	other := rival(c)
	other.Fingerprint = 6
	claimTx(t, s, begin(t, db, 0), other, replay.Conflict)
	claim(t, s, other, replay.Conflict)
}

// A copy neither waits for the transaction at work nor writes: with the wait
// unbounded, and nothing but the context to end it, it answers all the same.
func copiesDoNotWait(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{TxWait: time.Hour})
	c := fresh()
	claim(t, s, c, replay.Acquired)
	tx := begin(t, db, 0)
	claimTx(t, s, tx, c, replay.Acquired)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := s.Claim(ctx, rival(c)); err != nil || out.Status != replay.InFlight || out.RetryAfter <= 0 {
		t.Errorf("Claim: %v, %v; want %v with RetryAfter", out, err, replay.InFlight)
	}
	if out, err := s.ClaimTx(ctx, begin(t, db, 0), rival(c)); err != nil || out.Status != replay.InFlight || out.RetryAfter <= 0 {
		t.Errorf("ClaimTx: %v, %v; want %v with RetryAfter", out, err, replay.InFlight)
	}
}

// The middleware holds the key, the handler marks it in its transaction, the
// middleware completes: all three agree.
func txThenComplete(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	c := fresh()
	claim(t, s, c, replay.Acquired)
	if err := s.Release(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c = rival(c)
	claim(t, s, c, replay.Acquired)

	undone := begin(t, db, 0)
	claimTx(t, s, undone, c, replay.Acquired)
	_ = undone.Rollback()
	claim(t, s, rival(c), replay.InFlight) // still held by the middleware

	tx := begin(t, db, 0)
	if out := claimTx(t, s, tx, c, replay.Acquired); out.Attempt != 2 {
		t.Errorf("ClaimTx beneath the second attempt is attempt %d", out.Attempt)
	}
	commit(t, tx)
	if err := s.Release(t.Context(), c); !errors.Is(err, replay.ErrLostLease) {
		t.Errorf("Release after the commit: %v, want ErrLostLease", err)
	}
	if out := claim(t, s, rival(c), replay.Duplicate); out.Answer != nil {
		t.Errorf("the answer is %q before there is one", out.Answer)
	}
	complete(t, s, c, []byte("answer"))
	complete(t, s, c, []byte("another"))
	if out := claim(t, s, rival(c), replay.Duplicate); string(out.Answer) != "answer" {
		t.Errorf("the answer is %q, want the first", out.Answer)
	}
	// The client that does not know whether its commit arrived finds out.
	claimTx(t, s, begin(t, db, 0), c, replay.Duplicate)
}

// Whoever took over decides; the first owner is never given the key again.
func txAfterTakeover(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	first := fresh()
	claim(t, s, first, replay.Acquired)
	exec(t, db, `UPDATE webhook_replay SET expires = now() - interval '1 second'`)
	second := rival(first)
	claim(t, s, second, replay.Acquired)
	claimTx(t, s, begin(t, db, 0), first, replay.InFlight)
	complete(t, s, second, nil)
	claimTx(t, s, begin(t, db, 0), first, replay.Duplicate)
	if err := s.Complete(t.Context(), first, []byte("late")); !errors.Is(err, replay.ErrLostLease) {
		t.Errorf("Complete by the first: %v, want ErrLostLease", err)
	}
}

// The transaction's own lock_timeout is what it was, whatever came of the claim.
func txRestoresLockTimeout(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	taken, finished := fresh(), fresh()
	claim(t, s, taken, replay.Acquired)
	claim(t, s, finished, replay.Acquired)
	complete(t, s, finished, nil)
	for _, test := range []struct {
		c    replay.Claim
		want replay.Status
	}{{fresh(), replay.Acquired}, {rival(taken), replay.InFlight}, {rival(finished), replay.Duplicate}} {
		for _, set := range []string{"", "SET lock_timeout = '7s'", "SET LOCAL lock_timeout = '8s'"} {
			tx := begin(t, db, 0)
			if _, err := tx.Exec(set); err != nil {
				t.Fatal(err)
			}
			var before, after string
			if err := tx.QueryRow(`SHOW lock_timeout`).Scan(&before); err != nil {
				t.Fatal(err)
			}
			claimTx(t, s, tx, test.c, test.want)
			if err := tx.QueryRow(`SHOW lock_timeout`).Scan(&after); err != nil {
				t.Fatal(err)
			}
			if before != after {
				t.Errorf("%v: lock_timeout was %s and is %s", test.want, before, after)
			}
			_ = tx.Rollback()
		}
	}
}

// Above READ COMMITTED the loser is told to begin again, in the way that loops
// for such transactions look for.
func txSerialization(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	c := fresh()
	tx := begin(t, db, sql.LevelRepeatableRead)
	if _, err := tx.Exec(`SELECT count(*) FROM webhook_replay`); err != nil { // takes the snapshot
		t.Fatal(err)
	}
	claim(t, s, c, replay.Acquired)
	_, err := s.ClaimTx(t.Context(), tx, rival(c))
	var state interface{ SQLState() string }
	if !errors.As(err, &state) || state.SQLState() != "40001" {
		t.Errorf("ClaimTx: %v, want SQLSTATE 40001", err)
	}
}

func txRefuses(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	if _, err := s.ClaimTx(t.Context(), nil, fresh()); err == nil {
		t.Error("no error without a transaction")
	}
	if _, err := s.ClaimTx(t.Context(), begin(t, db, 0), replay.Claim{}); err == nil {
		t.Error("no error for an empty claim")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ClaimTx(ended, begin(t, db, 0), fresh()); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}
