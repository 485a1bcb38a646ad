package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// DefaultLease is Guard.Lease's default.
	DefaultLease = 30 * time.Second
	// DefaultMaxHold is Guard.MaxHold's default.
	DefaultMaxHold = 5 * time.Minute
	// DefaultTimeout is Guard.Timeout's default.
	DefaultTimeout = 250 * time.Millisecond
)

// Guard runs the protocol on a store: it claims within a bounded time, renews the
// lease while the work goes on, and settles. Store is required, the other fields
// have defaults. It is a plain value and safe for concurrent use.
type Guard struct {
	// Store keeps the records.
	Store Store
	// Lease is for how long a claim holds without renewal; 0 means 30 seconds.
	// It is renewed every third of it.
	Lease time.Duration
	// MaxHold ends the renewal, so that work that is stuck does not block its
	// retries for ever; 0 means 5 minutes.
	MaxHold time.Duration
	// Timeout bounds the wait for each answer of the store; 0 means 250 ms.
	Timeout time.Duration
}

// withDefaults fills in what is zero.
func (g Guard) withDefaults() Guard {
	if g.Lease == 0 {
		g.Lease = DefaultLease
	}
	if g.MaxHold == 0 {
		g.MaxHold = DefaultMaxHold
	}
	if g.Timeout == 0 {
		g.Timeout = DefaultTimeout
	}
	return g
}

// Claim claims a key; a zero Owner is drawn, a zero Lease is the guard's. The
// hold is nil unless the outcome is Acquired; then it must be settled, once, by
// Complete or Release. After an error nothing is held: where the store may have
// taken the claim all the same, it is given back if the store still answers, and
// otherwise blocks the key for one lease.
func (g Guard) Claim(ctx context.Context, c Claim) (*Hold, Outcome, error) {
	g = g.withDefaults()
	if g.Store == nil {
		return nil, Outcome{}, errors.New("replay: Guard.Store is nil")
	}
	if c.Owner == (Owner{}) {
		c.Owner = NewOwner()
	}
	if c.Lease == 0 {
		c.Lease = g.Lease
	}
	// The last fifth of the time is for giving back.
	deadline := time.Now().Add(g.Timeout)
	claiming, cancel := context.WithTimeout(ctx, g.Timeout*4/5)
	defer cancel()
	out, err := g.Store.Claim(claiming, c)
	if err == nil && (out.Status < Acquired || out.Status > Conflict) {
		err = fmt.Errorf("replay: %T answered a claim with no status", g.Store)
	}
	switch {
	case errors.Is(err, ErrFull):
		return nil, Outcome{}, err
	case err != nil:
		giving, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
		defer cancel()
		_ = g.Store.Release(giving, c) // the first error is the one to report
		return nil, Outcome{}, err
	case out.Status != Acquired:
		return nil, out, nil
	}
	h := &Hold{guard: g, claim: c, since: time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(h.pause(), h.renew)
	if h.pause() >= g.MaxHold {
		h.timer.Stop()
	}
	return h, out, nil
}

// Do claims a key, runs the work if the claim is Acquired, and settles: an error
// or a panic releases the key, so that a retry runs; a panic goes on. The work
// runs if and only if the outcome is Acquired. The error is the claim's, the
// work's, or that of settling; errors.Is tells ErrLostLease, after which the work
// may have run twice.
func (g Guard) Do(ctx context.Context, c Claim, work func(context.Context) error) (out Outcome, err error) {
	hold, out, err := g.Claim(ctx, c)
	if hold == nil {
		return out, err
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, hold.Release(ctx))
		}
	}()
	if err = work(ctx); err != nil {
		return out, err
	}
	done = true
	return out, hold.Complete(ctx, nil)
}

// Hold is a key that was Acquired. It renews its lease by itself until it is
// settled or held for Guard.MaxHold. Safe for concurrent use.
type Hold struct {
	guard Guard
	claim Claim
	since time.Time

	mu      sync.Mutex
	timer   *time.Timer
	settled bool
	held    time.Duration // once settled
	lost    bool
}

// errSettled is for a hold that is settled a second time.
var errSettled = errors.New("replay: the hold is settled already")

// Claim is what is held.
func (h *Hold) Claim() Claim { return h.claim }

// Held is how long the key has been held, or was until it was settled.
func (h *Hold) Held() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settled {
		return h.held
	}
	return time.Since(h.since)
}

// Lost tells whether a renewal found that the lease was lost: another may be at
// the same work. Once true it stays so.
func (h *Hold) Lost() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// Complete marks the work as done and keeps the answer, if there is one. It goes
// on although ctx has ended, for Guard.Timeout. ErrLostLease means that another
// owner has run, or runs, the same work; any other error that the store may not
// know of it, and lets a copy in when the lease has lapsed.
func (h *Hold) Complete(ctx context.Context, answer []byte) error {
	return h.settle(ctx, func(ctx context.Context) error { return h.guard.Store.Complete(ctx, h.claim, answer) })
}

// Release gives the key back: the work failed and is to be tried again. It goes
// on although ctx has ended, for Guard.Timeout.
func (h *Hold) Release(ctx context.Context) error {
	return h.settle(ctx, func(ctx context.Context) error { return h.guard.Store.Release(ctx, h.claim) })
}

func (h *Hold) settle(ctx context.Context, write func(context.Context) error) error {
	h.mu.Lock()
	if h.settled {
		h.mu.Unlock()
		return errSettled
	}
	h.settled, h.held = true, time.Since(h.since)
	h.timer.Stop()
	h.mu.Unlock()
	// The sender may be gone; what it asked for is done all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.guard.Timeout)
	defer cancel()
	return write(ctx)
}

// pause is the time between two renewals.
func (h *Hold) pause() time.Duration { return h.claim.Lease / 3 }

// renew runs in the timer's goroutine. An error other than a lost lease is tried
// again at the next turn, which is before the lease ends. One that is under way when the
// hold is settled changes nothing: the owner no longer has the key.
func (h *Hold) renew() {
	ctx, cancel := context.WithTimeout(context.Background(), min(h.guard.Timeout, h.pause()/2))
	defer cancel()
	err := h.guard.Store.Renew(ctx, h.claim)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.settled:
	case errors.Is(err, ErrLostLease):
		h.lost = true
	case time.Since(h.since)+h.pause() < h.guard.MaxHold:
		h.timer.Reset(h.pause())
	}
}
