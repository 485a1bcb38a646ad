package redisstore_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// within is how long a claim with the guard's default timeout may take here, on a
// machine that is busy with other things.
const within = replay.DefaultTimeout + 2*time.Second

// K13: the server dies, 10,000 deliveries are refused, the server comes back.
func TestK13ServerDown(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t)
		guard := replay.Guard{Store: newStore(t, d.open(t, server.Addr), redisstore.Config{})}
		hold, _, err := guard.Claim(t.Context(), newClaim("before"))
		if err != nil {
			t.Fatal(err)
		}
		if err := hold.Complete(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		server.Kill()

		const (
			callers = 1000
			refused = 10_000
		)
		var (
			all     sync.WaitGroup
			let     atomic.Int64
			slowest atomic.Int64
		)
		for n := range callers {
			all.Go(func() {
				for i := range refused / callers {
					start := time.Now()
					hold, _, err := guard.Claim(t.Context(), newClaim(fmt.Sprint("down ", n, i)))
					if took := int64(time.Since(start)); took > slowest.Load() {
						slowest.Store(took)
					}
					if hold != nil || err == nil {
						let.Add(1)
					}
				}
			})
		}
		all.Wait()
		if n := let.Load(); n != 0 {
			t.Errorf("%d claims without a server went through", n)
		}
		if took := time.Duration(slowest.Load()); took > within {
			t.Errorf("a claim took %v, want less than %v", took, within)
		}
		testserver.Eventually(t, 5*time.Second, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before+20 })

		testserver.StartRedisOn(t, server.Port)
		testserver.Eventually(t, 5*time.Second, "claims work again", func() bool {
			hold, out, err := guard.Claim(t.Context(), newClaim("after"))
			if hold == nil {
				return false
			}
			return err == nil && out.Status == replay.Acquired && hold.Complete(t.Context(), nil) == nil
		})
	})
}

// A server that takes connections and never answers holds nobody longer than the
// guard says.
func TestK13ServerSilent(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t)
		p := testserver.StartProxy(t, server.Addr)
		guard := replay.Guard{Store: newStore(t, d.open(t, p.Addr), redisstore.Config{})}
		before := runtime.NumGoroutine()
		p.Silence()
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				for i := range 4 {
					start := time.Now()
					hold, _, err := guard.Claim(t.Context(), newClaim(fmt.Sprint("silent ", n, i)))
					if hold != nil || err == nil {
						t.Error("a claim without an answer went through")
					}
					if took := time.Since(start); took > within {
						t.Errorf("a claim took %v, want less than %v", took, within)
					}
				}
			})
		}
		all.Wait()
		p.Recover(t)
		testserver.Eventually(t, 5*time.Second, "claims work again", func() bool {
			hold, _, err := guard.Claim(t.Context(), newClaim("after"))
			return err == nil && hold != nil && hold.Complete(t.Context(), nil) == nil
		})
		// The client's connections stay, and the proxy has two goroutines for each.
		testserver.Eventually(t, 10*time.Second, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before+100 })
	})
}

// A server that stops, and a claim in its queue: the delivery is refused, and its
// retry is processed when the server goes on, at once or after the lease.
func TestK13ServerStops(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		s, server := startStore(t, d)
		guard := replay.Guard{Store: s, Lease: 500 * time.Millisecond}
		c := newClaim("stopped")
		c.Owner, c.Lease = replay.Owner{}, 0
		if err := server.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		hold, _, err := guard.Claim(t.Context(), c)
		if hold != nil || err == nil {
			t.Error("a claim to a stopped server went through")
		}
		if errors.Is(err, replay.ErrFull) {
			t.Errorf("the error is %v", err)
		}
		if err := server.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		testserver.Eventually(t, 5*time.Second, "the retry is processed", func() bool {
			hold, _, err := guard.Claim(t.Context(), c)
			return err == nil && hold != nil && hold.Complete(t.Context(), nil) == nil
		})
		c.Owner, c.Lease = replay.NewOwner(), time.Minute
		mustClaim(t, s, c, replay.Duplicate)
	})
}
