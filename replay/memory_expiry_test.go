package replay_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

const (
	memoryRetention  = 15 * time.Minute
	memoryGeneration = memoryRetention / 16
)

func TestK25MemoryReturns(t *testing.T) {
	const keys, claims = 400_000, 20_000
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
	empty := memoryHeap()
	for n := range keys {
		c := memoryClaim(n)
		c.Fingerprint = 1
		memoryDone(t, m, c)
	}
	full := memoryHeap()
	if full-empty < 20*keys {
		t.Fatalf("%d keys take %d bytes: what is measured here?", keys, full-empty)
	}
	clock.Advance(10 * time.Minute)
	for n := range claims {
		clock.Advance(memoryGeneration / claims)
		memoryDone(t, m, memoryClaim(keys+n))
	}
	// What is left: the keys of this generation, and a shard here and there in
	// which no key fell since its turn.
	if left := m.Len() - claims; left > keys/10 {
		t.Errorf("%d of %d expired keys are left after a generation with traffic", left, keys)
	}
	if kept := memoryHeap() - empty; kept > (full-empty)/4 {
		t.Errorf("%d of %d bytes are in use after a generation", kept, full-empty)
	}
	runtime.KeepAlive(m)
}

// TestK25LittleTraffic: fewer claims than shards bring back two thirds of the memory.
func TestK25LittleTraffic(t *testing.T) {
	const keys, claims = 100_000, 400
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
	for n := range keys {
		memoryDone(t, m, memoryClaim(n))
	}
	clock.Advance(10*time.Minute + memoryGeneration)
	for n := range claims {
		memoryDone(t, m, memoryClaim(keys+n))
		clock.Advance(memoryGeneration / claims)
	}
	if left := m.Len() - claims; left > keys/3 {
		t.Errorf("%d of %d expired keys are left after %d claims, want at most a third", left, keys, claims)
	}
}

// TestK25AnswersReturn: the room of an answer comes back with its key.
func TestK25AnswersReturn(t *testing.T) {
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{MaxAnswerBytes: 100, Now: clock.Now})
	for round := range 3 {
		for n, want := range []string{"a", "", "refused"} {
			c := memoryClaim(n)
			memoryWant(t, m, c, replay.Acquired)
			answer := []byte(want)
			if n == 0 {
				answer = make([]byte, 36) // with what it costs beside, all there is
			}
			if err := m.Complete(t.Context(), c, answer); err != nil {
				t.Fatal(err)
			}
			out := memoryWant(t, m, memoryClaim(n), replay.Duplicate)
			if kept := out.Answer != nil; kept != (n == 0) {
				t.Errorf("round %d: answer %d kept: %v", round, n, kept)
			}
		}
		if round == 0 {
			for n := range 3 {
				if err := m.Forget(t.Context(), memoryKey(n)); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		clock.Advance(10*time.Minute + memoryGeneration)
		for n := range 3 {
			c := memoryClaim(n)
			memoryWant(t, m, c, replay.Acquired)
			if err := m.Forget(t.Context(), c.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestK27GenerationWrap compares a store with a map while hundreds of generations
// pass, at any pace: no live key is lost, and none comes back.
func TestK27GenerationWrap(t *testing.T) {
	type entry struct {
		expires  time.Duration
		attempts int // 0 if done
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var clock memoryClock
	m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
	model := make(map[int]entry)
	var live, dead, counted int
	for range 60_000 {
		switch random.IntN(1000) {
		case 0: // all shards idle for so long that tags come round
			clock.Advance(time.Duration(random.IntN(5)+253) * memoryGeneration)
		case 1:
			clock.Advance(time.Duration(random.IntN(40)) * memoryGeneration)
		default:
			clock.Advance(time.Duration(random.Int64N(int64(memoryGeneration / 50))))
		}
		now := time.Duration(clock.nanos.Load())
		n := random.IntN(4000)
		was, known := model[n]
		c := memoryClaim(n)
		c.Keep = time.Duration(1+random.Int64N(int64(memoryRetention/time.Millisecond))) * time.Millisecond
		out, err := m.Claim(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		mustLive, mustBeGone := known && now < was.expires, !known || now >= was.expires+memoryGeneration
		isLive := out.Status == replay.Duplicate
		if was.attempts > 0 && out.Status == replay.Acquired {
			isLive = out.Attempt == was.attempts+1
		}
		switch {
		case mustLive && !isLive:
			t.Fatalf("at %v: %v, attempt %d, for a key kept until %v with %d attempts", now, out.Status, out.Attempt, was.expires, was.attempts)
		case mustBeGone && (out.Status != replay.Acquired || out.Attempt != 1):
			t.Fatalf("at %v: %v, attempt %d, for a key kept until %v", now, out.Status, out.Attempt, was.expires)
		case mustLive && was.attempts > 0:
			counted++
		case mustLive:
			live++
		case known:
			dead++
		}
		if out.Status != replay.Acquired {
			continue
		}
		was = entry{expires: now + c.Keep}
		if random.IntN(4) == 0 {
			was.attempts = out.Attempt
			err = m.Release(t.Context(), c)
		} else {
			err = m.Complete(t.Context(), c, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		model[n] = was
	}
	if passed := time.Duration(clock.nanos.Load()) / memoryGeneration; passed < 3*255 || live < 1000 || counted < 1000 || dead < 1000 {
		t.Errorf("%d generations, %d live, %d released and %d expired keys: too little was tried", passed, live, counted, dead)
	}
}

// TestK27IdleShard asks again for keys that nobody touched for about as long as it
// takes the tags to come round, in steps that hit every remainder.
func TestK27IdleShard(t *testing.T) {
	for _, idle := range []int{17, 18, 19, 237, 238, 253, 254, 255, 256, 257, 272, 510, 511, 100_000} {
		var clock memoryClock
		m := replay.NewMemory(replay.MemoryConfig{Now: clock.Now})
		for n := range 3000 {
			c := memoryClaim(n)
			c.Keep = time.Duration(n%16+1) * memoryGeneration
			memoryDone(t, m, c)
		}
		clock.Advance(time.Duration(idle) * memoryGeneration)
		for n := range 3000 {
			memoryWant(t, m, memoryClaim(n), replay.Acquired)
		}
		if m.Len() != 3000 {
			t.Errorf("%d generations idle: Len is %d, want 3000", idle, m.Len())
		}
	}
}
