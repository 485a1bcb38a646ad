package replay_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

func TestK24Maximum(t *testing.T) {
	const most = memoryMost
	var clock memoryClock
	before := memoryHeap()
	m := replay.NewMemory(replay.MemoryConfig{MaxKeys: most, Now: clock.Now})
	for n := range most {
		memoryDone(t, m, memoryClaim(n))
	}
	if m.Len() != most {
		t.Fatalf("Len: %d, want %d", m.Len(), most)
	}
	memoryFull(t, m, memoryClaim(most))
	if heap, bound := memoryHeap()-before, int64(40*most+10<<20); heap > bound {
		t.Errorf("the heap grew by %d bytes, want at most %d", heap, bound)
	}
	for n := range most {
		if n%1000 == 0 {
			memoryWant(t, m, memoryClaim(n), replay.Duplicate)
		}
	}

	clock.Advance(10*time.Minute + 15*time.Minute/16)
	for n := range most {
		memoryWant(t, m, memoryClaim(most+n), replay.Acquired)
	}
	memoryFull(t, m, memoryClaim(0))
	runtime.KeepAlive(m)
}

// TestK24EveryState counts to a small maximum in every state of a key.
func TestK24EveryState(t *testing.T) {
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{MaxKeys: 3, Now: clock.Now})
	ctx := t.Context()
	held, done, released := memoryClaim(1), memoryClaim(2), memoryClaim(3)
	memoryWant(t, m, held, replay.Acquired)
	memoryDone(t, m, done)
	memoryWant(t, m, released, replay.Acquired)
	if err := m.Release(ctx, released); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		memoryFull(t, m, memoryClaim(10+n))
	}

	// Those that are in can be worked on.
	memoryWant(t, m, memoryClaim(1), replay.InFlight)
	memoryWant(t, m, memoryClaim(2), replay.Duplicate)
	released.Owner = replay.NewOwner()
	memoryWant(t, m, released, replay.Acquired)
	for _, c := range []replay.Claim{held, released} {
		if err := m.Renew(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := m.Complete(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	memoryFull(t, m, memoryClaim(4))

	if err := m.Forget(ctx, memoryKey(2)); err != nil {
		t.Fatal(err)
	}
	memoryWant(t, m, memoryClaim(4), replay.Acquired)
	memoryFull(t, m, memoryClaim(2))
	if m.Len() != 3 {
		t.Errorf("Len: %d, want 3", m.Len())
	}
}

// TestK24ExpiredMakesRoom fills a store with keys that are in other shards than
// the ones that come after them, and expects room as soon as one expires.
func TestK24ExpiredMakesRoom(t *testing.T) {
	const generation = 15 * time.Minute / 16
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{MaxKeys: 10, Now: clock.Now})
	for n := range 10 {
		c := memoryClaim(n)
		c.Keep = time.Duration(n+1) * time.Minute
		memoryDone(t, m, c)
	}
	for n := range 10 {
		expires := time.Duration(n+1) * time.Minute
		clock.nanos.Store(int64(expires - time.Nanosecond))
		memoryFull(t, m, memoryClaim(100+n))
		// From here the key may go at any instant, and no other one.
		c := memoryClaim(100 + n)
		c.Keep = 15 * time.Minute
		for part := time.Duration(1); ; part++ {
			clock.nanos.Store(int64(expires + generation*part/16))
			out, err := m.Claim(t.Context(), c)
			if out.Status == replay.Acquired {
				break
			}
			if !errors.Is(err, replay.ErrFull) || part == 16 {
				t.Fatalf("Claim %d sixteenths of a generation after a key expired: %v, %v", part, out.Status, err)
			}
		}
		if err := m.Complete(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		memoryFull(t, m, memoryClaim(200+n))
	}
}

// TestK24LapsedMakesRoom: owners that vanish do not fill the store for ever.
func TestK24LapsedMakesRoom(t *testing.T) {
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{MaxKeys: 2, Now: clock.Now})
	first, second := memoryClaim(1), memoryClaim(2)
	first.Keep, second.Keep = time.Minute, 2*time.Minute
	memoryWant(t, m, first, replay.Acquired)
	memoryWant(t, m, second, replay.Acquired)

	clock.Advance(first.Lease + time.Minute)
	memoryFull(t, m, memoryClaim(3))
	clock.Advance(15 * time.Minute / 16)
	third := memoryClaim(3)
	memoryWant(t, m, third, replay.Acquired)
	if err := m.Complete(t.Context(), first, nil); !errors.Is(err, replay.ErrFull) {
		t.Errorf("Complete of a claim forgotten by a store that is full: %v, want ErrFull", err)
	}

	// Its work was done all the same.
	if err := m.Forget(t.Context(), third.Key); err != nil {
		t.Fatal(err)
	}
	if err := m.Complete(t.Context(), first, nil); err != nil {
		t.Errorf("Complete of a claim that was forgotten: %v", err)
	}
	memoryWant(t, m, memoryClaim(1), replay.Duplicate)
	second.Owner = replay.NewOwner()
	if out := memoryWant(t, m, second, replay.Acquired); out.Attempt != 2 {
		t.Errorf("a lapsed claim within Keep: attempt %d is next, want 2", out.Attempt)
	}
}

func TestK24ManyGoroutines(t *testing.T) {
	const most, goroutines = 10_000, 8
	m := replay.NewMemory(replay.MemoryConfig{MaxKeys: most})
	var acquired, full atomic.Int64
	start := make(chan struct{})
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			<-start
			for n := range most {
				out, err := m.Claim(t.Context(), memoryClaim(g*most+n))
				switch {
				case errors.Is(err, replay.ErrFull):
					full.Add(1)
				case err == nil && out.Status == replay.Acquired:
					acquired.Add(1)
				default:
					t.Errorf("Claim: %v, %v", out.Status, err)
				}
			}
		})
	}
	close(start)
	all.Wait()
	if acquired.Load() != most || full.Load() != (goroutines-1)*most {
		t.Errorf("%d acquired and %d refused, want %d and %d", acquired.Load(), full.Load(), most, (goroutines-1)*most)
	}
}
