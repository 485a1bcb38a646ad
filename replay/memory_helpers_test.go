package replay_test

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// memoryClock is a clock without monotonic readings that a test moves.
type memoryClock struct{ nanos atomic.Int64 }

func (c *memoryClock) Now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *memoryClock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// memoryKey is the nth key of a test.
func memoryKey(n int) (k replay.Key) {
	binary.LittleEndian.PutUint64(k[8:], uint64(n)+1)
	return k
}

// memoryOwners is how many owners there were. They are counted, not drawn, for
// the sake of speed.
var memoryOwners atomic.Uint64

// memoryClaim is a claim to the nth key, by an owner that claims no other time.
func memoryClaim(n int) replay.Claim {
	c := replay.Claim{Key: memoryKey(n), Lease: 30 * time.Second, Keep: 10 * time.Minute}
	binary.LittleEndian.PutUint64(c.Owner[8:], memoryOwners.Add(1))
	return c
}

// memoryWant claims and checks the status.
func memoryWant(t testing.TB, m *replay.Memory, c replay.Claim, want replay.Status) replay.Outcome {
	t.Helper()
	out, err := m.Claim(t.Context(), c)
	if err != nil || out.Status != want {
		t.Fatalf("Claim: %v, %v; want %v", out.Status, err, want)
	}
	return out
}

// memoryDone brings a key that is absent to done.
func memoryDone(t testing.TB, m *replay.Memory, c replay.Claim) {
	t.Helper()
	memoryWant(t, m, c, replay.Acquired)
	if err := m.Complete(t.Context(), c, nil); err != nil {
		t.Fatalf("Complete: %v", err)
	}
}

// memoryFull claims and expects ErrFull.
func memoryFull(t testing.TB, m *replay.Memory, c replay.Claim) {
	t.Helper()
	if out, err := m.Claim(t.Context(), c); !errors.Is(err, replay.ErrFull) || out.Status != 0 {
		t.Fatalf("Claim: %v, %v; want ErrFull", out.Status, err)
	}
}

// memoryHeap is the live heap in bytes.
func memoryHeap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
