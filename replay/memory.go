package replay

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"
)

const (
	// maxAttempts is where counting stops.
	maxAttempts = math.MaxUint8

	defaultMaxKeys        = 4_000_000
	defaultRetention      = 15 * time.Minute
	defaultMaxAnswerBytes = 64 << 20
)

// MemoryConfig configures a Memory. Its zero value is usable.
type MemoryConfig struct {
	// MaxKeys is the most keys, in work, done and released together, that are
	// kept at a time; 0 means 4 million. Beyond it new keys are refused with
	// ErrFull, and no key is forgotten before its time. A key takes about 25
	// bytes, and 31 with a fingerprint; memory is taken as keys come in and given
	// back as they expire.
	MaxKeys int
	// Retention is the longest Claim.Keep that is taken, from a second to a year;
	// 0 means 15 minutes. A key is kept for up to a sixteenth of Retention longer
	// than asked, never shorter.
	Retention time.Duration
	// MaxAnswerBytes is the most bytes that all kept answers take together, each
	// with 64 bytes more than its length; 0 means 64 MiB. An answer for which
	// there is no room is not kept; Complete succeeds.
	MaxAnswerBytes int64
	// Now is the clock; nil means time.Now. Only differences count, so a wall
	// clock that is set has no effect if the times have monotonic readings, as
	// those of time.Now have. Time that goes back is taken to stand still. It
	// must be safe for concurrent use.
	Now func() time.Time
}

// Memory is a Store within this process: for one instance of a program, and for
// tests. Everything is forgotten when the process ends. It runs no goroutine and
// needs no closing. Make one with NewMemory; it must not be copied. Safe for
// concurrent use.
//
// It forgets who has completed a key: to Complete a key that is done fails with
// ErrLostLease, even for the same owner. It counts attempts to 255, those whose
// lease lapsed too. A claim whose lease lapsed, and which nobody took over, is
// forgotten after Claim.Keep.
type Memory struct {
	err        error
	maxKeys    int64
	maxAnswers int64
	retention  time.Duration
	// generation is the time between two sweeps of a shard, and step that between
	// the sweep of one shard and that of the one before it.
	generation, step time.Duration
	elapsed          func() time.Duration // since NewMemory
	seed             maphash.Seed         // keeps secret which keys collide
	keys             atomic.Int64
	answerBytes      atomic.Int64
	fullSince        atomic.Int64 // the step in which makeRoom found nothing
	shards           []shard
}

// NewMemory makes an empty store. What is wrong with the configuration is told by
// Err, and by every call.
func NewMemory(cfg MemoryConfig) *Memory {
	if err := cfg.check(); err != nil {
		return &Memory{err: err}
	}
	m := &Memory{
		maxKeys:    int64(orDefault(cfg.MaxKeys, defaultMaxKeys)),
		maxAnswers: orDefault(cfg.MaxAnswerBytes, defaultMaxAnswerBytes),
		retention:  orDefault(cfg.Retention, defaultRetention),
		seed:       maphash.MakeSeed(),
		shards:     make([]shard, shardCount),
	}
	m.step = m.retention / (generations * shardCount)
	m.generation = m.step * shardCount
	m.elapsed = sinceNow(cfg.Now)
	return m
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func (cfg MemoryConfig) check() error {
	const year = 365 * 24 * time.Hour
	switch {
	case cfg.MaxKeys < 0:
		return errors.New("replay: MemoryConfig.MaxKeys is negative")
	case cfg.Retention != 0 && (cfg.Retention < time.Second || cfg.Retention > year):
		return fmt.Errorf("replay: MemoryConfig.Retention %v is not between a second and a year", cfg.Retention)
	case cfg.MaxAnswerBytes < 0:
		return errors.New("replay: MemoryConfig.MaxAnswerBytes is negative")
	}
	return nil
}

// Err reports what makes the store unusable: its configuration, or that it was not
// made by NewMemory.
func (m *Memory) Err() error {
	if m == nil || m.err == nil && m.shards == nil {
		return errors.New("replay: Memory was not made by NewMemory")
	}
	return m.err
}

// Limits implements Limited.
func (m *Memory) Limits() Limits {
	if m.Err() != nil {
		return Limits{}
	}
	return Limits{Retention: m.retention}
}

// Len is the number of keys that count towards MemoryConfig.MaxKeys: up to a
// sixteenth of the retention after a key expired, and longer while nothing is
// asked of the store, it is still among them.
func (m *Memory) Len() int {
	if m.Err() != nil {
		return 0
	}
	return int(m.keys.Load())
}

// Claim implements Store. The same owner's claim to a key whose lease lapsed, and
// which nobody took over, begins a new lease and is no new attempt.
func (m *Memory) Claim(ctx context.Context, c Claim) (Outcome, error) {
	if err := m.check(ctx, c); err != nil {
		return Outcome{}, err
	}
	hash, now := m.hash(c.Key), m.elapsed()
	out, err := m.claim(hash, now, c)
	for err == ErrFull && m.makeRoom(hash, now) {
		out, err = m.claim(hash, now, c)
	}
	return out, err
}

func (m *Memory) claim(hash uint64, now time.Duration, c Claim) (Outcome, error) {
	s := m.enter(hash, now)
	defer s.mu.Unlock()
	var attempts uint8
	if h, ok := s.held[c.Key]; ok {
		switch {
		case s.now < h.lease && h.owner == c.Owner:
			return Outcome{Status: Acquired, Attempt: int(h.attempts)}, nil
		case s.now < h.lease:
			return Outcome{Status: InFlight, RetryAfter: h.lease - s.now}, nil
		case h.owner == c.Owner:
			attempts = h.attempts - 1
		default:
			attempts = h.attempts
		}
	} else if i := s.table.find(hash, c.Key); i >= 0 {
		if attempts = s.table.slots[i].attempts; attempts == 0 {
			return s.done(i, c), nil
		}
		s.table.remove(m.seed, i)
	} else if !take(&m.keys, 1, m.maxKeys) {
		return Outcome{}, ErrFull
	}
	attempts = min(attempts, maxAttempts-1) + 1
	if s.held == nil {
		s.held = make(map[Key]held)
	}
	s.held[c.Key] = held{owner: c.Owner, lease: s.in(c.Lease), keep: c.Keep, attempts: attempts}
	return Outcome{Status: Acquired, Attempt: int(attempts)}, nil
}

// Renew implements Store. A lease that has lapsed is lost, even if nobody took
// over.
func (m *Memory) Renew(ctx context.Context, c Claim) error {
	if err := m.check(ctx, c); err != nil {
		return err
	}
	s := m.enter(m.hash(c.Key), m.elapsed())
	defer s.mu.Unlock()
	h, ok := s.held[c.Key]
	if !ok || h.owner != c.Owner || s.now >= h.lease {
		return ErrLostLease
	}
	h.lease = s.in(c.Lease)
	s.held[c.Key] = h
	return nil
}

// Complete implements Store. A copy of the answer is kept. It fails with ErrFull
// only if the claim is so long past its lease that it was forgotten, and the store
// has filled up since.
func (m *Memory) Complete(ctx context.Context, c Claim, answer []byte) error {
	if err := m.check(ctx, c); err != nil {
		return err
	}
	hash := m.hash(c.Key)
	s := m.enter(hash, m.elapsed())
	defer s.mu.Unlock()
	if h, ok := s.held[c.Key]; ok {
		if h.owner != c.Owner {
			return ErrLostLease
		}
		delete(s.held, c.Key)
	} else if i := s.table.find(hash, c.Key); i >= 0 {
		if s.table.slots[i].attempts == 0 {
			return ErrLostLease
		}
		s.table.remove(m.seed, i) // released, and nobody has it
	} else if !take(&m.keys, 1, m.maxKeys) {
		return ErrFull
	}
	s.table.add(m.seed, hash, slot{key: c.Key, tag: m.tag(hash, s, c.Keep)}, markOf(c.Fingerprint))
	m.keepAnswer(s, c.Key, answer)
	return nil
}

// Release implements Store. A lease that has lapsed is lost, and counted, even if
// nobody took over.
func (m *Memory) Release(ctx context.Context, c Claim) error {
	if err := m.check(ctx, c); err != nil {
		return err
	}
	hash := m.hash(c.Key)
	s := m.enter(hash, m.elapsed())
	defer s.mu.Unlock()
	h, ok := s.held[c.Key]
	if !ok || h.owner != c.Owner || s.now >= h.lease {
		return ErrLostLease
	}
	delete(s.held, c.Key)
	s.table.add(m.seed, hash, slot{key: c.Key, tag: m.tag(hash, s, c.Keep), attempts: h.attempts}, mark{})
	return nil
}

// Forget makes a key as if it had never been claimed, whatever its state, so that
// an operator can let a delivery in again. Who holds the key has lost its lease,
// but can still complete it.
func (m *Memory) Forget(ctx context.Context, k Key) error {
	if err := m.Err(); err != nil {
		return err
	}
	if k == (Key{}) {
		return errors.New("replay: Forget: the key is zero")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	hash := m.hash(k)
	s := m.enter(hash, m.elapsed())
	defer s.mu.Unlock()
	if _, ok := s.held[k]; ok {
		delete(s.held, k)
	} else if i := s.table.find(hash, k); i >= 0 {
		s.table.remove(m.seed, i)
		m.dropAnswer(s, k)
	} else {
		return nil
	}
	m.keys.Add(-1)
	return nil
}

func (m *Memory) check(ctx context.Context, c Claim) error {
	if err := m.Err(); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	if c.Keep > m.retention {
		return fmt.Errorf("replay: Claim.Keep %v is over MemoryConfig.Retention %v", c.Keep, m.retention)
	}
	return ctx.Err()
}

func (m *Memory) hash(k Key) uint64 { return maphash.Bytes(m.seed, k[:]) }
