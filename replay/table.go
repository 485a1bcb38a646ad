package replay

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// table is the keys of one shard that are done or were released: open addressing
// with linear probing, and no slot that is neither empty nor of a key. Its zero
// value is empty. It holds no pointers, so that the collector never looks inside.
type table struct {
	slots []slot
	marks []mark // beside slots, of those not empty; nil until there is one to keep
	used  int
}

// slot is one key. Its alignment is 1, so it takes 18 bytes.
type slot struct {
	key Key
	// tag says when the key expires, and 0 that the slot is empty; see tagOf.
	tag uint8
	// attempts is 0 for a key that is done, and the count for one released.
	attempts uint8
}

// mark is a fingerprint in as many bytes as it has; zero is none.
type mark [fingerprintBits / 8]byte

func markOf(fingerprint uint64) (m mark) {
	for i := range m {
		m[i] = byte(fingerprint >> (8 * i))
	}
	return m
}

// fullest is how many keys a table of n slots takes before it grows.
func fullest(n int) int { return n * 7 / 8 }

// home is the slot at which the search for a hash begins. It follows from the
// upper bits; the lower ones have chosen the shard.
func (t *table) home(hash uint64) int {
	i, _ := bits.Mul64(hash, uint64(len(t.slots)))
	return int(i)
}

func (t *table) after(i int) int {
	if i++; i < len(t.slots) {
		return i
	}
	return 0
}

// find gives the slot of a key, or -1.
func (t *table) find(hash uint64, k Key) int {
	if t.used == 0 {
		return -1
	}
	for i := t.home(hash); ; i = t.after(i) {
		switch s := &t.slots[i]; {
		case s.tag == 0:
			return -1
		case s.key == k:
			return i
		}
	}
}

// add puts in a key that is not there.
func (t *table) add(seed maphash.Seed, hash uint64, s slot, m mark) {
	if n := len(t.slots); t.used >= fullest(n) {
		// By an eighth to three eighths, as the hash wills: shards that hold
		// equally many keys do not all grow at once.
		t.resize(seed, n+max(8, n/8+n*int(hash>>32&0xff)/1024))
	}
	if m != (mark{}) && t.marks == nil {
		t.marks = make([]mark, len(t.slots))
	}
	t.place(hash, &s, m)
	t.used++
}

func (t *table) place(hash uint64, s *slot, m mark) {
	i := t.home(hash)
	for t.slots[i].tag != 0 {
		i = t.after(i)
	}
	t.slots[i] = *s
	if t.marks != nil {
		t.marks[i] = m
	}
}

// resize moves the keys into at least n slots, which must be more than there are
// keys, for a search ends at an empty one; and into as many as the allocator gives
// for the same money.
func (t *table) resize(seed maphash.Seed, n int) {
	old := *t
	t.slots = slices.Grow([]slot(nil), n)
	t.slots = t.slots[:cap(t.slots)]
	if old.marks != nil {
		t.marks = make([]mark, len(t.slots))
	}
	for i := range old.slots {
		if s := &old.slots[i]; s.tag != 0 {
			t.place(maphash.Bytes(seed, s.key[:]), s, old.mark(i))
		}
	}
}

func (t *table) mark(i int) mark {
	if t.marks == nil {
		return mark{}
	}
	return t.marks[i]
}

// remove empties a slot and closes the gap: whatever was pushed past it moves
// back, so that no search ends too early.
func (t *table) remove(seed maphash.Seed, gap int) {
	n := len(t.slots)
	for i := t.after(gap); t.slots[i].tag != 0; i = t.after(i) {
		pushed := i - t.home(maphash.Bytes(seed, t.slots[i].key[:]))
		if pushed < 0 {
			pushed += n
		}
		distance := i - gap
		if distance < 0 {
			distance += n
		}
		if pushed < distance {
			continue // its search begins after the gap
		}
		t.slots[gap] = t.slots[i]
		if t.marks != nil {
			t.marks[gap] = t.marks[i]
		}
		gap = i
	}
	t.slots[gap] = slot{}
	t.used--
}

// sweep removes the keys whose tag is dead, and tells of each if gone is not nil.
// A table that is mostly empty afterwards gets smaller.
func (t *table) sweep(seed maphash.Seed, dead *[256]bool, gone func(Key)) {
	if t.used == 0 {
		*t = table{}
		return
	}
	empty := 0
	for t.slots[empty].tag != 0 {
		empty++
	}
	// Backwards from an empty slot: what moves into a gap has been looked at.
	for n := len(t.slots) - 1; n > 0; n-- {
		i := empty + n
		if i >= len(t.slots) {
			i -= len(t.slots)
		}
		if !dead[t.slots[i].tag] {
			continue
		}
		if gone != nil {
			gone(t.slots[i].key)
		}
		t.remove(seed, i)
	}
	switch {
	case t.used == 0:
		*t = table{}
	case t.used < len(t.slots)*2/5 && len(t.slots) > 64:
		t.resize(seed, t.used*4/3+8)
	}
}
