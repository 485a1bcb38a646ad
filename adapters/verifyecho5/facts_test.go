package verifyecho5_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/webhookauth/webhookauth/adapters/verifyecho5"
	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// The tests of this file hold what the adapter builds on against Echo itself, so
// that an upgrade that changes it is noticed.

const unauthorized = `{"message":"Unauthorized"}` + "\n"

// Echo's own error handler finds the status of an error inside others, and knows
// none of its text.
func TestErrorsThatEchoKnows(t *testing.T) {
	refusal := &verify.Error{Attempts: []verify.Attempt{{Err: verify.ErrMismatch}}}
	for name, c := range map[string]struct {
		err  error
		code int
		body string
	}{
		"a refusal":  {refusal, 401, unauthorized},
		"wrapped":    {fmt.Errorf("handler: %w", refusal), 401, unauthorized},
		"joined":     {errors.Join(io.ErrUnexpectedEOF, refusal), 401, unauthorized},
		"in Echo's":  {echo.NewHTTPError(418, "teapot").Wrap(refusal), 418, `{"message":"teapot"}` + "\n"},
		"of another": {io.ErrUnexpectedEOF, 500, `{"message":"Internal Server Error"}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			e := quiet()
			e.POST("/hook", func(*echo.Context) error { return c.err })
			if w := serve(e, unsigned("/hook", "{}")); w.Code != c.code || w.Body.String() != c.body {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.code, c.body)
			}
		})
	}
	t.Run("the adapter's", func(t *testing.T) {
		e := quiet()
		e.POST("/hook", never(t), verifyecho5.Middleware(unguarded(t).verifier))
		if w := serve(e, unsigned("/hook", "{}")); w.Code != 401 || w.Body.String() != unauthorized {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// An error handler that exposes errors sends their text to the caller: why, and
// nothing that helps to forge.
func TestExposedErrorsTellNoSecret(t *testing.T) {
	e := quiet()
	e.HTTPErrorHandler = echo.DefaultHTTPErrorHandler(true)
	e.POST("/hook", never(t), verifyecho5.Middleware(unguarded(t).verifier))
	r, genuine := signed(t, "/hook", "{}"), signed(t, "/hook", "[]").Header.Get("X-Signature")
	sent := r.Header.Get("X-Signature")
	r.Body = io.NopCloser(strings.NewReader("[]"))
	w := serve(e, r)
	body := w.Body.String()
	if w.Code != 401 || !strings.Contains(body, "verify: refused: hmac: credential does not match") {
		t.Errorf("%d %s", w.Code, body)
	}
	for _, secret := range []string{key, sent, genuine, r.Header.Get("X-Timestamp")} {
		if strings.Contains(body, secret) {
			t.Errorf("%q is in %s", secret, body)
		}
	}
}

// What the net/http middleware answers through echo.WrapMiddleware passes the
// application's error handler, and middleware around it sees a success.
func TestWrapMiddlewareHidesRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		mw    func(*verify.Verifier) echo.MiddlewareFunc
		calls int
		body  string
	}{
		"wrapped": {func(v *verify.Verifier) echo.MiddlewareFunc { return echo.WrapMiddleware(verifyhttp.Middleware(v)) }, 0, `{"type":"about:blank","title":"Unauthorized","status":401}`},
		"native":  {verifyecho5.Middleware, 1, unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			e := quiet()
			calls := counted(e)
			var seen error
			outer := func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c *echo.Context) error {
					seen = next(c)
					return seen
				}
			}
			e.POST("/hook", never(t), outer, c.mw(unguarded(t).verifier))
			w := serve(e, unsigned("/hook", "{}"))
			if w.Code != 401 || w.Body.String() != c.body || *calls != c.calls || (seen != nil) != (c.calls == 1) {
				t.Errorf("%d %s, %d calls, outside saw %v", w.Code, w.Body, *calls, seen)
			}
		})
	}
}

// e.Use verifies requests for paths that do not exist; a route's middleware does
// not.
func TestUnknownRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		use     bool
		code    int
		reasons []string
	}{"e.Use": {true, 401, []string{"missing"}}, "per route": {false, 404, nil}} {
		t.Run(name, func(t *testing.T) {
			e, o := quiet(), unguarded(t)
			if c.use {
				e.Use(verifyecho5.Middleware(o.verifier))
				e.POST("/hook", ok)
			} else {
				e.POST("/hook", ok, verifyecho5.Middleware(o.verifier))
			}
			if w := serve(e, unsigned("/nowhere", "{}")); w.Code != c.code || !slices.Equal(o.reasons, c.reasons) {
				t.Errorf("status %d, observed %v", w.Code, o.reasons)
			}
		})
	}
	t.Run("a genuine message is given back", func(t *testing.T) {
		e, o := quiet(), rejecting(t)
		e.Use(verifyecho5.Middleware(o.verifier))
		if w := serve(e, signed(t, "/nowhere", "{}")); w.Code != 404 || !slices.Equal(o.settled, []bool{false}) {
			t.Errorf("status %d, settled %v", w.Code, o.settled)
		}
	})
}

// limited does to a body of undeclared length what Echo's BodyLimit does.
type limited struct {
	io.ReadCloser
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return n, echo.ErrStatusRequestEntityTooLarge
	}
	return n, err
}

// Echo's own limit in front is answered as Echo answers it.
func TestBodyLimitInFront(t *testing.T) {
	e, o := quiet(), unguarded(t)
	calls := counted(e)
	limit := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			c.Request().Body = &limited{c.Request().Body, 5}
			return next(c)
		}
	}
	e.POST("/hook", ok, limit, verifyecho5.Middleware(o.verifier))
	for body, code := range map[string]int{"12345": 200, "123456": 413} {
		r := signed(t, "/hook", body)
		r.ContentLength = -1
		if w := serve(e, r); w.Code != code {
			t.Errorf("%d bytes: %d %s", len(body), w.Code, w.Body)
		}
	}
	if *calls != 1 {
		t.Errorf("the error handler was called %d times", *calls)
	}
}

// No other error of Echo's, wherever it comes from, speaks for the refusal.
func TestForeignHTTPErrorIsNotPassedOn(t *testing.T) {
	e := quiet()
	cause := echo.NewHTTPError(http.StatusOK, "the text of another system")
	scheme := verify.AnyOf(refusing{verify.ErrMismatch, cause}, refusing{verify.ErrMissing, nil})
	e.POST("/hook", never(t), verifyecho5.Middleware(watch(t, -1, scheme).verifier))
	if w := serve(e, unsigned("/hook", "{}")); w.Code != 401 || w.Body.String() != unauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
