// Package verifyecho puts a verify.Verifier in front of handlers of Echo v4. Add
// it to the routes that receive webhooks, e.POST(path, handler, middleware): with
// e.Use it also runs for paths that do not exist. For Echo v5 see verifyecho5.
package verifyecho

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

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
	Skipper func(echo.Context) bool
	// ErrorHandler makes the error for a refused request, or answers it; err is a
	// *verify.Error. If it does neither, or returns err as it is, the refusal is
	// returned as without it: the handler never runs. It is not asked about
	// copies that the verifier has an answer for (verify.Acknowledge,
	// verify.Repeat).
	ErrorHandler func(c echo.Context, err error) error
	// ContextKey is the key under which c.Get finds the *verify.Result; "" means
	// "verify".
	ContextKey string
}

// Middleware verifies every request before the handler. A refused one is returned
// to Echo as an *echo.HTTPError with the status, a text that is the same for
// every cause, and the *verify.Error as Internal, for the application's own error
// handler to answer; Retry-After, WWW-Authenticate and Connection are set. An
// accepted one reaches the handler with its body unread and its verify.Result in
// the request's context. A nil or zero verifier refuses everything.
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
		return func(c echo.Context) error {
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
			out := c.Response() // the handler may put another in its place
			w := out.Writer
			defer func() { out.Writer = w }()
			rec := settle.New(v, res, w.Header())
			defer rec.Settle(r.Context())
			out.Writer = rec.Wrap(w)
			if err = next(c); err != nil {
				rec.Failed(status(err))
				return err
			}
			rec.Returned(http.StatusOK) // if it wrote nothing
			return nil
		}
	}
}

// refuse gives Echo the error to answer, unless there is an answer.
func refuse(c echo.Context, v *verify.Verifier, cfg Config, refusal *verify.Error) error {
	if refusal.Answer != nil {
		respond.Answer(c.Response(), refusal.Answer)
		return nil
	}
	var own *echo.HTTPError
	if errors.Is(refusal, verify.ErrBodyUnreadable) && errors.As(refusal, &own) {
		return own // Echo's BodyLimit in front cut the body off
	}
	respond.Header(c.Response().Header(), v, c.Request(), refusal)
	if cfg.ErrorHandler != nil {
		err := cfg.ErrorHandler(c, refusal)
		if c.Response().Committed || err != nil && err != error(refusal) {
			return err
		}
	}
	// Not wrapped: Echo's own error handler looks at the type alone.
	return &echo.HTTPError{Code: refusal.StatusCode(), Message: http.StatusText(refusal.StatusCode()), Internal: refusal}
}

// status is what Echo's own error handler answers for an error.
func status(err error) int {
	he, ok := err.(*echo.HTTPError)
	if !ok {
		return http.StatusInternalServerError
	}
	if inner, ok := he.Internal.(*echo.HTTPError); ok {
		he = inner
	}
	return he.Code
}
