package replaytest

import "github.com/webhookauth/webhookauth/replay"

// firstCompletesLate: the first owner is slower than its lease, the second one
// finishes meanwhile, and the record stays the second's.
func firstCompletesLate(s *suite) {
	first := s.brief()
	first.Fingerprint = 5
	s.acquire(s.a, first, 1)
	s.lapse(first.Lease)
	second := s.rival(first)
	second.Fingerprint = 6
	s.want(s.b, second, replay.Acquired)
	s.lost(s.a, first, "Complete")
	s.want(s.a, s.rival(first), replay.InFlight)
	s.complete(s.b, second, []byte("the second's"))
	s.lost(s.a, first, "Complete")

	again := s.rival(second)
	s.wantAnswer(s.a, again, []byte("the second's"))
	again.Fingerprint = first.Fingerprint
	s.want(s.a, again, replay.Conflict)
}

// slowOwner: nothing that the first owner does changes the record of the second,
// or that of a third.
func slowOwner(s *suite) {
	for _, op := range []string{"Release", "Renew", "Complete"} {
		first := s.brief()
		s.acquire(s.a, first, 1)
		s.lapse(first.Lease)
		second := s.rival(first)
		s.want(s.b, second, replay.Acquired)
		s.lost(s.a, first, op)
		s.want(s.a, s.rival(first), replay.InFlight)
		s.renew(s.b, second)
		s.complete(s.b, second, []byte("the second's"))
		s.lost(s.a, first, op)
		s.wantAnswer(s.a, s.rival(first), []byte("the second's"))
	}

	// Here the second crashes, and the first must not prolong its lease.
	first := s.brief()
	s.acquire(s.a, first, 1)
	s.lapse(first.Lease)
	second := s.rival(first)
	second.Lease = s.short
	s.want(s.b, second, replay.Acquired)
	taken := s.now()
	s.waitUntil(taken + second.Lease/2)
	s.lost(s.a, first, "Renew")
	s.waitUntil(taken + second.Lease + s.edge)
	third := s.rival(first)
	s.want(s.a, third, replay.Acquired)
	s.lost(s.a, first, "Renew", "Release", "Complete")
	s.lost(s.b, second, "Renew", "Release", "Complete")
	s.complete(s.a, third, []byte("the third's"))
	s.wantAnswer(s.b, s.rival(first), []byte("the third's"))
}
