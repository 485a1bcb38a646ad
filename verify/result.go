package verify

import (
	"context"
	"log/slog"
	"time"
)

// Result says who vouched for a request. It is a plain value that outlives the
// request and, but for the handler that receives it, is never changed. It holds
// no secret.
type Result struct {
	// Scheme is the name of the scheme that accepted: "bearer",
	// "vapi-secret", "hmac", "source-ip", or the Name it was given. AllOf joins
	// the names with "+".
	Scheme string
	// KeyID is the id of the secret that matched.
	KeyID string
	// SignedAt is the signed timestamp; zero if the scheme signs none.
	SignedAt time.Time
	// MessageID is the message's unique id, if the scheme signs one. An id
	// that is not signed is not here.
	MessageID string
	// Refused is nil for an accepted request. Under Config.ReportOnly it says
	// why a request that was let through would have been refused; nothing else
	// of such a result is then set, and nobody vouches for the request.
	Refused error
}

// LogValue is a group of the fields that are set.
func (r *Result) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("scheme", r.Scheme)}
	if r.KeyID != "" {
		attrs = append(attrs, slog.String("key_id", r.KeyID))
	}
	if !r.SignedAt.IsZero() {
		attrs = append(attrs, slog.Time("signed_at", r.SignedAt))
	}
	if r.MessageID != "" {
		attrs = append(attrs, slog.String("message_id", r.MessageID))
	}
	if r.Refused != nil {
		attrs = append(attrs, slog.String("refused", Reason(r.Refused)))
	}
	return slog.GroupValue(attrs...)
}

// merge adds what another scheme of an AllOf found.
func (r *Result) merge(other *Result) {
	if r.Scheme != "" {
		r.Scheme += "+"
	}
	r.Scheme += other.Scheme
	if r.KeyID == "" {
		r.KeyID = other.KeyID
	}
	if r.SignedAt.IsZero() {
		r.SignedAt = other.SignedAt
	}
	if r.MessageID == "" {
		r.MessageID = other.MessageID
	}
}

type contextKey struct{}

// NewContext returns a context that carries the result to the handler. Adapters
// call it.
func NewContext(ctx context.Context, res *Result) context.Context {
	return context.WithValue(ctx, contextKey{}, res)
}

// FromContext gives the result that an adapter put into the request's context;
// ok is false if no verifier stood in front of the handler. In Gin, pass
// c.Request.Context(), not c.
func FromContext(ctx context.Context) (res *Result, ok bool) {
	res, ok = ctx.Value(contextKey{}).(*Result)
	return res, ok && res != nil
}
