package replay_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/replaytest"
)

// quotaTick is the granularity that the documentation of Quota states.
const quotaTick = 10 * time.Second

func mustQuota(t *testing.T, store replay.Store, maxKeys int) *replay.Quota {
	t.Helper()
	q, err := replay.NewQuota(store, maxKeys)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// wantClaim expects a status, or ErrFull where that is 0.
func wantClaim(t *testing.T, s replay.Store, c replay.Claim, want replay.Status) {
	t.Helper()
	out, err := s.Claim(t.Context(), c)
	if out.Status != want || (err != nil) != (want == 0) || err != nil && !errors.Is(err, replay.ErrFull) {
		t.Fatalf("Claim gives %v, %v; want %v", out.Status, err, want)
	}
}

// another is a claim by another owner to the same key.
func another(c replay.Claim) replay.Claim {
	c.Owner = replay.NewOwner()
	return c
}

// One tenant floods a store; the other is let in all the same.
func TestK24Quota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := replay.NewMemory(replay.MemoryConfig{MaxKeys: 100})
		flooding, quiet := mustQuota(t, shared, 60), mustQuota(t, shared, 40)
		refused := 0
		for range 1000 {
			c := goodClaim()
			switch _, err := flooding.Claim(t.Context(), c); {
			case errors.Is(err, replay.ErrFull):
				refused++
			case err != nil:
				t.Fatal(err)
			default:
				if err := flooding.Complete(t.Context(), c, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if refused != 940 || shared.Len() != 60 {
			t.Errorf("%d were refused and the store has %d keys, want 940 and 60", refused, shared.Len())
		}
		for range 40 {
			wantClaim(t, quiet, goodClaim(), replay.Acquired)
		}
		wantClaim(t, quiet, goodClaim(), 0)
		time.Sleep(2 * goodClaim().Keep) // the store too rounds up
		for range 60 {
			wantClaim(t, flooding, goodClaim(), replay.Acquired)
		}
		wantClaim(t, flooding, goodClaim(), 0)
	})
}

// For how long a key counts, after each thing that can become of it.
func TestQuotaCounts(t *testing.T) {
	const lease, keep = 30 * time.Second, 10 * time.Minute
	broken := errors.New("broken")
	for _, test := range []struct {
		name  string
		store *fakeStore
		then  func(replay.Store, context.Context, replay.Claim) error
		want  time.Duration // from when this was done
	}{
		{"held", &fakeStore{}, nil, lease + keep},
		{"renewed", &fakeStore{}, replay.Store.Renew, lease + keep},
		{"renewal failed", &fakeStore{renew: func(context.Context) error { return broken }}, replay.Store.Renew, lease + keep - 12*time.Second},
		{"completed", &fakeStore{}, complete, keep},
		{"perhaps completed", &fakeStore{complete: func(context.Context) error { return broken }}, complete, keep},
		{"completed too late", &fakeStore{complete: func(context.Context) error { return replay.ErrLostLease }}, complete, lease + keep - 12*time.Second},
		{"released", &fakeStore{}, replay.Store.Release, keep},
		{"perhaps released", &fakeStore{release: func(context.Context) error { return broken }}, replay.Store.Release, keep},
		{"released too late", &fakeStore{release: func(context.Context) error { return replay.ErrLostLease }}, replay.Store.Release, lease + keep - 12*time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := mustQuota(t, test.store, 1)
				time.Sleep(7 * time.Second) // off the ticks
				c := goodClaim()
				wantClaim(t, q, c, replay.Acquired)
				if test.then != nil {
					time.Sleep(12 * time.Second)
					_ = test.then(q, t.Context(), c)
				}
				begun := time.Now()
				for time.Since(begun) < test.want {
					wantClaim(t, q, goodClaim(), 0)
					time.Sleep(time.Second)
				}
				time.Sleep(quotaTick)
				wantClaim(t, q, goodClaim(), replay.Acquired)
				wantClaim(t, q, goodClaim(), 0)
			})
		})
	}
}

func complete(s replay.Store, ctx context.Context, c replay.Claim) error {
	return s.Complete(ctx, c, nil)
}

// Claims that are not Acquired, or fail, take no place.
func TestQuotaCountsAcquiredOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out replay.Outcome
		var err error
		q := mustQuota(t, &fakeStore{claim: func(context.Context) (replay.Outcome, error) { return out, err }}, 1)
		for _, status := range []replay.Status{replay.InFlight, replay.Duplicate, replay.Conflict} {
			out.Status = status
			for range 3 {
				wantClaim(t, q, goodClaim(), status)
			}
		}
		out.Status, err = replay.Acquired, errors.New("broken")
		if got, gotErr := q.Claim(t.Context(), goodClaim()); gotErr != err || got.Status != out.Status {
			t.Errorf("Claim gives %+v, %v", got, gotErr)
		}
		err = nil
		wantClaim(t, q, goodClaim(), replay.Acquired)
		wantClaim(t, q, goodClaim(), 0)
	})
}

// A key counts once however often it is claimed, and is let in although the
// quota is full: the retry of a failed delivery is not refused.
func TestQuotaCountsAKeyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := mustQuota(t, replay.NewMemory(replay.MemoryConfig{}), 2)
		c := goodClaim()
		for range 5 { // released, and claimed again
			wantClaim(t, q, c, replay.Acquired)
			wantClaim(t, q, c, replay.Acquired) // repeated by its owner
			wantClaim(t, q, another(c), replay.InFlight)
			if err := q.Release(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			c = another(c)
		}
		wantClaim(t, q, goodClaim(), replay.Acquired)
		wantClaim(t, q, goodClaim(), 0)
		wantClaim(t, q, c, replay.Acquired)
		time.Sleep(c.Lease + time.Minute) // all leases lapse
		wantClaim(t, q, goodClaim(), 0)
		c = another(c)
		wantClaim(t, q, c, replay.Acquired) // taken over
		if err := q.Complete(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		wantClaim(t, q, another(c), 0) // done: not told from a new key any more
		time.Sleep(c.Keep - quotaTick)
		wantClaim(t, q, another(c), replay.Duplicate) // the place of the one that lapsed is free
		wantClaim(t, q, goodClaim(), replay.Acquired)
		wantClaim(t, q, goodClaim(), 0)
	})
}

// A key that was never settled and is forgotten counts again when it comes back,
// and one whose Complete may have failed is let in again.
func TestQuotaUnsettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{complete: func(context.Context) error { return errors.New("broken") }}
		q := mustQuota(t, s, 2)
		c := goodClaim()
		wantClaim(t, q, c, replay.Acquired)
		time.Sleep(c.Lease + c.Keep + quotaTick)
		wantClaim(t, q, goodClaim(), replay.Acquired)
		for range 3 {
			c = another(c)
			wantClaim(t, q, c, replay.Acquired)
			if err := q.Complete(t.Context(), c, nil); err == nil {
				t.Fatal("Complete: no error")
			}
		}
		wantClaim(t, q, goodClaim(), 0)
	})
}

// What Claim.Check refuses neither counts nor gets to the store as a claim, and
// the longest times do not overflow.
func TestQuotaOddClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{complete: func(context.Context) error { return errors.New("broken") }}
		q := mustQuota(t, s, 1)
		bad := goodClaim()
		bad.Owner = replay.Owner{}
		if _, err := q.Claim(t.Context(), bad); err == nil || errors.Is(err, replay.ErrFull) {
			t.Errorf("Claim without an owner: the error is %v", err)
		}
		s.wantOps(t, "")
		_ = q.Complete(t.Context(), bad, nil)
		long := goodClaim()
		long.Keep = math.MaxInt64
		wantClaim(t, q, long, replay.Acquired)
		time.Sleep(1000 * time.Hour)
		wantClaim(t, q, goodClaim(), 0)
	})
}

// Those who claim at the same time do not share the last place.
func TestQuotaConcurrentClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{claim: func(context.Context) (replay.Outcome, error) {
			time.Sleep(time.Millisecond)
			return replay.Outcome{Status: replay.Acquired, Attempt: 1}, nil
		}}
		q := mustQuota(t, s, 10)
		var all sync.WaitGroup
		results := make(chan error, 100)
		for range cap(results) {
			all.Go(func() {
				_, err := q.Claim(t.Context(), goodClaim())
				results <- err
			})
		}
		all.Wait()
		close(results)
		acquired := 0
		for err := range results {
			if err == nil {
				acquired++
			}
		}
		if asked := len(s.calls); acquired != 10 || asked != 10 {
			t.Errorf("%d were acquired and the store was asked %d times, want 10", acquired, asked)
		}
	})
}

// A store that panics takes no place with it.
func TestQuotaStorePanics(t *testing.T) {
	s := &fakeStore{claim: func(context.Context) (replay.Outcome, error) { panic("out of cheese") }}
	q := mustQuota(t, s, 1)
	func() {
		defer func() { _ = recover() }()
		_, _ = q.Claim(t.Context(), goodClaim())
	}()
	s.claim = nil
	wantClaim(t, q, goodClaim(), replay.Acquired)
}

func TestNewQuotaRefuses(t *testing.T) {
	for _, test := range []struct {
		store   replay.Store
		maxKeys int
	}{{nil, 1}, {&fakeStore{}, 0}, {&fakeStore{}, -1}} {
		if q, err := replay.NewQuota(test.store, test.maxKeys); q != nil || err == nil {
			t.Errorf("NewQuota(%v, %d) gives %v, %v", test.store, test.maxKeys, q, err)
		}
	}
}

func TestQuotaForwards(t *testing.T) {
	limits := replay.Limits{Shared: true, Retention: time.Hour}
	s := &fakeStore{}
	q := mustQuota(t, limited{s, limits}, 1)
	if got := replay.LimitsOf(q); got != limits {
		t.Errorf("the limits are %+v, want %+v", got, limits)
	}
	c := goodClaim()
	_, _ = q.Claim(t.Context(), c)
	_ = q.Renew(t.Context(), c)
	_ = q.Complete(t.Context(), c, []byte("answer"))
	_ = q.Release(t.Context(), c)
	s.wantOps(t, "Claim Renew Complete Release")
	for _, got := range s.calls {
		if got.claim != c || got.answer != map[string]string{"Complete": "answer"}[got.op] {
			t.Errorf("the store got %+v", got)
		}
	}
}

// With room enough a Quota keeps the promises of the store behind it.
func TestQuotaConformance(t *testing.T) {
	const retention = 15 * time.Minute
	replaytest.Run(t, replaytest.Harness{
		New: func(t *testing.T) replay.Store {
			return mustQuota(t, replay.NewMemory(replay.MemoryConfig{Retention: retention}), 1_000_000)
		},
		Synctest:     true,
		Answers:      1000,
		CountsLapsed: true,
		Slack:        retention / 16,
		Keys:         100,
	})
}
