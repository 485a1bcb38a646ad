package vapi_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const message = `{"message":{"type":"status-update","status":"ended"}}`

var clock = verifytest.NewClock(time.Unix(1767225600, 0))

func newVerifier(scheme verify.Scheme) (*verify.Verifier, error) {
	return verify.New(verify.Config{Accept: scheme, Now: clock.Now})
}

// sender reads a plan as Vapi's documentation has it and signs by it. It knows
// nothing of package vapi.
func sender(t *testing.T, plan string) verifytest.Signer {
	t.Helper()
	p := struct {
		Type                                              string
		Token, HeaderName                                 string
		BearerPrefixEnabled                               bool
		SecretKey, Algorithm                              string
		SignatureHeader, SignaturePrefix, TimestampHeader string
		IncludeTimestamp, SecretIsBase64                  bool
		PayloadFormat, MessageIDHeader, SignatureEncoding string
	}{BearerPrefixEnabled: true, IncludeTimestamp: true}
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		t.Fatal(err)
	}
	if p.Type == "bearer" {
		return verifytest.Bearer{Token: p.Token, HeaderName: p.HeaderName, NoPrefix: !p.BearerPrefixEnabled}
	}
	return verifytest.HMAC{
		SecretKey: p.SecretKey, SecretIsBase64: p.SecretIsBase64, Algorithm: p.Algorithm,
		SignatureHeader: p.SignatureHeader, SignaturePrefix: p.SignaturePrefix, SignatureEncoding: p.SignatureEncoding,
		TimestampHeader: p.TimestampHeader, NoTimestamp: !p.IncludeTimestamp, PayloadFormat: p.PayloadFormat,
		MessageIDHeader: p.MessageIDHeader, MessageID: "msg_1", URL: "https://hooks.example.com/webhook?a=1", Now: clock.Now,
	}
}

func post(body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/webhook?a=1", strings.NewReader(body))
}

// signed is a new request, signed by the plan.
func signed(t *testing.T, plan string) *http.Request {
	t.Helper()
	r := post(message)
	if err := sender(t, plan).Sign(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func hmacWith(fields string) string {
	return with(`{"type":"hmac","secretKey":"`+base64.StdEncoding.EncodeToString([]byte(secret))+`","algorithm":"sha256"}`, fields)
}

// For every kind of plan: what the sender signs by it, the kit accepts; with one
// change to what the plan protects, it refuses.
func TestEndToEnd(t *testing.T) {
	for _, test := range []struct {
		name, plan string
		header     string // carries the credential
		time       string // carries the timestamp, if it is signed
	}{
		{"bearer", bearerPlan, "Authorization", ""},
		{"bearer, own header", with(bearerPlan, `"headerName":"X-Api-Key"`), "X-Api-Key", ""},
		{"bearer, no prefix", with(bearerPlan, `"bearerPrefixEnabled":false`), "Authorization", ""},
		{"bearer like the old X-Vapi-Secret", with(bearerPlan, `"headerName":"X-Vapi-Secret","bearerPrefixEnabled":false`), "X-Vapi-Secret", ""},
		{"HMAC", hmacPlan, "X-Signature", "X-Timestamp"},
		{"SHA-512", strings.Replace(hmacPlan, "sha256", "sha512", 1), "X-Signature", "X-Timestamp"},
		{"SHA-1", strings.Replace(hmacPlan, "sha256", "sha1", 1), "X-Signature", "X-Timestamp"},
		{"own headers", hmacWith(`"signatureHeader":"x-sig","timestampHeader":"x-time"`), "X-Sig", "X-Time"},
		{"prefix", hmacWith(`"signaturePrefix":"sha256="`), "X-Signature", "X-Timestamp"},
		{"base64 signature", hmacWith(`"signatureEncoding":"base64"`), "X-Signature", "X-Timestamp"},
		{"base64 key", hmacWith(`"secretIsBase64":true`), "X-Signature", "X-Timestamp"},
		{"base64-looking key as text", hmacWith(`"secretIsBase64":false`), "X-Signature", "X-Timestamp"},
		{"own format", hmacWith(`"payloadFormat":"v0:{timestamp}:{body}"`), "X-Signature", "X-Timestamp"},
		{"method in the format", hmacWith(`"payloadFormat":"{method} {timestamp} {body}"`), "X-Signature", "X-Timestamp"},
		{"no timestamp", hmacWith(`"includeTimestamp":false,"payloadFormat":"{body}"`), "X-Signature", ""},
		{"Svix style", hmacWith(`"signatureHeader":"svix-signature","timestampHeader":"svix-timestamp","messageIdHeader":"svix-id",` +
			`"payloadFormat":"{svix-id}.{timestamp}.{body}","signatureEncoding":"base64","signaturePrefix":"v1,","secretIsBase64":true`),
			"Svix-Signature", "Svix-Timestamp"},
		{"GitHub style", hmacWith(`"signatureHeader":"X-Hub-Signature-256","signaturePrefix":"sha256=","includeTimestamp":false,"payloadFormat":"{body}"`),
			"X-Hub-Signature-256", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := newVerifier(parse(t, credential("custom-credential", test.plan)))
			if err != nil {
				t.Fatal(err)
			}
			res, err := v.Check(signed(t, test.plan))
			if err != nil || res.KeyID != "cred-7" {
				t.Fatalf("result %+v, error %v", res, err)
			}
			refused := func(name string, r *http.Request, reason error) {
				t.Helper()
				if res, err := v.Check(r); !errors.Is(err, reason) || res != nil {
					t.Errorf("%s: result %+v, error %v; want %v", name, res, err, reason)
				}
			}
			r := signed(t, test.plan)
			r.Header.Del(test.header)
			refused("without its header", r, verify.ErrMissing)

			other := strings.Replace(strings.Replace(test.plan, secret, "another-secret", 1),
				base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("another-secret")), 1)
			refused("with another secret", signed(t, other), verify.ErrMismatch)
			if strings.Contains(test.plan, `"bearer"`) {
				return
			}
			r = post(strings.Replace(message, "ended", "enter", 1))
			r.Header = signed(t, test.plan).Header
			refused("with another body", r, verify.ErrMismatch)
			if test.time == "" {
				return
			}
			r = signed(t, test.plan)
			r.Header.Set(test.time, strconv.FormatInt(clock.Now().UnixMilli()+1, 10))
			refused("with another timestamp", r, verify.ErrMismatch)
			r.Header.Del(test.time)
			refused("without its timestamp", r, verify.ErrMissing)
		})
	}
}

// A plan with {url} builds once the caller has said what the sender's URL is.
func TestURLPlan(t *testing.T) {
	plan := hmacWith(`"payloadFormat":"{method}{url}.{timestamp}.{body}"`)
	h := parse(t, plan).(verify.HMAC)
	refuseNew(t, h, "Config.Accept.HMAC.PublicURL", "is required")
	h.PublicURL = "https://hooks.example.com"
	v, err := newVerifier(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Check(signed(t, plan)); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/webhook?a=2", strings.NewReader(message))
	r.Header = signed(t, plan).Header
	if _, err := v.Check(r); !errors.Is(err, verify.ErrMismatch) {
		t.Errorf("another query: %v, want %v", err, verify.ErrMismatch)
	}
}

// refuseNew expects New to refuse a scheme, naming the field and not the secret.
func refuseNew(t *testing.T, scheme verify.Scheme, field, problem string) {
	t.Helper()
	v, err := newVerifier(scheme)
	var e *verify.ConfigError
	if v != nil || !errors.As(err, &e) {
		t.Fatalf("verifier %v, error %v; want a *verify.ConfigError", v, err)
	}
	if e.Field != field || !strings.Contains(e.Problem, problem) {
		t.Errorf("%v; want field %s and %q", err, field, problem)
	}
	wantNoPart(t, err.Error())
}

// What a plan's fields mean together, New judges.
func TestPlansThatDoNotBuild(t *testing.T) {
	const payload = "Config.Accept.HMAC.Payload"
	for _, test := range []struct{ name, plan, field, problem string }{
		{"T09 includeTimestamp false, payloadFormat left at its default", with(hmacPlan, `"includeTimestamp":false`), payload, "InsecureNoTimestamp"},
		{"T09 includeTimestamp false, payloadFormat null", with(hmacPlan, `"includeTimestamp":false,"payloadFormat":null`), payload, "InsecureNoTimestamp"},
		{"T09 includeTimestamp false, payloadFormat with {timestamp}", with(hmacPlan, `"includeTimestamp":false,"payloadFormat":"{timestamp}.{body}"`), payload, "has {timestamp} beside InsecureNoTimestamp"},
		{"T08 payloadFormat without {timestamp}", with(hmacPlan, `"payloadFormat":"{body}"`), payload, "lacks {timestamp}"},
		{"T07 payloadFormat without {body}", with(hmacPlan, `"payloadFormat":"{timestamp}"`), payload, "lacks {body}"},
		{"T06 unknown token", with(hmacPlan, `"payloadFormat":"{timestamp}.{body}.{foo}"`), payload, "braces without a known token"},
		{"{svix-id} without messageIdHeader", with(hmacPlan, `"payloadFormat":"{svix-id}.{timestamp}.{body}"`), "Config.Accept.HMAC.MessageIDHeader", "is required"},
		{"K02 secretIsBase64 of a key that is text", with(hmacPlan, `"secretIsBase64":true`), "Config.Accept.HMAC.Keys", "is not standard base64"},
		{"signatureHeader that is no header name", with(hmacPlan, `"signatureHeader":"x signature"`), "Config.Accept.HMAC.SignatureHeader", "header"},
		{"headerName that is no header name", with(bearerPlan, `"headerName":"x:token"`), "Config.Accept.Bearer.Header", "header"},
		{"token with a newline", strings.Replace(bearerPlan, secret, secret+`\n`, 1), "Config.Accept.Bearer.Tokens", "begins or ends with whitespace"},
		{"K06 secretKey of spaces", strings.Replace(hmacPlan, secret, "  ", 1), "Config.Accept.HMAC.Keys", "only whitespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refuseNew(t, parse(t, test.plan), test.field, test.problem)
		})
	}
}

// However a scheme from a plan is printed, its secret is not.
func TestSchemesDoNotPrintSecrets(t *testing.T) {
	for _, plan := range []string{bearerPlan, hmacPlan} {
		scheme := parse(t, plan)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			wantNoPart(t, fmt.Sprintf(verb, scheme))
		}
		_, secrets := apart(t, scheme)
		wantNoPart(t, fmt.Sprintf("%+v", secrets))
	}
}
