package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// inFlightRetry is when the sender of a copy in flight may try again, if the
// lease does not end before.
const inFlightRetry = 5 * time.Second

// claim claims an accepted message; a refusal means that its handler must not run.
func (v *Verifier) claim(ctx context.Context, m *Message, res *Result) (refused *Error) {
	defer func() {
		if p := recover(); p != nil {
			refused = refuse(res.Scheme, ErrInternal, fmt.Sprintf("the replay guard: panic of type %T", p))
		}
	}()
	g := v.guard
	if !res.SignedAt.IsZero() {
		res.Age = m.Time().Sub(res.SignedAt)
	}
	id, refused := g.identify(m, res)
	if refused != nil || id == nil {
		return refused
	}
	keep := g.Horizon
	if !id.Expires.IsZero() {
		now := m.Time()
		if m.ReceivedAt.IsZero() {
			// Again, now that the body is there: it may have dribbled in for
			// longer than a finished delivery is remembered.
			if now = v.now(); now.After(id.Expires) {
				return refuse(res.Scheme, ErrStale, "the body arrived after the end of the window")
			}
		}
		if ready := g.started.Add(g.future); g.RestartGuard && res.SignedAt.Before(ready) {
			refused = refuse(res.Scheme, ErrUnavailable, "signed before the verifier was made, or too soon after: RestartGuard")
			refused.RetryAfter = ready.Sub(now)
			return refused
		}
		keep = max(keep, sum(max(0, id.Expires.Sub(now)), g.Margin))
	}
	hold, out, err := g.claims.Claim(ctx, replay.Claim{Key: id.Key, Fingerprint: id.Fingerprint, Keep: keep})
	if err != nil {
		return storeFailed(res.Scheme, err)
	}
	if hold == nil {
		return g.copied(res, out)
	}
	if g.MaxAttempts > 0 && out.Attempt > g.MaxAttempts {
		_ = hold.Release(ctx) // if it stays held, it is refused all the same
		res.Attempt = out.Attempt
		return &Error{Attempts: []Attempt{{Scheme: res.Scheme, Err: ErrAttempts, Detail: fmt.Sprintf("attempt %d", out.Attempt)}}, Result: res}
	}
	res.hold, res.Claim, res.Attempt, res.Degraded = hold, hold.Claim(), out.Attempt, out.Degraded
	return nil
}

// identify gives the identity that the scheme signed, or else that of Replay.Key.
func (g *guard) identify(m *Message, res *Result) (*Identity, *Error) {
	if res.Identity != nil {
		return res.Identity, nil
	}
	if g.Key == nil {
		return nil, refuse(res.Scheme, ErrMisconfigured, "the result has no identity to claim, though the scheme promised one")
	}
	text, err := g.Key(m, res)
	switch {
	case err != nil:
		return nil, asError(res.Scheme, err)
	case text == "":
		return nil, nil
	}
	return &Identity{Key: g.key("key", text)}, nil
}

// copied is the refusal of a message that somebody else runs or has run.
func (g *guard) copied(res *Result, out replay.Outcome) *Error {
	res.Duplicate = true
	refused := &Error{Result: res}
	verdict, detail := ErrDuplicate, ""
	switch out.Status {
	case replay.InFlight:
		verdict = ErrInFlight
		refused.RetryAfter = inFlightRetry
		if out.RetryAfter > 0 {
			refused.RetryAfter = min(out.RetryAfter, inFlightRetry)
		}
	case replay.Conflict:
		verdict = ErrConflict
	default:
		refused.Answer, detail = g.answer(out.Answer)
	}
	refused.Attempts = []Attempt{{Scheme: res.Scheme, Err: verdict, Detail: detail}}
	return refused
}

func storeFailed(scheme string, err error) *Error {
	detail := "the replay store does not answer"
	if errors.Is(err, replay.ErrFull) {
		detail = "the replay store is full"
	}
	return &Error{Attempts: []Attempt{{Scheme: scheme, Err: ErrUnavailable, Detail: detail, Cause: err}}}
}

// Settlement is how a claim ended, handed to Replay.OnSettle.
type Settlement struct {
	// Result is the request's.
	Result *Result
	// Completed tells that the message was to be marked as done; otherwise it was
	// given back.
	Completed bool
	// Held is for how long the message was claimed.
	Held time.Duration
	// Err is nil if the store took it. errors.Is tells replay.ErrLostLease: the
	// handler was slower than Replay.MaxHold, or its process was suspended, and
	// the message has been run by another too.
	Err error
}

// Settles tells whether a result holds a claim, so that the caller has to call
// Settle. It is false under a verifier without Config.Replay.
func (v *Verifier) Settles(res *Result) bool {
	return v != nil && v.guard != nil && res != nil && res.hold != nil
}

// AnswerLimit is how many bytes of an answer's body SettleAnswer can keep: 0
// unless the policy is Repeat.
func (v *Verifier) AnswerLimit() int {
	if v == nil || v.guard == nil || v.guard.Duplicate != Repeat {
		return 0
	}
	return v.guard.MaxAnswer
}

// Settle ends the claim of a request that Check accepted, by the status that its
// handler answered: a 2xx marks the message as done, anything else gives it back,
// and so does 0, for a handler that panicked. It must be called exactly once for
// every result that has a claim, and does nothing for any other. It goes on
// although ctx has ended. Under Repeat it keeps no answer.
//
// An error is the store's. The sender has its answer by then, so that there is
// nothing to do but to report it, which Replay.OnSettle does too.
func (v *Verifier) Settle(ctx context.Context, res *Result, status int) error {
	return v.settle(ctx, res, status, nil)
}

// SettleAnswer is Settle with the whole answer, for the policy Repeat. A body of
// more than AnswerLimit bytes is not kept.
func (v *Verifier) SettleAnswer(ctx context.Context, res *Result, answer Answer) error {
	return v.settle(ctx, res, answer.Status, v.kept(answer))
}

func (v *Verifier) settle(ctx context.Context, res *Result, status int, kept []byte) error {
	if !v.Settles(res) {
		return nil
	}
	s := Settlement{Result: res, Completed: status/100 == 2}
	if s.Completed {
		s.Err = res.hold.Complete(ctx, kept)
	} else {
		s.Err = res.hold.Release(ctx)
	}
	s.Held = res.hold.Held()
	if v.guard.OnSettle != nil {
		v.guard.OnSettle(ctx, s)
	}
	return s.Err
}
