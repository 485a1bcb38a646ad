package verify_test

import (
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

func TestVapiSecret(t *testing.T) {
	const secret = "vapi server.secret, with spaces"
	v := build(t, verify.VapiSecret(verify.Static(secret)))
	for _, tt := range []struct {
		name, header string
		reason       error // nil: accepted
		detail       string
	}{
		{"S01 right value", "X-Vapi-Secret: " + secret, nil, ""},
		{"S01 lower-case name", "x-vapi-secret: " + secret, nil, ""},
		{"S02 absent", "X-Other: " + secret, verify.ErrMissing, "X-Vapi-Secret is absent"},
		{"S02 empty", "X-Vapi-Secret:", verify.ErrMissing, "X-Vapi-Secret is empty"},
		{"S03 wrong value", "X-Vapi-Secret: " + secret[1:], verify.ErrMismatch, "X-Vapi-Secret holds another token"},
		{"S03 Bearer in front", "X-Vapi-Secret: Bearer " + secret, verify.ErrMismatch, "X-Vapi-Secret holds another token"},
		{"S04 twice", "X-Vapi-Secret: " + secret + "\r\nX-Vapi-Secret: " + secret, verify.ErrMalformed, "more than once"},
		{"S04 wrong then right", "X-Vapi-Secret: x\r\nx-vapi-secret: " + secret, verify.ErrMalformed, "more than once"},
		{"S05 in X-Vapi-Signature", "X-Vapi-Signature: " + secret, verify.ErrMissing, "X-Vapi-Secret is absent"},
		{"S05 in Authorization", "Authorization: Bearer " + secret, verify.ErrMissing, "X-Vapi-Secret is absent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := onWire(t, tt.header)
			if tt.reason != nil {
				refuse(t, v, r, tt.reason, tt.detail)
				return
			}
			if res := accept(t, v, r); *res != (verify.Result{Scheme: "vapi-secret", KeyID: "0"}) {
				t.Errorf("result %+v", res)
			}
		})
	}
	t.Run("S05 policy legacyAlias", func(t *testing.T) {
		alias := verify.Bearer{Tokens: verify.Static(secret), Header: "X-Vapi-Signature", Bare: true, Name: "vapi-signature"}
		v := build(t, verify.AnyOf(verify.VapiSecret(verify.Static(secret)), alias))
		if res := accept(t, v, onWire(t, "X-Vapi-Signature: "+secret)); res.Scheme != "vapi-signature" {
			t.Errorf("result %+v", res)
		}
	})
	for name, value := range map[string]string{
		"trailing newline": secret + "\n", "trailing CRLF": secret + "\r\n", "leading space": " " + secret,
		"trailing space": secret + " ", "trailing tab": secret + "\t", "no-break space": secret + "\u00a0",
	} {
		t.Run("S06 V40 "+name, func(t *testing.T) {
			refuseConfig(t, verify.VapiSecret(verify.Static(value)), "Config.Accept.Bearer.Tokens", "begins or ends with whitespace")
		})
	}
	t.Run("S07 secret header right, HMAC plan configured", func(t *testing.T) {
		v := build(t, verify.HMAC{Keys: verify.Static(hmacKey)})
		r := defaultPost()
		r.Header.Set("X-Vapi-Secret", hmacKey)
		accept(t, v, r)
		refuse(t, v, post(hmacBody, "X-Vapi-Secret", hmacKey, "X-Timestamp", hmacStamp), verify.ErrMissing, "X-Signature is absent")
	})
}
