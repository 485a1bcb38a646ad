package adaptertest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/internal/adaptertest"
)

// faultVariable tells a child process which fault its adapter has.
const faultVariable = "ADAPTERTEST_FAULT"

// TestFaultyAdapter is run by the tests below, in a process of its own; by itself
// it has no fault.
func TestFaultyAdapter(t *testing.T) {
	fault := os.Getenv(faultVariable)
	if fault == "" {
		fault = "none"
	}
	a := &twin{fault: fault}
	adaptertest.Run(t, a.adapter())
}

// child runs TestFaultyAdapter, or one subtest of it, with a fault.
func child(fault, subtest string, flags ...string) (string, error) {
	c := exec.Command(os.Args[0], append(flags, "-test.run=^TestFaultyAdapter$/"+subtest)...)
	c.Env = append(os.Environ(), faultVariable+"="+fault)
	out, err := c.CombinedOutput()
	return string(out), err
}

// A table is worth what it finds: each fault must fail it, in the subtest that is
// about it.
func TestFaultyAdaptersFail(t *testing.T) {
	for _, fault := range faults() {
		t.Run(fault[0], func(t *testing.T) {
			t.Parallel()
			subtest := strings.ReplaceAll(fault[1], " ", "_")
			out, err := child(fault[0], "^"+strings.ReplaceAll(subtest, "/", "$/^")+"$")
			if err == nil {
				t.Fatal("the table passed")
			}
			if failed := "--- FAIL: TestFaultyAdapter/" + subtest + " "; !strings.Contains(out, failed) || strings.Contains(out, "panic: test timed out") {
				t.Errorf("the output lacks %q:\n%s", failed, out)
			}
		})
	}
}

// An adapter without a fault passes in the same child process, so that the
// failures come from the faults.
func TestFaultlessAdapterPasses(t *testing.T) {
	out, err := child("none", "", "-test.v")
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, fault := range faults() {
		if passed := "--- PASS: TestFaultyAdapter/" + strings.ReplaceAll(fault[1], " ", "_") + " "; !strings.Contains(out, passed) {
			t.Errorf("the output lacks %q", passed)
		}
	}
}
