package replaytest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// claim claims and checks what holds for every outcome.
func (s *suite) claim(st replay.Store, c replay.Claim) replay.Outcome {
	s.Helper()
	out, err := st.Claim(s.ctx, c)
	if err != nil {
		s.Fatalf("Claim: %v", err)
	}
	switch {
	case out.Status < replay.Acquired || out.Status > replay.Conflict:
		s.Fatalf("Claim: the status is %d, which is none", out.Status)
	case out.Status == replay.Acquired && out.Attempt < 1:
		s.Fatalf("Claim: acquired as attempt %d; the first is 1", out.Attempt)
	case out.Status != replay.Acquired && out.Attempt != 0:
		s.Fatalf("Claim: %v with Attempt %d; want 0", out.Status, out.Attempt)
	case out.Status != replay.InFlight && out.RetryAfter != 0:
		s.Fatalf("Claim: %v with RetryAfter %v; want 0", out.Status, out.RetryAfter)
	case out.RetryAfter < 0:
		s.Fatalf("Claim: RetryAfter is %v", out.RetryAfter)
	case out.Status != replay.Duplicate && out.Answer != nil:
		s.Fatalf("Claim: %v with an answer, which only a duplicate gets", out.Status)
	}
	return out
}

// want claims and expects a status.
func (s *suite) want(st replay.Store, c replay.Claim, want replay.Status) replay.Outcome {
	s.Helper()
	out := s.claim(st, c)
	if out.Status != want {
		s.Fatalf("Claim: %v, want %v", out.Status, want)
	}
	return out
}

// acquire claims and expects to be given the key for the nth time.
func (s *suite) acquire(st replay.Store, c replay.Claim, attempt int) {
	s.Helper()
	if out := s.want(st, c, replay.Acquired); out.Attempt != attempt {
		s.Fatalf("Claim: acquired as attempt %d, want %d", out.Attempt, attempt)
	}
}

// wantAnswer claims a key that is done and expects its answer.
func (s *suite) wantAnswer(st replay.Store, c replay.Claim, answer []byte) {
	s.Helper()
	out := s.want(st, c, replay.Duplicate)
	if s.h.Answers == 0 {
		answer = nil
	}
	if !sameAnswer(out.Answer, answer) {
		s.Fatalf("Claim: the answer is %s, want %s", show(out.Answer), show(answer))
	}
}

// sameAnswer tells nil, which is none, from an empty answer.
func sameAnswer(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func (s *suite) complete(st replay.Store, c replay.Claim, answer []byte) {
	s.Helper()
	if err := st.Complete(s.ctx, c, answer); err != nil {
		s.Fatalf("Complete: %v", err)
	}
}

func (s *suite) release(st replay.Store, c replay.Claim) {
	s.Helper()
	if err := st.Release(s.ctx, c); err != nil {
		s.Fatalf("Release: %v", err)
	}
}

func (s *suite) renew(st replay.Store, c replay.Claim) {
	s.Helper()
	if err := st.Renew(s.ctx, c); err != nil {
		s.Fatalf("Renew: %v", err)
	}
}

// lost expects ErrLostLease from the named operations, each of which must have
// changed nothing.
func (s *suite) lost(st replay.Store, c replay.Claim, operations ...string) {
	s.Helper()
	for _, op := range operations {
		var err error
		switch op {
		case "Renew":
			err = st.Renew(s.ctx, c)
		case "Release":
			err = st.Release(s.ctx, c)
		case "Complete":
			err = st.Complete(s.ctx, c, []byte("another answer"))
		}
		if !errors.Is(err, replay.ErrLostLease) {
			s.Fatalf("%s: the error is %v, want ErrLostLease", op, err)
		}
	}
}

// lapse waits until a lease that began before now has lapsed.
func (s *suite) lapse(lease time.Duration) { s.wait(lease + s.edge) }

// show describes an answer in a message.
func show(answer []byte) string {
	if answer == nil {
		return "none"
	}
	return fmt.Sprintf("%d bytes, %.40q", len(answer), answer)
}
