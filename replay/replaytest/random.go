package replaytest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// contest is one key, some owners after it, and the model of it.
type contest struct {
	claims []replay.Claim
	model  record
	trace  []string
}

// randomSequences works on a few keys by chance and compares every result with
// the model.
func randomSequences(s *suite) {
	seed := s.h.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("Harness{Seed: %d} repeats this", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	steps := 20_000
	if s.h.Advance == nil && !s.h.Synctest {
		steps = 600
	}
	contests := make([]*contest, 3)
	for i := range contests {
		contests[i] = s.newContest(rng)
	}
	for range steps {
		if rng.IntN(5) == 0 {
			s.wait(s.randomWait(rng))
		}
		i := rng.IntN(len(contests))
		if !s.step(rng, contests[i]) || rng.IntN(100) == 0 {
			contests[i] = s.newContest(rng)
		}
	}
}

// newContest is about a new key, with leases from a tenth of the short one.
func (s *suite) newContest(rng *rand.Rand) *contest {
	c := &contest{model: record{h: s.h}}
	base := s.fresh()
	base.Keep = s.shortKeep
	for range 4 {
		claim := s.rival(base)
		claim.Lease = s.short/10 + upTo(rng, s.short)
		claim.Fingerprint = rng.Uint64N(3)
		c.claims = append(c.claims, claim)
	}
	return c
}

// randomWait is mostly a part of a lease, sometimes past what is kept.
func (s *suite) randomWait(rng *rand.Rand) time.Duration {
	switch n := rng.IntN(200); {
	case n == 0:
		return s.shortKeep + s.h.Slack + s.short
	case n <= 10:
		return upTo(rng, 2*s.short)
	}
	return upTo(rng, s.short/4)
}

// upTo is a number of whole milliseconds, at least one.
func upTo(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(1+rng.Int64N(d.Milliseconds())) * time.Millisecond
}

// step makes one call and compares. It is false if the call lay so near the end
// of a lease that nothing can be said, of it and the rest.
func (s *suite) step(rng *rand.Rand, c *contest) bool {
	who := rng.IntN(len(c.claims))
	if rng.IntN(2) == 0 && c.model.state != absent {
		// As often as not the one who has the key.
		for i := range c.claims {
			if c.claims[i].Owner == c.model.claim.Owner {
				who = i
			}
		}
	}
	claim, st := c.claims[who], s.a
	if who%2 == 1 {
		st = s.b
	}
	call := span{from: s.now()}
	var (
		op     string
		err    error
		out    replay.Outcome
		answer []byte
	)
	switch op = [...]string{"Claim", "Claim", "Renew", "Release", "Complete"}[rng.IntN(5)]; op {
	case "Claim":
		out, err = st.Claim(s.ctx, claim)
	case "Renew":
		err = st.Renew(s.ctx, claim)
	case "Release":
		err = st.Release(s.ctx, claim)
	case "Complete":
		if s.h.Answers > 0 && rng.IntN(2) == 0 {
			answer = fmt.Appendf(nil, "%d", rng.IntN(10))
		}
		err = st.Complete(s.ctx, claim, answer)
	}
	call.to = s.now()
	c.trace = append(c.trace, fmt.Sprintf("%v to %v: %s by %d (lease %v, fingerprint %d, answer %s): %v, %v",
		call.from, call.to, op, who, claim.Lease, claim.Fingerprint, show(answer), out, err))

	if !c.model.pass(call) {
		return false
	}
	var wrong error
	switch op {
	case "Claim":
		wrong = c.model.claimed(call, claim, out, err)
	case "Renew":
		wrong = c.model.renewed(call, claim, err)
	case "Release":
		wrong = c.model.released(call, claim, err)
	case "Complete":
		wrong = c.model.completed(call, claim, answer, err)
	}
	if wrong != nil {
		s.Fatalf("%s: %v; the last calls for this key:\n%s", op, wrong, strings.Join(c.trace[max(0, len(c.trace)-15):], "\n"))
	}
	return true
}
