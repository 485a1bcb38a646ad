package verify_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// In these tests an attacker cuts genuinely signed bytes elsewhere: the
// signature stays right, the parts do not.

func TestPayloadShiftedTimestamp(t *testing.T) {
	t.Run("T10 V16 bytes moved from the body into the timestamp", func(t *testing.T) {
		v := build(t, defaultHMAC())
		signature := hexMAC(hmacStamp + ".12.rest")
		accept(t, v, signedPost("12.rest", hmacStamp, signature))
		refuse(t, v, signedPost("rest", hmacStamp+".12", signature), verify.ErrMalformed, "X-Timestamp: not a whole number")
	})
	t.Run("V17 timestamp moved into the body", func(t *testing.T) {
		v := build(t, defaultHMAC())
		signature := hexMAC(hmacStamp + "." + hmacBody)
		accept(t, v, signedPost(hmacBody, hmacStamp, signature))
		refuse(t, v, post(hmacStamp+"."+hmacBody, "X-Signature", signature), verify.ErrMissing, "X-Timestamp is absent")
	})
	t.Run("V17 one format only", func(t *testing.T) {
		timed := build(t, defaultHMAC())
		untimed := build(t, verify.HMAC{Keys: verify.Static(hmacKey), Payload: "{body}", InsecureNoTimestamp: true})
		overBody, overBoth := hexMAC(hmacBody), hexMAC(hmacStamp+"."+hmacBody)
		accept(t, timed, signedPost(hmacBody, hmacStamp, overBoth))
		accept(t, untimed, signedPost(hmacBody, hmacStamp, overBody))
		refuse(t, timed, signedPost(hmacBody, hmacStamp, overBody), verify.ErrMismatch, "no signature")
		refuse(t, untimed, signedPost(hmacBody, hmacStamp, overBoth), verify.ErrMismatch, "no signature")
	})
	for _, tt := range []struct {
		name  string
		unit  verify.TimestampUnit
		stamp string
	}{
		{"T11 Seconds", verify.Seconds, hmacStamp},
		{"T11 Milliseconds", verify.Milliseconds, hmacStamp + "000"},
	} {
		h := defaultHMAC()
		h.Payload, h.TimestampUnit = "{timestamp}{body}", tt.unit
		v := build(t, h)
		signature := hexMAC(tt.stamp + "77rest")
		t.Run(tt.name+", digit moved from the body into the timestamp", func(t *testing.T) {
			accept(t, v, signedPost("77rest", tt.stamp, signature))
			refuse(t, v, signedPost("7rest", tt.stamp+"7", signature), verify.ErrMalformed, "X-Timestamp: ")
			refuse(t, v, signedPost("rest", tt.stamp+"77", signature), verify.ErrMalformed, "X-Timestamp: ")
		})
		t.Run(tt.name+", digit moved from the timestamp into the body", func(t *testing.T) {
			last := len(tt.stamp) - 1
			refuse(t, v, signedPost(tt.stamp[last:]+"77rest", tt.stamp[:last], signature), verify.ErrStale, "old")
		})
	}
	t.Run("T11 what InsecureTouchingTokens allows", func(t *testing.T) {
		h := defaultHMAC()
		h.Payload, h.InsecureTouchingTokens = "{timestamp}{body}", true
		v := build(t, h)
		signature := hexMAC(hmacStamp + "123rest")
		accept(t, v, signedPost("123rest", hmacStamp, signature))
		accept(t, v, signedPost("rest", hmacStamp+"123", signature)) // as milliseconds
	})
}

func TestPayloadMessageID(t *testing.T) {
	v := build(t, svixHMAC())
	signed := func(id string) *http.Request {
		return svixPost(id, hmacStamp, hmacBody, hexMAC(id+"."+hmacStamp+"."+hmacBody))
	}
	for _, tt := range []struct{ name, id string }{
		{"T12 plain", "msg_2Lh9KRb0pzN4LePd3XiA4v9Axj"},
		{"T12 every visible byte but the separator", strings.ReplaceAll(visibleASCII(), ".", "")},
		{"T12 256 bytes", strings.Repeat("i", 256)},
		{"T12 one byte", "i"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if res := accept(t, v, signed(tt.id)); res.MessageID != tt.id {
				t.Errorf("message id %q", res.MessageID)
			}
		})
	}
	for _, tt := range []struct{ name, id, detail string }{
		{"T12 V16 separator in the middle", "msg.1", "separator"},
		{"T12 V16 separator at the start", ".msg", "separator"},
		{"T12 V16 separator at the end", "msg.", "separator"},
		{"T12 V16 separator alone", ".", "separator"},
		{"T12 NUL", "msg\x00", "visible ASCII"},
		{"T12 line break", "msg\n1", "visible ASCII"},
		{"T12 tab", "msg\t1", "visible ASCII"},
		{"T12 inner space", "msg 1", "visible ASCII"},
		{"T12 leading space", " msg", "visible ASCII"},
		{"T12 DEL", "msg\x7f", "visible ASCII"},
		{"T12 outside ASCII", "msg-é", "visible ASCII"},
		{"T12 257 bytes", strings.Repeat("i", 257), "too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, v, signed(tt.id), verify.ErrMalformed, "Webhook-Id: ")
			refuse(t, v, signed(tt.id), verify.ErrMalformed, tt.detail)
		})
	}
	for _, tt := range []struct {
		name   string
		ids    []string
		reason error
		detail string
	}{
		{"T13 absent", nil, verify.ErrMissing, "Webhook-Id is absent"},
		{"T13 empty", []string{""}, verify.ErrMissing, "Webhook-Id is empty"},
		{"T13 twice the same", []string{"msg", "msg"}, verify.ErrMalformed, "Webhook-Id appears more than once"},
		{"T13 twice", []string{"msg", "other"}, verify.ErrMalformed, "Webhook-Id appears more than once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, signed("msg"))
			// Signed over the first id, or over an empty one.
			r := signed(strings.Join(tt.ids[:min(1, len(tt.ids))], ""))
			delete(r.Header, "Webhook-Id")
			if tt.ids != nil {
				r.Header["Webhook-Id"] = tt.ids
			}
			refuse(t, v, r, tt.reason, tt.detail)
		})
	}
	t.Run("T13 an id that is not signed is not looked at", func(t *testing.T) {
		h := defaultHMAC()
		h.MessageIDHeader = "Webhook-Id"
		r := defaultPost()
		r.Header["Webhook-Id"] = []string{"msg.1", "other"}
		if res := accept(t, build(t, h), r); res.MessageID != "" {
			t.Errorf("message id %q", res.MessageID)
		}
	})
	t.Run("V11 another id", func(t *testing.T) {
		r := signed("msg")
		r.Header.Set("Webhook-Id", "other")
		refuse(t, v, r, verify.ErrMismatch, "no signature")
	})
}

func visibleASCII() string {
	var all strings.Builder
	for c := '!'; c <= '~'; c++ {
		all.WriteRune(c)
	}
	return all.String()
}

// TestPayloadShiftedMessageID: no cut of the signed bytes but the sender's is
// accepted.
func TestPayloadShiftedMessageID(t *testing.T) {
	const earlier, later = "1767225600", "1767225601"
	for _, tt := range []struct {
		name, format    string
		unit            verify.TimestampUnit
		id, body        string // with earlier, as the sender cut
		id2, ts2, body2 string // as the attacker cuts
	}{
		{"T12 V16 id before the timestamp", "{svix-id}.{timestamp}.{body}", verify.AutoUnit,
			"msg", later + ".rest", "msg." + earlier, later, "rest"},
		{"T12 V16 separator of two bytes", "{svix-id}--{timestamp}.{body}", verify.AutoUnit,
			"msg", "x--" + later + ".rest", "msg--" + earlier + ".x", later, "rest"},
		{"T12 V16 id after the body", "{timestamp}.{body}.{svix-id}", verify.AutoUnit,
			"msg", `{"n":1.5}`, `5}.msg`, earlier, `{"n":1`},
		{"T12 V16 id between timestamp and body", "{timestamp}.{svix-id}.{body}", verify.AutoUnit,
			"msg", "1.rest", "msg.1", earlier, "rest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := svixHMAC()
			h.Payload, h.TimestampUnit = tt.format, tt.unit
			v := build(t, h)
			join := func(id, timestamp, body string) string {
				return strings.NewReplacer("{svix-id}", id, "{timestamp}", timestamp, "{body}", body).Replace(tt.format)
			}
			genuine := join(tt.id, earlier, tt.body)
			accept(t, v, svixPost(tt.id, earlier, tt.body, hexMAC(genuine)))
			attack := join(tt.id2, tt.ts2, tt.body2)
			if attack != genuine {
				t.Fatalf("%q is not %q", attack, genuine)
			}
			refuse(t, v, svixPost(tt.id2, tt.ts2, tt.body2, hexMAC(genuine)), verify.ErrMalformed, "Webhook-Id: holds the separator")
		})
	}
	t.Run("T12 V16 id that ends in part of the separator", func(t *testing.T) {
		h := svixHMAC()
		h.Payload = "{svix-id}--{timestamp}.{body}"
		v := build(t, h)
		signed := func(id string) *http.Request {
			return svixPost(id, earlier, hmacBody, hexMAC(id+"--"+earlier+"."+hmacBody))
		}
		accept(t, v, signed("msg"))
		accept(t, v, signed("-msg-1"))
		refuse(t, v, signed("msg-"), verify.ErrMalformed, "Webhook-Id: holds the separator")
	})
}
