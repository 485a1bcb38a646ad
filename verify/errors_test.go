package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// verdicts is the table of the package documentation, by hand.
var verdicts = []struct {
	err    error
	reason string
	status int
	title  string
	text   string
}{
	{verify.ErrMissing, "missing", 401, "Unauthorized", "credential missing"},
	{verify.ErrMalformed, "malformed", 401, "Unauthorized", "credential malformed"},
	{verify.ErrStale, "stale", 401, "Unauthorized", "timestamp outside the window"},
	{verify.ErrMismatch, "mismatch", 401, "Unauthorized", "credential does not match"},
	{verify.ErrInactive, "inactive", 401, "Unauthorized", "token not active"},
	{verify.ErrScope, "scope", 403, "Forbidden", "insufficient scope"},
	{verify.ErrTooLarge, "too_large", 413, "Request Entity Too Large", "body too large"},
	{verify.ErrBodyConsumed, "body_consumed", 500, "Internal Server Error", "body already consumed"},
	{verify.ErrBodyUnreadable, "body_unreadable", 400, "Bad Request", "body unreadable"},
	{verify.ErrDuplicate, "duplicate", 409, "Conflict", "delivery is a duplicate"},
	{verify.ErrInFlight, "in_flight", 503, "Service Unavailable", "delivery is in flight"},
	{verify.ErrConflict, "conflict", 409, "Conflict", "message id used for other content"},
	{verify.ErrAttempts, "attempts", 429, "Too Many Requests", "too many attempts"},
	{verify.ErrUnavailable, "unavailable", 503, "Service Unavailable", "verification unavailable"},
	{verify.ErrMisconfigured, "misconfigured", 500, "Internal Server Error", "verifier misconfigured"},
	{verify.ErrInternal, "internal", 500, "Internal Server Error", "internal error"},
}

// refusal is what a scheme returns for each of the reasons in turn.
func refusal(reasons ...error) *verify.Error {
	e := &verify.Error{}
	for i, reason := range reasons {
		e.Attempts = append(e.Attempts, verify.Attempt{Scheme: fmt.Sprint("s", i), Err: reason})
	}
	return e
}

func TestVerdicts(t *testing.T) {
	if len(verdicts) != len(reasons) {
		t.Fatalf("%d verdicts, %d sentinels", len(verdicts), len(reasons))
	}
	for i, tt := range verdicts {
		t.Run(tt.reason, func(t *testing.T) {
			if tt.err != reasons[i] || tt.err.Error() != "verify: "+tt.text {
				t.Errorf("sentinel %v", tt.err)
			}
			e := refuse(t, build(t, refusing("some", tt.err)), post("{}"), tt.err, "some: "+tt.text+" (as some says)")
			if e.StatusCode() != tt.status || verify.Reason(e) != tt.reason {
				t.Errorf("status %d, reason %s", e.StatusCode(), verify.Reason(e))
			}
			want := fmt.Sprintf(`{"type":"about:blank","title":"%s","status":%d}`, tt.title, tt.status)
			if got := string(e.Problem()); got != want || !json.Valid(e.Problem()) {
				t.Errorf("V09: problem %s, want %s", got, want)
			}
			if retry := e.Retry(); (retry != "") != (tt.status == http.StatusServiceUnavailable) {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
}

func TestReason(t *testing.T) {
	if got := verify.Reason(nil); got != "ok" {
		t.Errorf("no error: %q", got)
	}
	for _, tt := range verdicts {
		for name, err := range map[string]error{
			"sentinel":            tt.err,
			"wrapped sentinel":    fmt.Errorf("middleware: %w", tt.err),
			"Error":               refusal(tt.err),
			"wrapped Error":       fmt.Errorf("middleware: %w", refusal(tt.err)),
			"Error in a join":     errors.Join(io.EOF, refusal(tt.err)),
			"Error beside causes": &verify.Error{Attempts: []verify.Attempt{{Err: tt.err, Cause: io.EOF}}},
		} {
			if got := verify.Reason(err); got != tt.reason {
				t.Errorf("%s, %s: %q", tt.reason, name, got)
			}
		}
	}
	var typed *verify.Error
	for name, err := range map[string]error{
		"foreign": io.EOF, "context": context.DeadlineExceeded, "ConfigError": &verify.ConfigError{},
		"nil *Error": typed, "zero Error": &verify.Error{}, "zero attempt": refusal(nil), "foreign attempt": refusal(io.EOF),
		"unknown text": errors.New("verify: credential missing"),
	} {
		if got := verify.Reason(err); got != "internal" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	if got := verify.Refusal(nil); got != nil {
		t.Errorf("nil: %v", got)
	}
	e := refusal(verify.ErrStale)
	for name, err := range map[string]error{"as returned": e, "wrapped": fmt.Errorf("x: %w", e), "joined": errors.Join(io.EOF, e)} {
		if got := verify.Refusal(err); got != e {
			t.Errorf("%s: %v", name, got)
		}
	}
	wrapped := fmt.Errorf("with a secret: %w", verify.ErrScope)
	for _, tt := range []struct {
		name   string
		err    error
		reason error
		text   string
	}{
		{"sentinel", verify.ErrScope, verify.ErrScope, "verify: refused: insufficient scope"},
		{"wrapped sentinel", wrapped, verify.ErrScope, "verify: refused: insufficient scope"},
		{"foreign", io.ErrClosedPipe, verify.ErrInternal, "verify: refused: internal error (unknown error)"},
	} {
		got := verify.Refusal(tt.err)
		refused(t, nil, got, tt.reason, "")
		if got.Error() != tt.text || !errors.Is(got, tt.err) || len(got.Attempts) != 1 {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// Of two attempts the one that came further decides, whatever their order; one
// that stops decides in any case.
func TestDecidingAttempt(t *testing.T) {
	further := []error{verify.ErrMissing, verify.ErrMalformed, verify.ErrStale, verify.ErrMismatch, verify.ErrInactive, verify.ErrScope}
	stopping := reasons[len(further):]
	check := func(t *testing.T, want error, attempts ...error) {
		t.Helper()
		for range attempts { // in every rotation
			refused(t, nil, refusal(attempts...), want, "")
			attempts = append(attempts[1:len(attempts):len(attempts)], attempts[0])
		}
	}
	for i, best := range further {
		for _, less := range further[:i+1] {
			check(t, best, best, less)
			check(t, best, less, best, less, verify.ErrMissing)
		}
		for _, stop := range stopping {
			check(t, stop, best, stop)
			check(t, stop, stop, verify.ErrScope, best)
		}
		check(t, verify.ErrInternal, best, io.EOF)
	}
	var scheme string
	v := configure(t, verify.Config{
		Accept:  verify.AnyOf(refusing("a", verify.ErrMissing), refusing("b", verify.ErrStale), refusing("c", verify.ErrStale), refusing("d", verify.ErrMalformed)),
		Observe: func(_ context.Context, e verify.Event) { scheme = e.Scheme },
	})
	if refuse(t, v, post("{}"), verify.ErrStale, ""); scheme != "b" {
		t.Errorf("of two equal attempts %q decided", scheme)
	}
}

func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{0, "30"},
		{-1, "30"},
		{-time.Hour, "30"},
		{1, "1"},
		{time.Millisecond, "1"},
		{time.Second - 1, "1"},
		{time.Second, "1"},
		{time.Second + 1, "2"},
		{1500 * time.Millisecond, "2"},
		{time.Minute, "60"},
		{36 * time.Hour, "129600"},
		{math.MaxInt64, "9223372037"},
	} {
		e := refusal(verify.ErrUnavailable)
		e.RetryAfter = tt.after
		if got := e.Retry(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.after, got, tt.want)
		}
		e = refusal(verify.ErrMismatch)
		e.RetryAfter = tt.after
		if got := e.Retry(); got != "" {
			t.Errorf("%v for a 401: %q", tt.after, got)
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("a cause with a secret in it")
	for _, tt := range []struct {
		name string
		err  *verify.Error
		want string
	}{
		{"no attempt", &verify.Error{}, "verify: refused"},
		{"one", refusal(verify.ErrMissing), "verify: refused: s0: credential missing"},
		{"two", refusal(verify.ErrMissing, verify.ErrStale), "verify: refused: s0: credential missing; s1: timestamp outside the window"},
		{"no scheme", &verify.Error{Attempts: []verify.Attempt{{Err: verify.ErrScope}}}, "verify: refused: insufficient scope"},
		{"V08 detail and cause", &verify.Error{Attempts: []verify.Attempt{{Scheme: "jwt", Err: verify.ErrInactive, Detail: "expired", Cause: cause}}},
			"verify: refused: jwt: token not active (expired)"},
		{"V08 a foreign reason", refusal(cause), "verify: refused: s0: internal error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("zero Error", func(t *testing.T) {
		e := &verify.Error{}
		refused(t, nil, e, verify.ErrInternal, "")
		if e.StatusCode() != http.StatusInternalServerError || e.Retry() != "" {
			t.Errorf("status %d, Retry-After %q", e.StatusCode(), e.Retry())
		}
	})
	t.Run("causes are reachable", func(t *testing.T) {
		tooLarge := &http.MaxBytesError{Limit: 7}
		e := &verify.Error{Attempts: []verify.Attempt{{Err: verify.ErrMissing, Cause: cause}, {Err: verify.ErrStale, Cause: tooLarge}}}
		var found *http.MaxBytesError
		if !errors.Is(e, cause) || !errors.As(e, &found) || found != tooLarge {
			t.Errorf("not in %v", e.Unwrap())
		}
	})
}

func TestConfigErrorText(t *testing.T) {
	_, err := verify.New(verify.Config{Accept: verify.AnyOf(goodBearer(), verify.VapiSecret(verify.Static("")))})
	if want := `verify: Config.Accept.AnyOf[1].Bearer.Tokens: secret "0" is empty`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	e := &verify.ConfigError{Field: "A.B", Problem: "is odd"}
	if e.Error() != "verify: A.B: is odd" {
		t.Errorf("got %q", e.Error())
	}
}
