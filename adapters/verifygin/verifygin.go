// Package verifygin puts a verify.Verifier in front of handlers of Gin. Add it to
// the routes that receive webhooks, r.POST(path, middleware, handler): with r.Use
// it also runs for paths that do not exist.
package verifygin

import (
	"bytes"
	"io"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/internal/respond"
	"github.com/webhookauth/webhookauth/adapters/internal/settle"
	"github.com/webhookauth/webhookauth/verify"
)

// Config changes what the middleware does around the verifier. The zero value is
// what Middleware uses.
type Config struct {
	// Skipper lets a request through unverified if it returns true. Nil skips
	// none. Whatever it looks at, an attacker can send.
	Skipper func(*gin.Context) bool
	// ErrorHandler answers a refused request, after it was aborted; err is a
	// *verify.Error. If it answers nothing, the refusal is answered as without
	// it: the handler never runs. It is not asked about copies that the verifier
	// has an answer for (verify.Acknowledge, verify.Repeat).
	ErrorHandler func(c *gin.Context, err error)
}

// Middleware verifies every request before the handler. A refused one is aborted
// first, then recorded with c.Error, for loggers, and answered with its status and
// an application/problem+json body (RFC 9457) that is the same for every cause.
// An accepted one reaches the handler with its body unread and its verify.Result in
// the request's context. A nil or zero verifier refuses everything.
//
// A body that was read for its signature is put into Gin's cache too, so that it
// can be bound with ShouldBindBodyWith any number of times, before and after a
// ShouldBindJSON, which reads it once. One that an earlier middleware has read
// through ShouldBindBodyWith is taken from that cache.
//
// Under verify.Config.Replay the claim is settled when the handlers after it have
// returned, by the status that they answered. A panic gives the message back and
// goes on.
func Middleware(v *verify.Verifier) gin.HandlerFunc { return WithConfig(v, Config{}) }

// Result gives the result that the middleware found; ok is false if it did not
// run. In place of verify.FromContext(c), which finds nothing, for Gin's context
// is not the request's: verify.FromContext(c.Request.Context()) does.
func Result(c *gin.Context) (res *verify.Result, ok bool) {
	return verify.FromContext(c.Request.Context())
}

// WithConfig is Middleware with settings.
func WithConfig(v *verify.Verifier, cfg Config) gin.HandlerFunc {
	return func(c *gin.Context) {
		if cfg.Skipper != nil && cfg.Skipper(c) {
			return
		}
		r := c.Request
		body := r.Body
		if cached, ok := c.Get(gin.BodyBytesKey); ok {
			if b, ok := cached.([]byte); ok {
				r.Body = io.NopCloser(bytes.NewReader(b))
			}
		}
		res, err := v.Check(r)
		if err != nil {
			c.Abort()
			refuse(c, v, cfg, verify.Refusal(err))
			return
		}
		c.Request = r.WithContext(verify.NewContext(r.Context(), res))
		if read, ok := r.Body.(interface{ Bytes() []byte }); ok {
			c.Set(gin.BodyBytesKey, read.Bytes())
		}
		r.Body = body // the server settles what was not read by its own type
		if !v.Settles(res) {
			return // Gin goes on by itself
		}
		rec := settle.New(v, res, c.Writer.Header())
		defer rec.Settle(r.Context())
		w := c.Writer
		defer func() { c.Writer = w }()
		c.Writer = &recorded{ResponseWriter: w, rec: rec}
		c.Next()
		rec.Returned(w.Status())
	}
}

// refuse answers a request that was aborted.
func refuse(c *gin.Context, v *verify.Verifier, cfg Config, refusal *verify.Error) {
	if refusal.Answer != nil {
		respond.Answer(c.Writer, refusal.Answer)
		return
	}
	_ = c.Error(refusal) // returns it
	if cfg.ErrorHandler != nil {
		before := c.Writer.Status() // an earlier handler's, or that of an unknown route
		if cfg.ErrorHandler(c, refusal); c.Writer.Written() || c.Writer.Status() != before {
			return
		}
	}
	respond.Refusal(c.Writer, v, c.Request, refusal)
}
