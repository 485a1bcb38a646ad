package replaytest

import (
	"errors"

	"github.com/webhookauth/webhookauth/replay"
)

func absentClaim(s *suite) {
	c := s.fresh()
	s.acquire(s.a, c, 1)
}

func heldClaimRepeated(s *suite) {
	c := s.fresh()
	s.acquire(s.a, c, 1)
	s.acquire(s.a, c, 1)
	s.acquire(s.b, c, 1) // as after a reconnection
	s.want(s.b, s.rival(c), replay.InFlight)
	s.complete(s.a, c, nil)
	s.want(s.b, s.rival(c), replay.Duplicate)
}

func heldClaimByAnother(s *suite) {
	c := s.fresh()
	for range 2 { // the first must not change what the second gets
		rival := s.rival(c)
		rival.Fingerprint = 1 // another content: still not known to be done
		before := s.now()
		s.want(s.a, c, replay.Acquired)
		after := s.now()
		s.wait(s.edge)
		asked := s.now()
		out := s.want(s.b, rival, replay.InFlight)
		most, least := after+c.Lease-asked, before+c.Lease-s.now()
		if out.RetryAfter != 0 && (out.RetryAfter > most+s.edge || out.RetryAfter < least-s.edge) {
			s.Fatalf("Claim: RetryAfter is %v, but the lease goes on for between %v and %v", out.RetryAfter, least, most)
		}
		s.release(s.a, c)
	}
}

func heldOperationsByAnother(s *suite) {
	c := s.fresh()
	c.Fingerprint = 7
	s.acquire(s.a, c, 1)
	s.lost(s.b, s.rival(c), "Renew", "Release", "Complete")
	s.want(s.b, s.rival(c), replay.InFlight)
	s.acquire(s.a, c, 1)
	s.complete(s.a, c, []byte("the owner's"))
	s.wantAnswer(s.b, s.rival(c), []byte("the owner's"))
}

// leaseLasts looks at both ends of a lease.
func leaseLasts(s *suite) {
	s.inTime(func() bool {
		c := s.brief()
		before := s.now()
		s.acquire(s.a, c, 1)
		after := s.now()
		s.waitUntil(before + c.Lease - 2*s.edge)
		out := s.claim(s.b, s.rival(c))
		if s.now() >= before+c.Lease {
			return false
		}
		if out.Status != replay.InFlight {
			s.Fatalf("Claim: %v within another's lease, want %v", out.Status, replay.InFlight)
		}
		s.waitUntil(after + c.Lease + s.edge)
		s.want(s.b, s.rival(c), replay.Acquired)
		return true
	})
}

// leaseRenewed holds a key for longer than two leases.
func leaseRenewed(s *suite) {
	s.inTime(func() bool {
		c := s.brief()
		begun := s.now()
		s.acquire(s.a, c, 1)
		for range 4 {
			s.waitUntil(begun + c.Lease*3/5)
			next := s.now()
			err := s.a.Renew(s.ctx, c)
			if s.now() >= begun+c.Lease {
				return false
			}
			if err != nil {
				s.Fatalf("Renew: %v", err)
			}
			begun = next
		}
		s.waitUntil(begun + c.Lease*3/5)
		out := s.claim(s.b, s.rival(c))
		if s.now() >= begun+c.Lease {
			return false
		}
		if out.Status != replay.InFlight {
			s.Fatalf("Claim: %v within a renewed lease, want %v", out.Status, replay.InFlight)
		}
		s.lapse(c.Lease)
		s.want(s.b, s.rival(c), replay.Acquired)
		return true
	})
}

func heldCompleted(s *suite) {
	c := s.brief()
	s.acquire(s.a, c, 1)
	s.complete(s.a, c, nil)
	s.lapse(c.Lease) // what is done stays done, whatever the lease was
	s.wantAnswer(s.b, s.rival(c), nil)
	s.wantAnswer(s.a, s.rival(c), nil)
}

func heldReleased(s *suite) {
	c := s.fresh()
	for attempt := 1; attempt <= 4; attempt++ {
		s.acquire(s.a, c, attempt)
		s.want(s.b, s.rival(c), replay.InFlight)
		s.release(s.a, c)
		s.lost(s.a, c, "Release", "Renew") // as a client that repeats a call
		c = s.rival(c)
	}
	s.acquire(s.b, c, 5)
	s.complete(s.b, c, nil)
	s.want(s.a, s.rival(c), replay.Duplicate)
}

func lapsedTakenOver(s *suite) {
	c := s.brief()
	s.acquire(s.a, c, 1)
	s.lapse(c.Lease)
	second, attempt := s.rival(c), 1
	if s.h.CountsLapsed {
		attempt = 2
	}
	s.acquire(s.b, second, attempt)
	s.want(s.a, c, replay.InFlight) // the first owner too has to wait now
	s.want(s.a, s.rival(c), replay.InFlight)
	s.complete(s.b, second, nil)
	s.want(s.a, c, replay.Duplicate)
}

func lapsedCompleted(s *suite) {
	c := s.brief()
	c.Fingerprint = 5
	s.acquire(s.a, c, 1)
	s.lapse(c.Lease)
	s.complete(s.a, c, []byte("late"))
	rival := s.rival(c)
	s.wantAnswer(s.b, rival, []byte("late"))
	rival.Fingerprint = 6
	s.want(s.b, rival, replay.Conflict)
}

func lapsedRenewedOrReleased(s *suite) {
	c := s.brief()
	s.acquire(s.a, c, 1)
	s.lapse(c.Lease)
	s.lost(s.a, c, "Renew", "Release")
	s.want(s.b, s.rival(c), replay.Acquired)
}

func absentRenewedOrReleased(s *suite) {
	c := s.fresh()
	s.lost(s.a, c, "Renew", "Release")
	s.acquire(s.b, s.rival(c), 1)
}

func doneFingerprints(s *suite) {
	const largest = 1<<40 - 1
	for _, test := range []struct {
		kept, claimed uint64
		want          replay.Status
	}{
		{0, 0, replay.Duplicate},
		{0, 1, replay.Duplicate},
		{1, 0, replay.Duplicate},
		{1, 1, replay.Duplicate},
		{largest, largest, replay.Duplicate},
		{largest, 0, replay.Duplicate},
		{1, 2, replay.Conflict},
		{2, 3, replay.Conflict},
		{1, 1 + 1<<39, replay.Conflict},
		{largest, largest >> 1, replay.Conflict},
	} {
		c := s.fresh()
		c.Fingerprint = test.kept
		s.acquire(s.a, c, 1)
		s.complete(s.a, c, []byte("answer"))
		for range 2 {
			rival := s.rival(c)
			rival.Fingerprint = test.claimed
			out := s.claim(s.b, rival)
			if out.Status != test.want {
				s.Fatalf("Claim with the fingerprint %#x on a key done with %#x: %v, want %v",
					test.claimed, test.kept, out.Status, test.want)
			}
		}
		s.wantAnswer(s.b, c, []byte("answer")) // the owner's own claim finds it done too
	}
}

func doneOperationsByOwner(s *suite) {
	c := s.fresh()
	c.Fingerprint = 5
	s.acquire(s.a, c, 1)
	s.complete(s.a, c, []byte("the first"))
	s.lost(s.a, c, "Renew", "Release")
	// A client may repeat a Complete whose reply was lost.
	if err := s.a.Complete(s.ctx, c, []byte("the second")); err != nil && !errors.Is(err, replay.ErrLostLease) {
		s.Fatalf("Complete: the error is %v, want nil or ErrLostLease", err)
	}
	s.wantAnswer(s.b, s.rival(c), []byte("the first"))
	c.Fingerprint = 6
	s.want(s.b, s.rival(c), replay.Conflict)
}

func doneOperationsByAnother(s *suite) {
	c := s.fresh()
	c.Fingerprint = 5
	s.acquire(s.a, c, 1)
	s.complete(s.a, c, []byte("the owner's"))
	rival := s.rival(c)
	rival.Fingerprint = 6
	s.lost(s.b, rival, "Complete", "Renew", "Release")
	s.want(s.b, rival, replay.Conflict)
	s.wantAnswer(s.b, s.rival(c), []byte("the owner's"))
}
