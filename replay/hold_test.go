package replay_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

func TestGuardRenewal(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name    string
		answers []error // of the renewals, then nil
		ops     string  // within 70 seconds
		lost    bool
	}{
		{"all well", nil, "Claim Renew Renew Renew Renew Renew Renew", false},
		{"tried again after an error", []error{broken, nil, broken}, "Claim Renew Renew Renew Renew Renew Renew", false},
		{"ends with the lease", []error{nil, errors.Join(broken, replay.ErrLostLease)}, "Claim Renew Renew", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := slices.Clone(test.answers)
				s := &fakeStore{renew: func(context.Context) (err error) {
					if len(answers) > 0 {
						err, answers = answers[0], answers[1:]
					}
					return err
				}}
				hold := mustHold(t, replay.Guard{Store: s})
				time.Sleep(69 * time.Second)
				s.wantOps(t, test.ops)
				if hold.Lost() != test.lost {
					t.Errorf("Lost is %v, want %v", hold.Lost(), test.lost)
				}
				if err := hold.Release(t.Context()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Hour) // nothing goes on after settling
				s.wantOps(t, test.ops+" Release")
			})
		})
	}
}

// The sender may leave before the work ends; what came of it is written all the
// same. This is the store's half of K06.
func TestK06SettleAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for op, settle := range map[string]func(*replay.Hold, context.Context) error{
			"Complete": func(h *replay.Hold, ctx context.Context) error { return h.Complete(ctx, nil) },
			"Release":  (*replay.Hold).Release,
		} {
			s := &fakeStore{}
			hold := mustHold(t, replay.Guard{Store: s, Timeout: time.Second})
			type key struct{}
			ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "kept"), time.Nanosecond)
			defer cancel()
			time.Sleep(time.Second)
			s.complete = func(ctx context.Context) error {
				if ctx.Value(key{}) != "kept" {
					t.Errorf("%s: the context's values are gone", op)
				}
				return nil
			}
			s.release = s.complete
			if err := settle(hold, ctx); err != nil {
				t.Errorf("%s: %v", op, err)
			}
			s.wantOps(t, "Claim "+op)
			if got := s.call(1); got.ended != nil || got.allowed != time.Second || got.claim != hold.Claim() {
				t.Errorf("%s: the store got %+v", op, got)
			}
		}
	})
}

func TestSettleEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{complete: untilEnded}
		hold := mustHold(t, replay.Guard{Store: s, Timeout: time.Second})
		begun := time.Now()
		if err := hold.Complete(t.Context(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("settling took %v, want 1s", took)
		}
	})
}

// Of many who settle at once one is heard, while renewals go on in between.
func TestSettleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 32
		s := &fakeStore{renew: func(context.Context) error { time.Sleep(time.Millisecond); return nil }}
		hold := mustHold(t, replay.Guard{Store: s, Lease: 3 * time.Millisecond})
		refused := make(chan error, callers)
		for n := range callers {
			go func() {
				time.Sleep(10 * time.Millisecond) // a renewal is due at the same instant
				settle := hold.Release
				if n%2 == 0 {
					settle = func(ctx context.Context) error { return hold.Complete(ctx, nil) }
				}
				_ = hold.Lost()
				refused <- settle(t.Context())
			}()
		}
		accepted := 0
		for range callers {
			switch err := <-refused; {
			case err == nil:
				accepted++
			case !strings.Contains(err.Error(), "settled already"):
				t.Errorf("a second settling: %v", err)
			}
		}
		time.Sleep(time.Hour)
		written := strings.Count(s.ops(), "Complete") + strings.Count(s.ops(), "Release")
		if renewed := strings.Count(s.ops(), "Renew"); accepted != 1 || written != 1 || renewed < 4 || renewed > 10 {
			t.Errorf("%d settled, %d were written, %d renewals: %s", accepted, written, renewed, s.ops())
		}
	})
}

func TestDo(t *testing.T) {
	failed, broken := errors.New("failed"), errors.New("broken")
	answer := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	status := func(status replay.Status, err error) func(context.Context) (replay.Outcome, error) {
		return func(context.Context) (replay.Outcome, error) { return replay.Outcome{Status: status}, err }
	}
	for _, test := range []struct {
		name  string
		store *fakeStore
		work  error
		runs  int
		want  replay.Status
		errs  []error // that errors.Is must find; none means nil
		ops   string
	}{
		{"success", &fakeStore{}, nil, 1, replay.Acquired, nil, "Claim Complete"},
		{"failure", &fakeStore{}, failed, 1, replay.Acquired, []error{failed}, "Claim Release"},
		{"failure, and Release too", &fakeStore{release: answer(broken)}, failed, 1, replay.Acquired, []error{failed, broken}, "Claim Release"},
		{"lost lease", &fakeStore{complete: answer(replay.ErrLostLease)}, nil, 1, replay.Acquired, []error{replay.ErrLostLease}, "Claim Complete"},
		{"in flight", &fakeStore{claim: status(replay.InFlight, nil)}, nil, 0, replay.InFlight, nil, "Claim"},
		{"duplicate", &fakeStore{claim: status(replay.Duplicate, nil)}, nil, 0, replay.Duplicate, nil, "Claim"},
		{"conflict", &fakeStore{claim: status(replay.Conflict, nil)}, nil, 0, replay.Conflict, nil, "Claim"},
		{"claim fails", &fakeStore{claim: status(replay.Acquired, broken)}, nil, 0, 0, []error{broken}, "Claim Release"},
		{"full", &fakeStore{claim: status(0, replay.ErrFull)}, nil, 0, 0, []error{replay.ErrFull}, "Claim"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, runs := test.store, 0
				out, err := replay.Guard{Store: s}.Do(t.Context(), keyed(), func(context.Context) error {
					runs++
					return test.work
				})
				if runs != test.runs || out.Status != test.want || (err != nil) != (len(test.errs) > 0) {
					t.Errorf("ran %d times, %v, %v", runs, out.Status, err)
				}
				for _, want := range test.errs {
					if !errors.Is(err, want) {
						t.Errorf("the error %v is not %v", err, want)
					}
				}
				time.Sleep(time.Hour)
				s.wantOps(t, test.ops)
			})
		})
	}
}

func TestDoWithPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{}
		func() {
			defer func() {
				if got := recover(); got != "out of cheese" {
					t.Errorf("recovered %v", got)
				}
			}()
			_, _ = replay.Guard{Store: s}.Do(t.Context(), keyed(), func(context.Context) error { panic("out of cheese") })
			t.Error("the panic did not go on")
		}()
		time.Sleep(time.Hour)
		s.wantOps(t, "Claim Release")
	})
}

// Renewal never outlasts MaxHold, nor waits so long that the next turn would come
// after the end of the lease.
func TestRenewalBounds(t *testing.T) {
	for _, test := range []struct {
		name  string
		guard replay.Guard
		slow  bool
		ops   string // within a minute
		at    []time.Duration
	}{
		{"MaxHold before the first turn", replay.Guard{Lease: 30 * time.Second, MaxHold: 10 * time.Second}, false, "Claim", nil},
		{"MaxHold after it", replay.Guard{Lease: 30 * time.Second, MaxHold: 10*time.Second + 1}, false, "Claim Renew", []time.Duration{10 * time.Second}},
		{"Timeout over a third of the lease", replay.Guard{Lease: 3 * time.Second, MaxHold: 7 * time.Second, Timeout: time.Minute}, true,
			"Claim Renew Renew Renew Renew", []time.Duration{time.Second, 2500 * time.Millisecond, 4 * time.Second, 5500 * time.Millisecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fakeStore{}
				if test.slow {
					s.renew = untilEnded
				}
				test.guard.Store = s
				begun := time.Now()
				hold := mustHold(t, test.guard)
				time.Sleep(time.Minute)
				s.wantOps(t, test.ops)
				for n, at := range test.at {
					if got := s.call(n + 1).at.Sub(begun); got != at {
						t.Errorf("renewal %d after %v, want %v", n+1, got, at)
					}
				}
				_ = hold.Release(t.Context())
			})
		})
	}
}
