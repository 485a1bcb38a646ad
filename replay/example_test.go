package replay_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// A job queue that delivers at least once: each job runs until it has succeeded,
// and then no more.
func ExampleGuard_Do() {
	guard := replay.Guard{Store: replay.NewMemory(replay.MemoryConfig{})}

	attempts := 0
	invoice := func(context.Context) error {
		if attempts++; attempts == 1 {
			return errors.New("the printer is out of paper")
		}
		return nil
	}
	for range 3 {
		out, err := guard.Do(context.Background(), replay.Claim{
			Key:  replay.NewKey("invoices", "job-17"),
			Keep: 10 * time.Minute, // for as long as the queue may deliver it again
		}, invoice)
		switch {
		case errors.Is(err, replay.ErrLostLease):
			fmt.Println("may have run twice") // it held the key for longer than Guard.MaxHold
		case err != nil:
			fmt.Println("try again later:", err)
		case out.Status == replay.Acquired:
			fmt.Println("done at attempt", out.Attempt)
		case out.Status == replay.InFlight:
			fmt.Println("another worker is at it: try again in", out.RetryAfter)
		default:
			fmt.Println("was done before:", out.Status)
		}
	}
	// Output:
	// try again later: the printer is out of paper
	// done at attempt 2
	// was done before: duplicate
}

// Work that does not fit into one function is claimed and settled by hand. What
// Complete is given, a copy gets back.
func ExampleGuard_Claim() {
	guard := replay.Guard{Store: replay.NewMemory(replay.MemoryConfig{})}
	ctx := context.Background()
	claim := replay.Claim{Key: replay.NewKey("invoices", "job-17"), Keep: 10 * time.Minute}

	hold, out, err := guard.Claim(ctx, claim)
	if err != nil || hold == nil {
		fmt.Println(out.Status, err)
		return
	}
	fmt.Println(out.Status)
	if err := hold.Complete(ctx, []byte("invoice 4711")); err != nil { // or hold.Release(ctx), to let a retry in
		fmt.Println(err)
		return
	}

	_, out, err = guard.Claim(ctx, claim)
	fmt.Printf("%v, %s, %v\n", out.Status, out.Answer, err)
	// Output:
	// acquired
	// duplicate, invoice 4711, <nil>
}

// Two tenants share a store. One that floods it fills its own share only.
func ExampleNewQuota() {
	store := replay.NewMemory(replay.MemoryConfig{MaxKeys: 1_000_000})
	guards := map[string]replay.Guard{}
	for tenant, maxKeys := range map[string]int{"flooding": 3, "quiet": 3} {
		quota, err := replay.NewQuota(store, maxKeys)
		if err != nil {
			fmt.Println(err)
			return
		}
		guards[tenant] = replay.Guard{Store: quota}
	}

	deliver := func(tenant, id string) {
		_, err := guards[tenant].Do(context.Background(), replay.Claim{
			Key:  replay.NewKey(tenant, id),
			Keep: 10 * time.Minute,
		}, func(context.Context) error { return nil })
		fmt.Println(tenant, id, "full:", errors.Is(err, replay.ErrFull))
	}
	for i := range 4 {
		deliver("flooding", fmt.Sprint(i))
	}
	deliver("quiet", "0")
	// Output:
	// flooding 0 full: false
	// flooding 1 full: false
	// flooding 2 full: false
	// flooding 3 full: true
	// quiet 0 full: false
}

// Any client that sets a key unless it is there will do, where losing a delivery
// is better than running it twice. Here it is a map; memcached's add is another.
func ExampleSetIfAbsent() {
	var present sync.Map
	guard := replay.Guard{Store: replay.SetIfAbsent(func(_ context.Context, key string, _ time.Duration) (bool, error) {
		_, there := present.LoadOrStore(key, true) // in earnest with the ttl
		return !there, nil
	})}
	for range 2 {
		out, err := guard.Do(context.Background(), replay.Claim{
			Key:  replay.NewKey("texts", "msg-5"),
			Keep: time.Hour,
		}, func(context.Context) error {
			fmt.Println("sending the text")
			return nil
		})
		fmt.Println(out.Status, err)
	}
	// Output:
	// sending the text
	// acquired <nil>
	// duplicate <nil>
}
