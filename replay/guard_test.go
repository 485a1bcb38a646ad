package replay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// keyed is a claim with neither owner nor lease: the guard fills in both.
func keyed() replay.Claim {
	return replay.Claim{Key: replay.NewKey("test", "1"), Keep: time.Hour}
}

func mustHold(t *testing.T, g replay.Guard) *replay.Hold {
	t.Helper()
	hold, out, err := g.Claim(t.Context(), keyed())
	if hold == nil || out.Status != replay.Acquired || err != nil {
		t.Fatalf("Claim gives %v, %v, %v", hold, out, err)
	}
	return hold
}

func TestGuardDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{}
		hold := mustHold(t, replay.Guard{Store: s})
		c := hold.Claim()
		if c.Lease != 30*time.Second || c.Owner == (replay.Owner{}) || c.Keep != time.Hour || c.Key != keyed().Key {
			t.Errorf("held is %+v", c)
		}
		if got := s.call(0); got.claim != c || got.allowed != 200*time.Millisecond {
			t.Errorf("the store got %+v", got)
		}
		begun := time.Now()
		time.Sleep(time.Hour)
		// Renewed every 10 seconds and for under 5 minutes.
		s.wantOps(t, "Claim"+strings.Repeat(" Renew", 29))
		for n := 1; n <= 29; n++ {
			got := s.call(n)
			if at := got.at.Sub(begun); at != time.Duration(n)*10*time.Second || got.claim != c || got.allowed != 250*time.Millisecond {
				t.Errorf("renewal %d after %v: %+v", n, at, got)
			}
		}
		if hold.Lost() {
			t.Error("the hold is lost")
		}
		if err := hold.Complete(t.Context(), []byte("answer")); err != nil {
			t.Error(err)
		}
		if got := s.call(30); got.op != "Complete" || got.claim != c || got.answer != "answer" || got.allowed != 250*time.Millisecond {
			t.Errorf("the store got %+v", got)
		}
	})
}

func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := mustHold(t, replay.Guard{Store: &fakeStore{}})
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 2 * time.Second} {
			if time.Sleep(time.Second); hold.Held() != want {
				t.Errorf("held for %v, want %v", hold.Held(), want)
			}
			if want == 2*time.Second {
				_ = hold.Release(t.Context()) // from here on it stands still
			}
		}
	})
}

// What the claim brings along stays; renewal follows the claim's lease.
func TestGuardKeepsOwnerAndLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{}
		c := goodClaim()
		c.Lease = 3 * time.Second
		hold, _, err := replay.Guard{Store: s, Lease: time.Minute, MaxHold: 2500 * time.Millisecond}.Claim(t.Context(), c)
		if err != nil || hold.Claim() != c {
			t.Fatalf("held is %+v, %v; want %+v", hold.Claim(), err, c)
		}
		time.Sleep(time.Minute)
		s.wantOps(t, "Claim Renew Renew")
	})
}

func TestGuardWithoutStore(t *testing.T) {
	hold, out, err := replay.Guard{}.Claim(t.Context(), goodClaim())
	if hold != nil || out.Status != 0 || err == nil || !strings.Contains(err.Error(), "Guard.Store") {
		t.Errorf("Claim gives %v, %v, %v", hold, out, err)
	}
}

// Others' claims are passed on, and nothing is held.
func TestGuardNotAcquired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, want := range []replay.Outcome{
			{Status: replay.InFlight, RetryAfter: time.Second},
			{Status: replay.Duplicate, Answer: []byte("kept")},
			{Status: replay.Conflict},
		} {
			s := &fakeStore{claim: func(context.Context) (replay.Outcome, error) { return want, nil }}
			hold, out, err := replay.Guard{Store: s}.Claim(t.Context(), keyed())
			if hold != nil || err != nil || out.Status != want.Status || out.RetryAfter != want.RetryAfter || string(out.Answer) != string(want.Answer) {
				t.Errorf("Claim gives %v, %+v, %v; want %+v", hold, out, err, want)
			}
			time.Sleep(time.Hour)
			s.wantOps(t, "Claim")
		}
	})
}

// An error leaves open whether the claim took effect, so it is given back.
func TestGuardGivesBack(t *testing.T) {
	broken := errors.New("broken")
	full := errors.Join(errors.New("the store has no room"), replay.ErrFull)
	cases := []struct {
		name  string
		claim func(context.Context) (replay.Outcome, error)
		want  error
		ops   string
	}{
		{"error", func(context.Context) (replay.Outcome, error) {
			return replay.Outcome{Status: replay.Acquired}, broken
		}, broken, "Claim Release"},
		{"no answer in time", func(ctx context.Context) (replay.Outcome, error) {
			return replay.Outcome{}, untilEnded(ctx)
		}, context.DeadlineExceeded, "Claim Release"},
		{"full", func(context.Context) (replay.Outcome, error) { return replay.Outcome{}, full }, replay.ErrFull, "Claim"},
		{"no status", func(context.Context) (replay.Outcome, error) { return replay.Outcome{}, nil }, nil, "Claim Release"},
		{"unknown status", func(context.Context) (replay.Outcome, error) {
			return replay.Outcome{Status: replay.Conflict + 1}, nil
		}, nil, "Claim Release"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fakeStore{claim: test.claim, release: untilEnded}
				begun := time.Now()
				hold, out, err := replay.Guard{Store: s, Timeout: time.Second}.Claim(t.Context(), keyed())
				if hold != nil || out.Status != 0 || err == nil || test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("Claim gives %v, %+v, %v; want the error %v", hold, out, err, test.want)
				}
				// Even where neither call is answered.
				if took := time.Since(begun); took > time.Second {
					t.Errorf("the claim took %v, with Timeout 1s", took)
				}
				s.wantOps(t, test.ops)
				if test.ops == "Claim" {
					return
				}
				if claim, release := s.call(0), s.call(1); claim.claim != release.claim || release.ended != nil || release.allowed < 200*time.Millisecond {
					t.Errorf("claimed with %+v, released with %+v", claim, release)
				}
			})
		})
	}
}

// A sender that leaves during the claim does not leave the key behind.
func TestGuardGivesBackAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{claim: func(ctx context.Context) (replay.Outcome, error) { return replay.Outcome{}, untilEnded(ctx) }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, _, err := (replay.Guard{Store: s}).Claim(ctx, keyed()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		s.wantOps(t, "Claim Release")
		if got := s.call(1); got.ended != nil {
			t.Errorf("released with a context that has ended: %v", got.ended)
		}
	})
}
