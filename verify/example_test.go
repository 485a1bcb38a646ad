package verify_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// A handler that runs for signed requests only, and a sender that signs as Vapi
// does by default.
func Example() {
	clock := verifytest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	v, err := verify.New(verify.Config{
		Accept: verify.HMAC{Keys: verify.Static("the signing key")}, // in earnest: os.Getenv("WEBHOOK_KEY")
		Now:    clock.Now,                                           // in earnest: leave it out
	})
	if err != nil {
		fmt.Println(err) // an empty key, for one: it never means "accept everything"
		return
	}
	handler := verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // every byte, as it was signed
		who, _ := verify.FromContext(r.Context())
		fmt.Printf("%s with key %s vouches for %s\n", who.Scheme, who.KeyID, body)
		_, _ = io.WriteString(w, "{}")
	}))

	for _, key := range []string{"the signing key", "a forger's key"} {
		r := httptest.NewRequest("POST", "/webhook", strings.NewReader(`{"message":{"type":"hang"}}`))
		if err := (verifytest.HMAC{SecretKey: key, Now: clock.Now}).Sign(r); err != nil {
			fmt.Println(err)
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// hmac with key 0 vouches for {"message":{"type":"hang"}}
	// 200 {}
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
}

// A migration from X-Vapi-Secret to a bearer token: both are accepted until the
// old one has fallen silent, which Result.Scheme and the events tell.
func ExampleAnyOf() {
	v, err := verify.New(verify.Config{
		Accept: verify.AnyOf(
			verify.Bearer{Tokens: verify.Static("new-token")},
			verify.VapiSecret(verify.Static("the old secret")),
		),
		Observe: func(_ context.Context, e verify.Event) {
			fmt.Println(e.Level(), e.Scheme, e.Reason) // in earnest: slog.Log(ctx, e.Level(), "webhook", "verdict", e)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, sender := range []verifytest.Signer{
		verifytest.Bearer{Token: "new-token"},
		verifytest.VapiSecret("the old secret"),
		verifytest.VapiSecret("a guess"),
	} {
		r := httptest.NewRequest("POST", "/webhook", strings.NewReader("{}"))
		if err := sender.Sign(r); err != nil {
			fmt.Println(err)
			return
		}
		if _, err := v.Check(r); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// DEBUG bearer ok
	// DEBUG vapi-secret ok
	// INFO vapi-secret mismatch
	// verify: refused: bearer: credential missing (Authorization is absent); vapi-secret: credential does not match (X-Vapi-Secret holds another token)
}

// A rotation with a date: the old token ends by itself, and Result.KeyID tells
// who still uses it until then.
func ExampleNamed() {
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	old := verify.NewSecret("2026-10", "old-token")
	old.NotAfter = december
	clock := verifytest.NewClock(december.AddDate(0, 0, -1))
	v, err := verify.New(verify.Config{
		Accept: verify.Bearer{Tokens: verify.Named(verify.NewSecret("2026-11", "new-token"), old)},
		Now:    clock.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	send := func(token string) {
		r := httptest.NewRequest("POST", "/webhook", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+token)
		if res, err := v.Check(r); err != nil {
			fmt.Println(token, "is refused:", verify.Reason(err))
		} else {
			fmt.Println(token, "is accepted as", res.KeyID)
		}
	}
	send("new-token")
	send("old-token")
	clock.Set(december.Add(time.Second))
	send("new-token")
	send("old-token")
	// Output:
	// new-token is accepted as 2026-11
	// old-token is accepted as 2026-10
	// new-token is accepted as 2026-11
	// old-token is refused: mismatch
}

// Tokens from a vault, replaced while requests are served.
func ExampleRotating() {
	var tokens verify.Rotating
	if err := tokens.Replace(verify.NewSecret("v1", "first-token")); err != nil {
		fmt.Println(err)
		return
	}
	v, err := verify.New(verify.Config{Accept: verify.Bearer{Tokens: &tokens}})
	if err != nil {
		fmt.Println(err)
		return
	}
	send := func(token string) {
		r := httptest.NewRequest("POST", "/webhook", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := v.Check(r)
		fmt.Println(token, verify.Reason(err))
	}
	send("first-token")
	if err := tokens.Replace(verify.NewSecret("v2", "second-token")); err != nil {
		fmt.Println(err)
	}
	send("first-token")
	send("second-token")
	if err := tokens.Replace(verify.NewSecret("v3", "")); err != nil { // the vault gave nothing
		fmt.Println(err)
	}
	send("second-token")
	// Output:
	// first-token ok
	// first-token mismatch
	// second-token ok
	// verify: Rotating: secret "v3" is empty
	// second-token ok
}

// An event of an API gateway, as a Lambda function gets it: header names in
// lower case, the body in base64, and maybe some time in a queue.
func ExampleVerifier_CheckMessage() {
	v, err := verify.New(verify.Config{Accept: verify.HMAC{Keys: verify.Static("the signing key")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	event := struct {
		Method, Path, Body string
		Headers            map[string]string
	}{
		"POST", "/webhook", "eyJtZXNzYWdlIjp7InR5cGUiOiJoYW5nIn19",
		map[string]string{
			"x-timestamp": "1767225600",
			"x-signature": "5ef479de8ee47580246b253fee213e13e472ca8471066a1d729d630a0488e067",
		},
	}

	header := http.Header{}
	for name, value := range event.Headers {
		header.Add(name, value)
	}
	body, err := base64.StdEncoding.DecodeString(event.Body) // the gateway's own encoding; nothing else is undone
	if err != nil {
		fmt.Println(err)
		return
	}
	m := verify.NewMessage(event.Method, event.Path, header, body)
	m.ReceivedAt = time.Unix(1767225601, 0) // by the gateway's record, never by what the sender says
	res, err := v.CheckMessage(context.Background(), m)
	if err != nil {
		fmt.Println(verify.Reason(err))
		return
	}
	fmt.Println(res.Scheme, res.SignedAt.UTC(), string(body))
	// Output: hmac 2026-01-01 00:00:00 +0000 UTC {"message":{"type":"hang"}}
}

// A word for a metric, a sentinel to branch by, and the attempts for the log.
func ExampleReason() {
	v, err := verify.New(verify.Config{Accept: verify.Bearer{Tokens: verify.Static("token")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	counts := map[string]int{} // in earnest: a counter with a label
	for _, authorization := range []string{"Bearer token", "Bearer guess", "Basic token", ""} {
		r := httptest.NewRequest("POST", "/webhook", strings.NewReader("{}"))
		r.Header.Set("Authorization", authorization)
		_, err := v.Check(r)
		counts[verify.Reason(err)]++
		if errors.Is(err, verify.ErrMalformed) {
			fmt.Println(verify.Refusal(err).Attempts[0].Detail)
		}
	}
	fmt.Println(counts)
	// Output:
	// Authorization does not begin with Bearer
	// map[malformed:1 mismatch:1 missing:1 ok:1]
}
