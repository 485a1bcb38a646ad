package verify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// TestK19Forged: what is not genuine never touches the store.
func TestK19Forged(t *testing.T) {
	store := spyOn(t)
	v := guarded(t, standard(), verify.Replay{Store: store})
	store.before = func(_ context.Context, op string) error {
		t.Errorf("the store is asked to %s for a forgery", op)
		return nil
	}
	header := standardPost("msg_1", hmacStamp, "{}").Header
	forge := func(name, value string) http.Header {
		h := header.Clone()
		h.Set(name, value)
		return h
	}
	t.Run("R19 K19 V29 20,000 bad MACs", func(t *testing.T) {
		h := header.Clone()
		for n := range 20_000 {
			h["Webhook-Signature"] = []string{fmt.Sprintf("v1,%064x", n)}
			res, err := v.CheckMessage(t.Context(), verify.NewMessage("POST", "/", h, []byte("{}")))
			if res != nil || !errors.Is(err, verify.ErrMismatch) {
				t.Fatalf("result %+v, error %v", res, err)
			}
		}
	})
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		reason error
	}{
		{"other body", header, "[]", verify.ErrMismatch},
		{"other id", forge("Webhook-Id", "msg_2"), "{}", verify.ErrMismatch},
		{"unsigned", forge("Webhook-Signature", ""), "{}", verify.ErrMissing},
		{"malformed", forge("Webhook-Signature", "v1,x"), "{}", verify.ErrMalformed},
		{"stale", standardPost("msg_1", "1767225299", "{}").Header, "{}", verify.ErrStale},
		{"ahead", standardPost("msg_1", "1767225901", "{}").Header, "{}", verify.ErrStale},
		{"too large", standardPost("msg_1", hmacStamp, string(make([]byte, 1<<20+1))).Header, string(make([]byte, 1<<20+1)), verify.ErrTooLarge},
	} {
		t.Run("V29 "+tt.name, func(t *testing.T) {
			res, err := v.CheckMessage(t.Context(), verify.NewMessage("POST", "/", tt.header, []byte(tt.body)))
			refused(t, res, err, tt.reason, "")
		})
	}
	t.Run("V29 a token right, the body over the limit", func(t *testing.T) {
		v := guarded(t, goodBearer(), verify.Replay{Store: store, Horizon: time.Minute, Key: verify.BodyKey})
		r := goodBearerPost()
		r.ContentLength = 2 << 20
		refuse(t, v, r, verify.ErrTooLarge, "")
	})
	store.exactly(t)
	store.before = nil
	t.Run("R19 K19 then the genuine one", func(t *testing.T) {
		finish(t, v, standardPost("msg_1", hmacStamp, "{}"))
		store.exactly(t, "Claim", "Complete")
	})
}

// TestR20AtOnce: of many copies at the same time one is let through.
func TestR20AtOnce(t *testing.T) {
	v := guarded(t, defaultHMAC(), verify.Replay{})
	const copies = 64
	var accepted, inFlight, done atomic.Int32
	var at, all sync.WaitGroup
	at.Add(copies)
	for range copies {
		all.Go(func() {
			at.Done()
			at.Wait()
			res, err := v.Check(defaultPost())
			switch {
			case err == nil:
				accepted.Add(1)
				if err := v.Settle(context.Background(), res, http.StatusOK); err != nil {
					t.Errorf("Settle: %v", err)
				}
			case errors.Is(err, verify.ErrInFlight) && verify.Refusal(err).Retry() == "5" && verify.Refusal(err).StatusCode() == http.StatusServiceUnavailable:
				inFlight.Add(1)
			case errors.Is(err, verify.ErrDuplicate):
				done.Add(1)
			default:
				t.Errorf("V26 refused with %v", err)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 1 || inFlight.Load()+done.Load() != copies-1 {
		t.Errorf("R20 V26 %d accepted, %d in flight, %d duplicates of %d", accepted.Load(), inFlight.Load(), done.Load(), copies)
	}
}

// TestR20InFlight: a copy that comes while the first may still fail is to come
// again.
func TestR20InFlight(t *testing.T) {
	c := verifytest.NewClock(now)
	for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Acknowledge, verify.Repeat} {
		c.Set(now)
		var events observed
		v := configure(t, verify.Config{Accept: defaultHMAC(), Now: clock, Observe: events.observe,
			Replay: verify.Replay{Store: memoryAt(t, c.Now, replay.MemoryConfig{}), Duplicate: policy}})
		res := accept(t, v, defaultPost())
		events.only(t)
		e := copied(t, v, defaultPost(), verify.ErrInFlight)
		if e.StatusCode() != http.StatusServiceUnavailable || e.Retry() != "5" || e.Answer != nil {
			t.Errorf("V26 policy %d: %+v", policy, e)
		}
		if ev := events.only(t); ev.Reason != "in_flight" || ev.Status != http.StatusServiceUnavailable || ev.KeyID != "0" || ev.Level() != slog.LevelInfo {
			t.Errorf("event %+v", ev)
		}
		c.Advance(27 * time.Second) // the lease ends before five seconds are over
		if e := copied(t, v, defaultPost(), verify.ErrInFlight); e.Retry() != "3" {
			t.Errorf("Retry-After %q at the end of the lease", e.Retry())
		}
		settle(t, v, res, http.StatusOK)
		copied(t, v, defaultPost(), verify.ErrDuplicate)
	}
	t.Run("a store that does not tell when the lease ends", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{Store: alwaysInFlight{}})
		if e := copied(t, v, defaultPost(), verify.ErrInFlight); e.Retry() != "5" {
			t.Errorf("Retry-After %q", e.Retry())
		}
	})
}

// alwaysInFlight is a store in which everything is somebody else's.
type alwaysInFlight struct{ replay.Store }

func (alwaysInFlight) Claim(context.Context, replay.Claim) (replay.Outcome, error) {
	return replay.Outcome{Status: replay.InFlight}, nil
}

// TestR22StoreFails: without the store nobody can say that a message is new.
func TestR22StoreFails(t *testing.T) {
	down := errors.New("connection refused by redis.internal:6379")
	for _, tt := range []struct {
		name   string
		before func(context.Context, string) error
		cause  error
		detail string
		ops    []string
	}{
		{"R22 error", func(context.Context, string) error { return down }, down, "does not answer", []string{"Claim", "Release"}},
		{"R22 V28 full", func(context.Context, string) error { return fmt.Errorf("of 7 keys: %w", replay.ErrFull) }, replay.ErrFull, "is full", []string{"Claim"}},
		{"R22 slower than Timeout", func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() },
			context.DeadlineExceeded, "does not answer", []string{"Claim", "Release"}},
		{"R22 error of the claim alone", func(_ context.Context, op string) error {
			if op == "Claim" {
				return down
			}
			return nil
		}, down, "does not answer", []string{"Claim", "Release"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := spyOn(t)
				store.before = tt.before
				var events observed
				v := configure(t, verify.Config{Accept: defaultHMAC(), Now: clock, Observe: events.observe,
					Replay: verify.Replay{Store: store, Timeout: 50 * time.Millisecond}})
				began := time.Now()
				e := refuse(t, v, defaultPost(), verify.ErrUnavailable, "hmac: verification unavailable (the replay store "+tt.detail+")")
				if waited := time.Since(began); waited > 50*time.Millisecond {
					t.Errorf("waited for %v", waited)
				}
				if !errors.Is(e, tt.cause) || e.StatusCode() != http.StatusServiceUnavailable || e.Retry() != "30" || e.Result != nil {
					t.Errorf("refusal %+v, causes %v", e, e.Unwrap())
				}
				if disclosed(e.Error(), down.Error()) != "" {
					t.Errorf("the text holds that of the store: %v", e)
				}
				if ev := events.only(t); ev.Reason != "unavailable" || ev.Status != http.StatusServiceUnavailable || ev.Level() != slog.LevelError || ev.Degraded {
					t.Errorf("event %+v", ev)
				}
				store.exactly(t, tt.ops...)
				store.before = nil
				finish(t, v, defaultPost()) // nothing stays held
			})
		})
	}
	t.Run("R22 policy failOpen", func(t *testing.T) {
		shared := spyOn(t)
		shared.limits = replay.Limits{Shared: true}
		var events observed
		var settled verify.Settlement
		v := configure(t, verify.Config{Accept: defaultHMAC(), Now: clock, Observe: events.observe, Replay: verify.Replay{Scope: "hook",
			Store:    replay.Tiered{Local: memoryAt(t, clock, replay.MemoryConfig{}), Shared: shared, InsecureFailOpen: true},
			OnSettle: func(_ context.Context, s verify.Settlement) { settled = s }}})
		shared.before = func(context.Context, string) error { return down }
		res := accept(t, v, defaultPost())
		if ev := events.only(t); !res.Degraded || !ev.Degraded || ev.Reason != "ok" || ev.Level() != slog.LevelWarn {
			t.Errorf("result %+v, event %+v", res, ev)
		}
		if err := v.Settle(t.Context(), res, 200); !errors.Is(err, down) || !errors.Is(settled.Err, down) || !settled.Completed {
			t.Errorf("Settle: %v, settlement %+v", err, settled)
		}
		copied(t, v, defaultPost(), verify.ErrDuplicate)
		events.only(t)
		shared.before = nil
		r := signedPost("{}", hmacStamp, hexMAC(hmacStamp+".{}"))
		if res := finish(t, v, r); res.Degraded || events.only(t).Degraded {
			t.Errorf("still degraded: %+v", res)
		}
	})
}

// TestK04Settle: what its handler answered decides whether a message may come
// again. The same over HTTP is in package verifyhttp.
func TestK04Settle(t *testing.T) {
	for _, tt := range []struct {
		status    int
		completed bool
	}{
		{200, true}, {201, true}, {202, true}, {204, true}, {299, true},
		{0, false}, {-1, false}, {100, false}, {199, false}, {300, false}, {304, false}, {400, false}, {404, false}, {409, false}, {499, false}, {500, false}, {503, false}, {2000, false}, {20, false},
	} {
		t.Run(fmt.Sprint("R24 K04 V29 ", tt.status), func(t *testing.T) {
			store := spyOn(t)
			v := guarded(t, defaultHMAC(), verify.Replay{Store: store})
			first := accept(t, v, defaultPost())
			settle(t, v, first, tt.status)
			if tt.completed {
				store.exactly(t, "Claim", "Complete")
				copied(t, v, defaultPost(), verify.ErrDuplicate)
				return
			}
			store.exactly(t, "Claim", "Release")
			again := accept(t, v, defaultPost())
			if again.Attempt != 2 || again.Claim.Owner == first.Claim.Owner || again.Claim.Key != first.Claim.Key {
				t.Errorf("the retry: %+v", again)
			}
			settle(t, v, again, 200)
			copied(t, v, defaultPost(), verify.ErrDuplicate)
		})
	}
}

// TestV28Full: a full store refuses what is new and forgets nothing.
func TestV28Full(t *testing.T) {
	const maximum = 50
	c := verifytest.NewClock(now)
	v := configure(t, verify.Config{Accept: standard(), Now: c.Now, Replay: verify.Replay{
		Store: memoryAt(t, c.Now, replay.MemoryConfig{MaxKeys: maximum, Retention: 11 * time.Minute})}})
	request := func(n int) *http.Request {
		return standardPost(fmt.Sprint("msg_", n), fmt.Sprint(c.Now().Unix()), "{}")
	}
	for n := range maximum {
		finish(t, v, request(n))
	}
	for range 3 {
		e := refuse(t, v, request(maximum), verify.ErrUnavailable, "the replay store is full")
		if !errors.Is(e, replay.ErrFull) || e.Retry() != "30" {
			t.Errorf("V28 %v", e)
		}
	}
	for n := range maximum {
		copied(t, v, request(n), verify.ErrDuplicate)
	}
	c.Advance(13 * time.Minute) // retention, and a sixteenth
	finish(t, v, request(maximum))
}

// panicking is a store that breaks.
type panicking struct{ replay.Store }

func (panicking) Claim(context.Context, replay.Claim) (replay.Outcome, error) { panic("broken") }

// TestR22StorePanics: no verdict is a refusal, and it is observed.
func TestR22StorePanics(t *testing.T) {
	var events observed
	v := configure(t, verify.Config{
		Accept:  defaultHMAC(),
		Replay:  verify.Replay{Store: panicking{replay.NewMemory(replay.MemoryConfig{})}},
		Observe: events.observe,
	})
	refuse(t, v, defaultPost(), verify.ErrInternal, "the replay guard: panic of type string")
	if e := events.only(t); e.Reason != "internal" || e.Status != 500 {
		t.Errorf("event %+v", e)
	}
}
