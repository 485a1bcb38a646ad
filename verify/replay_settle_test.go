package verify_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// settlements collects what OnSettle is told.
type settlements []verify.Settlement

func (s *settlements) note(_ context.Context, one verify.Settlement) { *s = append(*s, one) }

// only is the one settlement there should be; the next begins with none.
func (s *settlements) only(t testing.TB) verify.Settlement {
	t.Helper()
	if len(*s) != 1 {
		t.Fatalf("settled %d times: %+v", len(*s), *s)
	}
	one := (*s)[0]
	*s = nil
	return one
}

// TestK04OnSettle: the observer is told how every claim ended.
func TestK04OnSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var told settlements
		down := errors.New("down")
		store := spyOn(t)
		v := guarded(t, defaultHMAC(), verify.Replay{Store: store, OnSettle: func(ctx context.Context, s verify.Settlement) {
			if ctx.Value(key{}) != "of the request" {
				t.Errorf("context %v", ctx)
			}
			told.note(ctx, s)
		}})
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "of the request"))
		cancel() // the sender is gone; what it asked for is done all the same
		for n, tt := range []struct {
			name      string
			status    int
			completed bool
			err       error // of the store
		}{
			{"R24 given back", 500, false, nil},
			{"R24 given back, the store down", 0, false, down},
			{"R24 done, the store down", 200, true, down},
			{"K10 done, the lease lost", 200, true, replay.ErrLostLease},
			{"R24 done", 204, true, nil},
		} {
			store.before = nil
			res := accept(t, v, signedAt(now.Add(time.Duration(n)*time.Second)))
			time.Sleep(3 * time.Second) // of the bubble
			store.before = func(ctx context.Context, _ string) error {
				if ctx.Err() != nil {
					t.Errorf("%s: settled in a context that has ended", tt.name)
				}
				return tt.err
			}
			if err := v.Settle(ctx, res, tt.status); !errors.Is(err, tt.err) {
				t.Errorf("%s: Settle: %v, want %v", tt.name, err, tt.err)
			}
			s := told.only(t)
			if s.Result != res || s.Completed != tt.completed || s.Held != 3*time.Second || !errors.Is(s.Err, tt.err) {
				t.Errorf("%s: settlement %+v", tt.name, s)
			}
		}
		// Nobody is told of what has no claim.
		copied(t, v, signedAt(now.Add(4*time.Second)), verify.ErrDuplicate)
		if len(told) != 0 {
			t.Errorf("told %+v", told)
		}
	})
}

// TestK09LostLease: a handler that outlives its lease is told, and does not undo
// what another has done.
func TestK09LostLease(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			var told settlements
			v := configure(t, verify.Config{Accept: defaultHMAC(), Now: clock, Replay: verify.Replay{
				Store: replay.NewMemory(replay.MemoryConfig{}), Lease: time.Second, MaxHold: 3 * time.Second, OnSettle: told.note}})
			slow := accept(t, v, defaultPost())
			time.Sleep(3 * time.Second)
			copied(t, v, defaultPost(), verify.ErrInFlight) // renewed beyond its first lease
			time.Sleep(time.Second)
			second := accept(t, v, defaultPost())
			if second.Attempt != 2 || second.Claim.Owner == slow.Claim.Owner {
				t.Errorf("the second: %+v", second)
			}
			if err := v.Settle(t.Context(), slow, status); !errors.Is(err, replay.ErrLostLease) {
				t.Errorf("K10 Settle %d: %v", status, err)
			}
			if s := told.only(t); s.Completed != (status == http.StatusOK) || !errors.Is(s.Err, replay.ErrLostLease) || s.Held != 4*time.Second {
				t.Errorf("settlement %+v", s)
			}
			copied(t, v, defaultPost(), verify.ErrInFlight)
			settle(t, v, second, http.StatusOK)
			copied(t, v, defaultPost(), verify.ErrDuplicate)
		})
	}
}

// TestK04SettleOnce: a claim is settled once, whoever calls.
func TestK04SettleOnce(t *testing.T) {
	t.Run("nothing to settle", func(t *testing.T) {
		store := spyOn(t)
		v := guarded(t, defaultHMAC(), verify.Replay{Store: store})
		var none *verify.Verifier
		foreign := accept(t, build(t, defaultHMAC()), defaultPost())
		for name, tt := range map[string]struct {
			v   *verify.Verifier
			res *verify.Result
		}{"nil result": {v, nil}, "zero result": {v, &verify.Result{}}, "result without a claim": {v, foreign},
			"zero verifier": {&verify.Verifier{}, foreign}, "nil verifier": {none, foreign}, "nil both": {none, nil}} {
			if tt.v.Settles(tt.res) || tt.v.AnswerLimit() != 0 {
				t.Errorf("%s: there is something to settle", name)
			}
			for _, err := range []error{tt.v.Settle(t.Context(), tt.res, 200), tt.v.SettleAnswer(t.Context(), tt.res, verify.Answer{Status: 200, Body: []byte("x")})} {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		store.exactly(t)
	})
	t.Run("a claim, but another verifier", func(t *testing.T) {
		res := accept(t, guarded(t, defaultHMAC(), verify.Replay{}), defaultPost())
		var none *verify.Verifier
		for _, v := range []*verify.Verifier{none, {}, build(t, defaultHMAC())} {
			if v.Settles(res) || v.Settle(t.Context(), res, 200) != nil {
				t.Errorf("%v settles a claim of another", v)
			}
		}
	})
	for _, statuses := range [][2]int{{200, 500}, {500, 200}, {200, 200}, {500, 500}} {
		t.Run("twice", func(t *testing.T) {
			store := spyOn(t)
			v := guarded(t, defaultHMAC(), verify.Replay{Store: store})
			res := accept(t, v, defaultPost())
			settle(t, v, res, statuses[0])
			before := len(store.calls)
			if err := v.Settle(t.Context(), res, statuses[1]); err == nil {
				t.Errorf("%v: the second call is no error", statuses)
			}
			if len(store.calls) != before {
				t.Errorf("%v: the store was asked to %s", statuses, store.last(t).op)
			}
		})
	}
	t.Run("by many at once", func(t *testing.T) {
		store := spyOn(t)
		v := guarded(t, defaultHMAC(), verify.Replay{Store: store})
		res := accept(t, v, defaultPost())
		store.ops()
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() { _ = v.Settle(context.Background(), res, 200+n%2*300) })
		}
		all.Wait()
		if len(store.calls) != 1 {
			t.Errorf("the store was asked %d times", len(store.calls))
		}
	})
}

// sharing is a scheme of another package that gives out one result for ever.
type sharing struct{ res *verify.Result }

func (s *sharing) Build(env verify.Env) (verify.Authenticator, error) {
	s.res.Identity = &verify.Identity{Key: env.Key("shared"), Expires: now.Add(time.Minute)}
	return s, nil
}
func (s *sharing) Authenticate(context.Context, *verify.Message) (*verify.Result, error) {
	return s.res, nil
}
func (*sharing) Window() verify.Window { return verify.Window{Past: time.Minute} }

// TestSharedResult: what a scheme returned, perhaps for ever the same, is not
// changed, and a claim is of one request alone.
func TestSharedResult(t *testing.T) {
	scheme := &sharing{res: &verify.Result{Scheme: "sharing", SignedAt: now}}
	v := guarded(t, scheme, verify.Replay{})
	original := *scheme.res
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				res, err := v.Check(post("{}"))
				if err != nil {
					if !errors.Is(err, verify.ErrInFlight) || verify.Refusal(err).Result == scheme.res {
						t.Errorf("refused with %v", err)
					}
					continue
				}
				if res == scheme.res || !v.Settles(res) {
					t.Errorf("result %p of the scheme's %p, settles: %v", res, scheme.res, v.Settles(res))
				}
				if err := v.Settle(context.Background(), res, http.StatusInternalServerError); err != nil {
					t.Errorf("Settle: %v", err)
				}
			}
		})
	}
	all.Wait()
	if *scheme.res != original || v.Settles(scheme.res) {
		t.Errorf("changed to %+v", scheme.res)
	}
}
