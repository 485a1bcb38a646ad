package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// quotaTick is the granularity in which a Quota counts time.
const quotaTick = 10 * time.Second

// Quota is a store in front of a shared one that lets one tenant or endpoint keep
// no more than so many live keys in it, so that a flood in one leaves room for the
// others. Make one for each with NewQuota. It is safe for concurrent use and runs
// no goroutine.
//
// A key counts while it is held, and for Claim.Keep after Complete or Release. One
// whose owner never settles counts for Claim.Keep after its last lease, since some
// stores keep the count of its attempts for so long. Each time is rounded up to 10
// seconds. A key that is claimed again counts once, and claims that are not
// Acquired do not count.
//
// At the maximum a claim fails with ErrFull before the store is asked. This holds
// for copies of what is done as well: the Quota cannot tell them from new keys.
// Keys that are held or were released still get through, so that the retry of a
// failed delivery is never refused.
//
// It counts what went through itself: of n processes each has its own maximum,
// and a restart begins at 0. It takes some 50 bytes for each key that is held or
// released, and none for keys that are done.
type Quota struct {
	store   Store
	maxKeys int
	start   time.Time

	mu     sync.Mutex
	live   int            // keys that count
	ends   map[uint64]int // how many stop to count at each tick
	open   map[Key]uint64 // those not done: the tick among them
	pruned uint64         // the tick up to which all that is gone
}

// NewQuota bounds the live keys that are put into a store through it. The store
// must not be nil, and maxKeys at least 1.
func NewQuota(store Store, maxKeys int) (*Quota, error) {
	if store == nil {
		return nil, errors.New("replay: NewQuota: store is nil")
	}
	if maxKeys < 1 {
		return nil, errors.New("replay: NewQuota: maxKeys is under 1")
	}
	return &Quota{store: store, maxKeys: maxKeys, start: time.Now(), ends: map[uint64]int{}, open: map[Key]uint64{}}, nil
}

// Limits are those of the store behind.
func (q *Quota) Limits() Limits { return LimitsOf(q.store) }

// Claim fails with ErrFull at the maximum, and otherwise asks the store.
func (q *Quota) Claim(ctx context.Context, c Claim) (out Outcome, err error) {
	if err := c.Check(); err != nil {
		return Outcome{}, err
	}
	place, err := q.reserve(c.Key)
	if err != nil {
		return Outcome{}, err
	}
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.live -= place
		if err == nil && out.Status == Acquired {
			q.count(c.Key, c.Lease+c.Keep)
		}
	}()
	return q.store.Claim(ctx, c)
}

// Renew lets the key count from its new lease on.
func (q *Quota) Renew(ctx context.Context, c Claim) error {
	err := q.store.Renew(ctx, c)
	if err == nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.count(c.Key, c.Lease+c.Keep)
	}
	return err
}

// Complete lets the key count for Claim.Keep.
func (q *Quota) Complete(ctx context.Context, c Claim, answer []byte) error {
	err := q.store.Complete(ctx, c, answer)
	q.settled(c, err, err == nil)
	return err
}

// Release lets the key count for Claim.Keep, or until it is claimed again.
func (q *Quota) Release(ctx context.Context, c Claim) error {
	err := q.store.Release(ctx, c)
	q.settled(c, err, false)
	return err
}

// reserve takes a place for a key that is not among the open ones, so that
// claims at the same time do not share the last.
func (q *Quota) reserve(k Key) (place int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.prune()
	if _, known := q.open[k]; known {
		return 0, nil
	}
	if q.live >= q.maxKeys {
		return 0, fmt.Errorf("replay: the quota of %d keys: %w", q.maxKeys, ErrFull)
	}
	q.live++
	return 1, nil
}

// settled counts what was written, or may have been, where the error is none that
// says that nothing was.
func (q *Quota) settled(c Claim, err error, done bool) {
	if errors.Is(err, ErrLostLease) || c.Check() != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count(c.Key, c.Keep)
	if done {
		delete(q.open, c.Key) // counts on by its tick alone
	}
}

// count lets a key count for d from now, and no longer for what it did before.
func (q *Quota) count(k Key, d time.Duration) {
	if end, known := q.open[k]; known {
		q.ends[end]--
		q.live--
	}
	// Unsigned numbers have room even for a lease and a keep of centuries.
	end := (uint64(time.Since(q.start)) + uint64(d) + uint64(quotaTick) - 1) / uint64(quotaTick)
	q.open[k] = end
	q.ends[end]++
	q.live++
}

// prune forgets what has ended, once a tick.
func (q *Quota) prune() {
	now := uint64(time.Since(q.start) / quotaTick)
	if now == q.pruned {
		return
	}
	q.pruned = now
	for end, n := range q.ends {
		if end <= now {
			q.live -= n
			delete(q.ends, end)
		}
	}
	maps.DeleteFunc(q.open, func(_ Key, end uint64) bool { return end <= now })
}
