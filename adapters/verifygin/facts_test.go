package verifygin_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// The tests of this file hold what the adapter builds on against Gin itself, so
// that an upgrade that changes it is noticed.

const unauthorized = `{"type":"about:blank","title":"Unauthorized","status":401}`

// The net/http middleware does not stop Gin: the handler after it runs, although
// the request was refused.
func TestWrapHDoesNotStop(t *testing.T) {
	for name, c := range map[string]struct {
		mw  func(*verify.Verifier) gin.HandlerFunc
		ran int
	}{
		"wrapped": {func(v *verify.Verifier) gin.HandlerFunc {
			return gin.WrapH(verifyhttp.Middleware(v)(http.NotFoundHandler()))
		}, 1},
		"native": {verifygin.Middleware, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := gin.New()
			ran := 0
			r.POST("/hook", c.mw(unguarded(t).verifier), func(*gin.Context) { ran++ })
			if w := serve(r, unsigned("/hook", "{}")); w.Code != 401 || w.Body.String() != unauthorized || ran != c.ran {
				t.Errorf("%d %s, the handler ran %d times", w.Code, w.Body, ran)
			}
		})
	}
}

// Gin's context is not the request's, unless an engine says so.
func TestResult(t *testing.T) {
	for _, fallback := range []bool{false, true} {
		r := gin.New()
		r.ContextWithFallback = fallback
		r.POST("/hook", verifygin.Middleware(unguarded(t).verifier), func(c *gin.Context) {
			if res, ok := verify.FromContext(c); ok != fallback {
				t.Errorf("ContextWithFallback %v: FromContext(c) is %v, %v", fallback, res, ok)
			}
			res, ok := verifygin.Result(c)
			if other, _ := verify.FromContext(c.Request.Context()); !ok || res != other || res.Scheme != "hmac" {
				t.Errorf("ContextWithFallback %v: Result is %+v, %v", fallback, res, ok)
			}
		})
		if w := serve(r, signed(t, "/hook", "{}")); w.Code != 200 {
			t.Errorf("status %d", w.Code)
		}
	}
	t.Run("without the middleware", func(t *testing.T) {
		r := gin.New()
		r.POST("/hook", func(c *gin.Context) {
			if res, ok := verifygin.Result(c); ok || res != nil {
				t.Errorf("Result is %+v, %v", res, ok)
			}
		})
		if w := serve(r, unsigned("/hook", "{}")); w.Code != 200 {
			t.Errorf("status %d", w.Code)
		}
	})
}

// r.Use verifies requests for paths that do not exist; a route's middleware does
// not.
func TestUnknownRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		use     bool
		code    int
		body    string
		reasons []string
	}{"r.Use": {true, 401, unauthorized, []string{"missing"}}, "per route": {false, 404, "404 page not found", nil}} {
		t.Run(name, func(t *testing.T) {
			r, o := gin.New(), unguarded(t)
			if c.use {
				r.Use(verifygin.Middleware(o.verifier))
				r.POST("/hook", ok)
			} else {
				r.POST("/hook", verifygin.Middleware(o.verifier), ok)
			}
			if w := serve(r, unsigned("/nowhere", "{}")); w.Code != c.code || w.Body.String() != c.body || !slices.Equal(o.reasons, c.reasons) {
				t.Errorf("%d %s, observed %v", w.Code, w.Body, o.reasons)
			}
		})
	}
	t.Run("a genuine message is given back", func(t *testing.T) {
		r, o := gin.New(), rejecting(t)
		r.Use(verifygin.Middleware(o.verifier))
		if w := serve(r, signed(t, "/nowhere", "{}")); w.Code != 404 || !slices.Equal(o.settled, []bool{false}) {
			t.Errorf("status %d, settled %v", w.Code, o.settled)
		}
	})
}
