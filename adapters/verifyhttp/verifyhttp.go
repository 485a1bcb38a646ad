// Package verifyhttp puts a verify.Verifier in front of net/http handlers. The
// middleware fits every router that takes func(http.Handler) http.Handler, chi
// and gorilla/mux among them.
package verifyhttp

import (
	"net/http"

	"github.com/webhookauth/webhookauth/adapters/internal/respond"
	"github.com/webhookauth/webhookauth/adapters/internal/settle"
	"github.com/webhookauth/webhookauth/verify"
)

// Config changes what the middleware does around the verifier. The zero value is
// what Middleware uses.
type Config struct {
	// Skip lets a request through unverified if it returns true: for a health
	// check under the same prefix, say. Nil skips none. Whatever it looks at, an
	// attacker can send.
	Skip func(*http.Request) bool
	// Deny answers a refused request in place of the function Deny; err is a
	// *verify.Error. The handler does not run whatever it does, and if it
	// answers nothing, Deny does. It is not asked about copies that the verifier
	// has an answer for (verify.Acknowledge, verify.Repeat).
	Deny func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware verifies every request before the handler. A refused one is
// answered by Deny; an accepted one reaches the handler with its body unread and
// its verify.Result in the context. A nil or zero verifier refuses everything.
//
// Under verify.Config.Replay the claim is settled when the handler returns, by
// the status that it answered: 200 if it wrote none. A panic gives the message
// back and goes on; a handler that hijacked the connection counts as done.
func Middleware(v *verify.Verifier) func(http.Handler) http.Handler {
	return WithConfig(v, Config{})
}

// WithConfig is Middleware with settings.
func WithConfig(v *verify.Verifier, cfg Config) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cfg.Skip != nil && cfg.Skip(r) {
				next.ServeHTTP(w, r)
				return
			}
			body := r.Body
			res, err := v.Check(r)
			if err != nil {
				deny(cfg, v, w, r, err)
				return
			}
			verified := r.WithContext(verify.NewContext(r.Context(), res))
			r.Body = body // the server settles what was not read by its own type
			if !v.Settles(res) {
				next.ServeHTTP(w, verified)
				return
			}
			rec := settle.New(v, res, w.Header())
			defer rec.Settle(r.Context())
			next.ServeHTTP(rec.Wrap(w), verified)
			rec.Returned(http.StatusOK) // if it wrote nothing
		})
	}
}

// Deny answers a refusal with its status and an application/problem+json body
// (RFC 9457) that is the same for every cause: the caller learns nothing. It
// sets WWW-Authenticate, Retry-After and Connection where they belong. A copy
// that has an answer is given that.
func Deny(v *verify.Verifier, w http.ResponseWriter, r *http.Request, err error) {
	refusal := verify.Refusal(err)
	if refusal.Answer != nil {
		respond.Answer(w, refusal.Answer)
		return
	}
	respond.Refusal(w, v, r, refusal)
}

func deny(cfg Config, v *verify.Verifier, w http.ResponseWriter, r *http.Request, err error) {
	if cfg.Deny == nil || verify.Refusal(err).Answer != nil {
		Deny(v, w, r, err)
		return
	}
	answer := &answered{ResponseWriter: w}
	cfg.Deny(answer, r, err)
	if !answer.yes {
		Deny(v, w, r, err)
	}
}

// answered notes whether a Deny hook answered. Without an answer net/http would
// send 200, and the sender would take a refused event for delivered.
type answered struct {
	http.ResponseWriter
	yes bool
}

func (a *answered) WriteHeader(status int) {
	a.yes = a.yes || status >= 200
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Write(p []byte) (int, error) {
	a.yes = true
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the server's writer.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
