package replay

import (
	"bytes"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shardCount is how many parts, each under its own lock, a Memory has. With
	// ten million keys a part holds ten thousand, which are swept in well under
	// a millisecond.
	shardCount = 1024
	// generations is into how many parts the retention is divided.
	generations = 16
	// furthest is how many generations ahead a key can expire: one more for
	// rounding up, and one for the nanoseconds by which a generation is less than
	// a sixteenth of the retention.
	furthest = generations + 2
	// tags is how many generations have tags of their own, at least furthest.
	tags = 255
	// sweptAlong is how many more shards a call sweeps, at most, when it finds
	// its own due and those after it too: with little traffic, memory comes back
	// all the same.
	sweptAlong = 3
	// answerOverhead is what an answer costs beside its own bytes.
	answerOverhead = 64
)

// shard is a part of the keys. A key is held or in the table, never both.
type shard struct {
	mu         sync.Mutex
	now        time.Duration // the latest time seen
	due        time.Duration // when the generation ends
	generation int64         // all of table expires 1 to furthest after it
	table      table
	held       map[Key]held
	answers    map[Key][]byte // of keys that are done; nil if none
}

// held is a key at which somebody works.
type held struct {
	owner    Owner
	lease    time.Duration // when it lapses
	keep     time.Duration // for how long to remember it then
	attempts uint8
}

// enter locks a key's shard and brings it to the present. The caller unlocks it.
func (m *Memory) enter(hash uint64, now time.Duration) *shard {
	i := hash % shardCount
	s := &m.shards[i]
	s.mu.Lock()
	if m.advance(s, i, now) {
		s.mu.Unlock()
		// The shards after this one were due before it.
		for n := uint64(1); n <= sweptAlong; n++ {
			if !m.visit(i+n, now) {
				break
			}
		}
		s.mu.Lock()
	}
	return s
}

// visit brings a shard to the present and tells whether its generation had ended.
func (m *Memory) visit(i uint64, now time.Duration) bool {
	i %= shardCount
	s := &m.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.advance(s, i, now)
}

// makeRoom sweeps shards that are due until there is room for a key. Each step one
// shard is due, so once it has found nothing it need not look again in that step.
func (m *Memory) makeRoom(hash uint64, now time.Duration) bool {
	step := int64(now/m.step) + 1
	if m.fullSince.Load() == step {
		return false
	}
	for n := range uint64(shardCount) {
		m.visit(hash+n, now)
		if m.keys.Load() < m.maxKeys {
			return true
		}
	}
	m.fullSince.Store(step)
	return false
}

// count is the generation of shard i at a time: shards begin theirs one step after
// another, so that they are not swept at the same moment.
func (m *Memory) count(i uint64, at time.Duration) int64 {
	return int64((at + time.Duration(i)*m.step) / m.generation)
}

func tagOf(generation int64) uint8 { return uint8(generation%tags) + 1 }

// tag is the first generation, as a tag, in which a key may be forgotten that is to
// be kept from now on.
func (m *Memory) tag(hash uint64, s *shard, keep time.Duration) uint8 {
	return tagOf(m.count(hash%shardCount, s.now+keep+m.generation-1))
}

// advance brings shard i, which is locked, to the present. It tells whether the
// generation had ended; then all that has expired is gone.
func (m *Memory) advance(s *shard, i uint64, now time.Duration) bool {
	s.now = max(s.now, now)
	if s.now < s.due {
		return false
	}
	before, was := s.generation, s.table.used+len(s.held)
	s.generation = m.count(i, s.now)
	s.due = time.Duration(s.generation+1)*m.generation - time.Duration(i)*m.step
	// Only what is this far behind is dead. Tags come round again, but everything
	// that has one is at most furthest ahead of the generation before.
	var dead [256]bool
	for g := before + 1; g <= min(s.generation, before+furthest); g++ {
		dead[tagOf(g)] = true
	}
	var gone func(Key)
	if s.answers != nil {
		gone = func(k Key) { m.dropAnswer(s, k) }
	}
	s.table.sweep(m.seed, &dead, gone)
	for k, h := range s.held {
		if s.now-h.lease > h.keep {
			delete(s.held, k)
		}
	}
	if len(s.held) == 0 {
		s.held = nil // a map never shrinks
	}
	m.keys.Add(int64(s.table.used + len(s.held) - was))
	return true
}

// sinceNow is the time that has passed since, and never goes back.
func sinceNow(clock func() time.Time) func() time.Duration {
	if clock == nil {
		start := time.Now()
		return func() time.Duration { return time.Since(start) }
	}
	start, latest := clock(), new(atomic.Int64)
	return func() time.Duration {
		now := int64(clock().Sub(start))
		for {
			was := latest.Load()
			if now <= was {
				return time.Duration(was)
			}
			if latest.CompareAndSwap(was, now) {
				return time.Duration(now)
			}
		}
	}
}

// take adds n to a counter unless that makes it greater than most.
func take(counter *atomic.Int64, n, most int64) bool {
	for {
		was := counter.Load()
		if n > most-was {
			return false
		}
		if counter.CompareAndSwap(was, was+n) {
			return true
		}
	}
}

// done is the outcome of a claim to the key in slot i, which is done.
func (s *shard) done(i int, c Claim) Outcome {
	kept, given := s.table.mark(i), markOf(c.Fingerprint)
	if kept != given && kept != (mark{}) && given != (mark{}) {
		return Outcome{Status: Conflict}
	}
	return Outcome{Status: Duplicate, Answer: bytes.Clone(s.answers[c.Key])}
}

// in is the time d from now, and the end of time if there is none.
func (s *shard) in(d time.Duration) time.Duration {
	return s.now + min(d, math.MaxInt64-s.now)
}

func (m *Memory) keepAnswer(s *shard, k Key, answer []byte) {
	if answer == nil || !take(&m.answerBytes, int64(len(answer))+answerOverhead, m.maxAnswers) {
		return
	}
	if s.answers == nil {
		s.answers = make(map[Key][]byte)
	}
	s.answers[k] = bytes.Clone(answer)
}

func (m *Memory) dropAnswer(s *shard, k Key) {
	answer, ok := s.answers[k]
	if !ok {
		return
	}
	m.answerBytes.Add(-int64(len(answer)) - answerOverhead)
	if delete(s.answers, k); len(s.answers) == 0 {
		s.answers = nil
	}
}
