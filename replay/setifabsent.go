package replay

import (
	"context"
	"errors"
	"time"
)

// SetIfAbsent makes a store of any client that can set a key unless it is there:
// memcached's add, a key-value service, a cache of your own. The function sets the
// key (32 hexadecimal digits) for at least ttl and tells whether it was absent,
// in one step. It must be safe for concurrent use. Where time is kept in whole
// seconds it rounds ttl up.
//
// Such a store does less than the others:
//
//   - What fails is lost. A key cannot be given back, so the retry of a delivery
//     whose handler failed, or whose process died, is refused as a Duplicate.
//   - A copy that comes while the first is still at work is a Duplicate as well,
//     never InFlight, so its sender stops although the first may fail.
//   - A reply that is lost is a delivery lost: a client that repeats the call by
//     itself finds its own key and reports it as there already, without an error
//     (redis/go-redis#2985). Switch such retries off.
//   - It keeps no answers and no fingerprints: no Conflict, nothing to repeat.
//
// Use it only where losing a delivery is better than running it twice, and
// otherwise one of the other stores. A nil SetIfAbsent refuses every claim.
type SetIfAbsent func(ctx context.Context, key string, ttl time.Duration) (bool, error)

// Claim sets the key for Claim.Keep: Acquired if it was absent, and otherwise a
// Duplicate. Claim.Lease is not used.
func (f SetIfAbsent) Claim(ctx context.Context, c Claim) (Outcome, error) {
	if err := c.Check(); err != nil {
		return Outcome{}, err
	}
	if f == nil {
		return Outcome{}, errors.New("replay: SetIfAbsent is nil")
	}
	absent, err := f(ctx, c.Key.String(), c.Keep)
	switch {
	case err != nil:
		return Outcome{}, err
	case absent:
		return Outcome{Status: Acquired, Attempt: 1}, nil
	}
	return Outcome{Status: Duplicate}, nil
}

// Renew does nothing: there is no lease to lose.
func (f SetIfAbsent) Renew(_ context.Context, c Claim) error { return c.Check() }

// Complete does nothing: the key is done since it was claimed, for Claim.Keep
// from then. The answer is not kept.
func (f SetIfAbsent) Complete(_ context.Context, c Claim, _ []byte) error { return c.Check() }

// Release fails, always: a key that is set cannot be given back.
func (f SetIfAbsent) Release(_ context.Context, c Claim) error {
	if err := c.Check(); err != nil {
		return err
	}
	return errNoRelease
}

var errNoRelease = errors.New("replay: SetIfAbsent cannot release: the work is not tried again")

// Limits says that the records are shared and that nothing is released.
func (f SetIfAbsent) Limits() Limits { return Limits{Shared: true, NoRelease: true} }
