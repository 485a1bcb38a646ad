// Package verifyhttp puts a verify.Verifier in front of net/http handlers. The
// middleware fits every router that takes func(http.Handler) http.Handler, chi
// and gorilla/mux among them.
package verifyhttp

import (
	"net/http"
	"strconv"

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
			if v.Settles(res) {
				serveAndSettle(v, res, next, w, verified)
				return
			}
			next.ServeHTTP(w, verified)
		})
	}
}

// Deny answers a refusal with its status and an application/problem+json body
// (RFC 9457) that is the same for every cause: the caller learns nothing. It
// sets WWW-Authenticate, Retry-After and Connection where they belong. A copy
// that has an answer is given that.
func Deny(v *verify.Verifier, w http.ResponseWriter, r *http.Request, err error) {
	refusal := verify.Refusal(err)
	h := w.Header()
	if a := refusal.Answer; a != nil {
		if a.ContentType != "" {
			h.Set("Content-Type", a.ContentType)
		}
		write(w, a.Status, a.Body)
		return
	}
	for _, challenge := range v.Challenge(err) {
		h.Add("WWW-Authenticate", challenge)
	}
	if after := refusal.Retry(); after != "" {
		h.Set("Retry-After", after)
	}
	status := refusal.StatusCode()
	if status == http.StatusRequestEntityTooLarge && r.ProtoMajor == 1 {
		h.Set("Connection", "close") // the rest of the body is not worth receiving
	}
	h.Set("Content-Type", "application/problem+json")
	write(w, status, refusal.Problem())
}

func write(w http.ResponseWriter, status int, body []byte) {
	if status != http.StatusNoContent { // which has no length (RFC 9110 §8.6)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
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
