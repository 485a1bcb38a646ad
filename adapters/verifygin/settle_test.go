package verifygin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/verify"
)

// K04: a claim ends by what Gin answers, which it sends late. The retry of what
// was not done runs.
func TestK04SettledByGin(t *testing.T) {
	for _, c := range []struct {
		name string
		h    gin.HandlerFunc
		code int
	}{
		{"nothing", func(*gin.Context) {}, 200},
		{"a status", func(c *gin.Context) { c.Status(204) }, 204},
		{"a status that failed", func(c *gin.Context) { c.Status(503) }, 503},
		{"an answer", func(c *gin.Context) { c.JSON(201, 1) }, 201},
		{"an answer that failed", func(c *gin.Context) { c.JSON(502, 1) }, 502},
		{"a redirect", func(c *gin.Context) { c.Redirect(302, "/") }, 302},
		{"aborted", func(c *gin.Context) { c.AbortWithStatus(500) }, 500},
		{"aborted with an error", func(c *gin.Context) { _ = c.AbortWithError(500, errors.New("broken")) }, 500},
		{"only an error", func(c *gin.Context) { _ = c.Error(errors.New("broken")) }, 200},
		{"the last status before the header", func(c *gin.Context) { c.Status(500); c.Status(202) }, 202},
		{"a status after the header", func(c *gin.Context) { c.Status(201); c.Writer.WriteHeaderNow(); c.Status(500) }, 201},
		{"a status after a part", func(c *gin.Context) { c.String(201, "x"); c.Status(500) }, 201},
		{"a status after a flush", func(c *gin.Context) { c.Writer.Flush(); c.Status(500) }, 200},
		{"an informational status", func(c *gin.Context) { c.Status(500); c.Writer.Flush(); c.Status(103) }, 500},
		{"a stream", func(c *gin.Context) { c.Stream(func(w io.Writer) bool { _, _ = io.WriteString(w, "x"); return false }) }, 200},
		{"a content type set too late", func(c *gin.Context) { c.Data(200, "text/plain", []byte("x")); c.Header("Content-Type", "text/html") }, 200},
		{"the same after WriteString", func(c *gin.Context) { _, _ = c.Writer.WriteString("x"); c.Header("Content-Type", "text/html") }, 200},
		{"WriteString", func(c *gin.Context) { _, _ = c.Writer.WriteString("x"); c.Status(500) }, 200},
	} {
		for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Repeat} {
			t.Run(fmt.Sprintf("K04 %s, policy %d", c.name, policy), func(t *testing.T) {
				r, o := gin.New(), watch(t, int(policy), verify.HMAC{Keys: verify.Static(key)})
				runs := 0
				r.POST("/hook", verifygin.Middleware(o.verifier), func(ctx *gin.Context) { runs++; c.h(ctx) })
				first := serve(r, signed(t, "/hook", "{}"))
				if first.Code != c.code {
					t.Errorf("answered %d, want %d", first.Code, c.code)
				}
				done := c.code/100 == 2
				if !slices.Equal(o.settled, []bool{done}) {
					t.Errorf("settled %v after %d", o.settled, c.code)
				}
				second := serve(r, signed(t, "/hook", "{}"))
				if want := map[bool]int{true: 1, false: 2}[done]; runs != want {
					t.Errorf("the handler ran %d times, want %d", runs, want)
				}
				if done && policy == verify.Repeat && (second.Code != first.Code || second.Body.String() != first.Body.String() || contentType(second) != contentType(first)) {
					t.Errorf("first %d %q %q, then %d %q %q", first.Code, first.Body, contentType(first), second.Code, second.Body, contentType(second))
				}
			})
		}
	}
}

// contentType is what was sent, not what was set afterwards.
func contentType(w *httptest.ResponseRecorder) string { return w.Result().Header.Get("Content-Type") }

// K04: the handlers after the middleware count together.
func TestK04LaterHandlers(t *testing.T) {
	r, o := gin.New(), rejecting(t)
	r.POST("/hook", verifygin.Middleware(o.verifier), func(c *gin.Context) { c.AbortWithStatus(http.StatusForbidden) }, never(t))
	if w := serve(r, signed(t, "/hook", "{}")); w.Code != 403 || !slices.Equal(o.settled, []bool{false}) {
		t.Errorf("status %d, settled %v", w.Code, o.settled)
	}
}

// K05: a panic gives the message back, whoever recovers.
func TestK05Recovery(t *testing.T) {
	for _, name := range []string{"outside", "inside"} {
		t.Run("K05 "+name, func(t *testing.T) {
			r, o := gin.New(), rejecting(t)
			chain := []gin.HandlerFunc{gin.RecoveryWithWriter(io.Discard), verifygin.Middleware(o.verifier)}
			if name == "inside" {
				slices.Reverse(chain)
			}
			fail := true
			r.POST("/hook", append(chain, func(c *gin.Context) {
				if fail {
					panic("broken")
				}
				ok(c)
			})...)
			if w := serve(r, signed(t, "/hook", "{}")); w.Code != 500 {
				t.Errorf("status %d", w.Code)
			}
			fail = false
			if w := serve(r, signed(t, "/hook", "{}")); w.Code != 200 {
				t.Errorf("the retry: status %d", w.Code)
			}
			if !slices.Equal(o.settled, []bool{false, true}) {
				t.Errorf("settled %v", o.settled)
			}
		})
	}
}

// After the handlers, the writer is as it was, after a panic too.
func TestWriterIsPutBack(t *testing.T) {
	for name, h := range map[string]gin.HandlerFunc{"plain": ok, "panic": func(*gin.Context) { panic("broken") }} {
		t.Run(name, func(t *testing.T) {
			r := gin.New()
			var before, inside, after gin.ResponseWriter
			r.POST("/hook", func(c *gin.Context) {
				before = c.Writer
				defer func() {
					_ = recover()
					after = c.Writer
				}()
				c.Next()
			}, verifygin.Middleware(rejecting(t).verifier), func(c *gin.Context) { inside = c.Writer; h(c) })
			if serve(r, signed(t, "/hook", "{}")); before != after || before == inside {
				t.Errorf("writer %T, %T, then %T", before, inside, after)
			}
		})
	}
}
