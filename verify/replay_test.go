package verify_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// TestR16Twice: a window limits replay, only the guard stops it.
func TestR16Twice(t *testing.T) {
	t.Run("R16 cache off: accepted twice", func(t *testing.T) {
		v := build(t, defaultHMAC())
		accept(t, v, defaultPost())
		accept(t, v, defaultPost())
	})
	t.Run("R16 V26 cache on: the second is refused", func(t *testing.T) {
		var events observed
		c := verifytest.NewClock(now)
		v := configure(t, verify.Config{Accept: defaultHMAC(), Now: c.Now, Observe: events.observe,
			Replay: verify.Replay{Store: memoryAt(t, c.Now, replay.MemoryConfig{})}})
		c.Advance(3 * time.Second)
		first := accept(t, v, defaultPost())
		if first.Attempt != 1 || first.Age != 3*time.Second || first.Duplicate || first.Degraded || first.Refused != nil {
			t.Errorf("first: %+v", first)
		}
		if id := first.Identity; id == nil || first.Claim.Key != id.Key || first.Claim.Key == (replay.Key{}) ||
			!id.Expires.Equal(now.Add(5*time.Minute)) || id.Fingerprint != 0 || first.Claim.Owner == (replay.Owner{}) {
			t.Errorf("identity %+v, claim %+v", id, first.Claim)
		}
		if e := events.only(t); e.Reason != "ok" || e.Attempt != 1 || e.Age != 3*time.Second || e.KeyID != "0" || e.Level() != slog.LevelDebug {
			t.Errorf("event of the first: %+v", e)
		}
		settle(t, v, first, http.StatusOK)
		c.Advance(4 * time.Second)
		for range 3 { // to be refused changes nothing
			e := copied(t, v, defaultPost(), verify.ErrDuplicate)
			if e.StatusCode() != http.StatusConflict || e.Answer != nil || e.Retry() != "" || len(e.Attempts) != 1 || e.Attempts[0].Scheme != "hmac" {
				t.Errorf("refusal %+v", e)
			}
			if res := e.Result; res.Scheme != "hmac" || res.KeyID != "0" || res.Age != 7*time.Second || !res.SignedAt.Equal(now) || res.Attempt != 0 {
				t.Errorf("result of the copy: %+v", res)
			}
			ev := events.only(t)
			if ev.Reason != "duplicate" || ev.Status != http.StatusConflict || ev.Scheme != "hmac" || ev.KeyID != "0" || ev.Age != 7*time.Second ||
				ev.Attempt != 0 || ev.LetThrough || ev.Err != error(e) || ev.Level() != slog.LevelInfo {
				t.Errorf("event of the copy: %+v", ev)
			}
		}
	})
	t.Run("R16 another message is another", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{})
		finish(t, v, defaultPost())
		for _, signed := range [][2]string{{hmacStamp, hmacBody + " "}, {"1767225601", hmacBody}, {hmacStamp + "000", hmacBody}} {
			finish(t, v, signedPost(signed[1], signed[0], hexMAC(signed[0]+"."+signed[1])))
		}
	})
	t.Run("R16 another message is another, in a list too", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.MultiSignature = true
		v := guarded(t, scheme, verify.Replay{})
		for _, signed := range [][2]string{{hmacStamp, hmacBody}, {hmacStamp, hmacBody + " "}, {"1767225601", hmacBody}, {hmacStamp + "000", hmacBody}} {
			r := func() *http.Request { return signedPost(signed[1], signed[0], "v1,"+hexMAC(signed[0]+"."+signed[1])) }
			finish(t, v, r())
			copied(t, v, r(), verify.ErrDuplicate)
		}
	})
	t.Run("R16 a body signed ahead has a negative age", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{})
		if res := accept(t, v, signedPost("{}", "1767225660", hexMAC("1767225660.{}"))); res.Age != -time.Minute {
			t.Errorf("age %v", res.Age)
		}
	})
}

// TestK20Spelling: the key is made of what was signed, so that no other spelling
// of a message is another message.
func TestK20Spelling(t *testing.T) {
	t.Run("R17 K20 hexadecimal in another case", func(t *testing.T) {
		for _, p := range hmacPlans() {
			if p.encoding != "hex" {
				continue
			}
			v := guarded(t, p.scheme, verify.Replay{})
			signature := p.encode(p.mac(hmacStamp + "." + hmacBody))
			finish(t, v, signedPost(hmacBody, hmacStamp, signature))
			for _, spelt := range []string{signature, strings.ToUpper(signature), strings.ToUpper(signature[:9]) + signature[9:]} {
				copied(t, v, signedPost(hmacBody, hmacStamp, spelt), verify.ErrDuplicate)
			}
		}
	})
	t.Run("R17 K20 base64 has one spelling", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.Encoding = verify.Base64
		v := guarded(t, scheme, verify.Replay{})
		mac := macBytes(sha256.New, hmacKey, hmacStamp+"."+hmacBody)
		canonical := base64.StdEncoding.EncodeToString(mac)
		finish(t, v, signedPost(hmacBody, hmacStamp, canonical))
		copied(t, v, signedPost(hmacBody, hmacStamp, canonical), verify.ErrDuplicate)
		// The last digit before the padding has two bits that say nothing.
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		i := len(canonical) - 2
		loose := canonical[:i] + string(digits[strings.IndexByte(digits, canonical[i])+1]) + "="
		if decoded, err := base64.StdEncoding.DecodeString(loose); err != nil || string(decoded) != string(mac) {
			t.Fatalf("%q is no other spelling: %x, %v", loose, decoded, err)
		}
		for _, spelt := range []string{loose, strings.TrimRight(canonical, "="), canonical + "=", hex.EncodeToString(mac)} {
			refuse(t, v, signedPost(hmacBody, hmacStamp, spelt), verify.ErrMalformed, "base64")
		}
	})
	t.Run("R17 K20 PublicURL and method are as signed", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.Payload, scheme.PublicURL = "{timestamp}.{method}.{body}.{url}", "https://h"
		v := guarded(t, scheme, verify.Replay{})
		signature := hexMAC(hmacStamp + ".POST.{}.https://h/webhook")
		finish(t, v, signedPost("{}", hmacStamp, signature))
		copied(t, v, signedPost("{}", hmacStamp, signature), verify.ErrDuplicate)
	})
}

// TestK20Rotation: during a rotation a message carries a signature of each key.
// Whichever is cut off, whichever comes first, it is the same message; and so it
// is on a node that knows one of the keys.
func TestK20Rotation(t *testing.T) {
	const oldKey = "hmac-test-secret-of-old"
	both := verify.Static(hmacKey, oldKey)
	for name, plan := range map[string]struct {
		scheme  verify.HMAC
		signed  string
		request func(signatures string) *http.Request
	}{
		"content": {verify.HMAC{Keys: both, MultiSignature: true}, hmacStamp + "." + hmacBody, func(signatures string) *http.Request {
			return signedPost(hmacBody, hmacStamp, signatures)
		}},
		"id": {standard(), "msg_1." + hmacStamp + "." + hmacBody, func(signatures string) *http.Request {
			r := standardPost("msg_1", hmacStamp, hmacBody)
			r.Header.Set("Webhook-Signature", signatures)
			return r
		}},
	} {
		newer, older := "v1,"+hexMAC(plan.signed), "v1,"+hex.EncodeToString(macBytes(sha256.New, oldKey, plan.signed))
		spellings := map[string]string{
			"as sent": newer + " " + older, "newer alone": newer, "older alone": older, "other order": older + " " + newer,
			"tab": newer + "\t" + older, "spaces": newer + "   " + older, "one twice": newer + " " + newer,
			"upper case": "v1," + strings.ToUpper(newer[3:]), "a wrong one more": "v1," + hexMAC("other") + " " + older, "another version more": "v2,x " + older,
		}
		for first, sent := range spellings {
			t.Run("R17 K20 "+name+", first "+first, func(t *testing.T) {
				plan.scheme.Keys = both
				r := verify.Replay{Store: memoryAt(t, clock, replay.MemoryConfig{})}
				v := guarded(t, plan.scheme, r)
				plan.scheme.Keys = verify.Static(oldKey)
				late := guarded(t, plan.scheme, r) // a node that does not have the newer key yet
				finish(t, v, plan.request(sent))
				for again, spelt := range spellings {
					t.Run("then "+again, func(t *testing.T) {
						copied(t, v, plan.request(spelt), verify.ErrDuplicate)
						if strings.Contains(spelt, older) {
							copied(t, late, plan.request(spelt), verify.ErrDuplicate)
						}
					})
				}
			})
		}
	}
}

// TestK22SameID: a signed id names the delivery, under whatever time it is signed
// again; it never stands for another content.
func TestK22SameID(t *testing.T) {
	const later = "1767225607"
	var events observed
	v := configure(t, verify.Config{Accept: standard(), Now: clock, Observe: events.observe,
		Replay: verify.Replay{Store: memoryAt(t, clock, replay.MemoryConfig{})}})
	res := accept(t, v, standardPost("msg_1", hmacStamp, "{}"))
	if res.Identity.Fingerprint != replay.Fingerprint([]byte("{}")) || res.MessageID != "msg_1" {
		t.Errorf("identity %+v", res.Identity)
	}
	events.only(t)
	t.Run("K22 in flight, other content is in flight too", func(t *testing.T) {
		copied(t, v, standardPost("msg_1", later, "[]"), verify.ErrInFlight)
		events.only(t)
	})
	settle(t, v, res, http.StatusNoContent)
	t.Run("R18 K22 the same content signed again: duplicate", func(t *testing.T) {
		e := copied(t, v, standardPost("msg_1", later, "{}"), verify.ErrDuplicate)
		if e.Result.MessageID != "msg_1" || events.only(t).Reason != "duplicate" {
			t.Errorf("result %+v", e.Result)
		}
	})
	t.Run("R18 K22 other content: conflict", func(t *testing.T) {
		for _, body := range []string{"[]", "{} ", ""} {
			e := copied(t, v, standardPost("msg_1", later, body), verify.ErrConflict)
			ev := events.only(t)
			if e.StatusCode() != http.StatusConflict || e.Retry() != "" || ev.Reason != "conflict" || ev.Level() != slog.LevelWarn || ev.Status != http.StatusConflict {
				t.Errorf("%v, event %+v", e, ev)
			}
		}
	})
	t.Run("R18 K22 a conflict is no answer of the policy", func(t *testing.T) {
		for _, policy := range []verify.DuplicatePolicy{verify.Acknowledge, verify.Repeat} {
			v := guarded(t, standard(), verify.Replay{Duplicate: policy})
			finish(t, v, standardPost("msg_1", hmacStamp, "{}"))
			if e := copied(t, v, standardPost("msg_1", later, "[]"), verify.ErrConflict); e.Answer != nil || e.StatusCode() != http.StatusConflict {
				t.Errorf("%+v", e)
			}
		}
	})
	t.Run("R18 another id", func(t *testing.T) {
		finish(t, v, standardPost("msg_2", hmacStamp, "{}"))
	})
}

// TestK21Unsigned: what is not signed takes no part.
func TestK21Unsigned(t *testing.T) {
	hour := verify.Replay{Horizon: 10 * time.Minute}
	t.Run("V27 K21 another delivery id, or none", func(t *testing.T) {
		v := guarded(t, bodyOnly(), hour)
		if res := finish(t, v, bodyOnlyPost("{}", "X-Github-Delivery", "1")); res.MessageID != "" || !res.Identity.Expires.IsZero() || res.Claim.Keep != 10*time.Minute {
			t.Errorf("result %+v", res)
		}
		for _, pairs := range [][]string{{"X-Github-Delivery", "1"}, {"X-Github-Delivery", "2"}, {}, {"X-Github-Event", "ping", "X-Request-Id", "3"}} {
			copied(t, v, bodyOnlyPost("{}", pairs...), verify.ErrDuplicate)
		}
		finish(t, v, bodyOnlyPost("{ }"))
	})
	t.Run("V27 K21 without an id from the first", func(t *testing.T) {
		v := guarded(t, bodyOnly(), hour)
		finish(t, v, bodyOnlyPost("{}"))
		copied(t, v, bodyOnlyPost("{}", "X-Github-Delivery", "1"), verify.ErrDuplicate)
	})
	t.Run("V27 K21 an id that the payload does not sign", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.MessageIDHeader = "X-Id"
		v := guarded(t, scheme, verify.Replay{})
		r := defaultPost()
		r.Header.Set("X-Id", "1")
		finish(t, v, r)
		r = defaultPost()
		r.Header.Set("X-Id", "2")
		copied(t, v, r, verify.ErrDuplicate)
	})
	t.Run("V27 another path, query, host and peer", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{})
		finish(t, v, defaultPost())
		r := defaultPost()
		r.RequestURI, r.Host, r.RemoteAddr, r.Method = "/other?x=1", "other", "198.51.100.1:9", http.MethodPut
		r.URL.Path, r.URL.RawQuery = "/other", "x=1"
		copied(t, v, r, verify.ErrDuplicate)
	})
	t.Run("K21 another Scope is another endpoint", func(t *testing.T) {
		store := memoryAt(t, clock, replay.MemoryConfig{})
		for name, scheme := range map[string]verify.Scheme{"mac": defaultHMAC(), "id": standard(), "body": bodyOnly()} {
			request := map[string]func() *http.Request{
				"mac": defaultPost, "body": func() *http.Request { return bodyOnlyPost("{}") },
				"id": func() *http.Request { return standardPost("msg_1", hmacStamp, "{}") },
			}[name]
			for _, scope := range []string{"", "a", "b"} {
				r := verify.Replay{Store: store, Scope: scope, Horizon: 10 * time.Minute}
				finish(t, guarded(t, scheme, r), request())
				copied(t, guarded(t, scheme, r), request(), verify.ErrDuplicate)
			}
		}
	})
}
