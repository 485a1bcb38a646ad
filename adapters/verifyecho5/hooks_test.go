package verifyecho5_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/webhookauth/webhookauth/adapters/verifyecho5"
	"github.com/webhookauth/webhookauth/verify"
)

// refusing is a scheme that refuses.
type refusing struct{ reason, cause error }

func (s refusing) Build(verify.Env) (verify.Authenticator, error) { return s, nil }
func (s refusing) Authenticate(context.Context, *verify.Message) (*verify.Result, error) {
	return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "fake", Err: s.reason, Cause: s.cause}}}
}

// Whatever the hook does, the handler does not run, somebody answers, and Echo's
// error handler is asked at most once.
func TestErrorHandler(t *testing.T) {
	for _, c := range []struct {
		name  string
		hook  func(*echo.Context, error) error
		code  int
		body  string
		calls int
	}{
		{"nothing", func(*echo.Context, error) error { return nil }, 401, unauthorized, 1},
		{"only a header", func(c *echo.Context, _ error) error { c.Response().Header().Set("X-Hook", "ran"); return nil }, 401, unauthorized, 1},
		{"answers", func(c *echo.Context, _ error) error { return c.String(418, "go away") }, 418, "go away", 0},
		{"answers 200", func(c *echo.Context, _ error) error { return c.String(200, "fine") }, 200, "fine", 0},
		{"answers with a status", func(c *echo.Context, _ error) error { return c.NoContent(404) }, 404, "", 0},
		{"an error of Echo's", func(*echo.Context, error) error { return echo.NewHTTPError(403, "no") }, 403, `{"message":"no"}` + "\n", 1},
		{"an error of its own", func(*echo.Context, error) error { return errors.New("broken") }, 500, `{"message":"Internal Server Error"}` + "\n", 1},
		{"the refusal as it is", func(_ *echo.Context, err error) error { return err }, 401, unauthorized, 1},
		{"answers, and an error", func(c *echo.Context, err error) error { return errors.Join(c.String(418, "go away"), err) }, 418, "go away", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, o := quiet(), unguarded(t)
			calls := counted(e)
			asked := 0
			hook := func(ctx *echo.Context, err error) error {
				asked++
				var refusal *verify.Error
				if !errors.As(err, &refusal) || !errors.Is(err, verify.ErrMissing) {
					t.Errorf("the hook got %T %v", err, err)
				}
				return c.hook(ctx, err)
			}
			e.POST("/hook", never(t), verifyecho5.WithConfig(o.verifier, verifyecho5.Config{ErrorHandler: hook}))
			w := serve(e, unsigned("/hook", "{}"))
			if w.Code != c.code || w.Body.String() != c.body || *calls != c.calls || asked != 1 {
				t.Errorf("%d %q, error handler called %d times, hook %d times", w.Code, w.Body, *calls, asked)
			}
			if !slices.Equal(o.reasons, []string{"missing"}) {
				t.Errorf("observed %v", o.reasons)
			}
		})
	}
}

// The application's error handler finds the refusal, and the headers are set
// before it runs.
func TestHTTPErrorHandler(t *testing.T) {
	e := quiet()
	var got error
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		got = err
		_ = c.JSON(http.StatusServiceUnavailable, map[string]string{"reason": verify.Reason(err)})
	}
	e.POST("/hook", never(t), verifyecho5.Middleware(watch(t, -1, refusing{verify.ErrUnavailable, nil}).verifier))
	w := serve(e, unsigned("/hook", "{}"))
	if w.Code != 503 || w.Body.String() != `{"reason":"unavailable"}`+"\n" || w.Header().Get("Retry-After") != "30" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	var refusal *verify.Error
	if !errors.As(got, &refusal) || !errors.Is(got, verify.ErrUnavailable) {
		t.Errorf("the error handler got %T %v", got, got)
	}
}

// A copy that has an answer is nothing to ask about.
func TestHooksAndCopies(t *testing.T) {
	for policy, c := range map[verify.DuplicatePolicy]struct {
		code  int
		body  string
		asked int
	}{verify.Reject: {418, "", 1}, verify.Acknowledge: {200, "", 0}, verify.Repeat: {200, "done", 0}} {
		e := quiet()
		calls := counted(e)
		asked := 0
		hook := func(c *echo.Context, _ error) error { asked++; return c.NoContent(418) }
		v := watch(t, int(policy), verify.HMAC{Keys: verify.Static(key)}).verifier
		e.POST("/hook", ok, verifyecho5.WithConfig(v, verifyecho5.Config{ErrorHandler: hook}))
		serve(e, signed(t, "/hook", "{}"))
		if w := serve(e, signed(t, "/hook", "{}")); w.Code != c.code || w.Body.String() != c.body || asked != c.asked || *calls != 0 {
			t.Errorf("policy %d: %d %q, hook asked %d times, error handler %d times", policy, w.Code, w.Body, asked, *calls)
		}
	}
}

// skipper is of the type of Echo's middleware.Skipper.
type skipper func(*echo.Context) bool

func TestSkipper(t *testing.T) {
	var health skipper = func(c *echo.Context) bool { return c.Path() == "/healthz" }
	e, o := quiet(), unguarded(t)
	e.Use(verifyecho5.WithConfig(o.verifier, verifyecho5.Config{Skipper: health}))
	show := func(c *echo.Context) error {
		_, verified := verify.FromContext(c.Request().Context())
		return c.JSON(http.StatusOK, []any{verified, c.Get("verify") != nil})
	}
	e.POST("/healthz", show)
	e.POST("/hook", show)
	for _, c := range []struct {
		r    *http.Request
		code int
		body string
	}{
		{unsigned("/healthz", "{}"), 200, "[false,false]\n"},
		{unsigned("/hook", "{}"), 401, unauthorized},
		{signed(t, "/hook", "{}"), 200, "[true,true]\n"},
	} {
		if w := serve(e, c.r); w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s: %d %q", c.r.URL, w.Code, w.Body)
		}
	}
	if !slices.Equal(o.reasons, []string{"missing", "ok"}) {
		t.Errorf("observed %v", o.reasons)
	}
}

func TestContextKey(t *testing.T) {
	for set, found := range map[string]string{"": verifyecho5.DefaultContextKey, "webhook": "webhook"} {
		e := quiet()
		e.POST("/hook", func(c *echo.Context) error {
			if res, _ := c.Get(found).(*verify.Result); res == nil || res.Scheme != "hmac" {
				t.Errorf("c.Get(%q) is %v", found, c.Get(found))
			}
			if found != verifyecho5.DefaultContextKey && c.Get(verifyecho5.DefaultContextKey) != nil {
				t.Error("the result is under the default key too")
			}
			return nil
		}, verifyecho5.WithConfig(unguarded(t).verifier, verifyecho5.Config{ContextKey: set}))
		if w := serve(e, signed(t, "/hook", "{}")); w.Code != 200 {
			t.Errorf("status %d", w.Code)
		}
	}
}

// The body that was read for its signature is there for binding (echo#782).
func TestBind(t *testing.T) {
	e := quiet()
	e.POST("/hook", func(c *echo.Context) error {
		var event struct{ Type string }
		if err := c.Bind(&event); err != nil || event.Type != "hang" {
			t.Errorf("bound %+v, %v", event, err)
		}
		return nil
	}, verifyecho5.Middleware(rejecting(t).verifier))
	r := signed(t, "/hook", `{"type":"hang"}`)
	r.Header.Set("Content-Type", "application/json")
	if w := serve(e, r); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}
