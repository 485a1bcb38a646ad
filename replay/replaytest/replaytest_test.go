package replaytest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/replaytest"
)

// largest is the twin's limit for answers.
const largest = 1000

// fakeTime is a harness for twins whose clock the suite moves.
func fakeTime(configure func(*twin)) replaytest.Harness {
	clock := time.Unix(1_800_000_000, 0)
	return replaytest.Harness{
		New: func(*testing.T) replay.Store {
			s := &twin{now: func() time.Time { return clock }, largest: largest}
			configure(s)
			return s
		},
		Advance: func(_ *testing.T, d time.Duration) { clock = clock.Add(d) },
		Answers: largest,
		Keys:    300,
	}
}

// Every liberty that the documentation grants is granted by the suite.
func TestCorrectStoresPass(t *testing.T) {
	for _, test := range []struct {
		name      string
		configure func(*twin)
		harness   func(*replaytest.Harness)
	}{
		{"plain", func(*twin) {}, func(*replaytest.Harness) {}},
		{"counts lapsed leases", func(s *twin) { s.countsLapsed = true }, func(h *replaytest.Harness) { h.CountsLapsed = true }},
		{"forgets counts with leases", func(s *twin) { s.forgets = true }, func(*replaytest.Harness) {}},
		{"repeated claims begin anew", func(s *twin) { s.anew = true }, func(*replaytest.Harness) {}},
		{"repeated completes are lost leases", func(s *twin) { s.strict = true }, func(*replaytest.Harness) {}},
		{"no answers", func(s *twin) { s.largest = 0 }, func(h *replaytest.Harness) { h.Answers = 0 }},
		{"limited retention", func(s *twin) { s.retention = 30 * time.Second }, func(*replaytest.Harness) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := fakeTime(test.configure)
			test.harness(&h)
			replaytest.Run(t, h)
		})
	}
}

// The three ways to let time pass.
func TestTimePassesByItself(t *testing.T) {
	h := replaytest.Harness{
		New:     func(*testing.T) replay.Store { return &twin{now: time.Now, largest: largest} },
		Answers: largest,
		Keys:    300,
	}
	t.Run("synctest", func(t *testing.T) {
		h := h
		h.Synctest = true
		replaytest.Run(t, h)
	})
	t.Run("real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("waits for leases in real time")
		}
		t.Parallel()
		replaytest.Run(t, h)
	})
}

// faultVariable tells a child process which fault its store has.
const faultVariable = "REPLAYTEST_FAULT"

// TestFaultyStore is run by TestFaultyStoresFail, in a process of its own; by
// itself it has no fault.
func TestFaultyStore(t *testing.T) {
	fault := os.Getenv(faultVariable)
	if fault == "" {
		fault = "none"
	}
	h := fakeTime(func(s *twin) { s.fault, s.retention = fault, time.Minute })
	h.Another = func(t *testing.T, s replay.Store) replay.Store {
		if fault == "handles apart" {
			return h.New(t)
		}
		return s
	}
	replaytest.Run(t, h)
}

// A suite is worth what it finds: each fault must fail it, in the subtest that
// is about it.
func TestFaultyStoresFail(t *testing.T) {
	for _, fault := range faults() {
		t.Run(fault[0], func(t *testing.T) {
			t.Parallel()
			subtest := strings.ReplaceAll(fault[1], " ", "_")
			child := exec.Command(os.Args[0], "-test.run=^TestFaultyStore$/^"+subtest+"$")
			child.Env = append(os.Environ(), faultVariable+"="+fault[0])
			out, err := child.CombinedOutput()
			if err == nil {
				t.Fatal("the suite passed")
			}
			if failed := "--- FAIL: TestFaultyStore/" + subtest + " "; !strings.Contains(string(out), failed) {
				t.Errorf("the output lacks %q:\n%s", failed, out)
			}
		})
	}
}

// A store without a fault passes in the same child process, so that the failures
// come from the faults.
func TestFaultlessStorePasses(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestFaultyStore$", "-test.v")
	child.Env = append(os.Environ(), faultVariable+"=none")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFaultyStore/K03_random_sequences") {
		t.Fatalf("%v:\n%s", err, out)
	}
}
