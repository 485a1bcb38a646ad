package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

func TestPrune(t *testing.T) {
	each(t, map[string]func(*testing.T, *sql.DB){
		"live rows stay":     liveRowsStay,
		"comes round":        comesRound,
		"K30 while claiming": pruneWhileClaiming,
		"every":              pruneEvery,
		"forget":             forget,
	})
}

// prune expects to remove so many.
func prune(t testing.TB, s *sqlstore.Store, batch, want int) {
	t.Helper()
	if n, err := s.Prune(context.Background(), batch); err != nil || n != want {
		t.Fatalf("Prune(%d): %d, %v; want %d", batch, n, err, want)
	}
}

// expire puts a row's end into the past, and its pruning with it.
const expire = `UPDATE webhook_replay SET prune = 0, expires = now() - interval '1 second' `

func liveRowsStay(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	var live []replay.Claim
	for _, state := range []string{"held", "released", "done"} {
		for _, stays := range []bool{true, false} {
			c := fresh()
			claim(t, s, c, replay.Acquired)
			switch state {
			case "released":
				if err := s.Release(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			case "done":
				complete(t, s, c, nil)
			}
			if stays {
				live = append(live, c)
			} else {
				exec(t, db, expire+`WHERE k = $1::uuid`, c.Key.String())
			}
		}
	}
	exec(t, db, `UPDATE webhook_replay SET prune = 0`) // the end alone has to keep a row
	prune(t, s, 100, 3)
	prune(t, s, 100, 0)
	for i, want := range []replay.Status{replay.InFlight, replay.Acquired, replay.Duplicate} {
		out := claim(t, s, rival(live[i]), want)
		if want == replay.Acquired && out.Attempt != 2 {
			t.Errorf("attempt %d after a release, want the count kept", out.Attempt)
		}
	}

	for range 25 {
		claim(t, s, fresh(), replay.Acquired)
	}
	exec(t, db, expire)
	for _, want := range []int{10, 10, 8, 0} {
		prune(t, s, 10, want)
	}
	if _, err := s.Prune(t.Context(), 0); err == nil {
		t.Error("no error for an empty batch")
	}
}

// The column that the index is by comes round soon after the row's end.
func comesRound(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	for _, settle := range []func(replay.Claim) error{
		func(replay.Claim) error { return nil },
		func(c replay.Claim) error { return s.Renew(t.Context(), c) },
		func(c replay.Claim) error { return s.Release(t.Context(), c) },
		func(c replay.Claim) error { return s.Complete(t.Context(), c, nil) },
	} {
		c := fresh()
		claim(t, s, c, replay.Acquired)
		if err := settle(c); err != nil {
			t.Fatal(err)
		}
	}
	complete(t, s, fresh(), nil) // nobody knew of it
	late := fresh()
	late.Keep = time.Minute
	claim(t, s, late, replay.Acquired)
	late.Lease = time.Hour // a renewal past what the claim allowed for
	if err := s.Renew(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, `SELECT count(*) FROM webhook_replay WHERE prune * 60 < date_part('epoch', expires) - 30
		OR prune * 60 > date_part('epoch', clock_timestamp()) + 3600 + 60 + 30`); n != 0 {
		t.Errorf("%d rows are pruned long before or after their end", n)
	}
}

// Rows go in bounded batches under locks that claims do not wait for, where a
// partitioned table would drop a partition: while pruning runs at its fastest no
// live key is lost, and no call fails.
func pruneWhileClaiming(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	exec(t, db, `CREATE FUNCTION soon() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.prune := 0; RETURN NEW; END'`)
	exec(t, db, `CREATE TRIGGER soon BEFORE INSERT OR UPDATE ON webhook_replay FOR EACH ROW EXECUTE FUNCTION soon()`)

	ctx, stop := context.WithCancel(t.Context())
	var pruners, claimers sync.WaitGroup
	removed := make([]int, 2)
	for i := range removed {
		pruners.Go(func() {
			for ctx.Err() == nil {
				n, err := s.Prune(ctx, 20)
				if err != nil && ctx.Err() == nil {
					t.Errorf("Prune: %v", err)
				}
				removed[i] += n
			}
		})
	}
	live := make([][]replay.Claim, 6)
	for i := range live {
		claimers.Go(func() {
			for range 100 {
				c := fresh()
				c.Keep = time.Millisecond
				if err := errors.Join(acquired(s.Claim(ctx, c)), s.Complete(ctx, c, nil)); err != nil {
					t.Error(err)
				}
				// Claimed anew as soon as it has expired, just when it is pruned.
				c = rival(c)
				c.Keep = time.Hour
				for acquired(s.Claim(ctx, c)) != nil && !t.Failed() { // a millisecond at most
				}
				if err := s.Complete(ctx, c, nil); err != nil {
					t.Error(err)
				}
				live[i] = append(live[i], c)
			}
		})
	}
	claimers.Wait()
	stop()
	pruners.Wait()
	for _, claims := range live {
		for _, c := range claims {
			claim(t, s, rival(c), replay.Duplicate)
		}
	}
	if removed[0]+removed[1] == 0 {
		t.Error("nothing was pruned meanwhile")
	}
}

func pruneEvery(t *testing.T, db *sql.DB) {
	failures := make(chan error, 1000)
	s := newStore(t, db, sqlstore.Config{PruneFailed: func(err error) { failures <- err }})
	ended := make(chan error)
	pruned := func() bool { return count(t, db, `SELECT count(*) FROM webhook_replay`) == 0 }
	fill := func() {
		exec(t, db, `INSERT INTO webhook_replay (k, owner, state, attempt, fingerprint, expires, prune)
			SELECT gen_random_uuid(), gen_random_uuid(), 3, 1, 0, now(), 0 FROM generate_series(1, 2500)`)
	}
	// The first round is at once, and takes more than one batch.
	fill()
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- s.PruneEvery(ctx, time.Hour) }()
	testserver.Eventually(t, 10*time.Second, "the first round", pruned)
	stop()
	<-ended

	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- s.PruneEvery(ctx, 10*time.Millisecond) }()
	fill()
	testserver.Eventually(t, 10*time.Second, "pruning", pruned)

	exec(t, db, `ALTER TABLE webhook_replay RENAME TO away`)
	var state interface{ SQLState() string }
	var failure error
	select {
	case failure = <-failures:
	case <-time.After(patience):
	}
	if !errors.As(failure, &state) || state.SQLState() != "42P01" {
		t.Errorf("PruneFailed: %v, want SQLSTATE 42P01", failure)
	}
	exec(t, db, `ALTER TABLE away RENAME TO webhook_replay`)
	fill()
	testserver.Eventually(t, 10*time.Second, "pruning after a failure", pruned)

	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("PruneEvery: %v, want the context's error", err)
	}
	if err := s.PruneEvery(t.Context(), 0); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("PruneEvery(0): %v, want a refusal", err)
	}
}

func forget(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	c := fresh()
	claim(t, s, c, replay.Acquired)
	complete(t, s, c, nil)
	for range 2 {
		if err := s.Forget(t.Context(), c.Key); err != nil {
			t.Errorf("Forget: %v", err)
		}
	}
	if out := claim(t, s, rival(c), replay.Acquired); out.Attempt != 1 {
		t.Errorf("attempt %d after Forget, want 1", out.Attempt)
	}
	if err := s.Forget(t.Context(), replay.Key{}); err == nil {
		t.Error("no error for the zero key")
	}
}
