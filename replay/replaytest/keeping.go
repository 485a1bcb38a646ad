package replaytest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// doneKept looks at both ends of the time for which a done key is kept.
func doneKept(s *suite) {
	s.inTime(func() bool {
		c := s.fresh()
		c.Keep = s.shortKeep
		s.acquire(s.a, c, 1)
		s.wait(c.Keep / 2) // Keep counts from Complete, not from the claim
		before := s.now()
		s.complete(s.a, c, []byte("answer"))
		after := s.now()
		for _, part := range []time.Duration{0, 1, 2, 3, 4} {
			s.waitUntil(before + (c.Keep-2*s.edge)*part/4)
			out := s.claim(s.b, s.rival(c))
			if s.now() >= before+c.Keep {
				return false
			}
			if out.Status != replay.Duplicate {
				s.Fatalf("Claim: %v, %v after Complete with Keep %v; want %v", out.Status, s.now()-before, c.Keep, replay.Duplicate)
			}
		}
		s.waitUntil(after + c.Keep + s.h.Slack + s.edge)
		s.acquire(s.b, s.rival(c), 1)
		return true
	})
}

// countKept does the same for the count of attempts.
func countKept(s *suite) {
	s.inTime(func() bool {
		c := s.fresh()
		c.Keep = s.shortKeep
		s.acquire(s.a, c, 1)
		before := s.now()
		s.release(s.a, c)
		s.waitUntil(before + c.Keep - 2*s.edge)
		c = s.rival(c)
		out := s.claim(s.a, c)
		if s.now() >= before+c.Keep {
			return false
		}
		if out.Attempt != 2 {
			s.Fatalf("Claim: attempt %d within Keep of a release, want 2", out.Attempt)
		}
		s.release(s.a, c)
		s.wait(c.Keep + s.h.Slack + s.edge)
		s.acquire(s.b, s.rival(c), 1)
		return true
	})
}

func answers(s *suite) {
	large := make([]byte, s.h.Answers)
	rand.Read(large) // never fails (crypto/rand)
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	for _, answer := range [][]byte{
		nil,
		{},
		{0},
		[]byte("0"),
		[]byte("12345678901234567"), // not to be taken for a fingerprint
		[]byte(`{"results":[{"toolCallId":"call_1","result":"\u00e4 ä"}]}`),
		[]byte("\r\n"),
		{0xff, 0xfe, 0xfd},
		binary,
		large,
	} {
		if len(answer) > s.h.Answers {
			answer = answer[:s.h.Answers]
		}
		for _, fingerprint := range []uint64{0, 5} {
			c := s.fresh()
			c.Fingerprint = fingerprint
			s.acquire(s.a, c, 1)
			s.complete(s.a, c, answer)
			s.wantAnswer(s.b, s.rival(c), answer)
			s.wantAnswer(s.b, s.rival(c), answer) // giving it does not use it up
		}
	}

	// More than the store keeps: the work is done all the same.
	tooLarge := append(large, 'x')
	c := s.fresh()
	s.acquire(s.a, c, 1)
	s.complete(s.a, c, tooLarge)
	if out := s.want(s.b, s.rival(c), replay.Duplicate); out.Answer != nil && !bytes.Equal(out.Answer, tooLarge) {
		s.Fatalf("Claim: of an answer that is too large %d of %d bytes came back; want all or none", len(out.Answer), len(tooLarge))
	}
}

// answersCopied: neither the one who gave an answer nor one who got it can
// change it.
func answersCopied(s *suite) {
	if s.h.Answers < 6 {
		s.Skip("the store keeps no answers of 6 bytes")
	}
	c, answer := s.fresh(), []byte("answer")
	s.acquire(s.a, c, 1)
	s.complete(s.a, c, answer)
	answer[0] = 'X'
	out := s.want(s.b, s.rival(c), replay.Duplicate)
	if string(out.Answer) != "answer" {
		s.Fatalf("Claim: the answer is %s: it changed with the buffer given to Complete", show(out.Answer))
	}
	out.Answer[0] = 'Y'
	s.wantAnswer(s.b, s.rival(c), []byte("answer"))
}

// keysIndependent brings many keys, among them neighbours that differ in one
// bit, into all states and looks at each afterwards.
func keysIndependent(s *suite) {
	base := s.fresh()
	var claims []replay.Claim
	for bit := range 8 * len(base.Key) {
		c := s.rival(base)
		c.Key[bit/8] ^= 1 << (bit % 8)
		claims = append(claims, c)
	}
	for _, text := range []string{"0000000000000000", "%s%d'\";--\\\x00\n\r*{}", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		c := s.fresh()
		copy(c.Key[:], text)
		claims = append(claims, c)
	}
	for range 300 {
		claims = append(claims, s.fresh())
	}
	s.acquire(s.a, base, 1)
	for i, c := range claims {
		s.acquire(s.a, c, 1)
		switch i % 3 {
		case 1:
			s.complete(s.b, c, nil)
		case 2:
			s.release(s.b, c)
		}
	}
	for i, c := range claims {
		switch i % 3 {
		case 0:
			s.want(s.b, s.rival(c), replay.InFlight)
		case 1:
			s.want(s.b, s.rival(c), replay.Duplicate)
		case 2:
			s.acquire(s.b, s.rival(c), 2)
		}
	}
	s.want(s.b, s.rival(base), replay.InFlight)
}

// ownersCompared holds keys under owners that a store could confuse.
func ownersCompared(s *suite) {
	for _, pair := range [][2]string{
		{"0000000000000001", "0000000000000002"},               // digits, and one differs at the end
		{"1000000000000000", "2000000000000000"},               // or at the beginning
		{"a", "a\x00\x00\x00\x00\x00\x00\x00\x00\x01"},         // zero bytes after it
		{"\x00\x00\x00\x00\x00\x00\x00\x00a", "\x00\x01"},      // or before
		{"\xff\xfe:%s\n\r\t'\"\\x", "\xff\xfe:%s\n\r\t'\"\\y"}, // no text at all
		{"abcdefghijklmnop", "ABCDEFGHIJKLMNOP"},               // differing in case only
	} {
		c := s.fresh()
		c.Owner = replay.Owner{}
		copy(c.Owner[:], pair[0])
		rival := c
		rival.Owner = replay.Owner{}
		copy(rival.Owner[:], pair[1])

		s.acquire(s.a, c, 1)
		s.want(s.b, rival, replay.InFlight)
		s.lost(s.b, rival, "Renew", "Release", "Complete")
		s.acquire(s.a, c, 1)
		s.renew(s.a, c)
		s.release(s.a, c)
		s.acquire(s.b, rival, 2)
		s.lost(s.a, c, "Renew", "Release", "Complete")
		s.complete(s.b, rival, nil)
		s.want(s.a, s.rival(c), replay.Duplicate)
	}
}

// badClaims: a claim that Claim.Check refuses is refused by every operation, and
// so is one to be kept for longer than the store's limit.
func badClaims(s *suite) {
	good := s.fresh()
	s.acquire(s.a, good, 1)
	for _, bad := range []func(*replay.Claim){
		func(c *replay.Claim) { c.Key = replay.Key{} },
		func(c *replay.Claim) { c.Owner = replay.Owner{} },
		func(c *replay.Claim) { c.Fingerprint = 1 << 40 },
		func(c *replay.Claim) { c.Lease = 0 },
		func(c *replay.Claim) { c.Lease = -time.Second },
		func(c *replay.Claim) { c.Lease = time.Microsecond },
		func(c *replay.Claim) { c.Keep = 0 },
		func(c *replay.Claim) { c.Keep = -time.Second },
		func(c *replay.Claim) { c.Keep = time.Microsecond },
	} {
		c := good
		bad(&c)
		s.refused(c, s.ctx, "a claim that Check refuses")
	}
	s.acquire(s.b, good, 1)
	s.want(s.b, s.rival(good), replay.InFlight)

	if limit := replay.LimitsOf(s.a).Retention; limit > 0 {
		c := s.fresh()
		c.Keep = limit + time.Millisecond
		if _, err := s.a.Claim(s.ctx, c); err == nil {
			s.Fatalf("Claim: Keep %v is above the limit %v and was taken", c.Keep, limit)
		}
		c.Keep = limit
		s.acquire(s.a, s.rival(c), 1)
	}
}

// cancelled: an operation whose context has ended fails and does nothing.
func cancelled(s *suite) {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	c := s.fresh()
	if _, err := s.a.Claim(ended, c); err == nil {
		s.Fatalf("Claim: no error although the context has ended")
	}
	c = s.rival(c)
	s.acquire(s.a, c, 1)
	s.refused(c, ended, "a context that has ended")
	s.want(s.b, s.rival(c), replay.InFlight)
	s.complete(s.a, c, []byte("answer"))
	s.refused(s.rival(c), ended, "a context that has ended")
	s.wantAnswer(s.b, s.rival(c), []byte("answer"))
}

// refused expects an error that says nothing of the lease from every operation.
func (s *suite) refused(c replay.Claim, ctx context.Context, why string) {
	s.Helper()
	const answer = "an answer that is nobody's business"
	for op, err := range map[string]error{
		"Claim":    func() error { _, err := s.a.Claim(ctx, c); return err }(),
		"Renew":    s.a.Renew(ctx, c),
		"Complete": s.a.Complete(ctx, c, []byte(answer)),
		"Release":  s.a.Release(ctx, c),
	} {
		switch {
		case err == nil:
			s.Fatalf("%s: no error for %s", op, why)
		case errors.Is(err, replay.ErrLostLease), errors.Is(err, replay.ErrFull):
			s.Fatalf("%s: %v for %s; want another error", op, err, why)
		case strings.Contains(err.Error(), answer):
			s.Fatalf("%s: the error shows the answer: %v", op, err)
		}
	}
}
