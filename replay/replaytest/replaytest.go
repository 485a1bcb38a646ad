package replaytest

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// Harness says how the suite gets at a store, and in what the store may differ
// from others. Only New is required.
type Harness struct {
	// New gives an empty store, or one in a namespace of its own. It is called
	// once for each check; t.Cleanup may close it.
	New func(t *testing.T) replay.Store
	// Another gives the same records through another client or connection. The
	// suite lets one owner work through each. nil means the store itself.
	Another func(t *testing.T, s replay.Store) replay.Store

	// Advance lets d pass by the store's clock, which must stand still
	// otherwise. nil means that time passes by itself: then the suite waits,
	// about 15 seconds in all.
	Advance func(t *testing.T, d time.Duration)
	// Synctest runs each check in a testing/synctest bubble, for a store that
	// lives in this process and reads time.Now: then waiting takes no time. It
	// goes without Advance. Goroutines of the store must end in t.Cleanup.
	Synctest bool

	// Keys is how many keys are fought over, each by 64 goroutines; 0 means
	// 2,000, which a Redis does in some seconds.
	Keys int
	// Answers is the length in bytes of the largest answer that the store keeps;
	// 0 means that it keeps none. A larger one may be kept or not, but whole.
	Answers int
	// CountsLapsed says that a claim whose lease lapsed counts as an attempt.
	// Without it the store may also forget earlier releases with the lease.
	CountsLapsed bool
	// Slack is how long after Claim.Keep a done key, or the count of its
	// attempts, may still be there. Never less than Keep is allowed. Leases have
	// no slack.
	Slack time.Duration
	// Seed repeats one run of the random sequences; 0 draws a seed. A failure
	// logs its own.
	Seed uint64
}

// Run checks a store, each promise in a subtest.
func Run(t *testing.T, h Harness) {
	if h.New == nil {
		t.Fatal("replaytest: Harness.New is nil")
	}
	if h.Synctest && h.Advance != nil {
		t.Fatal("replaytest: Harness.Synctest goes without Advance")
	}
	if h.Keys == 0 {
		h.Keys = 2000
	}
	for _, c := range []struct {
		name  string
		check func(*suite)
	}{
		{"absent claim", absentClaim},
		{"held claim repeated by its owner", heldClaimRepeated},
		{"held claim by another", heldClaimByAnother},
		{"held operations by another", heldOperationsByAnother},
		{"held lease lasts", leaseLasts},
		{"held renewed", leaseRenewed},
		{"held completed", heldCompleted},
		{"held released", heldReleased},
		{"lapsed taken over", lapsedTakenOver},
		{"lapsed completed", lapsedCompleted},
		{"lapsed renewed or released", lapsedRenewedOrReleased},
		{"absent renewed or released", absentRenewedOrReleased},
		{"done fingerprints", doneFingerprints},
		{"done operations by its owner", doneOperationsByOwner},
		{"done operations by another", doneOperationsByAnother},
		{"done kept", doneKept},
		{"released count kept", countKept},
		{"answers", answers},
		{"answers belong to the store", answersCopied},
		{"keys are independent", keysIndependent},
		{"owners are compared whole", ownersCompared},
		{"bad claims refused", badClaims},
		{"context cancelled", cancelled},
		{"K01 one of many", oneOfMany},
		{"K03 random sequences", randomSequences},
		{"K09 lease lost before the first completes", firstCompletesLate},
		{"K10 slow owner changes nothing", slowOwner},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := func(t *testing.T) { c.check(newSuite(t, h)) }
			if h.Synctest {
				synctest.Test(t, body)
			} else {
				body(t)
			}
		})
	}
}

// suite is one check at work on one store.
type suite struct {
	*testing.T
	h   Harness
	ctx context.Context
	// a and b are two ways to the same records.
	a, b replay.Store

	start    time.Time
	advanced time.Duration

	// long is a lease, and keep a Claim.Keep, that does not end during a check;
	// short and shortKeep are worth waiting for. edge is how far from an instant
	// the suite stays.
	long, short, keep, shortKeep, edge time.Duration
}

func newSuite(t *testing.T, h Harness) *suite {
	s := &suite{T: t, h: h, ctx: t.Context(), start: time.Now()}
	s.long, s.keep = time.Hour, time.Hour
	s.short, s.shortKeep, s.edge = 10*time.Second, time.Minute, time.Millisecond
	if h.Advance == nil && !h.Synctest {
		s.short, s.shortKeep, s.edge = 250*time.Millisecond, time.Second, 25*time.Millisecond
	}
	s.a = h.New(t)
	s.b = s.a
	if h.Another != nil {
		s.b = h.Another(t, s.a)
	}
	if limit := replay.LimitsOf(s.a).Retention; limit > 0 {
		s.keep, s.shortKeep = min(s.keep, limit), min(s.shortKeep, limit)
	}
	return s
}

// now is the time since the check began, by the store's clock as far as known.
func (s *suite) now() time.Duration {
	if s.h.Advance != nil {
		return s.advanced
	}
	return time.Since(s.start)
}

// wait lets d pass.
func (s *suite) wait(d time.Duration) {
	if s.h.Advance == nil {
		time.Sleep(d)
		return
	}
	s.h.Advance(s.T, d)
	s.advanced += d
}

// waitUntil lets time pass up to an instant, if that is to come.
func (s *suite) waitUntil(instant time.Duration) {
	if d := instant - s.now(); d > 0 {
		s.wait(d)
	}
}

// inTime runs a check that has to be quick. On a machine that was too slow the
// check says so by false, and runs again with another key.
func (s *suite) inTime(check func() bool) {
	s.Helper()
	for range 10 {
		if check() {
			return
		}
	}
	s.Skip("this machine was ten times too slow for this check")
}

// fresh is a claim to a key that nobody used.
func (s *suite) fresh() replay.Claim {
	c := replay.Claim{Owner: replay.NewOwner(), Lease: s.long, Keep: s.keep}
	rand.Read(c.Key[:]) // never fails (crypto/rand)
	return c
}

// brief is fresh with a lease that lapses soon.
func (s *suite) brief() replay.Claim {
	c := s.fresh()
	c.Lease = s.short
	return c
}

// rival is another owner's claim to the same key, with a long lease.
func (s *suite) rival(c replay.Claim) replay.Claim {
	c.Owner, c.Lease = replay.NewOwner(), s.long
	return c
}
