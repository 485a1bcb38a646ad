package replaytest

import (
	"sync"

	"github.com/webhookauth/webhookauth/replay"
)

// rivals is how many goroutines claim the same key.
const rivals = 64

// oneOfMany lets many goroutines claim the same key at the same instant, key
// after key, through both handles. Whoever gets an odd key is done with it at
// once, so that the others find it held or done.
func oneOfMany(s *suite) {
	for i := range s.h.Keys {
		base := s.fresh()
		var (
			start    = make(chan struct{})
			all      sync.WaitGroup
			outcomes [rivals]replay.Outcome
			failures [rivals]error
		)
		for n := range rivals {
			st, c := s.a, s.rival(base)
			if n%2 == 1 {
				st = s.b
			}
			all.Go(func() {
				<-start
				outcomes[n], failures[n] = st.Claim(s.ctx, c)
				if outcomes[n].Status == replay.Acquired && i%2 == 1 {
					if err := st.Complete(s.ctx, c, nil); err != nil {
						failures[n] = err
					}
				}
			})
		}
		close(start)
		all.Wait()
		acquired := 0
		for n, out := range outcomes {
			switch {
			case failures[n] != nil:
				s.Fatalf("key %d, goroutine %d: %v", i, n, failures[n])
			case out.Status == replay.Acquired:
				acquired++
			case out.Status == replay.InFlight, out.Status == replay.Duplicate && i%2 == 1:
			default:
				s.Fatalf("key %d, goroutine %d: %v", i, n, out.Status)
			}
		}
		if acquired != 1 {
			s.Fatalf("key %d: %d of %d goroutines acquired it, want 1", i, acquired, rivals)
		}
	}
}
