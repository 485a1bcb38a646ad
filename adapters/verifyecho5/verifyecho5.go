// Package verifyecho5 puts a verify.Verifier in front of handlers of Echo v5. Add
// it to the routes that receive webhooks, e.POST(path, handler, middleware): with
// e.Use it also runs for paths that do not exist.
package verifyecho5

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/webhookauth/webhookauth/adapters/internal/respond"
	"github.com/webhookauth/webhookauth/adapters/internal/settle"
	"github.com/webhookauth/webhookauth/verify"
)

// DefaultContextKey is Config.ContextKey's default.
const DefaultContextKey = "verify"

// Config changes what the middleware does around the verifier. The zero value is
// what Middleware uses.
type Config struct {
	// Skipper lets a request through unverified if it returns true; a
	// middleware.Skipper fits. Nil skips none. Whatever it looks at, an attacker
	// can send.
	Skipper func(*echo.Context) bool
	// ErrorHandler makes the error for a refused request, or answers it; err is a
	// *verify.Error. If it does neither, the refusal is returned as without it:
	// the handler never runs. It is not asked about copies that the verifier has
	// an answer for (verify.Acknowledge, verify.Repeat).
	ErrorHandler func(c *echo.Context, err error) error
	// ContextKey is the key under which c.Get finds the *verify.Result; "" means
	// "verify".
	ContextKey string
}

// Middleware verifies every request before the handler. A refused one is returned
// to Echo as the *verify.Error, whose StatusCode Echo answers with a text that is
// the same for every cause; Retry-After, WWW-Authenticate and Connection are set.
// An accepted one reaches the handler with its body unread and its verify.Result
// in the request's context. A nil or zero verifier refuses everything.
//
// Under verify.Config.Replay the claim is settled when the handler returns: by
// the status that it answered, else by that of the error that it returned. A panic
// gives the message back and goes on.
func Middleware(v *verify.Verifier) echo.MiddlewareFunc { return WithConfig(v, Config{}) }

// WithConfig is Middleware with settings.
func WithConfig(v *verify.Verifier, cfg Config) echo.MiddlewareFunc {
	if cfg.ContextKey == "" {
		cfg.ContextKey = DefaultContextKey
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if cfg.Skipper != nil && cfg.Skipper(c) {
				return next(c)
			}
			r := c.Request()
			body := r.Body
			res, err := v.Check(r)
			if err != nil {
				return refuse(c, v, cfg, verify.Refusal(err))
			}
			c.SetRequest(r.WithContext(verify.NewContext(r.Context(), res)))
			c.Set(cfg.ContextKey, res)
			r.Body = body // the server settles what was not read by its own type
			if !v.Settles(res) {
				return next(c)
			}
			w := c.Response()
			defer c.SetResponse(w)
			rec := settle.New(v, res, w.Header())
			defer rec.Settle(r.Context())
			c.SetResponse(rec.Wrap(w))
			if err = next(c); err != nil {
				rec.Failed(echo.StatusCode(err)) // 0 if it has none: not done either
				return err
			}
			rec.Returned(http.StatusOK) // if it wrote nothing
			return nil
		}
	}
}

// refuse gives Echo the error to answer, unless there is an answer.
func refuse(c *echo.Context, v *verify.Verifier, cfg Config, refusal *verify.Error) error {
	if refusal.Answer != nil {
		respond.Answer(c.Response(), refusal.Answer)
		return nil
	}
	if errors.Is(refusal, echo.ErrStatusRequestEntityTooLarge) {
		return echo.ErrStatusRequestEntityTooLarge // Echo's BodyLimit in front cut the body off
	}
	respond.Header(c.Response().Header(), v, c.Request(), refusal)
	if cfg.ErrorHandler != nil {
		err := cfg.ErrorHandler(c, refusal)
		if w, _ := echo.UnwrapResponse(c.Response()); err != nil || w != nil && w.Committed {
			return err
		}
	}
	return refusal
}
