package vapi_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/vapi"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

func ExampleParseCredential() {
	// As the API returns it, without its secret, which comes from the environment.
	data := []byte(`{
		"provider": "custom-credential",
		"id": "cred-7",
		"orgId": "org-1",
		"name": "Production",
		"authenticationPlan": {"type": "hmac", "algorithm": "sha256", "signaturePrefix": "sha256="}
	}`)
	scheme, err := vapi.ParseCredential(data, verify.Static("the signing key"))
	if err != nil {
		fmt.Println(err)
		return
	}
	now := func() time.Time { return time.Unix(1767225600, 0) }
	v, err := verify.New(verify.Config{Accept: scheme, Now: now})
	if err != nil {
		fmt.Println(err)
		return
	}

	r := httptest.NewRequest("POST", "/webhook", strings.NewReader(`{"message":{"type":"hang"}}`))
	if err := (verifytest.HMAC{SecretKey: "the signing key", SignaturePrefix: "sha256=", Now: now}).Sign(r); err != nil {
		fmt.Println(err)
		return
	}
	res, err := v.Check(r)
	fmt.Println(res.Scheme, res.SignedAt.UTC(), err)
	// Output: hmac 2026-01-01 00:00:00 +0000 UTC <nil>
}

// A payloadFormat with {url} needs the one thing that a plan cannot say: the
// endpoint's address as the sender knows it.
func ExampleParseCredential_publicURL() {
	data := []byte(`{"type": "hmac", "algorithm": "sha256", "payloadFormat": "{url}.{timestamp}.{body}"}`)
	scheme, err := vapi.ParseCredential(data, verify.Static("the signing key"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = verify.New(verify.Config{Accept: scheme})
	fmt.Println("before:", err != nil)
	if h, ok := scheme.(verify.HMAC); ok {
		h.PublicURL = "https://hooks.example.com"
		scheme = h
	}
	_, err = verify.New(verify.Config{Accept: scheme})
	fmt.Println("after:", err)
	// Output:
	// before: true
	// after: <nil>
}

func ExampleParseEnvelope() {
	message, err := vapi.ParseEnvelope([]byte(`{"message":{"type":"tool-calls","call":{"id":"0b7e2f7c"}}}`))
	fmt.Println(message.Type, message.CallID, err)
	// Output: tool-calls 0b7e2f7c <nil>
}
