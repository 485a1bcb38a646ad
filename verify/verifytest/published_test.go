package verifytest_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// Values that others published: RFC 2202 and 4231 (test cases 1, 2 and 6),
// GitHub's, Slack's and Standard Webhooks' documentation.
func TestPublishedValues(t *testing.T) {
	untimed := verifytest.HMAC{SecretKey: "Jefe", NoTimestamp: true, PayloadFormat: "{body}"}
	jefe := func(change func(*verifytest.HMAC)) verifytest.HMAC {
		h := untimed
		change(&h)
		return h
	}
	const question = "what do ya want for nothing?"
	for _, test := range []struct {
		name   string
		signer verifytest.HMAC
		body   string
		want   map[string]string
	}{
		{"RFC 4231 case 2", untimed, question,
			map[string]string{"X-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}},
		{"Algorithm sha256", jefe(func(h *verifytest.HMAC) { h.Algorithm = "sha256" }), question,
			map[string]string{"X-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}},
		{"Algorithm sha512", jefe(func(h *verifytest.HMAC) { h.Algorithm = "sha512" }), question,
			map[string]string{"X-Signature": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"}},
		{"Algorithm sha1", jefe(func(h *verifytest.HMAC) { h.Algorithm = "sha1" }), question,
			map[string]string{"X-Signature": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"}},
		{"SignatureEncoding hex", jefe(func(h *verifytest.HMAC) { h.SignatureEncoding = "hex" }), question,
			map[string]string{"X-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}},
		{"SignatureEncoding base64", jefe(func(h *verifytest.HMAC) { h.SignatureEncoding = "base64" }), question,
			map[string]string{"X-Signature": "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="}},
		{"RFC 4231 case 1, SecretIsBase64", jefe(func(h *verifytest.HMAC) {
			h.SecretKey, h.SecretIsBase64 = "CwsLCwsLCwsLCwsLCwsLCwsLCws=", true
		}), "Hi There", map[string]string{"X-Signature": "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"}},
		{"SecretIsBase64 without padding", jefe(func(h *verifytest.HMAC) {
			h.SecretKey, h.SecretIsBase64 = "CwsLCwsLCwsLCwsLCwsLCwsLCws", true
		}), "Hi There", map[string]string{"X-Signature": "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"}},
		{"RFC 4231 case 6, a key over the block", jefe(func(h *verifytest.HMAC) { h.SecretKey = strings.Repeat("\xaa", 131) }),
			"Test Using Larger Than Block-Size Key - Hash Key First",
			map[string]string{"X-Signature": "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"}},
		{"GitHub", verifytest.HMAC{SecretKey: "It's a Secret to Everybody", SignatureHeader: "X-Hub-Signature-256",
			SignaturePrefix: "sha256=", NoTimestamp: true, PayloadFormat: "{body}"}, "Hello, World!",
			map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		{"Slack", verifytest.HMAC{SecretKey: "8f742231b10e8888abcd99yyyzzz85a5", SignatureHeader: "X-Slack-Signature",
			SignaturePrefix: "v0=", TimestampHeader: "X-Slack-Request-Timestamp", PayloadFormat: "v0:{timestamp}:{body}", Timestamp: "1531420618"},
			"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
				"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
				"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
				"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			map[string]string{"X-Slack-Request-Timestamp": "1531420618",
				"X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}},
		{"Standard Webhooks", verifytest.HMAC{SecretKey: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretIsBase64: true,
			SignatureHeader: "webhook-signature", SignaturePrefix: "v1,", SignatureEncoding: "base64", TimestampHeader: "webhook-timestamp",
			MessageIDHeader: "webhook-id", MessageID: "msg_p5jXN8AQM9LWM0D4loKWxJek", PayloadFormat: "{svix-id}.{timestamp}.{body}",
			Timestamp: "1614265330"}, `{"test": 2432232314}`,
			map[string]string{"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330",
				"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(test.body)
			wantHeaders(t, test.signer, r, test.want)
			wantBody(t, r, test.body)
		})
	}
}

// The samples' signatures were computed in another language.
func TestSamples(t *testing.T) {
	data, err := os.ReadFile("../testdata/vapi-bodies.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Bodies []struct {
			ID                   string
			BodyBase64           *string
			SignatureDefaultPlan string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, sample := range file.Bodies {
		if sample.BodyBase64 == nil {
			continue // the large ones, which stand there in parts
		}
		checked++
		t.Run(sample.ID, func(t *testing.T) {
			body, err := base64.StdEncoding.DecodeString(*sample.BodyBase64)
			if err != nil {
				t.Fatal(err)
			}
			signer := verifytest.HMAC{SecretKey: "vapi-bodies-example-secret", Timestamp: "1767225600"}
			wantHeaders(t, signer, post(string(body)), map[string]string{"X-Timestamp": "1767225600", "X-Signature": sample.SignatureDefaultPlan})
		})
	}
	if checked != 68 {
		t.Errorf("%d samples, want 68", checked)
	}
}
