package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/webhookauth/webhookauth/verify"
)

// Basic accepts HTTP Basic authentication (RFC 7617). It is configuration alone:
// a plain struct that says what to accept.
type Basic struct {
	// User is the one user name that is accepted. Required.
	User string
	// Passwords are the accepted passwords, newest first. Required.
	Passwords verify.Secrets
}

// Build implements verify.Scheme. New calls it, once, so that every mistake comes
// to light at start-up. Fields are named relative to the scheme; New adds where
// it stands.
func (b Basic) Build(env verify.Env) (verify.Authenticator, error) {
	if b.User == "" || strings.Contains(b.User, ":") {
		return nil, &verify.ConfigError{Field: "Basic.User", Problem: "is empty or holds a colon"}
	}
	if b.Passwords == nil {
		return nil, &verify.ConfigError{Field: "Basic.Passwords", Problem: "is nil"}
	}
	if _, err := b.Passwords.Load(env.Now()); err != nil {
		return nil, &verify.ConfigError{Field: "Basic.Passwords", Problem: err.Error()}
	}
	return &basicAuth{user: verify.NewSecret("user", b.User), passwords: b.Passwords}, nil
}

// basicAuth serves requests, many at once: nothing in it changes.
type basicAuth struct {
	user      verify.Secret // no secret, but Matches compares it in constant time too
	passwords verify.Secrets
}

// Authenticate implements verify.Authenticator. It looks at the header alone; a
// scheme that signs the body would call m.Body once that is in order.
func (a *basicAuth) Authenticate(_ context.Context, m *verify.Message) (*verify.Result, error) {
	switch values := m.Header["Authorization"]; {
	case len(values) > 1: // which of them would a proxy believe?
		return nil, a.refuse(verify.ErrMalformed, "Authorization appears more than once", nil)
	case len(values) == 0 || values[0] == "":
		return nil, a.refuse(verify.ErrMissing, "no Authorization", nil)
	}
	user, password, ok := (&http.Request{Header: m.Header}).BasicAuth()
	if !ok {
		return nil, a.refuse(verify.ErrMalformed, "Authorization is not of the form of Basic", nil)
	}
	// Secrets are asked for every time: they may have been rotated. m.Time, not
	// time.Now, so that tests and queued messages are judged by the right clock.
	set, err := a.passwords.Load(m.Time())
	if err != nil || set == nil {
		return nil, a.refuse(verify.ErrUnavailable, "the passwords cannot be loaded", err)
	}
	valid, matched := 0, ""
	for _, s := range set.All() { // all of them, so that the time does not tell which one matched
		if !s.ValidAt(m.Time()) {
			continue
		}
		valid++
		if s.Matches(password) && matched == "" {
			matched = s.ID
		}
	}
	switch {
	case valid == 0: // our fault, and it passes: 503, not 401
		return nil, a.refuse(verify.ErrUnavailable, "no password is valid now", nil)
	case !a.user.Matches(user) || matched == "":
		return nil, a.refuse(verify.ErrMismatch, "user or password is wrong", nil)
	}
	return &verify.Result{Scheme: "basic", KeyID: matched}, nil
}

// refuse says why in fixed words, never with what the request carried.
func (a *basicAuth) refuse(reason error, detail string, cause error) error {
	return &verify.Error{Attempts: []verify.Attempt{{Scheme: "basic", Err: reason, Detail: detail, Cause: cause}}}
}

// Challenge implements verify.Challenger: adapters send it as WWW-Authenticate.
func (a *basicAuth) Challenge(error) []string {
	return []string{`Basic realm="webhook", charset="UTF-8"`}
}

// A scheme of your own stands wherever one of this package does.
func Example_customScheme() {
	v, err := verify.New(verify.Config{Accept: verify.AnyOf(
		Basic{User: "vapi", Passwords: verify.Static("new password", "old password")},
		verify.VapiSecret(verify.Static("the secret")),
	)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, password := range []string{"new password", "old password", "a guess"} {
		r := httptest.NewRequest("POST", "/webhook", strings.NewReader("{}"))
		r.SetBasicAuth("vapi", password)
		if res, err := v.Check(r); err != nil {
			fmt.Println(err)
			fmt.Println(v.Challenge(err))
		} else {
			fmt.Println(res.Scheme, res.KeyID)
		}
	}

	_, err = verify.New(verify.Config{Accept: verify.AnyOf(Basic{User: "vapi", Passwords: verify.Static("")})})
	fmt.Println(err)
	// Output:
	// basic 0
	// basic 1
	// verify: refused: basic: credential does not match (user or password is wrong); vapi-secret: credential missing (X-Vapi-Secret is absent)
	// [Basic realm="webhook", charset="UTF-8"]
	// verify: Config.Accept.AnyOf[0].Basic.Passwords: secret "0" is empty
}
