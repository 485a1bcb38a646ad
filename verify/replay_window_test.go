package verify_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// signedAt is a request that is signed at a time, in whole seconds.
func signedAt(at time.Time) *http.Request {
	stamp := fmt.Sprint(at.Unix())
	return signedPost(hmacBody, stamp, hexMAC(stamp+"."+hmacBody))
}

// windowed is a scheme with a window.
func windowed(past, future time.Duration) verify.HMAC {
	scheme := defaultHMAC()
	scheme.Tolerance, scheme.FutureTolerance = past, future
	return scheme
}

// TestK16Window: a message that was signed as far ahead as is accepted lives
// longest, and does not run again in all of its life.
func TestK16Window(t *testing.T) {
	const margin = time.Minute
	for _, tt := range []struct{ past, future time.Duration }{
		{5 * time.Minute, 5 * time.Minute},
		{time.Minute, 9 * time.Minute},
		{9 * time.Minute, time.Second},
	} {
		t.Run(fmt.Sprintf("K16 V28 %v back, %v ahead", tt.past, tt.future), func(t *testing.T) {
			c := verifytest.NewClock(now)
			store := &spy{Store: memoryAt(t, c.Now, replay.MemoryConfig{Retention: tt.past + tt.future + margin})}
			v := configure(t, verify.Config{Accept: windowed(tt.past, tt.future), Now: c.Now, Replay: verify.Replay{Store: store, Margin: margin}})
			refuse(t, v, signedAt(now.Add(tt.future+time.Second)), verify.ErrStale, "ahead")
			refuse(t, v, signedAt(now.Add(-tt.past-time.Second)), verify.ErrStale, "old")
			store.exactly(t)
			signed := now.Add(tt.future)
			finish(t, v, signedAt(signed))
			end := signed.Add(tt.past)
			for ; !c.Now().After(end); c.Advance(time.Second) {
				copied(t, v, signedAt(signed), verify.ErrDuplicate)
			}
			store.ops()
			for ; !c.Now().After(end.Add(margin + time.Second)); c.Advance(time.Second) {
				refuse(t, v, signedAt(signed), verify.ErrStale, "old")
			}
			store.exactly(t)
		})
	}
}

// TestV28Keep: a finished message is remembered for the rest of its life and the
// margin, or longer.
func TestV28Keep(t *testing.T) {
	for _, tt := range []struct {
		name    string
		signed  time.Duration // after now
		margin  time.Duration
		horizon time.Duration
		body    time.Duration // that the body takes
		want    time.Duration
	}{
		{"now", 0, 0, 0, 0, 6 * time.Minute},
		{"as far ahead as is accepted", 5 * time.Minute, 0, 0, 0, 11 * time.Minute},
		{"as long ago as is accepted", -5 * time.Minute, 0, 0, 0, time.Minute},
		{"a margin of its own", time.Minute, 7 * time.Second, 0, 0, 6*time.Minute + 7*time.Second},
		{"a horizon beyond", 0, 0, time.Hour, 0, time.Hour},
		{"a horizon within", 0, 0, 5 * time.Minute, 0, 6 * time.Minute},
		{"a slow body", 0, 0, 0, 2 * time.Minute, 4 * time.Minute},
	} {
		t.Run("V28 "+tt.name, func(t *testing.T) {
			c := verifytest.NewClock(now)
			store := spyOn(t)
			v := configure(t, verify.Config{Accept: defaultHMAC(), Now: c.Now, Replay: verify.Replay{Store: store, Margin: tt.margin, Horizon: tt.horizon}})
			r := signedAt(now.Add(tt.signed))
			r.Body = io.NopCloser(&dribble{r.Body, c, tt.body})
			settle(t, v, accept(t, v, r), http.StatusOK)
			if got := store.last(t).claim; got.Keep != tt.want || got.Lease != replay.DefaultLease {
				t.Errorf("kept for %v, want %v; leased for %v", got.Keep, tt.want, got.Lease)
			}
		})
	}
}

// dribble is a body for whose end a clock goes on.
type dribble struct {
	io.Reader
	clock *verifytest.Clock
	takes time.Duration
}

func (d *dribble) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p[:min(len(p), 7)])
	if err == io.EOF {
		d.clock.Advance(d.takes)
	}
	return n, err
}

// TestK17Clocks: two nodes whose clocks differ by as much as the margin. What
// the faster let through at the beginning of its window is a copy for the slower
// until the end of its own.
func TestK17Clocks(t *testing.T) {
	const margin = 2 * time.Minute
	c := verifytest.NewClock(now)
	store := &spy{Store: memoryAt(t, c.Now, replay.MemoryConfig{Retention: 10*time.Minute + margin}), limits: replay.Limits{Shared: true, MaxSkew: margin / 2}}
	node := func(ahead time.Duration) *verify.Verifier {
		return configure(t, verify.Config{Accept: defaultHMAC(), Now: func() time.Time { return c.Now().Add(ahead) },
			Replay: verify.Replay{Store: store, Scope: "hook", Margin: margin}})
	}
	fast, slow := node(margin/2), node(-margin/2)
	signed := now.Add(margin/2 + 5*time.Minute)
	refuse(t, slow, signedAt(signed), verify.ErrStale, "ahead")
	finish(t, fast, signedAt(signed))
	last := signed.Add(5*time.Minute + margin/2) // by the true time, of the slower
	c.Set(now.Add(margin))
	for ; !c.Now().After(last); c.Advance(time.Second) {
		copied(t, slow, signedAt(signed), verify.ErrDuplicate)
	}
	refuse(t, slow, signedAt(signed), verify.ErrStale, "old")
	t.Run("K17 the other way round", func(t *testing.T) {
		signed := c.Now().Add(-margin / 2).Truncate(time.Second)
		finish(t, slow, signedAt(signed))
		for range 3 * 60 {
			copied(t, fast, signedAt(signed), verify.ErrDuplicate)
			c.Advance(time.Second)
		}
	})
}

// TestK18SlowBody: a body that dribbles in for longer than the message is fresh
// comes too late, for its copy may be forgotten.
func TestK18SlowBody(t *testing.T) {
	for name, request := range map[string]func() *http.Request{
		"mac": defaultPost,
		"id":  func() *http.Request { return standardPost("msg_1", hmacStamp, hmacBody) },
	} {
		t.Run("K18 "+name, func(t *testing.T) {
			c := verifytest.NewClock(now)
			store := spyOn(t)
			var events observed
			v := configure(t, verify.Config{Accept: verify.AnyOf(defaultHMAC(), standard()), Now: c.Now, Observe: events.observe, Replay: verify.Replay{Store: store}})
			r := request()
			r.Body = io.NopCloser(&dribble{r.Body, c, 5*time.Minute + 1})
			e := refuse(t, v, r, verify.ErrStale, "the body arrived after the end of the window")
			if ev := events.only(t); e.StatusCode() != http.StatusUnauthorized || ev.Reason != "stale" || ev.Status != http.StatusUnauthorized || e.Result != nil {
				t.Errorf("refusal %+v, event %+v", e, ev)
			}
			store.exactly(t)
			c.Set(now)
			r = request()
			r.Body = io.NopCloser(&dribble{r.Body, c, 5 * time.Minute}) // its last moment
			settle(t, v, accept(t, v, r), http.StatusOK)
			store.exactly(t, "Claim", "Complete")
		})
	}
	t.Run("K18 without a guard the window is judged once", func(t *testing.T) {
		c := verifytest.NewClock(now)
		r := defaultPost()
		r.Body = io.NopCloser(&dribble{r.Body, c, time.Hour})
		accept(t, configure(t, verify.Config{Accept: defaultHMAC(), Now: c.Now}), r)
	})
}

// TestK29Restart: a store in memory is empty after a restart.
func TestK29Restart(t *testing.T) {
	const future = 2 * time.Minute
	c := verifytest.NewClock(now)
	start := func(scheme verify.Scheme, guard bool) (*verify.Verifier, *spy) {
		store := &spy{Store: memoryAt(t, c.Now, replay.MemoryConfig{})}
		return configure(t, verify.Config{Accept: scheme, Now: c.Now, Replay: verify.Replay{Store: store, RestartGuard: guard}}), store
	}
	before, _ := start(windowed(5*time.Minute, future), false)
	ahead := now.Add(future)
	finish(t, before, signedAt(now))
	finish(t, before, signedAt(ahead))
	c.Advance(10 * time.Second)
	restarted := c.Now()
	t.Run("K29 off: accepted again", func(t *testing.T) {
		v, _ := start(windowed(5*time.Minute, future), false)
		finish(t, v, signedAt(now))
		finish(t, v, signedAt(ahead))
	})
	for name, scheme := range map[string]verify.Scheme{
		"alone":                   windowed(5*time.Minute, future),
		"beside a smaller future": verify.AnyOf(windowed(5*time.Minute, future), standardBriefly()),
		"behind a smaller future": verify.AnyOf(standardBriefly(), windowed(5*time.Minute, future)),
	} {
		t.Run("K29 on, "+name, func(t *testing.T) {
			defer c.Set(c.Now())
			c.Set(restarted)
			v, store := start(scheme, true)
			for _, signed := range []time.Time{now, ahead, restarted, restarted.Add(future - time.Second)} {
				e := refuse(t, v, signedAt(signed), verify.ErrUnavailable, "RestartGuard")
				if e.StatusCode() != http.StatusServiceUnavailable || e.Retry() != "120" {
					t.Errorf("%v: Retry-After %q", e, e.Retry())
				}
			}
			store.exactly(t)
			finish(t, v, signedAt(restarted.Add(future)))
			copied(t, v, signedAt(restarted.Add(future)), verify.ErrDuplicate)
			c.Advance(50 * time.Second)
			if e := refuse(t, v, signedAt(now), verify.ErrUnavailable, "RestartGuard"); e.Retry() != "70" {
				t.Errorf("Retry-After %q", e.Retry())
			}
			c.Advance(future)
			finish(t, v, signedAt(c.Now()))
			if e := refuse(t, v, signedAt(now), verify.ErrUnavailable, "RestartGuard"); e.Retry() != "30" {
				t.Errorf("Retry-After %q for what will never be let in", e.Retry())
			}
		})
	}
}

// TestV28ReceivedAt: what waited in a queue is judged by when it was received.
func TestV28ReceivedAt(t *testing.T) {
	c := verifytest.NewClock(now.Add(time.Hour))
	store := &spy{Store: memoryAt(t, c.Now, replay.MemoryConfig{})}
	v := configure(t, verify.Config{Accept: defaultHMAC(), Now: c.Now, Replay: verify.Replay{Store: store}})
	message := func(received time.Time) *verify.Message {
		m := verify.NewMessage("POST", "/", defaultPost().Header, []byte(hmacBody))
		m.ReceivedAt = received
		return m
	}
	res, err := v.CheckMessage(t.Context(), message(time.Time{}))
	refused(t, res, err, verify.ErrStale, "old")
	store.exactly(t)
	res, err = v.CheckMessage(t.Context(), message(now.Add(time.Minute)))
	if err != nil || res.Age != time.Minute || res.Claim.Keep != 5*time.Minute {
		t.Fatalf("result %+v, error %v", res, err)
	}
	settle(t, v, res, http.StatusAccepted)
	c.Advance(time.Minute)
	res, err = v.CheckMessage(t.Context(), message(now.Add(2*time.Minute)))
	if e := refused(t, res, err, verify.ErrDuplicate, ""); e.Result.Age != 2*time.Minute || strings.Contains(e.Error(), "window") {
		t.Errorf("refusal %v, result %+v", e, e.Result)
	}
}
