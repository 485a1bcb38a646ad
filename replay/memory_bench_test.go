package replay_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// BenchmarkMemory compares a Memory with the least that could do the job, in turns
// within one run, for the times of a shared machine vary. One operation is a whole
// store that is filled and asked; what counts are the metrics. Ten million keys
// take about half a minute and 2 GB; -short leaves them out.
func BenchmarkMemory(b *testing.B) {
	for _, millions := range []int{1, 10} {
		b.Run(fmt.Sprintf("keys=%dM", millions), func(b *testing.B) {
			if testing.Short() && millions > 1 {
				b.Skip("takes long")
			}
			keys := randomKeys(millions * 1_000_000)
			b.Run("floor", func(b *testing.B) { benchmarkFloor(b, keys) })
			b.Run("goroutines=1", func(b *testing.B) { benchmarkMemory(b, keys, 1, 0) })
			b.Run("goroutines=1,fingerprints", func(b *testing.B) { benchmarkMemory(b, keys, 1, 1) })
			b.Run("goroutines=2", func(b *testing.B) { benchmarkMemory(b, keys, 2, 0) })
			b.Run("expiry", func(b *testing.B) { benchmarkExpiry(b, keys) })
		})
	}
}

// floor is a bare open-addressing table of digests: no lock, no states, no expiry,
// no growth.
//
// Each look-up begins when the one before has ended, as it is with requests. Left
// alone, a processor has several cache misses of such a short loop under way at
// once, which it cannot where there is a lock; the benchmark floor tells both.
type floor struct {
	seed maphash.Seed
	keys []replay.Key
	link byte // always 0, but the processor must look up to know
	free bool // not to wait for the look-up before
}

func newFloor(keys int) *floor {
	return &floor{seed: maphash.MakeSeed(), keys: make([]replay.Key, keys*4/3)}
}

// add tells whether the key was new.
func (f *floor) add(k replay.Key) bool {
	if !f.free {
		k[15] ^= f.link
	}
	i, _ := bits.Mul64(maphash.Bytes(f.seed, k[:]), uint64(len(f.keys)))
	for f.keys[i] != (replay.Key{}) {
		if f.keys[i] == k {
			f.link = f.keys[i][15] ^ k[15]
			return false
		}
		if i++; i == uint64(len(f.keys)) {
			i = 0
		}
	}
	f.link = f.keys[i][15]
	f.keys[i] = k
	return true
}

func benchmarkFloor(b *testing.B, keys []replay.Key) {
	var took [2][2]time.Duration
	for b.Loop() {
		floors := []*floor{newFloor(len(keys)), newFloor(len(keys))}
		floors[1].free = true
		for pass := range 2 {
			for t := range turns {
				for i, f := range floors {
					start := time.Now()
					for _, k := range keys[t*len(keys)/turns : (t+1)*len(keys)/turns] {
						if f.add(k) != (pass == 0) {
							b.Fatal("the floor is broken")
						}
					}
					took[i][pass] += time.Since(start)
				}
			}
		}
	}
	total := float64(b.N * len(keys))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0][0])/total, "new-ns")
	b.ReportMetric(float64(took[0][1])/total, "seen-ns")
	b.ReportMetric(float64(took[1][0])/total, "new-overlapping-ns")
	b.ReportMetric(float64(took[1][1])/total, "seen-overlapping-ns")
}

func randomKeys(n int) []replay.Key {
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]replay.Key, n)
	for i := range keys {
		binary.LittleEndian.PutUint64(keys[i][:], random.Uint64())
		binary.LittleEndian.PutUint64(keys[i][8:], random.Uint64())
	}
	return keys
}

func claimOf(k replay.Key) replay.Claim {
	return replay.Claim{Key: k, Owner: replay.Owner{1}, Lease: time.Minute, Keep: 10 * time.Minute}
}

// turns is into how many parts a round is cut.
const turns = 64

func benchmarkMemory(b *testing.B, keys []replay.Key, goroutines int, fingerprint uint64) {
	var floorNew, floorSeen, storeNew, storeSeen time.Duration
	var heapBytes, collector float64
	for b.Loop() {
		m := replay.NewMemory(replay.MemoryConfig{MaxKeys: len(keys)})
		floors := make([]*floor, goroutines) // one for each, as they have no lock
		for g := range floors {
			floors[g] = newFloor(len(keys) / goroutines)
		}
		fresh := func(g int, keys []replay.Key, want bool) {
			for _, k := range keys {
				if floors[g].add(k) != want {
					b.Error("the floor is broken")
				}
			}
		}
		claim := func(_ int, keys []replay.Key, want bool) {
			ctx := context.Background()
			for _, k := range keys {
				c := claimOf(k)
				c.Fingerprint = fingerprint
				out, err := m.Claim(ctx, c)
				if err == nil && out.Status == replay.Acquired && want {
					err = m.Complete(ctx, c, nil)
				}
				if err != nil || (out.Status == replay.Acquired) != want {
					b.Error(out.Status, err)
				}
			}
		}
		for t := range turns {
			part := keys[t*len(keys)/turns : (t+1)*len(keys)/turns]
			floorNew += share(part, goroutines, fresh, true)
			storeNew += share(part, goroutines, claim, true)
		}
		for t := range turns {
			part := keys[t*len(keys)/turns : (t+1)*len(keys)/turns]
			floorSeen += share(part, goroutines, fresh, false)
			storeSeen += share(part, goroutines, claim, false)
		}
		clear(floors)
		full := heap()
		collector += collectorTime()
		runtime.KeepAlive(m)
		m = nil
		heapBytes += full - heap()
	}
	total := float64(b.N * len(keys))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(floorNew)/total, "floor-new-ns")
	b.ReportMetric(float64(storeNew)/total, "claim+complete-ns")
	b.ReportMetric(float64(storeNew)/float64(floorNew), "claim+complete/floor")
	b.ReportMetric(float64(floorSeen)/total, "floor-seen-ns")
	b.ReportMetric(float64(storeSeen)/total, "duplicate-ns")
	b.ReportMetric(float64(storeSeen)/float64(floorSeen), "duplicate/floor")
	b.ReportMetric(heapBytes/total, "B/key")
	b.ReportMetric(collector*1000/float64(b.N), "gc-cpu-ms")
}

// share lets each goroutine work on its part of the keys and gives the time until
// all are done.
func share(keys []replay.Key, goroutines int, work func(int, []replay.Key, bool), want bool) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() { work(g, keys[g*len(keys)/goroutines:(g+1)*len(keys)/goroutines], want) })
	}
	all.Wait()
	return time.Since(start)
}

func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// collectorTime is the processor time of one full collection, in seconds.
func collectorTime() float64 {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	before := sample[0].Value.Float64()
	runtime.GC()
	metrics.Read(sample)
	return sample[0].Value.Float64() - before
}

// benchmarkExpiry looks for the worst stall of one claim while all keys expire
// within one generation, beside that while nothing expires.
func benchmarkExpiry(b *testing.B, keys []replay.Key) {
	const claims = 1 << 16
	var worst, quiet, returned float64
	for b.Loop() {
		var clock atomic.Int64
		start := time.Now()
		m := replay.NewMemory(replay.MemoryConfig{MaxKeys: len(keys) + 2*claims,
			Now: func() time.Time { return start.Add(time.Duration(clock.Load())) }})
		ctx := context.Background()
		for _, k := range keys {
			c := claimOf(k)
			if _, err := m.Claim(ctx, c); err != nil {
				b.Fatal(err)
			}
			if err := m.Complete(ctx, c, nil); err != nil {
				b.Fatal(err)
			}
		}
		stall := func(step time.Duration) (worst float64) {
			for range claims {
				clock.Add(int64(step))
				c := claimOf(replay.Key(replay.NewOwner()))
				start := time.Now()
				if _, err := m.Claim(ctx, c); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(start).Seconds())
			}
			return worst
		}
		full := heap()
		quiet = max(quiet, stall(0))
		// All were put in at one instant, so they expire between Keep and a
		// sixteenth of the retention later.
		clock.Add(int64(10 * time.Minute))
		worst = max(worst, stall(15*time.Minute/16/claims))
		returned += full - heap()
		runtime.KeepAlive(m)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(worst*1e6, "worst-claim-us")
	b.ReportMetric(quiet*1e6, "worst-quiet-claim-us")
	b.ReportMetric(returned/1e6/float64(b.N), "MB-returned")
}
