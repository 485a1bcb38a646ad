package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

const manyKeys = 400

func (w *worker) claimMany() error {
	w.wait("ready")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range manyKeys {
				out, err := w.store.Claim(context.Background(), shared(strconv.Itoa(i), time.Minute))
				if err != nil {
					fmt.Println("error:", err)
				} else if out.Status == replay.Acquired {
					fmt.Println(i)
				}
			}
		})
	}
	all.Wait()
	fmt.Println("done")
	return nil
}

func TestK02TwoProcesses(t *testing.T) {
	dsn := testserver.StartPostgres(t).DSN
	newStore(t, open(t, dsn), sqlstore.Config{})
	children := []*process{spawn(t, "claim many", dsn), spawn(t, "claim many", dsn)}
	for _, c := range children {
		c.expect(t, "ready")
	}
	for _, c := range children {
		c.say(t)
	}
	acquired := make(map[string]int)
	for _, c := range children {
		for line := c.line(t); line != "done"; line = c.line(t) {
			acquired[line]++
		}
	}
	for i := range manyKeys {
		if n := acquired[strconv.Itoa(i)]; n != 1 {
			t.Errorf("key %d was acquired %d times over both processes, want 1", i, n)
		}
	}
}

const killedLease = 600 * time.Millisecond

func (w *worker) claimAndHang() error {
	out, err := w.store.Claim(context.Background(), shared("killed", killedLease))
	w.wait(out.Status.String())
	return err
}

// The work's process dies within the work: the lease is what it costs.
func TestK07Killed(t *testing.T) {
	dsn := testserver.StartPostgres(t).DSN
	s := newStore(t, open(t, dsn), sqlstore.Config{})
	begun := time.Now()
	c := spawn(t, "claim and hang", dsn)
	c.expect(t, "acquired")
	if out := claim(t, s, shared("killed", time.Minute), replay.InFlight); out.RetryAfter <= 0 || out.RetryAfter > killedLease {
		t.Errorf("RetryAfter is %v, want a part of %v", out.RetryAfter, killedLease)
	}
	c.kill()

	var (
		all      sync.WaitGroup
		acquired atomic.Int32
	)
	for range 8 {
		all.Go(func() {
			for end := time.Now().Add(3 * killedLease); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				out, err := s.Claim(context.Background(), shared("killed", time.Minute))
				switch {
				case err != nil:
					t.Errorf("Claim: %v", err)
				case out.Status == replay.Acquired:
					acquired.Add(1)
					if out.Attempt != 2 {
						t.Errorf("acquired as attempt %d, want 2", out.Attempt)
					}
					if time.Since(begun) < killedLease {
						t.Error("acquired before the lease had lapsed")
					}
				case out.Status != replay.InFlight:
					t.Errorf("Claim: %v", out.Status)
				}
			}
		})
	}
	all.Wait()
	if n := acquired.Load(); n != 1 {
		t.Errorf("acquired %d times after the lease, want 1", n)
	}
}

// effectAndMark does the effect and marks the key in one transaction, which is
// left open.
func effectAndMark(db *sql.DB, s *sqlstore.Store, c replay.Claim) (*sql.Tx, replay.Outcome, error) {
	tx, err := db.Begin()
	if err != nil {
		return nil, replay.Outcome{}, err
	}
	if _, err = tx.Exec(`INSERT INTO effects VALUES (1)`); err != nil {
		return tx, replay.Outcome{}, err
	}
	out, err := s.ClaimTx(context.Background(), tx, c)
	return tx, out, err
}

func (w *worker) transaction() error {
	tx, out, err := effectAndMark(w.db, w.store, shared("transaction", time.Minute))
	if err != nil {
		return err
	}
	w.wait(out.Status.String())
	if err := tx.Commit(); err != nil {
		return err
	}
	w.wait("committed")
	return nil
}

func TestK08Killed(t *testing.T) {
	each(t, map[string]func(*testing.T, *sql.DB){
		"ClaimTx before the commit": func(t *testing.T, db *sql.DB) { claimTxKilled(t, db, false) },
		"ClaimTx after the commit":  func(t *testing.T, db *sql.DB) { claimTxKilled(t, db, true) },
		"plain claim":               plainKilled,
	})
}

// Claimed in the transaction of its effect, a delivery has the effect once,
// wherever the process dies.
func claimTxKilled(t *testing.T, db *sql.DB, committed bool) {
	s := newStore(t, db, sqlstore.Config{})
	exec(t, db, `CREATE TABLE effects (n integer)`)
	c := spawn(t, "transaction", dsnOf(t, db, "postgres"))
	c.expect(t, "acquired")
	if committed {
		c.say(t)
		c.expect(t, "committed")
	}
	c.kill()

	if committed {
		tx, out, err := effectAndMark(db, s, shared("transaction", time.Minute))
		if err != nil || out.Status != replay.Duplicate {
			t.Errorf("ClaimTx after the commit: %v, %v; want %v", out.Status, err, replay.Duplicate)
		}
		_ = tx.Rollback()
	} else {
		if n := count(t, db, `SELECT count(*) FROM effects`) + count(t, db, `SELECT count(*) FROM webhook_replay`); n != 0 {
			t.Errorf("%d effects and marks before the commit, want none", n)
		}
		// The server may not have seen yet that the connection is gone.
		testserver.Eventually(t, 10*time.Second, "the retry", func() bool {
			tx, out, err := effectAndMark(db, s, shared("transaction", time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if out.Status != replay.Acquired {
				return tx.Rollback() != nil
			}
			return tx.Commit() == nil
		})
	}
	if n := count(t, db, `SELECT count(*) FROM effects`); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
	claim(t, s, shared("transaction", time.Minute), replay.Duplicate)
}

func (w *worker) plain() error {
	out, err := w.store.Claim(context.Background(), shared("plain", killedLease))
	if err != nil {
		return err
	}
	if _, err := w.db.Exec(`INSERT INTO effects VALUES (1)`); err != nil {
		return err
	}
	w.wait(out.Status.String())
	return nil
}

// What the other way loses, as documented: a plain claim whose process dies
// between the effect and Complete has the effect a second time.
func plainKilled(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	exec(t, db, `CREATE TABLE effects (n integer)`)
	c := spawn(t, "plain", dsnOf(t, db, "postgres"))
	c.expect(t, "acquired")
	c.kill()
	again := shared("plain", time.Minute)
	testserver.Eventually(t, 10*time.Second, "the end of the lease", func() bool {
		out, err := s.Claim(context.Background(), again)
		return err == nil && out.Status == replay.Acquired
	})
	exec(t, db, `INSERT INTO effects VALUES (1)`)
	complete(t, s, again, nil)
	if n := count(t, db, `SELECT count(*) FROM effects`); n != 2 {
		t.Errorf("%d effects, want 2", n)
	}
}
