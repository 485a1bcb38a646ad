package replay_test

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/webhookauth/webhookauth/replay"
)

// stepWall gives t as it would be had somebody set the wall clock d ahead: with
// another wall time and the same monotonic reading. Package time has no way to
// say it, so this reaches into the seconds of a Time with a monotonic reading,
// and the test checks that it got what it wanted.
func stepWall(t time.Time, d time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(int64(d/time.Second) << 30)
	return t
}

func TestK28WallClockStepped(t *testing.T) {
	base := time.Now()
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			if after := stepWall(base, step); after.Sub(base) != 0 || after.Round(0).Sub(base.Round(0)) != step {
				t.Fatal("stepWall does not do what it says in this version of Go")
			}
			var passed, stepped time.Duration
			m := replay.NewMemory(replay.MemoryConfig{Now: func() time.Time { return stepWall(base.Add(passed), stepped) }})
			done, held := memoryClaim(1), memoryClaim(2)
			memoryDone(t, m, done)
			memoryWant(t, m, held, replay.Acquired)

			stepped = step
			memoryWant(t, m, memoryClaim(1), replay.Duplicate)
			passed = held.Lease - time.Nanosecond
			if out := memoryWant(t, m, memoryClaim(2), replay.InFlight); out.RetryAfter != time.Nanosecond {
				t.Errorf("RetryAfter: %v, want 1ns", out.RetryAfter)
			}
			passed = held.Lease
			memoryWant(t, m, memoryClaim(2), replay.Acquired)

			stepped = 0
			passed = done.Keep - time.Nanosecond
			memoryWant(t, m, memoryClaim(1), replay.Duplicate)
			stepped = step
			memoryWant(t, m, memoryClaim(1), replay.Duplicate)
			passed = done.Keep + memoryGeneration
			memoryWant(t, m, memoryClaim(1), replay.Acquired)
		})
	}
}

// TestK28ClockGoesBack has a clock without monotonic readings, which is set back
// and then to where it would have been.
func TestK28ClockGoesBack(t *testing.T) {
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
	clock.Advance(20 * time.Minute)
	done, held := memoryClaim(1), memoryClaim(2)
	memoryDone(t, m, done)
	memoryWant(t, m, held, replay.Acquired)
	clock.Advance(9 * time.Minute)
	memoryWant(t, m, memoryClaim(1), replay.Duplicate)

	clock.Advance(-time.Hour)
	memoryWant(t, m, memoryClaim(1), replay.Duplicate)
	memoryDone(t, m, memoryClaim(3))
	clock.Advance(time.Hour)

	clock.Advance(time.Minute - time.Nanosecond)
	memoryWant(t, m, memoryClaim(1), replay.Duplicate)
	memoryWant(t, m, memoryClaim(3), replay.Duplicate)
	clock.Advance(memoryGeneration + time.Nanosecond)
	memoryWant(t, m, memoryClaim(1), replay.Acquired)
	// It was put in while time stood still.
	clock.Advance(8 * time.Minute)
	memoryWant(t, m, memoryClaim(3), replay.Duplicate)
	clock.Advance(time.Minute)
	memoryWant(t, m, memoryClaim(3), replay.Acquired)
}

// TestMemoryLeaseWithoutEnd: the longest lease there is does not overflow.
func TestMemoryLeaseWithoutEnd(t *testing.T) {
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
	clock.Advance(time.Hour)
	c := memoryClaim(1)
	c.Lease = 1<<63 - 1
	memoryWant(t, m, c, replay.Acquired)
	clock.Advance(100 * 365 * 24 * time.Hour)
	memoryWant(t, m, memoryClaim(1), replay.InFlight)
	if err := m.Renew(t.Context(), c); err != nil {
		t.Error(err)
	}
	if err := m.Release(t.Context(), memoryClaim(1)); !errors.Is(err, replay.ErrLostLease) {
		t.Errorf("Release by another: %v, want ErrLostLease", err)
	}
}
