package redisstore_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// BenchmarkClaims counts claims a second on loopback, each as a ratio to the floor
// of the same client and number of callers, measured in turns with it: a bare SET
// with NX and PX of a value of one byte.
func BenchmarkClaims(b *testing.B) {
	server := testserver.StartRedis(b)
	ctx := context.Background()
	bareGo := newGoRedis(b, redis.UniversalOptions{Addrs: []string{server.Addr}, PoolSize: 256})
	bareRueidis, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}, DisableCache: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(bareRueidis.Close)
	for _, client := range []struct {
		name  string
		store replay.Store
		floor func(key string) error
	}{
		{"go-redis", newStore(b, redisstore.GoRedis(bareGo), redisstore.Config{}), func(key string) error {
			return bareGo.SetNX(ctx, key, "1", 10*time.Minute).Err()
		}},
		{"rueidis", newStore(b, redisstore.Rueidis(bareRueidis), redisstore.Config{}), func(key string) error {
			return bareRueidis.Do(ctx, bareRueidis.B().Set().Key(key).Value("1").Nx().PxMilliseconds(600_000).Build()).Error()
		}},
	} {
		claim := func(c replay.Claim) error {
			out, err := client.store.Claim(ctx, c)
			if err == nil && out.Status != replay.Acquired {
				err = fmt.Errorf("%v", out.Status)
			}
			return err
		}
		for _, callers := range []int{1, 16, 64, 256} {
			for _, row := range []struct {
				name string
				op   func(replay.Claim) error
			}{
				{"Claim", claim},
				{"Claim+Complete", func(c replay.Claim) error {
					if err := claim(c); err != nil {
						return err
					}
					return client.store.Complete(ctx, c, nil)
				}},
			} {
				b.Run(fmt.Sprintf("%s/%s/callers=%d", client.name, row.name, callers), func(b *testing.B) {
					var ours, floor time.Duration
					for done, turn := 0, 0; done < b.N; turn++ {
						n := min(b.N-done, 5000)
						floor += spread(b, callers, n, func(c replay.Claim) error { return client.floor("fl:" + string(c.Owner[:])) })
						ours += spread(b, callers, n, row.op)
						done += n
						if turn%20 == 19 {
							server.Do(b, "FLUSHALL")
						}
					}
					server.Do(b, "FLUSHALL")
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(float64(b.N)/ours.Seconds(), "ops/s")
					b.ReportMetric(float64(b.N)/floor.Seconds(), "floor/s")
					b.ReportMetric(float64(floor)/float64(ours), "of-floor")
				})
			}
		}
	}
}

// spread runs n operations, each on a new key, by many callers, and times them.
func spread(b *testing.B, callers, n int, op func(replay.Claim) error) time.Duration {
	claims := make([]replay.Claim, n)
	for i := range claims {
		claims[i] = newClaim("")
		claims[i].Key = replay.Key(replay.NewOwner())
	}
	var (
		next atomic.Int64
		all  sync.WaitGroup
	)
	start := time.Now()
	for range callers {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := op(claims[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

// BenchmarkMemory measures what the server keeps for a done key, all included.
func BenchmarkMemory(b *testing.B) {
	const keys = 200_000
	server := testserver.StartRedis(b)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}, DisableCache: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	s := newStore(b, redisstore.Rueidis(client), redisstore.Config{})
	used := func() int {
		for line := range strings.Lines(server.Info(b, "memory")) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
				bytes, err := strconv.Atoi(n)
				if err != nil {
					b.Fatal(err)
				}
				return bytes
			}
		}
		b.Fatal("INFO has no used_memory")
		return 0
	}
	for b.Loop() {
		server.Do(b, "FLUSHALL")
		before := used()
		spread(b, 64, keys, func(c replay.Claim) error {
			c.Fingerprint = 5
			if _, err := s.Claim(context.Background(), c); err != nil {
				return err
			}
			return s.Complete(context.Background(), c, nil)
		})
		b.ReportMetric(float64(used()-before)/keys, "B/key")
	}
}
