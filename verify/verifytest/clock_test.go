package verifytest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

func TestClock(t *testing.T) {
	c := verifytest.NewClock(now)
	want := func(at time.Time) {
		t.Helper()
		for range 2 { // it does not move by being read
			if got := c.Now(); !got.Equal(at) {
				t.Errorf("got %v, want %v", got, at)
			}
		}
	}
	want(now)
	c.Advance(time.Minute)
	want(now.Add(time.Minute))
	c.Advance(-time.Hour)
	want(now.Add(-59 * time.Minute))
	c.Set(now)
	want(now)
	c = &verifytest.Clock{}
	want(time.Time{})
	c.Advance(time.Second)
	want(time.Time{}.Add(time.Second))
}

func TestClockConcurrently(t *testing.T) {
	c := verifytest.NewClock(now)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				c.Advance(time.Millisecond)
				c.Now()
			}
		})
	}
	all.Wait()
	if got := c.Now(); !got.Equal(now.Add(800 * time.Millisecond)) {
		t.Errorf("got %v after 800 steps", got.Sub(now))
	}
}
