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

func TestSetIfAbsent(t *testing.T) {
	type setting struct {
		key string
		ttl time.Duration
	}
	var got []setting
	present := map[string]bool{}
	var s replay.Store = replay.SetIfAbsent(func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
		if ctx != t.Context() {
			t.Error("another context")
		}
		got = append(got, setting{key, ttl})
		absent := !present[key]
		present[key] = true
		return absent, nil
	})
	c := goodClaim()
	for i, want := range []replay.Status{replay.Acquired, replay.Duplicate, replay.Duplicate} {
		out, err := s.Claim(t.Context(), c)
		if err != nil || out.Status != want || out.Answer != nil || out.RetryAfter != 0 || (out.Attempt == 1) != (want == replay.Acquired) {
			t.Errorf("claim %d: %+v, %v; want %v", i, out, err, want)
		}
		if i == 0 {
			continue
		}
		if err := s.Renew(t.Context(), c); err != nil {
			t.Errorf("Renew: %v", err)
		}
		if err := s.Complete(t.Context(), c, []byte("answer")); err != nil {
			t.Errorf("Complete: %v", err)
		}
		if err := s.Release(t.Context(), c); err == nil || errors.Is(err, replay.ErrLostLease) || !strings.Contains(err.Error(), "release") {
			t.Errorf("Release: the error is %v", err)
		}
	}
	if len(got) != 3 {
		t.Fatalf("the function was called %d times, want once for each claim", len(got))
	}
	for _, call := range got {
		if want := (setting{c.Key.String(), c.Keep}); call != want {
			t.Errorf("called with %v, want %v", call, want)
		}
	}
	if got, want := replay.LimitsOf(s), (replay.Limits{Shared: true, NoRelease: true}); got != want {
		t.Errorf("the limits are %+v, want %+v", got, want)
	}
}

// Neither an error nor what Claim.Check refuses ever lets work begin.
func TestSetIfAbsentRefuses(t *testing.T) {
	broken := errors.New("broken")
	called := false
	failing := replay.SetIfAbsent(func(context.Context, string, time.Duration) (bool, error) {
		called = true
		return true, broken
	})
	if out, err := failing.Claim(t.Context(), goodClaim()); !errors.Is(err, broken) || out.Status != 0 {
		t.Errorf("with an error: %+v, %v", out, err)
	}
	if out, err := replay.SetIfAbsent(nil).Claim(t.Context(), goodClaim()); err == nil || !strings.Contains(err.Error(), "SetIfAbsent is nil") || out.Status != 0 {
		t.Errorf("with no function: %+v, %v", out, err)
	}

	called = false
	bad := goodClaim()
	bad.Key = replay.Key{}
	_, err := failing.Claim(t.Context(), bad)
	for op, err := range map[string]error{
		"Claim":    err,
		"Renew":    failing.Renew(t.Context(), bad),
		"Complete": failing.Complete(t.Context(), bad, nil),
		"Release":  failing.Release(t.Context(), bad),
	} {
		if err == nil || !strings.Contains(err.Error(), "Claim.Key") {
			t.Errorf("%s without a key: the error is %v", op, err)
		}
	}
	if called {
		t.Error("the function was called without a key")
	}
}

// What the documentation says: a failure is reported, and its retry is refused.
func TestSetIfAbsentLosesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		present := map[string]bool{}
		guard := replay.Guard{Store: replay.SetIfAbsent(func(_ context.Context, key string, _ time.Duration) (bool, error) {
			absent := !present[key]
			present[key] = true
			return absent, nil
		})}
		failed, runs := errors.New("failed"), 0
		work := func(context.Context) error { runs++; return failed }
		_, err := guard.Do(t.Context(), keyed(), work)
		if !errors.Is(err, failed) || !strings.Contains(err.Error(), "cannot release") {
			t.Errorf("the error is %v", err)
		}
		out, err := guard.Do(t.Context(), keyed(), work)
		if out.Status != replay.Duplicate || err != nil || runs != 1 {
			t.Errorf("the retry: %v, %v, after %d runs", out.Status, err, runs)
		}
	})
}
