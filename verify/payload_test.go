package verify_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// svixHMAC is the format of Svix and Standard Webhooks, svixPost a request in it.
func svixHMAC() verify.HMAC {
	h := defaultHMAC()
	h.Payload, h.MessageIDHeader = "{svix-id}.{timestamp}.{body}", "Webhook-Id"
	return h
}

func svixPost(id, timestamp, body, signature string) *http.Request {
	return post(body, "Webhook-Id", id, "X-Timestamp", timestamp, "X-Signature", signature)
}

func TestPayloadFormats(t *testing.T) {
	t.Run("T01 the default", func(t *testing.T) {
		accept(t, build(t, defaultHMAC()), defaultPost())
	})
	t.Run("T01 {body} without a timestamp", func(t *testing.T) {
		v := build(t, verify.HMAC{Keys: verify.Static(hmacKey), Payload: "{body}", InsecureNoTimestamp: true})
		if res := accept(t, v, post(hmacBody, "X-Signature", hexMAC(hmacBody))); !res.SignedAt.IsZero() {
			t.Errorf("signed at %v", res.SignedAt)
		}
		// A timestamp that nobody signed is not looked at.
		accept(t, v, signedPost(hmacBody, "1", hexMAC(hmacBody)))
		refuse(t, v, post(hmacBody, "X-Signature", hexMAC(hmacBody+" ")), verify.ErrMismatch, "no signature")
	})
	p := parts{method: http.MethodPost, target: "/webhook?a=1", id: "msg_1", timestamp: hmacStamp, body: hmacBody}
	for _, f := range signedFormats {
		t.Run("T02 "+f.name, func(t *testing.T) {
			a := algorithms[0]
			signature := hex.EncodeToString(macBytes(sha256.New, partsKey, f.join(p)))
			v := build(t, f.with(a))
			accept(t, v, f.request(p, signature))
			refuse(t, v, f.request(f.forged(p), signature), verify.ErrMismatch, "no signature")
		})
	}
	for _, tt := range []struct{ format, problem string }{
		{"{body}{timestamp}", "{body}{timestamp} with nothing between"},
		{"{method}{url}{body}{timestamp}", "{url}{body} with nothing between"},
		{"{url}{body}", "{url}{body} with nothing between"},
		{"{url}", "lacks {body}"},
	} {
		t.Run("T02 "+tt.format+" without leave", func(t *testing.T) {
			h := verify.HMAC{
				Keys: verify.Static(hmacKey), Payload: tt.format,
				InsecureNoTimestamp:    !strings.Contains(tt.format, "{timestamp}"),
				InsecureTouchingTokens: true, InsecureUnsignedBody: true,
			}
			if strings.Contains(tt.format, "{url}") {
				h.PublicURL = partsURL
			}
			build(t, h)
			h.InsecureTouchingTokens, h.InsecureUnsignedBody = false, false
			refuseConfig(t, h, "Config.Accept.HMAC.Payload", tt.problem)
		})
	}
	t.Run("T07 a format without {body} protects no body", func(t *testing.T) {
		v := build(t, verify.HMAC{Keys: verify.Static(hmacKey), Payload: "{timestamp}", InsecureUnsignedBody: true})
		accept(t, v, signedPost(hmacBody, hmacStamp, hexMAC(hmacStamp)))
		accept(t, v, signedPost("any other", hmacStamp, hexMAC(hmacStamp)))
		refuse(t, v, signedPost(hmacBody, "1767225601", hexMAC(hmacStamp)), verify.ErrMismatch, "no signature")
	})
}

// TestPayloadOnePass: what a request carries is never read as a format.
func TestPayloadOnePass(t *testing.T) {
	for _, text := range []string{
		"{timestamp}", "{body}", "{method}", "{url}", "{svix-id}", "{", "}", "{{body}}", "{foo}",
		"%s", "%d%n", "$&", "$1", "${body}", `\1`, `\0`, "&", "<nil>",
	} {
		h := svixHMAC()
		h.Payload, h.PublicURL = "{svix-id}|{timestamp}|{method}|{url}|{body}", partsURL
		v := build(t, h)
		request := func(id, target, body, signed string) *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.RequestURI = target
			r.Header = http.Header{"Webhook-Id": {id}, "X-Timestamp": {hmacStamp}, "X-Signature": {hexMAC(signed)}}
			return r
		}
		signed := func(id, target, body string) string {
			return id + "|" + hmacStamp + "|POST|" + partsURL + target + "|" + body
		}
		name := "T03 V15 "
		if !strings.ContainsAny(text, "{}") {
			name = "T04 V15 "
		}
		t.Run(name+"body with "+text, func(t *testing.T) {
			accept(t, v, request("id", "/hook", text, signed("id", "/hook", text)))
			refuse(t, v, request("id", "/hook", text, signed("id", "/hook", "")), verify.ErrMismatch, "no signature")
		})
		t.Run(name+"id with "+text, func(t *testing.T) {
			accept(t, v, request(text, "/hook", hmacBody, signed(text, "/hook", hmacBody)))
			refuse(t, v, request(text, "/hook", hmacBody, signed(hmacBody, "/hook", hmacBody)), verify.ErrMismatch, "no signature")
		})
		t.Run(name+"URL with "+text, func(t *testing.T) {
			accept(t, v, request("id", "/hook?"+text, hmacBody, signed("id", "/hook?"+text, hmacBody)))
			refuse(t, v, request("id", "/hook?"+text, hmacBody, signed("id", "/hook?", hmacBody)), verify.ErrMismatch, "no signature")
		})
	}
}

func TestPayloadBracesAndRepeats(t *testing.T) {
	const s, b = hmacStamp, hmacBody
	for _, tt := range []struct{ name, format, signed string }{
		{"T05 literal braces round one token", "{{timestamp}}.{body}", "{" + s + "}." + b},
		{"T05 literal braces round both", "{{timestamp}.{body}}", "{" + s + "." + b + "}"},
		{"T05 JSON", `{"t":{timestamp},"b":{body}}`, `{"t":` + s + `,"b":` + b + "}"},
		{"T05 timestamp twice", "{timestamp}.{body}.{timestamp}", s + "." + b + "." + s},
		{"T05 body twice", "{body}.{timestamp}.{body}", b + "." + s + "." + b},
		{"T05 literal text at both ends", "v0:{timestamp}:{body}:end", "v0:" + s + ":" + b + ":end"},
		{"T05 literal outside ASCII", "→{timestamp}·{body}\x00", "→" + s + "·" + b + "\x00"},
		{"T05 printf verbs in the format", "%s{timestamp}%d{body}$1", "%s" + s + "%d" + b + "$1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := defaultHMAC()
			h.Payload = tt.format
			v := build(t, h)
			accept(t, v, signedPost(b, s, hexMAC(tt.signed)))
			refuse(t, v, defaultPost(), verify.ErrMismatch, "no signature")
		})
	}
}

// TestPayloadMethod: the method is signed as it stands on the request line.
func TestPayloadMethod(t *testing.T) {
	h := defaultHMAC()
	h.Payload = "{method}.{timestamp}.{body}"
	v := build(t, h)
	request := func(sent, signed string) *http.Request {
		r := signedPost(hmacBody, hmacStamp, hexMAC(signed+"."+hmacStamp+"."+hmacBody))
		r.Method = sent
		return r
	}
	for _, method := range []string{"POST", "PUT", "GET", "post"} {
		t.Run("T14 "+method, func(t *testing.T) { accept(t, v, request(method, method)) })
	}
	for _, tt := range []struct{ name, sent, signed string }{
		{"T14 MAC over lower-case method", "POST", "post"},
		{"T14 method sent in lower case", "post", "POST"},
		{"T14 another method", "PUT", "POST"},
		{"T14 MAC over no method", "POST", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, v, request(tt.sent, tt.signed), verify.ErrMismatch, "no signature")
		})
	}
	t.Run("T14 net/http's empty method is GET", func(t *testing.T) { accept(t, v, request("", "GET")) })
}
