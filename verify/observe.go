package verify

import (
	"log/slog"
	"time"
)

// Event is one decision, handed to Config.Observe: exactly one for each check,
// whatever its outcome. It holds nothing that must not be logged, and implements
// slog.LogValuer.
type Event struct {
	// Scheme is the scheme that accepted, or whose refusal decided; "body" if
	// the body itself was refused, whatever the scheme.
	Scheme string
	// KeyID is the id of the secret that matched; "" for a refusal, unless of a
	// copy, for which somebody vouched.
	KeyID string
	// Reason is "ok" or the refusal's word, as from the function Reason.
	Reason string
	// Status is the HTTP status of a refusal, 0 if accepted.
	Status int
	// Elapsed is how long the decision took, reading the body included.
	Elapsed time.Duration
	// BodyBytes is how much of the body the verifier read, and ContentLength
	// what was declared (-1: unknown). BodyBytes 0 beside a refusal "mismatch"
	// and a ContentLength of -1 means that the body was empty, or that something
	// in front of the verifier had read it.
	BodyBytes, ContentLength int64
	// Attempt, Age and Degraded are as in Result.
	Attempt  int
	Age      time.Duration
	Degraded bool
	// LetThrough marks a refusal that Config.ReportOnly did not enforce.
	LetThrough bool
	// Err is the refusal, an *Error with every attempt; nil if accepted.
	Err error
}

// Level is a suggestion for logs: Debug for accepted requests, Warn for those
// that the shared replay store does not know of and for a message id used twice,
// Error for what the receiver must mend (status 500 and 503), Info for other
// refusals, of which a public endpoint sees many, and for copies.
func (e Event) Level() slog.Level {
	switch {
	case e.Degraded || e.Reason == "conflict":
		return slog.LevelWarn
	case e.Err == nil:
		return slog.LevelDebug
	case e.Reason == "in_flight":
		return slog.LevelInfo
	case e.Status >= 500:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// LogValue is a group: scheme, key_id, reason, elapsed, body_bytes, attempt from
// the second on, degraded if so, and for refusals status, detail and let_through.
func (e Event) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("scheme", e.Scheme),
		slog.String("key_id", e.KeyID),
		slog.String("reason", e.Reason),
		slog.Duration("elapsed", e.Elapsed),
		slog.Int64("body_bytes", e.BodyBytes))
	if e.Attempt > 1 {
		attrs = append(attrs, slog.Int("attempt", e.Attempt))
	}
	if e.Degraded {
		attrs = append(attrs, slog.Bool("degraded", true))
	}
	if e.Err != nil {
		attrs = append(attrs,
			slog.Int("status", e.Status),
			slog.String("detail", e.Err.Error()),
			slog.Bool("let_through", e.LetThrough))
	}
	return slog.GroupValue(attrs...)
}
