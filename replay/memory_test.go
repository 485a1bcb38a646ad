package replay_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

var (
	_ replay.Store   = (*replay.Memory)(nil)
	_ replay.Limited = (*replay.Memory)(nil)
)

func TestMemoryConfig(t *testing.T) {
	for _, test := range []struct {
		name string
		m    *replay.Memory
		want string // in every error; "" if usable
	}{
		{"zero", replay.NewMemory(replay.MemoryConfig{}), ""},
		{"smallest", replay.NewMemory(replay.MemoryConfig{MaxKeys: 1, Retention: time.Second, MaxAnswerBytes: 1}), ""},
		{"longest", replay.NewMemory(replay.MemoryConfig{Retention: 365 * 24 * time.Hour}), ""},
		{"negative keys", replay.NewMemory(replay.MemoryConfig{MaxKeys: -1}), "MemoryConfig.MaxKeys"},
		{"negative retention", replay.NewMemory(replay.MemoryConfig{Retention: -time.Hour}), "MemoryConfig.Retention"},
		{"short retention", replay.NewMemory(replay.MemoryConfig{Retention: time.Second - 1}), "MemoryConfig.Retention"},
		{"long retention", replay.NewMemory(replay.MemoryConfig{Retention: 366 * 24 * time.Hour}), "MemoryConfig.Retention"},
		{"negative answers", replay.NewMemory(replay.MemoryConfig{MaxAnswerBytes: -1}), "MemoryConfig.MaxAnswerBytes"},
		{"no NewMemory", new(replay.Memory), "NewMemory"},
		{"nil", nil, "NewMemory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, c := t.Context(), memoryClaim(1)
			c.Keep = time.Second
			out, err := test.m.Claim(ctx, c)
			for i, err := range []error{test.m.Err(), err, test.m.Renew(ctx, c), test.m.Complete(ctx, c, nil), test.m.Forget(ctx, c.Key)} {
				switch {
				case test.want == "" && err != nil:
					t.Errorf("call %d: %v", i, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("call %d: the error is %v, want one with %q", i, err, test.want)
				}
			}
			if acquired := out.Status == replay.Acquired; acquired != (test.want == "") {
				t.Errorf("Claim: %v", out.Status)
			}
			if err := test.m.Release(ctx, c); err == nil || test.want != "" && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Release: the error is %v, want one with %q", err, test.want)
			}
			if has := test.m.Limits().Retention > 0; has != (test.want == "") {
				t.Errorf("Limits: %+v", test.m.Limits())
			}
			if test.m.Len() != 0 {
				t.Errorf("Len: %d, want 0", test.m.Len())
			}
		})
	}
}

func TestMemoryRetention(t *testing.T) {
	m := replay.NewMemory(replay.MemoryConfig{})
	if got := m.Limits(); got != (replay.Limits{Retention: memoryRetention}) {
		t.Errorf("Limits: %+v", got)
	}
	c := memoryClaim(1)
	c.Keep = memoryRetention
	memoryWant(t, m, c, replay.Acquired)
	c.Keep += time.Millisecond
	out, err := m.Claim(t.Context(), c)
	if out.Status != 0 {
		t.Errorf("Claim: %v", out.Status)
	}
	for i, err := range []error{err, m.Renew(t.Context(), c), m.Complete(t.Context(), c, nil), m.Release(t.Context(), c)} {
		if err == nil || !strings.Contains(err.Error(), "Claim.Keep") || errors.Is(err, replay.ErrLostLease) {
			t.Errorf("call %d with too long a Keep: %v", i, err)
		}
	}
	memoryWant(t, m, memoryClaim(1), replay.InFlight)
}

func TestMemoryForget(t *testing.T) {
	m := replay.NewMemory(replay.MemoryConfig{})
	ctx := t.Context()
	for _, test := range []struct {
		name    string
		prepare func(replay.Claim) error
	}{
		{"absent", func(replay.Claim) error { return nil }},
		{"held", func(c replay.Claim) error { _, err := m.Claim(ctx, c); return err }},
		{"done", func(c replay.Claim) error {
			_, err := m.Claim(ctx, c)
			return errors.Join(err, m.Complete(ctx, c, []byte("answer")))
		}},
		{"released", func(c replay.Claim) error {
			_, err := m.Claim(ctx, c)
			return errors.Join(err, m.Release(ctx, c))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := memoryClaim(1)
			if err := test.prepare(c); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := m.Forget(ctx, c.Key); err != nil || m.Len() != 0 {
					t.Fatalf("Forget: %v, Len: %d", err, m.Len())
				}
			}
			for i, err := range []error{m.Renew(ctx, c), m.Release(ctx, c)} {
				if !errors.Is(err, replay.ErrLostLease) {
					t.Errorf("call %d by the owner before: %v, want ErrLostLease", i, err)
				}
			}
			again := memoryClaim(1)
			if out := memoryWant(t, m, again, replay.Acquired); out.Attempt != 1 {
				t.Errorf("attempt %d, want 1", out.Attempt)
			}
			if err := m.Complete(ctx, again, nil); err != nil {
				t.Fatal(err)
			}
			if out := memoryWant(t, m, memoryClaim(1), replay.Duplicate); out.Answer != nil {
				t.Errorf("the answer is %q, which was forgotten", out.Answer)
			}
			if err := m.Forget(ctx, again.Key); err != nil {
				t.Fatal(err)
			}
		})
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := m.Forget(cancelled, memoryKey(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Forget: %v, want context.Canceled", err)
	}
	if err := m.Forget(ctx, replay.Key{}); err == nil {
		t.Error("Forget took a zero key")
	}
}

// TestMemoryAttempts counts past the end, by releases and by lapsed leases.
func TestMemoryAttempts(t *testing.T) {
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
	for n := range 600 {
		c := memoryClaim(1)
		if out := memoryWant(t, m, c, replay.Acquired); out.Attempt != min(n+1, 255) {
			t.Fatalf("attempt %d, want %d", out.Attempt, min(n+1, 255))
		}
		if n%3 == 0 {
			clock.Advance(c.Lease)
			if out := memoryWant(t, m, c, replay.Acquired); out.Attempt != min(n+1, 255) {
				t.Fatalf("the same owner after a lapse: attempt %d, want %d", out.Attempt, min(n+1, 255))
			}
			memoryWant(t, m, memoryClaim(1), replay.InFlight) // its lease began anew
			clock.Advance(c.Lease)
		} else if err := m.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if m.Len() != 1 {
		t.Errorf("Len: %d, want 1", m.Len())
	}
}

// TestK01MemoryOneOfMany lets 64 goroutines run through the same keys.
func TestK01MemoryOneOfMany(t *testing.T) {
	const goroutines, keys = 64, 20_000
	m := replay.NewMemory(replay.MemoryConfig{})
	acquired := make([]atomic.Int32, keys)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			owner := replay.NewOwner()
			for i := range keys {
				n := (i + g*keys/goroutines/8) % keys
				c := memoryClaim(n)
				c.Owner, c.Fingerprint = owner, uint64(n)
				out, err := m.Claim(t.Context(), c)
				switch {
				case err != nil:
					t.Errorf("Claim: %v", err)
				case out.Status != replay.Acquired:
				case acquired[n].Add(1) > 1:
					t.Errorf("key %d was acquired twice", n)
				case n%4 > 0:
					if err := m.Complete(t.Context(), c, []byte("answer")[:n%7]); err != nil {
						t.Errorf("Complete: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	for n := range acquired {
		if acquired[n].Load() != 1 {
			t.Errorf("key %d was acquired %d times, want once", n, acquired[n].Load())
		}
	}
	if m.Len() != keys {
		t.Errorf("Len: %d, want %d", m.Len(), keys)
	}
}

// TestMemoryAllocations: a new key costs a fraction of an allocation, that of the
// growing tables, and a duplicate none.
func TestMemoryAllocations(t *testing.T) {
	m := replay.NewMemory(replay.MemoryConfig{})
	ctx, c := context.Background(), memoryClaim(0)
	next := 0
	pairs := func(n int) {
		for range n {
			c.Key = memoryKey(next)
			next++
			out, err := m.Claim(ctx, c)
			if err == nil {
				err = m.Complete(ctx, c, nil)
			}
			if err != nil || out.Status != replay.Acquired {
				t.Fatal(out.Status, err)
			}
		}
	}
	pairs(50_000)
	if allocs := testing.AllocsPerRun(20, func() { pairs(1000) }); allocs > 250 {
		t.Errorf("%v allocations for 1000 new keys, want at most 250", allocs)
	}
	if allocs := testing.AllocsPerRun(1000, func() {
		if out, err := m.Claim(ctx, c); err != nil || out.Status != replay.Duplicate {
			t.Fatal(out.Status, err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations for a duplicate, want 0", allocs)
	}
}

// TestMemoryIdle: a store in which nothing happens is small.
func TestMemoryIdle(t *testing.T) {
	before := memoryHeap()
	m := replay.NewMemory(replay.MemoryConfig{})
	memoryDone(t, m, memoryClaim(1))
	if heap := memoryHeap() - before; heap > 150<<10 {
		t.Errorf("a store with one key takes %d bytes, want at most 150 KiB", heap)
	}
	runtime.KeepAlive(m)
}
