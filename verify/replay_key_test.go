package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// tokenPost carries the token and a body.
func tokenPost(body string) *http.Request {
	return post(body, "Authorization", "Bearer "+goodToken)
}

// TestReplayKey: a scheme that signs nothing gets its identity from Replay.Key.
func TestReplayKey(t *testing.T) {
	const horizon = 10 * time.Minute
	keyed := func(key func(*verify.Message, *verify.Result) (string, error)) verify.Replay {
		return verify.Replay{Horizon: horizon, Key: key}
	}
	t.Run("BodyKey", func(t *testing.T) {
		v := guarded(t, goodBearer(), keyed(verify.BodyKey))
		r := tokenPost("{}")
		if res := finish(t, v, r); res.Claim.Keep != horizon || res.Claim.Fingerprint != 0 || res.Identity != nil || res.Age != 0 {
			t.Errorf("result %+v", res)
		}
		if body, err := readRest(r); body != "{}" || err != nil {
			t.Errorf("the handler reads %q, %v", body, err)
		}
		e := copied(t, v, tokenPost("{}"), verify.ErrDuplicate)
		if e.Result.Scheme != "bearer" || e.Result.KeyID != "0" {
			t.Errorf("result %+v", e.Result)
		}
		finish(t, v, tokenPost("{} ")) // the danger that is named: a byte more is another message
		finish(t, v, tokenPost(""))
		copied(t, v, tokenPost(""), verify.ErrDuplicate)
	})
	t.Run("V27 the text, not what it was made of", func(t *testing.T) {
		v := guarded(t, goodBearer(), keyed(func(m *verify.Message, res *verify.Result) (string, error) {
			if res == nil || res.Scheme != "bearer" || res.KeyID != "0" {
				t.Errorf("result %+v", res)
			}
			return m.Header.Get("X-Id"), nil
		}))
		request := func(id, body string) *http.Request {
			r := tokenPost(body)
			r.Header.Set("X-Id", id)
			return r
		}
		finish(t, v, request("a", "{}"))
		copied(t, v, request("a", "[]"), verify.ErrDuplicate)
		finish(t, v, request("b", "{}"))
		for range 2 {
			if res := accept(t, v, request("", "{}")); v.Settles(res) || res.Claim != (replay.Claim{}) || res.Attempt != 0 {
				t.Errorf("a claim without a key: %+v", res)
			}
		}
	})
	t.Run("only for those that sign nothing", func(t *testing.T) {
		r := keyed(func(_ *verify.Message, res *verify.Result) (string, error) {
			if res.Scheme != "bearer" {
				t.Errorf("asked for a %s", res.Scheme)
			}
			return "one", nil
		})
		v := guarded(t, verify.AnyOf(defaultHMAC(), goodBearer()), r)
		finish(t, v, defaultPost())
		finish(t, v, tokenPost(hmacBody))
		copied(t, v, tokenPost("{}"), verify.ErrDuplicate)
		copied(t, v, defaultPost(), verify.ErrDuplicate)
	})
	t.Run("a key does not meet those of signed material", func(t *testing.T) {
		store := spyOn(t)
		seen := map[replay.Key]string{}
		const text = "msg_1"
		mac := string(macBytes(sha256.New, hmacKey, hmacStamp+"."+hmacBody))
		for name, tt := range map[string]struct {
			scheme  verify.Scheme
			request *http.Request
		}{
			"id": {standard(), standardPost(text, hmacStamp, hmacBody)}, "mac": {defaultHMAC(), defaultPost()},
			"key of the id": {goodBearer(), tokenPost(text)}, "key of the MAC": {goodBearer(), tokenPost(mac)},
		} {
			v := guarded(t, tt.scheme, verify.Replay{Store: store, Horizon: horizon, Key: func(m *verify.Message, _ *verify.Result) (string, error) {
				body, err := m.Body()
				return string(body), err
			}})
			key := accept(t, v, tt.request).Claim.Key
			if seen[key] != "" {
				t.Errorf("%s and %s have one key", name, seen[key])
			}
			seen[key] = name
		}
	})
	cause := errors.New("of another package, with a secret")
	for _, tt := range []struct {
		name   string
		key    func(*verify.Message, *verify.Result) (string, error)
		reason error
		detail string
		cause  error
	}{
		{"foreign error", func(*verify.Message, *verify.Result) (string, error) { return "x", cause }, verify.ErrInternal, "bearer: internal error (unknown error)", cause},
		{"sentinel", func(*verify.Message, *verify.Result) (string, error) { return "", verify.ErrMalformed }, verify.ErrMalformed, "bearer: credential malformed", nil},
		{"Error", func(*verify.Message, *verify.Result) (string, error) {
			return "", &verify.Error{Attempts: []verify.Attempt{{Scheme: "key", Err: verify.ErrMissing, Detail: "no id"}}}
		}, verify.ErrMissing, "key: credential missing (no id)", nil},
		{"V08 panic", func(*verify.Message, *verify.Result) (string, error) { panic(cause) }, verify.ErrInternal, "the replay guard: panic of type *errors.errorString", nil},
		{"body too large", verify.BodyKey, verify.ErrTooLarge, "body: body too large", nil},
	} {
		t.Run("R22 "+tt.name, func(t *testing.T) {
			store := spyOn(t)
			v := configure(t, verify.Config{Accept: goodBearer(), Now: clock, MaxBody: 10, Replay: verify.Replay{Store: store, Horizon: horizon, Key: tt.key}})
			r := tokenPost("")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("eleven byte")), -1
			e := refuse(t, v, r, tt.reason, tt.detail)
			if tt.cause != nil && !errors.Is(e, tt.cause) || strings.Contains(e.Error(), "secret") || e.Result != nil {
				t.Errorf("refusal %+v", e)
			}
			store.exactly(t)
		})
	}
	t.Run("a scheme that breaks its promise", func(t *testing.T) {
		store := spyOn(t)
		v := guarded(t, promising{accepting("promising")}, verify.Replay{Store: store})
		refuse(t, v, post("{}"), verify.ErrMisconfigured, "promising: verifier misconfigured (the result has no identity to claim")
		store.exactly(t)
	})
}

// promising is a scheme that says that its results have an identity.
type promising struct{ schemeFunc }

func (p promising) Build(verify.Env) (verify.Authenticator, error) { return p, nil }
func (promising) Window() verify.Window                            { return verify.Window{Past: time.Minute} }

// TestReplayAllOf: of several signatures the first that has an identity names the
// message, for all of them come again with a copy.
func TestReplayAllOf(t *testing.T) {
	const horizon = 10 * time.Minute
	timed, untimed := defaultHMAC(), bodyOnly()
	for _, tt := range []struct {
		name    string
		scheme  verify.Scheme
		expires time.Time
		keep    time.Duration
	}{
		{"timed first", verify.AllOf(timed, untimed), now.Add(5 * time.Minute), horizon},
		{"timed last", verify.AllOf(untimed, timed), time.Time{}, horizon},
		{"behind one that signs nothing", verify.AllOf(ipScheme(), timed, untimed), now.Add(5 * time.Minute), horizon},
		{"behind a token", verify.AllOf(goodBearer(), verify.AnyOf(untimed, timed)), time.Time{}, horizon},
	} {
		t.Run("C04 R16 "+tt.name, func(t *testing.T) {
			v := guarded(t, tt.scheme, verify.Replay{Horizon: horizon})
			request := func() *http.Request {
				r := defaultPost()
				r.RemoteAddr = "192.0.2.1:1"
				r.Header.Set("X-Hub-Signature-256", "sha256="+hexMAC(hmacBody))
				r.Header.Set("Authorization", "Bearer "+goodToken)
				return r
			}
			res := finish(t, v, request())
			if res.Identity == nil || !res.Identity.Expires.Equal(tt.expires) || res.Claim.Key != res.Identity.Key || res.Claim.Keep != tt.keep {
				t.Errorf("identity %+v, claim %+v", res.Identity, res.Claim)
			}
			copied(t, v, request(), verify.ErrDuplicate)
		})
	}
}

// TestReplayMaxAttempts: a message that fails for ever is let in so many times.
func TestReplayMaxAttempts(t *testing.T) {
	for _, most := range []int{1, 3} {
		t.Run(fmt.Sprintf("V29 %d attempts", most), func(t *testing.T) {
			store := spyOn(t)
			var events observed
			v := configure(t, verify.Config{Accept: standard(), Now: clock, Observe: events.observe, Replay: verify.Replay{Store: store, MaxAttempts: most}})
			request := func() *http.Request { return standardPost("msg_1", hmacStamp, "{}") }
			for n := range most {
				res := accept(t, v, request())
				if e := events.only(t); res.Attempt != n+1 || e.Attempt != n+1 {
					t.Errorf("attempt %d, event %d, want %d", res.Attempt, e.Attempt, n+1)
				}
				settle(t, v, res, http.StatusInternalServerError)
			}
			store.ops()
			for n := range 2 {
				e := refuse(t, v, request(), verify.ErrAttempts, fmt.Sprintf("(attempt %d)", most+n+1))
				ev := events.only(t)
				if e.StatusCode() != http.StatusTooManyRequests || e.Retry() != "" || e.Answer != nil || ev.Reason != "attempts" || ev.Attempt != most+n+1 || ev.KeyID != "0" {
					t.Errorf("refusal %+v, event %+v", e, ev)
				}
				if e.Result == nil || v.Settles(e.Result) || e.Result.Duplicate {
					t.Errorf("result %+v", e.Result)
				}
				store.exactly(t, "Claim", "Release")
			}
			finish(t, v, standardPost("msg_2", hmacStamp, "{}"))
		})
	}
	t.Run("V29 one that succeeds at last is a duplicate", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{MaxAttempts: 2})
		settle(t, v, accept(t, v, defaultPost()), 500)
		finish(t, v, defaultPost())
		copied(t, v, defaultPost(), verify.ErrDuplicate)
	})
	t.Run("V29 0 is no limit", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{})
		for n := range 300 {
			res := accept(t, v, defaultPost())
			if want := min(n+1, 255); res.Attempt != want {
				t.Fatalf("attempt %d, want %d", res.Attempt, want)
			}
			settle(t, v, res, 500)
		}
	})
}

// TestReplayReportOnly: copies are let through as well, and named.
func TestReplayReportOnly(t *testing.T) {
	silenced(t)
	var events observed
	v := configure(t, verify.Config{Accept: standard(), Now: clock, ReportOnly: true, Observe: events.observe,
		Replay: verify.Replay{Store: memoryAt(t, clock, replay.MemoryConfig{}), MaxAttempts: 1, Duplicate: verify.Acknowledge}})
	request := func(id, body string) *http.Request { return standardPost(id, hmacStamp, body) }
	let := func(name string, r *http.Request, reason error, copied bool) {
		t.Helper()
		res := accept(t, v, r)
		e := events.only(t)
		if !errors.Is(res.Refused, reason) || res.Scheme != "hmac" || res.KeyID != "0" || res.Duplicate != copied || v.Settles(res) {
			t.Errorf("C09 %s: result %+v", name, res)
		}
		if !e.LetThrough || e.Reason != verify.Reason(reason) || e.Err != res.Refused {
			t.Errorf("C09 %s: event %+v", name, e)
		}
		if body, err := readRest(r); body == "" || err != nil {
			t.Errorf("C09 %s: the handler reads %q, %v", name, body, err)
		}
		if err := v.Settle(context.Background(), res, 500); err != nil {
			t.Errorf("C09 %s: Settle: %v", name, err)
		}
	}
	t.Run("C09 a copy can be logged as JSON", func(t *testing.T) {
		let := accept(t, v, request("msg_0", "{}"))
		events.only(t)
		again := accept(t, v, request("msg_0", "{}"))
		seen := verify.Refusal(events.only(t).Err).Result
		if _, err := json.Marshal(again); err != nil || seen == again || seen.Refused != nil {
			t.Errorf("%v; the observer has %+v", err, seen)
		}
		settle(t, v, let, 200)
	})
	first := accept(t, v, request("msg_1", "{}"))
	if events.only(t).LetThrough || first.Refused != nil {
		t.Errorf("C09 the first: %+v", first)
	}
	let("in flight", request("msg_1", "{}"), verify.ErrInFlight, true)
	settle(t, v, first, 200)
	let("duplicate", request("msg_1", "{}"), verify.ErrDuplicate, true)
	let("conflict", request("msg_1", "[]"), verify.ErrConflict, true)
	settle(t, v, accept(t, v, request("msg_2", "{}")), 500)
	events.only(t)
	let("attempts", request("msg_2", "{}"), verify.ErrAttempts, false)
	res := accept(t, v, post("{}"))
	if *res != (verify.Result{Refused: res.Refused}) || !errors.Is(res.Refused, verify.ErrMissing) || v.Settles(res) {
		t.Errorf("C09 unsigned: %+v", res)
	}
}
