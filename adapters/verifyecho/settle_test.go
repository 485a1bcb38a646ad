package verifyecho_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/webhookauth/webhookauth/adapters/verifyecho"
	"github.com/webhookauth/webhookauth/verify"
)

// K04: a claim ends by what Echo answers, also where the handler only returns an
// error. The retry of what was not done runs.
func TestK04SettledByEcho(t *testing.T) {
	teapot := echo.NewHTTPError(418, "teapot")
	accepted := echo.NewHTTPError(202, "later")
	for _, c := range []struct {
		name string
		h    echo.HandlerFunc
		code int
	}{
		{"nothing", func(echo.Context) error { return nil }, 200},
		{"no content", func(c echo.Context) error { return c.NoContent(204) }, 204},
		{"an answer", func(c echo.Context) error { return c.JSON(201, 1) }, 201},
		{"an answer that failed", func(c echo.Context) error { return c.JSON(502, 1) }, 502},
		{"a redirect", func(c echo.Context) error { return c.Redirect(302, "/") }, 302},
		{"an error", func(echo.Context) error { return errors.New("broken") }, 500},
		{"an error of Echo's", func(echo.Context) error { return teapot }, 418},
		{"the same, wrapped", func(echo.Context) error { return fmt.Errorf("handler: %w", teapot) }, 500},
		{"an error that is a success", func(echo.Context) error { return accepted }, 202},
		{"the same, wrapped", func(echo.Context) error { return fmt.Errorf("handler: %w", accepted) }, 500},
		{"the same, with another inside", func(echo.Context) error { return &echo.HTTPError{Code: 202, Internal: teapot} }, 418},
		{"an answer, then an error", func(c echo.Context) error { return errors.Join(c.String(201, "x"), errors.New("late")) }, 201},
		{"an error that is answered at once", func(c echo.Context) error { c.Error(teapot); return nil }, 418},
		{"a status that was never sent", func(c echo.Context) error { c.Response().Status = 500; return nil }, 200},
	} {
		for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Repeat} {
			t.Run(fmt.Sprintf("K04 %s, policy %d", c.name, policy), func(t *testing.T) {
				e, o := quiet(), watch(t, int(policy), verify.HMAC{Keys: verify.Static(key)})
				runs := 0
				e.POST("/hook", func(ctx echo.Context) error { runs++; return c.h(ctx) }, verifyecho.Middleware(o.verifier))
				if w := serve(e, signed(t, "/hook", "{}")); w.Code != c.code {
					t.Errorf("answered %d, want %d", w.Code, c.code)
				}
				done := c.code/100 == 2
				if !slices.Equal(o.settled, []bool{done}) {
					t.Errorf("settled %v after %d", o.settled, c.code)
				}
				serve(e, signed(t, "/hook", "{}"))
				if want := map[bool]int{true: 1, false: 2}[done]; runs != want {
					t.Errorf("the handler ran %d times, want %d", runs, want)
				}
			})
		}
	}
}

// recovering does what Echo's Recover does.
func recovering(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("recovered: %v", p)
			}
		}()
		return next(c)
	}
}

// K05: a panic gives the message back, whoever recovers.
func TestK05Recover(t *testing.T) {
	for _, name := range []string{"outside", "inside"} {
		t.Run("K05 "+name, func(t *testing.T) {
			e, o := quiet(), rejecting(t)
			calls := counted(e)
			chain := []echo.MiddlewareFunc{recovering, verifyecho.Middleware(o.verifier)}
			if name == "inside" {
				slices.Reverse(chain)
			}
			fail := true
			e.POST("/hook", func(c echo.Context) error {
				if fail {
					panic("broken")
				}
				return ok(c)
			}, chain...)
			if w := serve(e, signed(t, "/hook", "{}")); w.Code != 500 || *calls != 1 {
				t.Errorf("status %d, error handler called %d times", w.Code, *calls)
			}
			fail = false
			if w := serve(e, signed(t, "/hook", "{}")); w.Code != 200 {
				t.Errorf("the retry: status %d", w.Code)
			}
			if !slices.Equal(o.settled, []bool{false, true}) {
				t.Errorf("settled %v", o.settled)
			}
		})
	}
}

// After the handler, everything is as it was: for the middleware around, and for
// the answer to an error, whose Before hooks run.
func TestWriterIsPutBack(t *testing.T) {
	nothing := func(next http.Handler) http.Handler { return next }
	for name, inner := range map[string][]echo.MiddlewareFunc{"plain": nil, "a net/http middleware inside": {echo.WrapMiddleware(nothing)}} {
		t.Run(name, func(t *testing.T) {
			e, o := quiet(), rejecting(t)
			hooked := 0
			var before, after http.ResponseWriter
			outer := func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					response := c.Response()
					response.Before(func() { hooked++ })
					before = response.Writer
					err := next(c)
					after = response.Writer
					return err
				}
			}
			chain := append([]echo.MiddlewareFunc{outer, verifyecho.Middleware(o.verifier)}, inner...)
			e.POST("/hook", func(echo.Context) error { return echo.ErrBadGateway }, chain...)
			if w := serve(e, signed(t, "/hook", "{}")); w.Code != 502 || hooked != 1 || before != after {
				t.Errorf("status %d, Before ran %d times, writer %T, then %T", w.Code, hooked, before, after)
			}
			if !slices.Equal(o.settled, []bool{false}) {
				t.Errorf("settled %v", o.settled)
			}
		})
	}
}

// What answers an error is not seen by the middleware, so that Repeat has nothing
// to repeat.
func TestAnswerToAnErrorIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		h    echo.HandlerFunc
		copy int
		body string
	}{
		"an error that is a success": {func(echo.Context) error { return echo.NewHTTPError(202, "later") }, 409, `{"message":"Conflict"}` + "\n"},
		"an answer, then an error":   {func(c echo.Context) error { return errors.Join(c.String(202, "x"), errors.New("late")) }, 202, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			e := quiet()
			e.POST("/hook", c.h, verifyecho.Middleware(watch(t, int(verify.Repeat), verify.HMAC{Keys: verify.Static(key)}).verifier))
			if w := serve(e, signed(t, "/hook", "{}")); w.Code != 202 {
				t.Errorf("first: %d %s", w.Code, w.Body)
			}
			if w := serve(e, signed(t, "/hook", "{}")); w.Code != c.copy || w.Body.String() != c.body {
				t.Errorf("copy: %d %s", w.Code, w.Body)
			}
		})
	}
}
