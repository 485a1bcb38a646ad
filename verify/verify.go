package verify

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"
)

// defaultMaxBody is Config.MaxBody's default, in bytes.
const defaultMaxBody = 1 << 20

// Config describes a Verifier. The zero Config is refused: it accepts nothing.
type Config struct {
	// Accept is the scheme that requests must satisfy. Required.
	Accept Scheme
	// MaxBody is the largest body, in bytes; 0 means 1 MiB. It holds for every
	// scheme: one that reads the body refuses a larger one with ErrTooLarge, and
	// under one that does not, such as Bearer, a larger declared length is
	// refused and a body of undeclared length ends for the handler in an
	// *http.MaxBytesError. Raise it for long end-of-call reports.
	MaxBody int64
	// Replay, if its Store is set, lets each delivery through once.
	Replay Replay
	// Observe, if set, is called once for every decision, in the request's
	// goroutine, before the handler runs. It must be quick and safe for
	// concurrent use.
	Observe func(context.Context, Event)
	// ReportOnly lets every request through, forged ones included: an attacker
	// meets an open endpoint. It verifies and observes all the same and marks
	// the result, for rolling the kit out on an endpoint that is in use. New
	// logs a warning about it through slog's default logger.
	ReportOnly bool
	// Now is the clock; nil means time.Now. It must be safe for concurrent use.
	Now func() time.Time
}

// Verifier checks requests. Make one with New, one for each set of credentials.
// It is immutable and safe for concurrent use. The zero Verifier, like a nil
// one, refuses every request with ErrMisconfigured.
type Verifier struct {
	auth       Authenticator
	guard      *guard // nil: no replay guard
	maxBody    int64
	observe    func(context.Context, Event)
	reportOnly bool
	now        func() time.Time
}

// New validates the configuration, all of it, and copies it. An error is a
// *ConfigError that names the field.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{maxBody: cfg.MaxBody, observe: cfg.Observe, reportOnly: cfg.ReportOnly, now: cfg.Now}
	if v.now == nil {
		v.now = time.Now
	}
	if v.maxBody == 0 {
		v.maxBody = defaultMaxBody
	}
	if v.maxBody < 0 {
		return nil, &ConfigError{Field: "Config.MaxBody", Problem: "is negative"}
	}
	v.maxBody = min(v.maxBody, math.MaxInt64-1) // one byte more is read, to know that there is more
	env := Env{Now: v.now}
	var err error
	if v.guard, err = buildReplay(cfg.Replay, v.now); err != nil {
		return nil, within("Config.Replay", err)
	}
	if v.guard != nil {
		env.Key = v.guard.key
	}
	auth, err := build(env, cfg.Accept)
	if err != nil {
		return nil, within("Config.Accept", err)
	}
	if v.guard != nil {
		if err := v.guard.fit(auth); err != nil {
			return nil, within("Config.Replay", err)
		}
	}
	v.auth = auth
	if v.reportOnly {
		slog.Warn("webhookauth: insecure: Config.ReportOnly is set, every request is let through")
	}
	return v, nil
}

// Check decides about a request. The error is an *Error; result and error are
// never both nil or both set. r.Body is replaced where it was read, so that the
// handler finds every byte; under ReportOnly the error is nil and
// Result.Refused says what was found.
//
// Middleware for net/http, Echo and Gin is in the adapters packages; call Check
// in a server of another kind.
func (v *Verifier) Check(r *http.Request) (*Result, error) {
	if v == nil || v.auth == nil {
		return nil, errZeroVerifier()
	}
	m := fromRequest(r)
	res, err := v.check(r.Context(), m)
	// The body of a refused request that was not read stays the server's own:
	// only that one knows not to ask for it with a 100 Continue.
	if err == nil || m.body.done {
		r.Body = m.body.restore(r.Body, v.reportOnly)
	}
	return res, err
}

// CheckMessage is Check for what did not come as an *http.Request. See
// NewMessage.
func (v *Verifier) CheckMessage(ctx context.Context, m *Message) (*Result, error) {
	switch {
	case v == nil || v.auth == nil:
		return nil, errZeroVerifier()
	case m == nil:
		refused := refuse("", ErrMisconfigured, "message is nil")
		v.report(ctx, &Message{now: v.now()}, nil, refused, false)
		return nil, refused
	}
	return v.check(ctx, m)
}

func (v *Verifier) check(ctx context.Context, m *Message) (*Result, error) {
	m.now = v.now()
	m.body.limit = v.maxBody
	res, refused := authenticate(ctx, v.auth, m)
	if refused == nil && m.body.overDeclared() {
		res, refused = nil, errTooLarge(nil)
	}
	if refused == nil && v.guard != nil {
		claimed := *res // a scheme may give out one result many times
		res = &claimed
		refused = v.claim(ctx, m, res)
	}
	v.report(ctx, m, res, refused, v.reportOnly)
	switch {
	case refused == nil:
		return res, nil
	case v.reportOnly && refused.Result != nil:
		let := *refused.Result // the observer has the refusal's own
		let.Refused = refused
		return &let, nil
	case v.reportOnly:
		return &Result{Refused: refused}, nil
	}
	return nil, refused
}

// report tells the observer of a decision.
func (v *Verifier) report(ctx context.Context, m *Message, res *Result, refused *Error, letThrough bool) {
	if v.observe == nil {
		return
	}
	e := Event{
		Reason:        "ok",
		Elapsed:       v.now().Sub(m.now),
		BodyBytes:     int64(len(m.body.buf)),
		ContentLength: m.body.length,
	}
	if refused != nil {
		a := refused.deciding()
		e.Scheme, e.Reason, e.Status = a.Scheme, a.kind().reason, refused.StatusCode()
		e.Err, e.LetThrough = refused, letThrough
		res = refused.Result
	}
	if res != nil {
		e.Scheme, e.KeyID = res.Scheme, res.KeyID
		e.Attempt, e.Age, e.Degraded = res.Attempt, res.Age, res.Degraded
	}
	v.observe(ctx, e)
}

// Challenge gives the values of the WWW-Authenticate header for a refusal: at
// least one for a 401 or 403 where a scheme with a challenge is accepted, such as
// Bearer; otherwise none.
func (v *Verifier) Challenge(refusal error) []string {
	if v == nil || refusal == nil {
		return nil
	}
	c, ok := v.auth.(Challenger)
	if status := asError("", refusal).StatusCode(); !ok || (status != http.StatusUnauthorized && status != http.StatusForbidden) {
		return nil
	}
	return slices.Clone(c.Challenge(refusal))
}

func errZeroVerifier() *Error {
	return refuse("", ErrMisconfigured, "the zero Verifier refuses everything: make one with New")
}
