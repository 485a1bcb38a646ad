package replay

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTable compares a table with a map while keys come, go and expire.
func TestTable(t *testing.T) {
	type entry struct {
		slot slot
		mark mark
	}
	for _, keys := range []int{1, 3, 8, 20, 300, 5000} {
		seed, random := maphash.MakeSeed(), rand.New(rand.NewPCG(uint64(keys), 1))
		var tab table
		model := make(map[Key]entry)
		for op := range 20_000 {
			k := Key{15: 1}
			binary.LittleEndian.PutUint32(k[:], uint32(random.IntN(keys)))
			hash := maphash.Bytes(seed, k[:])
			i := tab.find(hash, k)
			want, known := model[k]
			if known != (i >= 0) || known && (tab.slots[i] != want.slot || tab.mark(i) != want.mark) {
				t.Fatalf("%d keys, operation %d: find gives %d, known: %v", keys, op, i, known)
			}
			switch {
			case random.IntN(2*keys+10) == 0: // each so often, most or some expire
				var dead [256]bool
				for tag := 1; tag < 256; tag++ {
					dead[tag] = random.IntN(4) > op/5000
				}
				gone := make(map[Key]bool)
				tab.sweep(seed, &dead, func(k Key) { gone[k] = true })
				if tab.used == 0 && tab.slots != nil || len(tab.slots) > max(64, 4*tab.used) {
					t.Fatalf("%d keys, operation %d: %d slots for %d keys after a sweep", keys, op, len(tab.slots), tab.used)
				}
				for k, e := range model {
					if dead[e.slot.tag] != gone[k] {
						t.Fatalf("%d keys, operation %d: dead: %v, swept: %v", keys, op, dead[e.slot.tag], gone[k])
					}
					if dead[e.slot.tag] {
						delete(model, k)
					}
				}
			case !known:
				e := entry{slot{k, uint8(1 + random.IntN(255)), uint8(random.IntN(256))}, mark{}}
				if op > 1000 {
					e.mark = markOf(random.Uint64N(1 << fingerprintBits))
				}
				tab.add(seed, hash, e.slot, e.mark)
				model[k] = e
			case random.IntN(3) == 0:
				tab.remove(seed, i)
				delete(model, k)
			}
			if tab.used != len(model) || tab.used > fullest(len(tab.slots)) || tab.marks != nil && len(tab.marks) != len(tab.slots) {
				t.Fatalf("%d keys, operation %d: %d used of %d slots with %d marks, want %d used", keys, op, tab.used, len(tab.slots), len(tab.marks), len(model))
			}
			for k, e := range model {
				if op%500 != 0 {
					break
				}
				if i := tab.find(maphash.Bytes(seed, k[:]), k); i < 0 || tab.slots[i] != e.slot {
					t.Fatalf("%d keys, operation %d: a key is lost", keys, op)
				}
			}
		}
	}
}

func TestMark(t *testing.T) {
	seen := make(map[mark]bool)
	for bit := range fingerprintBits {
		seen[markOf(1<<bit)] = true
	}
	if len(seen) != fingerprintBits || seen[mark{}] {
		t.Errorf("%d bits give %d marks, none of which may be zero: %v", fingerprintBits, len(seen), seen[mark{}])
	}
}

// TestTagsDiffer: all generations in which a key can expire, and the one it is put
// in, have tags of their own, none of which is that of an empty slot.
func TestTagsDiffer(t *testing.T) {
	for _, retention := range []time.Duration{time.Second, time.Second + 12345, 15 * time.Minute, 365*24*time.Hour - 1} {
		m := NewMemory(MemoryConfig{Retention: retention})
		for _, i := range []uint64{0, 1, 511, shardCount - 1} {
			for now := time.Duration(0); now < 2*m.generation; now += m.generation/7 + 1 {
				first := m.count(i, now)
				last := m.count(i, now+retention+m.generation-1)
				if last-first > furthest {
					t.Errorf("retention %v, shard %d at %v: a key can expire %d generations ahead", retention, i, now, last-first)
				}
				seen := map[uint8]bool{0: true}
				for g := first; g <= last; g++ {
					seen[tagOf(g)] = true
				}
				if len(seen) != int(last-first)+2 {
					t.Errorf("retention %v, shard %d at %v: two generations have the same tag", retention, i, now)
				}
			}
		}
	}
}

// TestShardTime: a call that read the clock before another one, and gets the lock
// after it, does not turn back the time.
func TestShardTime(t *testing.T) {
	m := NewMemory(MemoryConfig{})
	for _, now := range []time.Duration{time.Hour, time.Hour - time.Second} {
		s := m.enter(7, now)
		if s.now != time.Hour {
			t.Errorf("at %v: %v", now, s.now)
		}
		s.mu.Unlock()
	}
}

// TestTake lets goroutines fight for the last places.
func TestTake(t *testing.T) {
	const most, goroutines = 2_000_000, 4
	var counter, taken atomic.Int64
	start := make(chan struct{})
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			<-start
			own := int64(0)
			for take(&counter, 1, most) {
				own++
			}
			taken.Add(own)
		})
	}
	close(start)
	all.Wait()
	if taken.Load() != most || counter.Load() != most {
		t.Errorf("%d places were taken and %d counted, want %d", taken.Load(), counter.Load(), most)
	}
}

// load puts keys into a store, and gives the number of keys in the fullest shard
// and of slots that are looked at to find all keys.
func load(t *testing.T, keys []Key) (fullest, probes int) {
	m := NewMemory(MemoryConfig{})
	owner := NewOwner()
	for _, k := range keys {
		c := Claim{Key: k, Owner: owner, Lease: time.Minute, Keep: time.Minute}
		if out, err := m.Claim(t.Context(), c); err != nil || out.Status != Acquired {
			t.Fatal(out.Status, err)
		}
		if err := m.Complete(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range m.shards {
		tab := &m.shards[i].table
		fullest = max(fullest, tab.used)
		for at, s := range tab.slots {
			if s.tag == 0 {
				continue
			}
			pushed := at - tab.home(m.hash(s.key))
			if pushed < 0 {
				pushed += len(tab.slots)
			}
			probes += 1 + pushed
		}
	}
	return fullest, probes
}

func TestK26AdversarialKeys(t *testing.T) {
	const n = 50_000
	other := NewMemory(MemoryConfig{})
	random := rand.New(rand.NewPCG(3, 4))
	keys := func(key func(i uint64) Key) []Key {
		all := make([]Key, n)
		for i := range all {
			all[i] = key(uint64(i) + 1)
		}
		return all
	}
	fill := func() (k Key) {
		binary.LittleEndian.PutUint64(k[:], random.Uint64())
		binary.LittleEndian.PutUint64(k[8:], random.Uint64())
		return k
	}
	normalFullest, normalProbes := load(t, keys(func(uint64) Key { return fill() }))
	for _, test := range []struct {
		name string
		key  func(i uint64) Key
	}{
		{"low 40 bits the same", func(i uint64) (k Key) { k = fill(); clear(k[:5]); return k }},
		{"high 40 bits the same", func(i uint64) (k Key) { k = fill(); clear(k[11:]); return k }},
		{"low half the same", func(i uint64) (k Key) { k = fill(); clear(k[:8]); return k }},
		{"high half the same", func(i uint64) (k Key) { k = fill(); clear(k[8:]); return k }},
		{"counted in the low bytes", func(i uint64) (k Key) { binary.LittleEndian.PutUint64(k[:], i); return k }},
		{"counted in the high bytes", func(i uint64) (k Key) { binary.BigEndian.PutUint64(k[8:], i); return k }},
		{"halves the same", func(i uint64) (k Key) { k = fill(); copy(k[8:], k[:8]); return k }},
		{"colliding in another store", func(i uint64) (k Key) {
			for k = fill(); other.hash(k)%64 != 0; k = fill() {
			}
			return k
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fullest, probes := load(t, keys(test.key))
			if fullest > 2*normalFullest || probes > 2*normalProbes {
				t.Errorf("%d keys in the fullest shard, %d probes; random keys: %d, %d", fullest, probes, normalFullest, normalProbes)
			}
		})
	}
}
