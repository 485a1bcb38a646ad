package replaytest

import (
	"errors"
	"fmt"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// span is what is known of an instant: it lay between from and to, by the
// suite's clock. A call takes effect somewhere between its start and its end.
type span struct{ from, to time.Duration }

func (s span) after(d time.Duration) span { return span{s.from + d, s.to + d} }

type state int

const (
	absent state = iota
	held
	done
)

// record is the model of one key: what the table in the package comment says,
// written down a second time. It is fed with every call and its result, and says
// what was wrong with the result.
type record struct {
	h     Harness
	state state
	claim replay.Claim // held, done: whose; absent: whose lease lapsed, or zero
	ends  span         // held: the lease; done: the keeping

	attempt int    // held: which one
	answer  []byte // done

	// The number of attempts before, at least and at most, and when the store is
	// to forget them: held, absent.
	least, most int
	counted     span
}

// pass lets time pass up to a call. It is false if the call lay across an edge,
// so that the model cannot say on which side the store saw it.
func (r *record) pass(call span) bool {
	if call.to >= r.counted.from {
		r.least = 0
	}
	switch r.state {
	case absent:
		// After a lapse nobody says for how long the count is remembered.
		if released := r.claim.Owner == (replay.Owner{}); released && call.from > r.counted.to+r.h.Slack {
			r.most = 0
		}
	case held:
		if call.to < r.ends.from {
			return true
		}
		if call.from <= r.ends.to {
			return false
		}
		// Lapsed. Unless lapses count the releases before may be forgotten.
		r.state, r.least, r.most = absent, 0, r.attempt-1
		if r.h.CountsLapsed {
			r.least, r.most = r.attempt, r.attempt
			r.counted = r.ends.after(r.claim.Keep - r.claim.Lease)
			if call.to >= r.counted.from {
				r.least = 0
			}
		}
	case done:
		if call.to < r.ends.from {
			return true
		}
		if call.from <= r.ends.to+r.h.Slack {
			return false
		}
		*r = record{h: r.h}
	}
	return true
}

// claimed checks a Claim and takes it over.
func (r *record) claimed(call span, c replay.Claim, out replay.Outcome, err error) error {
	if err != nil {
		return err
	}
	want := replay.Outcome{Status: replay.Acquired}
	switch {
	case r.state == done && c.Fingerprint != r.claim.Fingerprint && c.Fingerprint != 0 && r.claim.Fingerprint != 0:
		want.Status = replay.Conflict
	case r.state == done:
		want.Status, want.Answer = replay.Duplicate, r.answer
	case r.state == held && c.Owner != r.claim.Owner:
		want.Status = replay.InFlight
	}
	if out.Status != want.Status || !sameAnswer(out.Answer, want.Answer) {
		return fmt.Errorf("%v with the answer %s, want %v with %s", out.Status, show(out.Answer), want.Status, show(want.Answer))
	}
	if longest := r.ends.to - call.from; out.RetryAfter > 0 && (out.Status != replay.InFlight || out.RetryAfter > longest+time.Millisecond) {
		return fmt.Errorf("%v with RetryAfter %v, but the lease goes on for at most %v", out.Status, out.RetryAfter, longest)
	}
	least, most := 0, 0
	switch {
	case out.Status != replay.Acquired:
	case r.state == held:
		least, most = r.attempt, r.attempt
	case c.Owner == r.claim.Owner: // lapsed, then the same owner again: a new attempt or the old one
		least, most = max(r.least, 1), r.attempt+1
	default:
		least, most = r.least+1, r.most+1
	}
	if out.Attempt < least || out.Attempt > most {
		return fmt.Errorf("%v as attempt %d, want %d to %d", out.Status, out.Attempt, least, most)
	}
	switch {
	case out.Status != replay.Acquired:
	case r.state == held: // the lease may begin anew
		r.ends.to = max(r.ends.to, call.to+c.Lease)
	default:
		r.state, r.claim, r.attempt, r.ends = held, c, out.Attempt, call.after(c.Lease)
	}
	return nil
}

// renewed checks a Renew and takes it over.
func (r *record) renewed(call span, c replay.Claim, err error) error {
	if r.state != held || c.Owner != r.claim.Owner {
		return wantLost(err)
	}
	r.ends = call.after(c.Lease)
	return err
}

// released checks a Release and takes it over.
func (r *record) released(call span, c replay.Claim, err error) error {
	if r.state != held || c.Owner != r.claim.Owner {
		return wantLost(err)
	}
	*r = record{h: r.h, least: r.attempt, most: r.attempt, counted: call.after(c.Keep)}
	return err
}

// completed checks a Complete and takes it over.
func (r *record) completed(call span, c replay.Claim, answer []byte, err error) error {
	switch {
	case r.state != absent && c.Owner != r.claim.Owner:
		return wantLost(err)
	case r.state == absent && c.Owner != r.claim.Owner:
		// It had the key once. Another had it since and gave it back, which a
		// store need not remember.
		if errors.Is(err, replay.ErrLostLease) {
			return nil
		}
	case r.state == done:
		if errors.Is(err, replay.ErrLostLease) {
			return nil
		}
		r.ends.to = max(r.ends.to, call.to+c.Keep) // it may be kept anew
		return err
	}
	*r = record{h: r.h, state: done, claim: c, answer: answer, ends: call.after(c.Keep)}
	return err
}

func wantLost(err error) error {
	if errors.Is(err, replay.ErrLostLease) {
		return nil
	}
	return fmt.Errorf("the error is %v, want ErrLostLease", err)
}
