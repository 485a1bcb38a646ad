package vapi_test

import (
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/vapi"
)

const (
	secret     = "Zq8-Wf3kLm9Rv-7Yx0"
	bearerPlan = `{"type":"bearer","token":"` + secret + `"}`
	hmacPlan   = `{"type":"hmac","secretKey":"` + secret + `","algorithm":"sha256"}`
)

// with adds fields to a JSON object, at its end.
func with(object, fields string) string {
	return strings.TrimSuffix(object, "}") + "," + fields + "}"
}

// credential puts a plan into a credential.
func credential(provider, plan string) string {
	return `{"provider":"` + provider + `","id":"cred-7","authenticationPlan":` + plan + `}`
}

func parse(t *testing.T, data string, secrets ...verify.Secrets) verify.Scheme {
	t.Helper()
	scheme, err := vapi.ParseCredential([]byte(data), secrets...)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return scheme
}

// refuse expects an error with these very words, and no scheme.
func refuse(t *testing.T, data, want string, secrets ...verify.Secrets) {
	t.Helper()
	scheme, err := vapi.ParseCredential([]byte(data), secrets...)
	if err == nil || scheme != nil {
		t.Fatalf("%s: accepted: %#v, error %v", data, scheme, err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("%s: %q, want %q", data, err, want)
	}
}

// apart takes the secrets out of a scheme, so that the rest compares with ==.
func apart(t *testing.T, scheme verify.Scheme) (verify.Scheme, verify.Secrets) {
	t.Helper()
	switch s := scheme.(type) {
	case verify.Bearer:
		secrets := s.Tokens
		s.Tokens = nil
		return s, secrets
	case verify.HMAC:
		secrets := s.Keys
		s.Keys = nil
		return s, secrets
	}
	t.Fatalf("a %T, want a verify.Bearer or verify.HMAC", scheme)
	return nil, nil
}

// wantSecret expects one secret with this id and value.
func wantSecret(t *testing.T, secrets verify.Secrets, id, value string) {
	t.Helper()
	set, err := secrets.Load(time.Unix(1767225600, 0))
	if err != nil {
		t.Fatal(err)
	}
	all := set.All()
	if len(all) != 1 || all[0].ID != id || !all[0].Matches(value) {
		t.Fatalf("secrets %v; want one with the id %q and the value %q", all, id, value)
	}
}

// Each field alone, at its default and at other values, in the resulting struct.
func TestFields(t *testing.T) {
	bearer, hmac := verify.Bearer{}, verify.HMAC{Hash: crypto.SHA256}
	for _, test := range []struct {
		field string
		want  verify.Scheme
	}{
		{`"headerName":null`, bearer},
		{`"headerName":""`, bearer},
		{`"headerName":"Authorization"`, verify.Bearer{Header: "Authorization"}},
		{`"headerName":"X-Api-Key"`, verify.Bearer{Header: "X-Api-Key"}},
		{`"bearerPrefixEnabled":null`, bearer},
		{`"bearerPrefixEnabled":true`, bearer},
		{`"bearerPrefixEnabled":false`, verify.Bearer{Bare: true}},

		{`"secretIsBase64":null`, hmac},
		{`"secretIsBase64":false`, hmac},
		{`"secretIsBase64":true`, verify.HMAC{Hash: crypto.SHA256, KeysAreBase64: true}},
		{`"signatureHeader":null`, hmac},
		{`"signatureHeader":""`, hmac},
		{`"signatureHeader":"x-signature"`, verify.HMAC{Hash: crypto.SHA256, SignatureHeader: "x-signature"}},
		{`"signatureHeader":"X-Hub-Signature-256"`, verify.HMAC{Hash: crypto.SHA256, SignatureHeader: "X-Hub-Signature-256"}},
		{`"signaturePrefix":null`, hmac},
		{`"signaturePrefix":""`, hmac},
		{`"signaturePrefix":"sha256="`, verify.HMAC{Hash: crypto.SHA256, SignaturePrefix: "sha256="}},
		{`"signatureEncoding":null`, hmac},
		{`"signatureEncoding":"hex"`, hmac},
		{`"signatureEncoding":"base64"`, verify.HMAC{Hash: crypto.SHA256, Encoding: verify.Base64}},
		{`"timestampHeader":null`, hmac},
		{`"timestampHeader":""`, hmac},
		{`"timestampHeader":"x-timestamp"`, verify.HMAC{Hash: crypto.SHA256, TimestampHeader: "x-timestamp"}},
		{`"timestampHeader":"X-Slack-Request-Timestamp"`, verify.HMAC{Hash: crypto.SHA256, TimestampHeader: "X-Slack-Request-Timestamp"}},
		{`"includeTimestamp":null`, hmac},
		{`"includeTimestamp":true`, hmac},
		{`"includeTimestamp":false`, verify.HMAC{Hash: crypto.SHA256, InsecureNoTimestamp: true}},
		{`"payloadFormat":null`, hmac},
		{`"payloadFormat":""`, hmac},
		{`"payloadFormat":"{timestamp}.{body}"`, verify.HMAC{Hash: crypto.SHA256, Payload: "{timestamp}.{body}"}},
		{`"payloadFormat":"v0:{timestamp}:{body}"`, verify.HMAC{Hash: crypto.SHA256, Payload: "v0:{timestamp}:{body}"}},
		{`"messageIdHeader":null`, hmac},
		{`"messageIdHeader":""`, hmac},
		{`"messageIdHeader":"svix-id"`, verify.HMAC{Hash: crypto.SHA256, MessageIDHeader: "svix-id"}},
	} {
		t.Run(test.field, func(t *testing.T) {
			plan := hmacPlan
			if _, ok := test.want.(verify.Bearer); ok {
				plan = bearerPlan
			}
			got, secrets := apart(t, parse(t, with(plan, test.field)))
			if got != test.want {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
			wantSecret(t, secrets, "0", secret)
		})
	}
}

func TestRequiredFields(t *testing.T) {
	for algorithm, hash := range map[string]crypto.Hash{"sha256": crypto.SHA256, "sha512": crypto.SHA512, "sha1": crypto.SHA1} {
		got, _ := apart(t, parse(t, `{"type":"hmac","secretKey":"k","algorithm":"`+algorithm+`"}`))
		if want := (verify.HMAC{Hash: hash}); got != verify.Scheme(want) {
			t.Errorf("%s: got %+v", algorithm, got)
		}
	}
	got, _ := apart(t, parse(t, bearerPlan))
	if got != verify.Scheme(verify.Bearer{}) {
		t.Errorf("bearer: got %+v", got)
	}
	refuse(t, `{"token":"k"}`, "vapi: type is missing")
	refuse(t, `{"type":null,"token":"k"}`, "vapi: type is missing")
	refuse(t, `{"type":"","token":"k"}`, "vapi: type is missing")
	for _, algorithm := range []string{``, `,"algorithm":null`, `,"algorithm":""`} {
		refuse(t, `{"type":"hmac","secretKey":"k"`+algorithm+`}`, `vapi: algorithm "" is not one of sha1, sha256, sha512`)
	}
}

// A field that nobody meant to set stands at its zero value; all fields together
// reach the struct without getting in each other's way.
func TestAllFields(t *testing.T) {
	got, secrets := apart(t, parse(t, credential("custom-credential", `{
		"type":"hmac", "secretKey":"`+secret+`", "algorithm":"sha512", "signatureHeader":"webhook-signature",
		"timestampHeader":"webhook-timestamp", "signaturePrefix":"v1,", "includeTimestamp":true,
		"payloadFormat":"{svix-id}.{timestamp}.{body}", "messageIdHeader":"webhook-id",
		"signatureEncoding":"base64", "secretIsBase64":true }`)))
	want := verify.HMAC{Hash: crypto.SHA512, SignatureHeader: "webhook-signature", TimestampHeader: "webhook-timestamp",
		SignaturePrefix: "v1,", Payload: "{svix-id}.{timestamp}.{body}", MessageIDHeader: "webhook-id",
		Encoding: verify.Base64, KeysAreBase64: true}
	if got != verify.Scheme(want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	wantSecret(t, secrets, "cred-7", secret)
}

func TestCredential(t *testing.T) {
	for _, provider := range []string{"custom-credential", "webhook"} {
		for _, plan := range []string{bearerPlan, hmacPlan} {
			inside, secrets := apart(t, parse(t, credential(provider, plan)))
			bare, _ := apart(t, parse(t, plan))
			if inside != bare {
				t.Errorf("%s: the credential gives %+v, its plan %+v", provider, inside, bare)
			}
			wantSecret(t, secrets, "cred-7", secret)
		}
	}
	for _, id := range []string{``, `"id":null,`, `"id":"",`} {
		_, secrets := apart(t, parse(t, `{`+id+`"provider":"webhook","authenticationPlan":`+bearerPlan+`}`))
		wantSecret(t, secrets, "0", secret)
	}
	// What belongs to the sender alone is passed over, whatever it is.
	for _, field := range []string{
		`"orgId":"org-1"`, `"name":"Production"`, `"createdAt":"2026-01-01T00:00:00Z"`, `"updatedAt":1767225600`,
		`"authenticationSession":{"accessToken":"t","expiresAt":null}`,
		`"encryptionPlan":{"type":"public-key","algorithm":"RSA-OAEP-256","publicKey":{"format":"spki-pem","pem":"…"}}`,
		`"encryptionPlan":null`,
	} {
		inside, secrets := apart(t, parse(t, with(credential("webhook", hmacPlan), field)))
		if inside != verify.Scheme(verify.HMAC{Hash: crypto.SHA256}) {
			t.Errorf("%s: got %+v", field, inside)
		}
		wantSecret(t, secrets, "cred-7", secret)
	}
}

func TestSecrets(t *testing.T) {
	const other = "another-secret"
	given := verify.Named(verify.NewSecret("vault", other))
	for plan, field := range map[string]string{bearerPlan: "token", hmacPlan: "secretKey"} {
		var without []string // the plan, its secret not there in one of three ways
		for _, empty := range []string{``, `,"` + field + `":null`, `,"` + field + `":""`} {
			without = append(without, strings.Replace(plan, `,"`+field+`":"`+secret+`"`, empty, 1))
		}
		t.Run(field+" in the JSON", func(t *testing.T) {
			for _, none := range [][]verify.Secrets{nil, {nil}} {
				_, secrets := apart(t, parse(t, plan, none...))
				wantSecret(t, secrets, "0", secret)
			}
		})
		t.Run(field+" apart", func(t *testing.T) {
			for _, plan := range without {
				if _, secrets := apart(t, parse(t, credential("webhook", plan), given)); secrets != given {
					t.Errorf("%s: the scheme has other secrets than those given", plan)
				}
			}
		})
		t.Run(field+" both: the one apart counts", func(t *testing.T) {
			if _, secrets := apart(t, parse(t, credential("webhook", plan), given)); secrets != given {
				t.Error("the scheme has other secrets than those given")
			}
		})
		t.Run(field+" neither", func(t *testing.T) {
			for _, plan := range without {
				refuse(t, plan, "vapi: "+field+" is missing: the API does not return it, give it apart")
				refuse(t, credential("webhook", plan), "vapi: authenticationPlan."+field+" is missing")
			}
		})
	}
	refuse(t, bearerPlan, "more than one verify.Secrets", given, given)
}
