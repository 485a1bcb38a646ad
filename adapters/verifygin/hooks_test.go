package verifygin_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/verify"
)

// Whatever the hook does, no later handler runs and somebody answers.
func TestErrorHandler(t *testing.T) {
	for _, c := range []struct {
		name string
		hook func(*gin.Context)
		code int
		body string
	}{
		{"nothing", func(*gin.Context) {}, 401, unauthorized},
		{"only a header", func(c *gin.Context) { c.Header("X-Hook", "ran") }, 401, unauthorized},
		{"tries to go on", func(c *gin.Context) { c.Next() }, 401, unauthorized},
		{"answers", func(c *gin.Context) { c.String(418, "go away") }, 418, "go away"},
		{"answers and aborts", func(c *gin.Context) { c.AbortWithStatusJSON(418, "go away") }, 418, `"go away"`},
		{"answers 200", func(c *gin.Context) { c.String(200, "fine") }, 200, "fine"},
		{"a status", func(c *gin.Context) { c.Status(404) }, 404, ""},
		{"a status that is sent", func(c *gin.Context) { c.AbortWithStatus(200) }, 200, ""},
	} {
		for name, before := range map[string]gin.HandlerFunc{
			"alone":              func(*gin.Context) {},
			"after a status 202": func(c *gin.Context) { c.Status(202) },
		} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				o := unguarded(t)
				asked := 0
				hook := func(ctx *gin.Context, err error) {
					asked++
					var refusal *verify.Error
					if !errors.As(err, &refusal) || !errors.Is(err, verify.ErrMissing) {
						t.Errorf("the hook got %T %v", err, err)
					}
					if !ctx.IsAborted() || len(ctx.Errors) != 1 || !errors.Is(ctx.Errors.Last(), verify.ErrMissing) {
						t.Errorf("in the hook: aborted %v, errors %v", ctx.IsAborted(), ctx.Errors)
					}
					c.hook(ctx)
				}
				r := gin.New()
				outer := func(ctx *gin.Context) {
					before(ctx)
					ctx.Next()
					if !ctx.IsAborted() || len(ctx.Errors) != 1 {
						t.Errorf("outside: aborted %v, errors %v", ctx.IsAborted(), ctx.Errors)
					}
				}
				r.POST("/hook", outer, verifygin.WithConfig(o.verifier, verifygin.Config{ErrorHandler: hook}), never(t), never(t))
				w := serve(r, unsigned("/hook", "{}"))
				if w.Code != c.code || w.Body.String() != c.body || asked != 1 {
					t.Errorf("%d %q, hook asked %d times", w.Code, w.Body, asked)
				}
				if !slices.Equal(o.reasons, []string{"missing"}) {
					t.Errorf("observed %v", o.reasons)
				}
			})
		}
	}
}

// A hook that only logs leaves the refusal as it is, where the path does not exist
// too.
func TestErrorHandlerOnUnknownRoute(t *testing.T) {
	r := gin.New()
	r.Use(verifygin.WithConfig(unguarded(t).verifier, verifygin.Config{ErrorHandler: func(*gin.Context, error) {}}))
	if w := serve(r, unsigned("/nowhere", "{}")); w.Code != 401 || w.Body.String() != unauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A logger around the middleware finds the refusal, its answer and that nothing
// went on.
func TestErrorsForLoggers(t *testing.T) {
	r := gin.New()
	logged := ""
	r.POST("/hook", func(c *gin.Context) {
		c.Next()
		logged = c.Errors.String()
		if c.Writer.Status() != 401 || !c.Writer.Written() || c.Errors.Last().Type != gin.ErrorTypePrivate {
			t.Errorf("status %d, errors %v", c.Writer.Status(), c.Errors)
		}
	}, verifygin.Middleware(unguarded(t).verifier), never(t))
	serve(r, unsigned("/hook", "{}"))
	if logged != "Error #01: verify: refused: hmac: credential missing (X-Signature is absent)\n" {
		t.Errorf("logged %q", logged)
	}
}

// A copy that has an answer is nothing to ask about, and no error.
func TestHooksAndCopies(t *testing.T) {
	for policy, c := range map[verify.DuplicatePolicy]struct {
		code  int
		body  string
		asked int
	}{verify.Reject: {418, "", 1}, verify.Acknowledge: {200, "", 0}, verify.Repeat: {200, "done", 0}} {
		r := gin.New()
		asked, failed := 0, 0
		hook := func(c *gin.Context, _ error) { asked++; c.Status(418) }
		v := watch(t, int(policy), verify.HMAC{Keys: verify.Static(key)}).verifier
		outer := func(c *gin.Context) { c.Next(); failed += len(c.Errors) }
		r.POST("/hook", outer, verifygin.WithConfig(v, verifygin.Config{ErrorHandler: hook}), ok)
		serve(r, signed(t, "/hook", "{}"))
		if w := serve(r, signed(t, "/hook", "{}")); w.Code != c.code || w.Body.String() != c.body || asked != c.asked || failed != c.asked {
			t.Errorf("policy %d: %d %q, hook asked %d times, %d errors", policy, w.Code, w.Body, asked, failed)
		}
	}
}

func TestSkipper(t *testing.T) {
	health := func(c *gin.Context) bool { return c.FullPath() == "/healthz" }
	r, o := gin.New(), unguarded(t)
	r.Use(verifygin.WithConfig(o.verifier, verifygin.Config{Skipper: health}))
	show := func(c *gin.Context) {
		_, verified := verifygin.Result(c)
		c.JSON(http.StatusOK, verified)
	}
	r.POST("/healthz", show)
	r.POST("/hook", show)
	for _, c := range []struct {
		r    *http.Request
		code int
		body string
	}{
		{unsigned("/healthz", "{}"), 200, "false"},
		{unsigned("/hook", "{}"), 401, unauthorized},
		{signed(t, "/hook", "{}"), 200, "true"},
	} {
		if w := serve(r, c.r); w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s: %d %q", c.r.URL, w.Code, w.Body)
		}
	}
	if !slices.Equal(o.reasons, []string{"missing", "ok"}) {
		t.Errorf("observed %v", o.reasons)
	}
}
