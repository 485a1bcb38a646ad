package redisstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// eachCutDriver runs a test with clients that differ in what they do when a reply
// does not come.
func eachCutDriver(t *testing.T, run func(t *testing.T, c redisstore.Client, p *testserver.Proxy, server *testserver.Redis)) {
	for _, d := range []driver{
		{"go-redis, three retries", viaGoRedis.open},
		{"go-redis, no retries", func(t testing.TB, addrs ...string) redisstore.Client {
			return redisstore.GoRedis(newGoRedis(t, redis.UniversalOptions{Addrs: addrs, MaxRetries: -1}))
		}},
		{"rueidis", viaRueidis.open},
		{"rueidis, always pipelining", func(t testing.TB, addrs ...string) redisstore.Client {
			return redisstore.Rueidis(newRueidis(t, rueidis.ClientOption{InitAddress: addrs, AlwaysPipelining: true}))
		}},
	} {
		t.Run(d.name, func(t *testing.T) {
			server := testserver.StartRedis(t)
			p := testserver.StartProxy(t, server.Addr)
			run(t, d.open(t, p.Addr), p, server)
			if p.Cuts() == 0 {
				t.Error("no reply was cut: the test has shown nothing")
			}
		})
	}
}

// The reply to a claim is cut: the delivery is processed, and once.
func TestK11ClaimReplyCut(t *testing.T) {
	eachCutDriver(t, func(t *testing.T, client redisstore.Client, p *testserver.Proxy, server *testserver.Redis) {
		s := newStore(t, client, redisstore.Config{})
		c := newClaim("cut")
		p.CutReply("SET")
		if out := mustClaim(t, s, c, replay.Acquired); out.Attempt != 1 {
			t.Errorf("attempt %d, want 1", out.Attempt)
		}
		value, _ := server.Do(t, "GET", onlyKey(t, server)).(string)
		if want := "H" + string(c.Owner[:]) + "1"; value != want {
			t.Errorf("the record is %q, want %q", value, want)
		}
		mustClaim(t, s, rival(c), replay.InFlight)
		mustComplete(t, s, c, nil)
		mustClaim(t, s, rival(c), replay.Duplicate)
	})
}

// The same for a claim to a released key, which a script makes.
func TestK11TakeOverReplyCut(t *testing.T) {
	eachCutDriver(t, func(t *testing.T, client redisstore.Client, p *testserver.Proxy, _ *testserver.Redis) {
		s := newStore(t, client, redisstore.Config{})
		c := newClaim("cut")
		mustClaim(t, s, c, replay.Acquired)
		if err := s.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		// Once without, so that the server knows the script.
		c = rival(c)
		if out := mustClaim(t, s, c, replay.Acquired); out.Attempt != 2 {
			t.Errorf("attempt %d, want 2", out.Attempt)
		}
		if err := s.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c = rival(c)
		p.CutReply("EVALSHA")
		if out := mustClaim(t, s, c, replay.Acquired); out.Attempt != 3 {
			t.Errorf("attempt %d, want 3", out.Attempt)
		}
		mustClaim(t, s, rival(c), replay.InFlight)
	})
}

// The trap that the owner in the record avoids: a client that repeats SET NX by
// itself says of a key that nobody else has ever set that it is there already.
func TestK11TrapOfBareSetNX(t *testing.T) {
	server := testserver.StartRedis(t)
	p := testserver.StartProxy(t, server.Addr)
	c := newGoRedis(t, redis.UniversalOptions{Addrs: []string{p.Addr}})
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	p.CutReply("fresh")
	set, err := c.SetNX(t.Context(), "fresh", "1", 0).Result()
	if err != nil || set {
		t.Errorf("SetNX on a fresh key whose reply is cut: %v, %v; it is known to say false", set, err)
	}
	if p.Cuts() != 1 {
		t.Errorf("%d replies were cut, want 1", p.Cuts())
	}
}

// The reply to a completion is cut: the work is recorded, and nobody needs to know.
func TestK12CompleteReplyCut(t *testing.T) {
	for _, answer := range [][]byte{nil, []byte("the answer")} {
		eachCutDriver(t, func(t *testing.T, client redisstore.Client, p *testserver.Proxy, _ *testserver.Redis) {
			s := newStore(t, client, redisstore.Config{})
			warm := newClaim("warm")
			mustClaim(t, s, warm, replay.Acquired)
			mustComplete(t, s, warm, nil) // the server knows the script now

			c := newClaim("cut")
			mustClaim(t, s, c, replay.Acquired)
			p.CutReply("EVALSHA")
			mustComplete(t, s, c, answer)
			if out := mustClaim(t, s, rival(c), replay.Duplicate); string(out.Answer) != string(answer) {
				t.Errorf("the answer is %q, want %q", out.Answer, answer)
			}
		})
	}
}

// Many claim a released key at the same instant: one is given it.
func TestReleasedKeyTakenOnce(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		s, _ := startStore(t, d)
		for round := range 40 {
			c := newClaim(fmt.Sprint("released ", round))
			mustClaim(t, s, c, replay.Acquired)
			if err := s.Release(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			var (
				start    = make(chan struct{})
				acquired atomic.Int64
				all      sync.WaitGroup
			)
			for range 32 {
				all.Go(func() {
					<-start
					out, err := s.Claim(t.Context(), rival(c))
					switch {
					case err != nil:
						t.Error(err)
					case out.Status == replay.Acquired:
						acquired.Add(1)
					case out.Status != replay.InFlight:
						t.Errorf("Claim: %v", out.Status)
					}
				})
			}
			close(start)
			all.Wait()
			if n := acquired.Load(); n != 1 {
				t.Fatalf("round %d: %d acquired the key, want 1", round, n)
			}
		}
	})
}

// onlyKey is the one key that the server has.
func onlyKey(t *testing.T, server *testserver.Redis) string {
	t.Helper()
	keys, _ := server.Do(t, "KEYS", "*").([]any)
	if len(keys) != 1 {
		t.Fatalf("keys %q, want one", keys)
	}
	return keys[0].(string)
}
