package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// The primary is killed under load and its replica promoted. Claims that replicas
// confirmed are known to it. In the rows with a lag the replica has fallen behind
// by then: of the claims that it was not to confirm, some are lost.
func TestK14PrimaryKilled(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		for _, row := range []struct {
			replicas int
			lag      bool
		}{{0, true}, {1, true}, {1, false}} {
			t.Run(fmt.Sprintf("replicas %d, lag %v", row.replicas, row.lag), func(t *testing.T) {
				primary := testserver.StartRedis(t)
				between := testserver.StartProxy(t, primary.Addr)
				replica := testserver.StartRedisReplica(t, primary, between.Addr)
				s := newStore(t, d.open(t, primary.Addr), redisstore.Config{Replicas: row.replicas})
				load := startLoad(t, s)
				testserver.Eventually(t, 20*time.Second, "there is load", func() bool { return load.count(nil) >= 1000 })
				if row.lag {
					between.Silence()
					reached := load.count(nil)
					testserver.Eventually(t, 20*time.Second, "load goes on", func() bool {
						return load.count(nil) >= reached+500 || load.count(redisstore.ErrUnconfirmed) >= 50
					})
				}
				primary.Kill()
				acquired := load.stop()
				replica.Do(t, "REPLICAOF", "NO", "ONE")

				after := newStore(t, d.open(t, replica.Addr), redisstore.Config{})
				unknown := 0
				for _, c := range acquired {
					out, err := after.Claim(t.Context(), rival(c))
					if err != nil {
						t.Fatal(err)
					}
					if out.Status == replay.Acquired {
						unknown++
					}
				}
				t.Logf("%d of %d acquired claims are unknown to the new primary; %d were refused for want of replicas",
					unknown, len(acquired), load.count(redisstore.ErrUnconfirmed))
				if row.replicas > 0 && unknown > 0 {
					t.Errorf("%d confirmed claims are unknown to the new primary", unknown)
				}
				if row.replicas == 0 && unknown == 0 {
					t.Error("nothing was lost: the test has shown nothing")
				}
			})
		}
	})
}

// load is many callers that claim new keys.
type load struct {
	all    sync.WaitGroup
	cancel context.CancelFunc

	mu       sync.Mutex
	acquired []replay.Claim
	failed   []error
}

func startLoad(t *testing.T, s replay.Store) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel}
	t.Cleanup(func() { l.stop() })
	for n := range 32 {
		l.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				c := newClaim(fmt.Sprint("load ", n, " ", i))
				claiming, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
				out, err := s.Claim(claiming, c)
				cancel()
				l.mu.Lock()
				switch {
				case err != nil:
					l.failed = append(l.failed, err)
				case out.Status == replay.Acquired:
					l.acquired = append(l.acquired, c)
				default:
					t.Errorf("a claim to a new key: %v", out.Status)
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// count is how many claims were acquired, or failed with an error.
func (l *load) count(target error) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if target == nil {
		return len(l.acquired)
	}
	for _, err := range l.failed {
		if errors.Is(err, target) {
			n++
		}
	}
	return n
}

func (l *load) stop() []replay.Claim {
	l.cancel()
	l.all.Wait()
	return l.acquired
}

// A claim that too few replicas confirm is given back, and not counted. A
// completion stays, and says so.
func TestUnconfirmed(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		primary := testserver.StartRedis(t)
		replica := testserver.StartRedisReplica(t, primary, primary.Addr)
		client := d.open(t, primary.Addr)
		patient := newStore(t, client, redisstore.Config{Replicas: 1, ReplicaTimeout: 5 * time.Second})
		s := newStore(t, client, redisstore.Config{Replicas: 1, ReplicaTimeout: 20 * time.Millisecond})
		alone := newStore(t, client, redisstore.Config{})

		confirmed := newClaim("confirmed")
		mustClaim(t, patient, confirmed, replay.Acquired)
		mustClaim(t, patient, confirmed, replay.Acquired)
		done := newClaim("done")
		mustClaim(t, patient, done, replay.Acquired)
		mustComplete(t, patient, done, nil)
		replica.Kill()
		testserver.Eventually(t, 5*time.Second, "the replica is missed", func() bool {
			return strings.Contains(primary.Info(t, "replication"), "connected_slaves:0")
		})

		c := newClaim("unconfirmed")
		for range 2 {
			if out, err := s.Claim(t.Context(), c); !errors.Is(err, redisstore.ErrUnconfirmed) || out.Status != 0 {
				t.Errorf("Claim: %v, %v; want ErrUnconfirmed", out.Status, err)
			}
		}
		// A claim that is there already has to be confirmed as well.
		if out, err := s.Claim(t.Context(), confirmed); !errors.Is(err, redisstore.ErrUnconfirmed) || out.Status != 0 {
			t.Errorf("Claim repeated: %v, %v; want ErrUnconfirmed", out.Status, err)
		}
		if out := mustClaim(t, alone, rival(c), replay.Acquired); out.Attempt != 1 {
			t.Errorf("attempt %d after claims that were given back, want 1", out.Attempt)
		}

		work := newClaim("work")
		mustClaim(t, alone, work, replay.Acquired)
		for range 2 {
			if err := s.Complete(t.Context(), work, nil); !errors.Is(err, redisstore.ErrUnconfirmed) {
				t.Errorf("Complete: %v, want ErrUnconfirmed", err)
			}
		}
		mustClaim(t, s, rival(work), replay.Duplicate)
		mustClaim(t, s, rival(c), replay.InFlight)
	})
}

// Sentinel: a claim passes, before and after a failover.
func TestSentinel(t *testing.T) {
	primary := testserver.StartRedis(t)
	replica := testserver.StartRedisReplica(t, primary, primary.Addr)
	sentinel := testserver.StartRedisSentinel(t, "main", primary)
	failover := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: "main", SentinelAddrs: []string{sentinel.Addr}, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = failover.Close() })
	stores := map[string]*redisstore.Store{
		"go-redis": newStore(t, redisstore.GoRedis(failover), redisstore.Config{Replicas: 1, ReplicaTimeout: 2 * time.Second}),
		"rueidis": newStore(t, redisstore.Rueidis(newRueidis(t, rueidis.ClientOption{
			InitAddress: []string{sentinel.Addr}, Sentinel: rueidis.SentinelOption{MasterSet: "main"},
		})), redisstore.Config{Replicas: 1, ReplicaTimeout: 2 * time.Second}),
	}
	for name, s := range stores {
		c := newClaim(name)
		mustClaim(t, s, c, replay.Acquired)
		mustComplete(t, s, c, nil)
	}
	// It refuses until it knows the replica, and has heard from it.
	testserver.Eventually(t, 20*time.Second, "sentinel starts a failover", func() bool {
		return sentinel.Admin.Do(t.Context(), "SENTINEL", "FAILOVER", "main").Err() == nil
	})
	testserver.Eventually(t, 20*time.Second, "the replica is promoted", func() bool {
		return strings.Contains(replica.Info(t, "replication"), "role:master") &&
			strings.Contains(sentinel.Info(t, "sentinel"), "address="+replica.Addr)
	})
	for name, s := range stores {
		testserver.Eventually(t, 20*time.Second, "claims go to the new primary", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			out, err := s.Claim(ctx, newClaim(name))
			if err == nil && out.Status != replay.Duplicate {
				t.Fatalf("%s: %v after the failover, want %v", name, out.Status, replay.Duplicate)
			}
			return err == nil
		})
	}
}
