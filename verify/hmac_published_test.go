package verify_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// TestHMACPublished: examples from the documentation of senders whose schemes
// this one is to cover.
func TestHMACPublished(t *testing.T) {
	const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
		"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
		"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	for _, tt := range []struct {
		name    string
		scheme  verify.HMAC
		at      int64
		body    string
		headers http.Header
	}{
		{"H01 GitHub", verify.HMAC{
			Keys: verify.Static("It's a Secret to Everybody"), Payload: "{body}", InsecureNoTimestamp: true,
			SignatureHeader: "X-Hub-Signature-256", SignaturePrefix: "sha256=",
		}, 0, "Hello, World!", http.Header{
			"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
		}},
		{"H01 Slack", verify.HMAC{
			Keys: verify.Static("8f742231b10e8888abcd99yyyzzz85a5"), Payload: "v0:{timestamp}:{body}", TimestampUnit: verify.Seconds,
			SignatureHeader: "X-Slack-Signature", SignaturePrefix: "v0=", TimestampHeader: "X-Slack-Request-Timestamp",
		}, 1531420618, slackBody, http.Header{
			"X-Slack-Request-Timestamp": {"1531420618"},
			"X-Slack-Signature":         {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
		}},
		{"H24 Standard Webhooks", verify.HMAC{
			Keys: verify.Static("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), KeysAreBase64: true, Encoding: verify.Base64,
			Payload: "{svix-id}.{timestamp}.{body}", TimestampUnit: verify.Seconds, MultiSignature: true,
			SignatureHeader: "Webhook-Signature", TimestampHeader: "Webhook-Timestamp", MessageIDHeader: "Webhook-Id",
		}, 1614265330, `{"test": 2432232314}`, http.Header{
			"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
			"Webhook-Timestamp": {"1614265330"},
			"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := configure(t, verify.Config{Accept: tt.scheme, Now: func() time.Time { return time.Unix(tt.at, 0) }})
			request := func(body string) *http.Request {
				r := post(body)
				r.Header = tt.headers.Clone()
				return r
			}
			accept(t, v, request(tt.body))
			refuse(t, v, request(strings.ToUpper(tt.body)), verify.ErrMismatch, "no signature")
		})
	}
}
