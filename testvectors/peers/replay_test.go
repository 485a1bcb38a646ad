package peers_test

import (
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/jellydator/ttlcache/v3"
	"github.com/maypok86/otter/v2"

	"github.com/webhookauth/webhookauth/replay"
)

// keep is for how long every cache keeps a key.
const keep = 5 * time.Minute

// cache is a library in the part of a replay cache: claim tells whether the key
// is fresh, and remembers it. The caches of others do no more than that; the kit
// claims and completes, with a lease between.
type cache struct {
	name string
	// open makes one with room for n keys; what it returns is closed by end.
	open func(t testing.TB, n int) (claim func(replay.Key) bool, end func())
	// atomic: of several callers at once exactly one is told that a key is fresh.
	atomic bool
}

func caches() []cache {
	return []cache{
		{"kit", func(t testing.TB, n int) (func(replay.Key) bool, func()) {
			store := replay.NewMemory(replay.MemoryConfig{MaxKeys: n})
			ctx := t.Context()
			return func(k replay.Key) bool {
				c := replay.Claim{Key: k, Owner: replay.Owner{1}, Lease: time.Minute, Keep: keep}
				binary.LittleEndian.PutUint64(c.Owner[8:], owners.Add(1))
				out, err := store.Claim(ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				if out.Status != replay.Acquired {
					return false
				}
				if err := store.Complete(ctx, c, nil); err != nil {
					t.Fatal(err)
				}
				return true
			}, func() { runtime.KeepAlive(store) }
		}, true},
		{"otter", func(t testing.TB, _ int) (func(replay.Key) bool, func()) {
			c := otter.Must(&otter.Options[replay.Key, struct{}]{ExpiryCalculator: otter.ExpiryWriting[replay.Key, struct{}](keep)})
			return func(k replay.Key) bool { _, fresh := c.SetIfAbsent(k, struct{}{}); return fresh }, c.InvalidateAll
		}, true},
		{"golang-lru expirable", func(t testing.TB, _ int) (func(replay.Key) bool, func()) {
			c := expirable.NewLRU[replay.Key, struct{}](0, nil, keep)
			return func(k replay.Key) bool {
				if _, seen := c.Get(k); seen {
					return false
				}
				c.Add(k, struct{}{})
				return true
			}, c.Purge
		}, false},
		{"ttlcache", func(t testing.TB, _ int) (func(replay.Key) bool, func()) {
			c := ttlcache.New(ttlcache.WithTTL[replay.Key, struct{}](keep), ttlcache.WithDisableTouchOnHit[replay.Key, struct{}]())
			return func(k replay.Key) bool { _, seen := c.GetOrSet(k, struct{}{}); return !seen }, c.DeleteAll
		}, true},
		{"ristretto", func(t testing.TB, n int) (func(replay.Key) bool, func()) {
			c, err := ristretto.NewCache(&ristretto.Config[string, struct{}]{NumCounters: 10 * int64(n), MaxCost: 10 * int64(n), BufferItems: 64, IgnoreInternalCost: true})
			if err != nil {
				t.Fatal(err)
			}
			return func(k replay.Key) bool {
				if _, seen := c.Get(string(k[:])); seen {
					return false
				}
				c.SetWithTTL(string(k[:]), struct{}{}, 1, keep)
				return true
			}, c.Close
		}, false},
	}
}

var owners atomic.Uint64

func numbered(n uint64) (k replay.Key) {
	// As spread as a digest, and cheap: splitmix64.
	for i := range 2 {
		n += 0x9e3779b97f4a7c15
		z := n
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(k[8*i:], z^z>>31)
	}
	return k
}

// TestReplayClaims: what the libraries promise holds, and where one cannot, a
// replay gets through: that is why the kit has a store of its own.
func TestReplayClaims(t *testing.T) {
	const keys, callers = 20_000, 4
	for _, c := range caches() {
		t.Run(c.name, func(t *testing.T) {
			claim, end := c.open(t, 2*keys)
			defer end()
			if !claim(numbered(1 << 40)) {
				t.Fatal("a fresh key is not fresh")
			}
			var won atomic.Int64
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := range uint64(keys) {
						if claim(numbered(i)) {
							won.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if c.atomic && won.Load() != keys {
				t.Errorf("%d keys were won %d times", keys, won.Load())
			}
			t.Logf("%d keys claimed by %d callers each: won %d times", keys, callers, won.Load())
		})
	}
}

// BenchmarkReplay: a million live keys in each. fresh-ns and copy-ns are for one
// claim, B/key what a key costs after a collection, gc-ms the time of one
// collection with all keys live on this otherwise idle process.
func BenchmarkReplay(b *testing.B) {
	const keys = 1_000_000
	for _, c := range caches() {
		b.Run(c.name, func(b *testing.B) {
			var fresh, copies, collection time.Duration
			var bytes float64
			for b.Loop() {
				before := heap()
				claim, end := c.open(b, keys+keys/4)
				start := time.Now()
				for i := range uint64(keys) {
					claim(numbered(i))
				}
				fresh += time.Since(start)
				start = time.Now()
				again := 0
				for i := range uint64(keys) {
					if claim(numbered(i)) {
						again++
					}
				}
				copies += time.Since(start)
				if again > 0 {
					b.ReportMetric(float64(again), "replays-accepted")
				}
				bytes += float64(heap()-before) / keys
				start = time.Now()
				runtime.GC()
				collection += time.Since(start)
				end()
			}
			n := float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(fresh.Nanoseconds())/n/keys, "fresh-ns")
			b.ReportMetric(float64(copies.Nanoseconds())/n/keys, "copy-ns")
			b.ReportMetric(bytes/n, "B/key")
			b.ReportMetric(collection.Seconds()*1000/n, "gc-ms")
		})
	}
}

// heap is what is reachable now, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
