package replay_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/replaytest"
)

func TestTieredConformance(t *testing.T) {
	for name, open := range map[string]bool{"closed": false, "open": true} {
		t.Run(name, func(t *testing.T) {
			replaytest.Run(t, replaytest.Harness{
				New: func(*testing.T) replay.Store {
					return replay.Tiered{Local: replay.NewMemory(replay.MemoryConfig{}), Shared: replay.NewMemory(replay.MemoryConfig{}), InsecureFailOpen: open}
				},
				Synctest:     true,
				Keys:         200,
				Answers:      1 << 10,
				CountsLapsed: true,
				Slack:        time.Minute,
			})
		})
	}
}

// outage is a store that can be down.
type outage struct {
	replay.Store
	err error
}

func (o *outage) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	if o.err != nil {
		return replay.Outcome{}, o.err
	}
	return o.Store.Claim(ctx, c)
}

func (o *outage) Renew(ctx context.Context, c replay.Claim) error {
	if o.err != nil {
		return o.err
	}
	return o.Store.Renew(ctx, c)
}

func (o *outage) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	if o.err != nil {
		return o.err
	}
	return o.Store.Complete(ctx, c, answer)
}

func (o *outage) Release(ctx context.Context, c replay.Claim) error {
	if o.err != nil {
		return o.err
	}
	return o.Store.Release(ctx, c)
}

var errDown = errors.New("down")

func tierClaim(id string) replay.Claim {
	return replay.Claim{Key: replay.NewKey("tiers", id), Owner: replay.NewOwner(), Lease: time.Minute, Keep: 10 * time.Minute}
}

// status expects a claim's outcome.
func status(t *testing.T, s replay.Store, c replay.Claim, want replay.Status, degraded bool) {
	t.Helper()
	out, err := s.Claim(t.Context(), c)
	if err != nil || out.Status != want || out.Degraded != degraded {
		t.Fatalf("%+v, %v; want %v, degraded %v", out, err, want, degraded)
	}
}

// TestK13TieredOutage: closed, an outage refuses; open, each process grants a
// message once; after it the shared store is asked again.
func TestK13TieredOutage(t *testing.T) {
	ctx := t.Context()
	shared := &outage{Store: replay.NewMemory(replay.MemoryConfig{})}
	node := func(open bool) replay.Tiered {
		return replay.Tiered{Local: replay.NewMemory(replay.MemoryConfig{}), Shared: shared, InsecureFailOpen: open}
	}
	closed, first, second := node(false), node(true), node(true)
	c := tierClaim("one")
	shared.err = errDown
	if out, err := closed.Claim(ctx, c); !errors.Is(err, errDown) || out.Status == replay.Acquired {
		t.Fatalf("%+v, %v", out, err)
	}
	status(t, first, c, replay.Acquired, true)
	status(t, first, tierClaim("one"), replay.InFlight, false)
	if err := first.Renew(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := first.Complete(ctx, c, nil); !errors.Is(err, errDown) {
		t.Fatalf("the shared store was not told, and Complete says %v", err)
	}
	status(t, first, tierClaim("one"), replay.Duplicate, false)
	status(t, second, tierClaim("one"), replay.Acquired, true) // once in every process
	shared.err = replay.ErrFull
	if out, err := first.Claim(ctx, tierClaim("another")); !errors.Is(err, replay.ErrFull) {
		t.Fatalf("a full store is no outage: %+v, %v", out, err)
	}
	shared.err = nil
	status(t, first, tierClaim("one"), replay.Duplicate, false) // it remembers though the shared store does not know
	status(t, closed, c, replay.Acquired, false)                // what failed holds nothing
}

// TestTieredRecovery: a claim that was granted in an outage is made in the
// shared store by the next renewal.
func TestTieredRecovery(t *testing.T) {
	shared := &outage{Store: replay.NewMemory(replay.MemoryConfig{}), err: errDown}
	first := replay.Tiered{Local: replay.NewMemory(replay.MemoryConfig{}), Shared: shared, InsecureFailOpen: true}
	mine, theirs := tierClaim("mine"), tierClaim("theirs")
	status(t, first, mine, replay.Acquired, true)
	status(t, first, theirs, replay.Acquired, true)
	shared.err = nil
	other := tierClaim("theirs")
	status(t, shared, other, replay.Acquired, false)
	if err := first.Renew(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	status(t, shared, tierClaim("mine"), replay.InFlight, false)
	if err := first.Renew(t.Context(), theirs); !errors.Is(err, replay.ErrLostLease) {
		t.Fatalf("another process runs it, and Renew says %v", err)
	}
	if err := first.Complete(t.Context(), mine, []byte("answer")); err != nil {
		t.Fatal(err)
	}
	out, err := shared.Claim(t.Context(), tierClaim("mine"))
	if err != nil || out.Status != replay.Duplicate || string(out.Answer) != "answer" {
		t.Fatalf("%+v, %v", out, err)
	}
}

// TestTieredTakenOver: a process that was suspended for longer than its lease
// finds the message taken over, and forgets it: the other may still fail.
func TestTieredTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := replay.NewMemory(replay.MemoryConfig{})
		node := func() replay.Tiered {
			return replay.Tiered{Local: replay.NewMemory(replay.MemoryConfig{}), Shared: shared}
		}
		first, second := node(), node()
		slow, quick := tierClaim("one"), tierClaim("one")
		status(t, first, slow, replay.Acquired, false)
		status(t, second, tierClaim("one"), replay.InFlight, false)
		time.Sleep(slow.Lease)
		status(t, second, quick, replay.Acquired, false)
		if err := first.Renew(t.Context(), slow); !errors.Is(err, replay.ErrLostLease) {
			t.Fatalf("Renew: %v", err)
		}
		if err := first.Complete(t.Context(), slow, nil); !errors.Is(err, replay.ErrLostLease) {
			t.Fatalf("Complete: %v", err)
		}
		status(t, first, tierClaim("one"), replay.InFlight, false)
		if err := second.Release(t.Context(), quick); err != nil {
			t.Fatal(err)
		}
		again := tierClaim("one")
		status(t, first, again, replay.Acquired, false)
		if err := first.Complete(t.Context(), again, nil); err != nil {
			t.Fatal(err)
		}
		status(t, second, tierClaim("one"), replay.Duplicate, false)
	})
}

func TestTieredConfiguration(t *testing.T) {
	memory := replay.NewMemory(replay.MemoryConfig{Retention: 20 * time.Minute})
	for name, tiered := range map[string]replay.Tiered{"zero": {}, "no shared store": {Local: memory}, "no local store": {Shared: memory}} {
		c := tierClaim("one")
		_, claim := tiered.Claim(t.Context(), c)
		for _, err := range []error{tiered.Err(), claim, tiered.Renew(t.Context(), c), tiered.Complete(t.Context(), c, nil), tiered.Release(t.Context(), c)} {
			if err == nil {
				t.Errorf("%s: a Tiered without a store works", name)
			}
		}
	}
	never := replay.SetIfAbsent(func(context.Context, string, time.Duration) (bool, error) { return false, nil })
	longer := replay.NewMemory(replay.MemoryConfig{Retention: time.Hour})
	for _, tt := range []struct {
		local, shared replay.Store
		want          replay.Limits
	}{
		{memory, longer, replay.Limits{Retention: 20 * time.Minute}},
		{longer, memory, replay.Limits{Retention: 20 * time.Minute}},
		{memory, never, replay.Limits{Retention: 20 * time.Minute, Shared: true, NoRelease: true}},
	} {
		if got := (replay.Tiered{Local: tt.local, Shared: tt.shared}).Limits(); got != tt.want {
			t.Errorf("limits %+v, want %+v", got, tt.want)
		}
	}
}
