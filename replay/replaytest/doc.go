// Package replaytest checks that a replay.Store of your own keeps its promises:
// every row of the table of states, in order, at the same instant from many
// goroutines, and in random sequences against a model.
//
//	func TestConformance(t *testing.T) {
//		replaytest.Run(t, replaytest.Harness{
//			New:     func(t *testing.T) replay.Store { return newStore(t) },
//			Answers: 64 << 10,
//		})
//	}
//
// The table, for one key:
//
//	from              operation                 to
//	absent            Claim                     held: Acquired
//	held              Claim by its owner        unchanged: Acquired
//	held              Claim by another          unchanged: InFlight
//	held, lapsed      Claim by another          held by it: Acquired
//	done              Claim, same fingerprint   unchanged: Duplicate
//	done              Claim, another one        unchanged: Conflict
//	held              Renew by its owner        held, the lease begins anew
//	held              Complete by its owner     done
//	held, lapsed      Complete by its owner     done
//	held              Release by its owner      absent, the attempt counted
//	held              the three by another      unchanged: ErrLostLease
//	done              Renew, Release            unchanged: ErrLostLease
//	done              Complete by another       unchanged: ErrLostLease
//	done              Complete by its owner     unchanged: nil or ErrLostLease
//	absent, lapsed    Renew, Release            unchanged: ErrLostLease
//
// A fingerprint of 0, kept or claimed, equals every other. A claim repeated by
// its owner may let the lease begin anew or not.
package replaytest
