package verify

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// kind is a verdict: a sentinel error with its word for metrics, its HTTP
// status, and how far a request with that verdict came. Of several attempts the
// one that came furthest speaks for all.
type kind struct {
	reason string
	text   string
	status int
	rank   int
	stops  bool // no other alternative of an AnyOf may be tried after it
}

func (k *kind) Error() string { return "verify: " + k.text }

// The reasons a request is refused, for errors.Is. A refusal matches exactly
// one of them: the verdict of the attempt that came furthest.
var (
	// ErrMissing: the credential, signature, timestamp or message id is absent
	// or empty. 401.
	ErrMissing error = &kind{reason: "missing", text: "credential missing", status: http.StatusUnauthorized, rank: 1}
	// ErrMalformed: it is there, but not of the configured form, or there
	// twice. 401.
	ErrMalformed error = &kind{reason: "malformed", text: "credential malformed", status: http.StatusUnauthorized, rank: 2}
	// ErrStale: the signed time lies outside the window, on either side. 401.
	ErrStale error = &kind{reason: "stale", text: "timestamp outside the window", status: http.StatusUnauthorized, rank: 3}
	// ErrMismatch: the secret or signature is wrong. 401.
	ErrMismatch error = &kind{reason: "mismatch", text: "credential does not match", status: http.StatusUnauthorized, rank: 4}
	// ErrInactive: a token that its issuer no longer, or not yet, vouches for. 401.
	ErrInactive error = &kind{reason: "inactive", text: "token not active", status: http.StatusUnauthorized, rank: 5}
	// ErrScope: a valid token that lacks a required scope (RFC 6750 §3.1). 403.
	ErrScope error = &kind{reason: "scope", text: "insufficient scope", status: http.StatusForbidden, rank: 6}

	// ErrTooLarge: the body exceeds Config.MaxBody. 413.
	ErrTooLarge error = &kind{reason: "too_large", text: "body too large", status: http.StatusRequestEntityTooLarge, stops: true}
	// ErrBodyConsumed: something in front of the verifier read the body and did
	// not put it back. 500, because the sender is not at fault.
	ErrBodyConsumed error = &kind{reason: "body_consumed", text: "body already consumed", status: http.StatusInternalServerError, stops: true}
	// ErrBodyUnreadable: the body broke off or timed out. 400.
	ErrBodyUnreadable error = &kind{reason: "body_unreadable", text: "body unreadable", status: http.StatusBadRequest, stops: true}
	// ErrUnavailable: nobody can say now whether the request is genuine: no
	// secret is valid, or a service that decides does not answer. 503 with
	// Retry-After, so that the sender tries again.
	ErrUnavailable error = &kind{reason: "unavailable", text: "verification unavailable", status: http.StatusServiceUnavailable, stops: true}
	// ErrDuplicate: a copy of a delivery that is finished. 409, or what
	// Replay.Duplicate says.
	ErrDuplicate error = &kind{reason: "duplicate", text: "delivery is a duplicate", status: http.StatusConflict, stops: true}
	// ErrInFlight: a copy of a delivery that is being handled, and may still
	// fail. 503 with Retry-After.
	ErrInFlight error = &kind{reason: "in_flight", text: "delivery is in flight", status: http.StatusServiceUnavailable, stops: true}
	// ErrConflict: a signed message id that was used for another content. 409.
	ErrConflict error = &kind{reason: "conflict", text: "message id used for other content", status: http.StatusConflict, stops: true}
	// ErrAttempts: a delivery that failed Replay.MaxAttempts times. 429.
	ErrAttempts error = &kind{reason: "attempts", text: "too many attempts", status: http.StatusTooManyRequests, stops: true}
	// ErrMisconfigured: the verifier cannot verify, such as the zero Verifier. 500.
	ErrMisconfigured error = &kind{reason: "misconfigured", text: "verifier misconfigured", status: http.StatusInternalServerError, stops: true}
	// ErrInternal: a scheme panicked, or gave neither a result nor a known
	// error. 500.
	ErrInternal error = &kind{reason: "internal", text: "internal error", status: http.StatusInternalServerError, stops: true}
)

// defaultRetryAfter is sent with a 503 when the refusal names no time itself.
const defaultRetryAfter = 30 * time.Second

// Error is a refusal. Its text is safe to log and to show to an operator: it
// never holds a secret, a computed signature or the text of another system. Do
// not send it to the caller all the same; the adapters do not.
//
// Schemes of other packages refuse with an Error of a single Attempt.
type Error struct {
	// Attempts are the schemes that were tried, in order, at least one.
	Attempts []Attempt
	// RetryAfter is when the sender may try again, for refusals with status
	// 503; 0 means 30 seconds.
	RetryAfter time.Duration
	// Result says who vouched for a request that is genuine and refused all the
	// same, as a copy or for its attempts; otherwise nil.
	Result *Result
	// Answer is what the sender of a copy is to be answered in place of the
	// refusal, by Replay.Duplicate; otherwise nil.
	Answer *Answer
}

// Attempt says why one scheme refused.
type Attempt struct {
	// Scheme is the scheme's name: "bearer", "hmac", or the Name it was given.
	Scheme string
	// Err is one of this package's Err… values. Anything else counts as
	// ErrInternal.
	Err error
	// Detail says more in a few fixed words. It must not repeat what the
	// request carried.
	Detail string
	// Cause is what another package returned, for errors.As. It is never
	// printed.
	Cause error
}

func refuse(scheme string, verdict error, detail string) *Error {
	return &Error{Attempts: []Attempt{{Scheme: scheme, Err: verdict, Detail: detail}}}
}

// Error lists every attempt with its reason and detail.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("verify: refused")
	for i, a := range e.Attempts {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		if a.Scheme != "" {
			b.WriteString(a.Scheme + ": ")
		}
		b.WriteString(a.kind().text)
		if a.Detail != "" {
			b.WriteString(" (" + a.Detail + ")")
		}
	}
	return b.String()
}

// Unwrap gives the verdict and the causes to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	errs := []error{e.verdict()}
	for _, a := range e.Attempts {
		if a.Cause != nil {
			errs = append(errs, a.Cause)
		}
	}
	return errs
}

// StatusCode is the HTTP status for this refusal, or that of its Answer.
func (e *Error) StatusCode() int {
	if e.Answer != nil {
		return e.Answer.Status
	}
	return e.verdict().status
}

// Retry is the value of the Retry-After header in whole seconds (RFC 9110
// §10.2.3), or "" for refusals other than 503.
func (e *Error) Retry() string {
	if e.StatusCode() != http.StatusServiceUnavailable {
		return ""
	}
	after := e.RetryAfter
	if after <= 0 {
		after = defaultRetryAfter
	}
	seconds := int64(after / time.Second)
	if after%time.Second > 0 {
		seconds++
	}
	return strconv.FormatInt(seconds, 10)
}

// Problem is the body of the answer to the caller, of type
// application/problem+json (RFC 9457 §3): type, title and status, nothing that
// tells one cause from another.
func (e *Error) Problem() []byte {
	status := e.StatusCode()
	return []byte(`{"type":"about:blank","title":"` + http.StatusText(status) + `","status":` + strconv.Itoa(status) + `}`)
}

// deciding is the attempt whose verdict is the request's.
func (e *Error) deciding() Attempt {
	best := Attempt{Err: ErrInternal}
	for i, a := range e.Attempts {
		k := a.kind()
		if k.stops {
			return a
		}
		if i == 0 || k.rank > best.kind().rank {
			best = a
		}
	}
	return best
}

func (e *Error) verdict() *kind { return e.deciding().kind() }

func (a Attempt) kind() *kind {
	if k, ok := a.Err.(*kind); ok {
		return k
	}
	return ErrInternal.(*kind)
}

// asError turns whatever a scheme returned into a refusal. Of several verdicts in
// a tree of errors one that stops wins: an outage must not pass for a missing
// credential.
func asError(scheme string, err error) *Error {
	if e, ok := err.(*Error); ok { // as it should be
		if e == nil || len(e.Attempts) == 0 {
			return refuse(scheme, ErrInternal, "an Error without an attempt")
		}
		return e
	}
	var e *Error
	wrapped := errors.As(err, &e) && e != nil && len(e.Attempts) > 0
	verdicts := kindsIn(err)
	if wrapped && len(verdicts) == 1 {
		return e
	}
	switch len(verdicts) {
	case 0:
		return &Error{Attempts: []Attempt{{Scheme: scheme, Err: ErrInternal, Detail: "unknown error", Cause: err}}}
	case 1:
		return &Error{Attempts: []Attempt{{Scheme: scheme, Err: verdicts[0], Cause: err}}}
	}
	// No Cause: a refusal is of one kind, for errors.Is too.
	return refuse(scheme, verdicts[0], "several reasons at once")
}

// kindsIn lists the verdicts that err is, those that stop first.
func kindsIn(err error) (found []*kind) {
	for _, k := range []error{
		ErrInternal, ErrMisconfigured, ErrUnavailable, ErrBodyConsumed, ErrTooLarge, ErrBodyUnreadable,
		ErrInFlight, ErrAttempts, ErrConflict, ErrDuplicate,
		ErrScope, ErrInactive, ErrMismatch, ErrStale, ErrMalformed, ErrMissing,
	} {
		if errors.Is(err, k) {
			found = append(found, k.(*kind))
		}
	}
	return found
}

// Refusal gives the *Error in err, as Check returned it. Anything else but nil
// becomes one with ErrInternal; nil stays nil.
func Refusal(err error) *Error {
	if err == nil {
		return nil
	}
	return asError("", err)
}

// Reason is a short word for metrics and logs, out of a closed list: ok,
// missing, malformed, stale, mismatch, inactive, scope, too_large,
// body_consumed, body_unreadable, duplicate, in_flight, conflict, attempts,
// unavailable, misconfigured, internal. A nil error is "ok".
func Reason(err error) string {
	if err == nil {
		return "ok"
	}
	return Refusal(err).verdict().reason
}

// ConfigError is what New returns: one field, and what is wrong with it.
type ConfigError struct {
	// Field is the path to the field, like
	// "Config.Accept.AnyOf[1].Bearer.Tokens".
	Field string
	// Problem says what is wrong and, where there is one, the remedy. It never
	// holds a secret.
	Problem string
}

// Error is "verify: field: problem".
func (e *ConfigError) Error() string { return "verify: " + e.Field + ": " + e.Problem }

// within puts the name of the enclosing field before a configuration error.
func within(field string, err error) error {
	var e *ConfigError
	if errors.As(err, &e) {
		if e == nil {
			return &ConfigError{Field: field, Problem: "failed without saying why"}
		}
		if e.Field != "" {
			field += "." + e.Field
		}
		return &ConfigError{Field: field, Problem: e.Problem}
	}
	return &ConfigError{Field: field, Problem: err.Error()}
}
