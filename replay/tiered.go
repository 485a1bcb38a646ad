package replay

import (
	"context"
	"errors"
)

// Tiered puts a store of this process in front of a shared one. A copy of what
// this process has, or had, in hand is answered without asking the shared store,
// and is remembered even if the shared store lost it or could not be told that
// the work is done. Both fields are required; the zero Tiered refuses every claim.
type Tiered struct {
	// Local is usually a Memory, with at least the Retention that is asked of
	// Shared.
	Local Store
	// Shared is what all processes share.
	Shared Store
	// InsecureFailOpen grants a claim by Local alone if Shared fails, and marks
	// the outcome as Degraded: for the time of an outage a captured request runs
	// once in every process, and copies of a delivery that another process runs
	// are let in. Without it such claims fail. A full store is not a failure.
	InsecureFailOpen bool
}

var errTiers = errors.New("replay: Tiered.Local or Tiered.Shared is nil")

// Err tells what is wrong with the configuration.
func (t Tiered) Err() error {
	if t.Local == nil || t.Shared == nil {
		return errTiers
	}
	return nil
}

// Limits implements Limited: the stricter of both.
func (t Tiered) Limits() Limits {
	local, limits := LimitsOf(t.Local), LimitsOf(t.Shared)
	if limits.Retention == 0 || local.Retention > 0 && local.Retention < limits.Retention {
		limits.Retention = local.Retention
	}
	limits.NoRelease = limits.NoRelease || local.NoRelease
	return limits
}

// Claim implements Store.
func (t Tiered) Claim(ctx context.Context, c Claim) (Outcome, error) {
	if err := t.Err(); err != nil {
		return Outcome{}, err
	}
	local, err := t.Local.Claim(ctx, c)
	if err != nil || local.Status != Acquired {
		return local, err
	}
	shared, err := t.Shared.Claim(ctx, c)
	switch {
	case err != nil && t.InsecureFailOpen && !errors.Is(err, ErrFull):
		local.Degraded = true
		return local, nil
	case err != nil || shared.Status != Acquired:
		// It is another's, or nobody's: this process has nothing to remember.
		return shared, errors.Join(err, t.Local.Release(context.WithoutCancel(ctx), c))
	}
	return shared, nil
}

// Renew implements Store. A claim that the shared store does not know of, because
// it was granted while it failed, is made there as soon as it answers.
func (t Tiered) Renew(ctx context.Context, c Claim) error {
	if err := t.Err(); err != nil {
		return err
	}
	if err := t.Local.Renew(ctx, c); err != nil {
		return err
	}
	err := t.Shared.Renew(ctx, c)
	if !t.InsecureFailOpen {
		return err
	}
	if !errors.Is(err, ErrLostLease) {
		return nil // renewed, or an outage for which Local stands in
	}
	out, err := t.Shared.Claim(ctx, c)
	if err == nil && out.Status != Acquired {
		return ErrLostLease
	}
	return nil
}

// Complete implements Store. Local is told even if Shared fails, so that this
// process at least knows; but where another has the key, so that it may still
// fail, Local forgets it.
func (t Tiered) Complete(ctx context.Context, c Claim, answer []byte) error {
	if err := t.Err(); err != nil {
		return err
	}
	err := t.Shared.Complete(ctx, c, answer)
	if errors.Is(err, ErrLostLease) {
		_ = t.Local.Release(ctx, c) // lost here too, or given back
		return err
	}
	return errors.Join(err, t.Local.Complete(ctx, c, answer))
}

// Release implements Store.
func (t Tiered) Release(ctx context.Context, c Claim) error {
	if err := t.Err(); err != nil {
		return err
	}
	return errors.Join(t.Shared.Release(ctx, c), t.Local.Release(ctx, c))
}
