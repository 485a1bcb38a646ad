package verify

import (
	"context"
	"log/slog"
	"time"

	"github.com/webhookauth/webhookauth/replay"
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
	// Identity is what makes the message unique among those of the verifier, if
	// the scheme signs it and a replay guard is configured; otherwise nil.
	Identity *Identity
	// Claim is this request's claim to run the message, if it was made; its
	// Owner is a fencing token. sqlstore.ClaimTx takes it.
	Claim replay.Claim
	// Attempt counts the claims that this message was granted, this one
	// included, as far as the store remembers: 2 and more after a handler failed.
	// It is 0 without a claim.
	Attempt int
	// Duplicate marks a copy of a delivery that is finished, or in flight. Only
	// a refusal's result, and one let through by Config.ReportOnly, has it.
	Duplicate bool
	// Age is how long before the check the message was signed, if a replay guard
	// is configured; 0 without SignedAt, negative for one that a sender's fast
	// clock signed.
	Age time.Duration
	// Degraded marks a claim that the shared replay store does not know of. See
	// replay.Tiered.
	Degraded bool
	// Refused is nil for an accepted request. Under Config.ReportOnly it says
	// why a request that was let through would have been refused; unless that is
	// the replay guard's verdict on a genuine one, nothing else of such a result is
	// set, and nobody vouches for the request.
	Refused error

	hold *replay.Hold // of Claim, until it is settled
}

// Identity is what makes a message unique: nothing that a stranger can vary.
type Identity struct {
	// Key is from Env.Key, over signed material alone, never over header text.
	Key replay.Key
	// Fingerprint is of the content, if Key does not cover it; see
	// replay.Fingerprint.
	Fingerprint uint64
	// Expires is the last moment at which the scheme accepts the message; zero
	// if it signs no time.
	Expires time.Time
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
	if r.Attempt > 1 {
		attrs = append(attrs, slog.Int("attempt", r.Attempt))
	}
	if r.Degraded {
		attrs = append(attrs, slog.Bool("degraded", true))
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
	if r.Identity == nil {
		r.Identity = other.Identity
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
