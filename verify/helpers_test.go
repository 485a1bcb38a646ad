package verify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// now is the moment at which all tests take place.
var now = time.Unix(1767225600, 0)

// clock stands still at now.
func clock() time.Time { return now }

// build makes a verifier for one scheme, at now.
func build(t testing.TB, scheme verify.Scheme) *verify.Verifier {
	t.Helper()
	return configure(t, verify.Config{Accept: scheme})
}

// configure makes a verifier; its clock stands at now unless the test brings one.
func configure(t testing.TB, cfg verify.Config) *verify.Verifier {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = clock
	}
	v, err := verify.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return v
}

// refuseConfig expects New to refuse a scheme, naming the field.
func refuseConfig(t testing.TB, scheme verify.Scheme, field, problem string) {
	t.Helper()
	v, err := verify.New(verify.Config{Accept: scheme, Now: clock})
	if v != nil || err == nil {
		t.Fatalf("New accepted the configuration")
	}
	var e *verify.ConfigError
	if !errors.As(err, &e) {
		t.Fatalf("New: %T, want *verify.ConfigError", err)
	}
	if e.Field != field || !strings.Contains(e.Problem, problem) {
		t.Fatalf("New: %v; want field %s and a problem with %q", err, field, problem)
	}
}

// post is a request with the body and header pairs, in order: name, value, ….
// Names are set as they come, so that a repeated one gives two values.
func post(body string, pairs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	return r
}

// accept expects a request to be accepted.
func accept(t testing.TB, v *verify.Verifier, r *http.Request) *verify.Result {
	t.Helper()
	res, err := v.Check(r)
	if err != nil || res == nil {
		t.Fatalf("refused: result %v, error %v", res, err)
	}
	return res
}

// refuse expects a request to be refused for one reason alone, with a detail
// that contains the given words.
func refuse(t testing.TB, v *verify.Verifier, r *http.Request, reason error, detail string) *verify.Error {
	t.Helper()
	res, err := v.Check(r)
	return refused(t, res, err, reason, detail)
}

// refused expects what a check returned to be a refusal for one reason alone.
func refused(t testing.TB, res *verify.Result, err error, reason error, detail string) *verify.Error {
	t.Helper()
	if err == nil || res != nil {
		t.Fatalf("accepted: result %+v, error %v", res, err)
	}
	var e *verify.Error
	if !errors.As(err, &e) {
		t.Fatalf("refused with a %T, want *verify.Error", err)
	}
	if !errors.Is(err, reason) {
		t.Fatalf("refused with %v, want %v", err, reason)
	}
	for _, other := range reasons {
		if other != reason && errors.Is(err, other) {
			t.Fatalf("refused with %v, which is %v too", err, other)
		}
	}
	if !strings.Contains(err.Error(), detail) {
		t.Fatalf("refused with %q, want a detail with %q", err, detail)
	}
	return e
}

// reasons are all sentinels.
var reasons = []error{
	verify.ErrMissing, verify.ErrMalformed, verify.ErrStale, verify.ErrMismatch, verify.ErrInactive, verify.ErrScope,
	verify.ErrTooLarge, verify.ErrBodyConsumed, verify.ErrBodyUnreadable,
	verify.ErrDuplicate, verify.ErrInFlight, verify.ErrConflict, verify.ErrAttempts,
	verify.ErrUnavailable, verify.ErrMisconfigured, verify.ErrInternal,
}
