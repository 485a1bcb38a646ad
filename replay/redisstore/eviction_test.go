package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// A server that evicts is refused.
func TestK15EvictingServerRefused(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
		_, err := redisstore.New(t.Context(), d.open(t, server.Addr), redisstore.Config{InsecureUnknownEviction: true})
		if !errors.Is(err, redisstore.ErrEviction) || !strings.Contains(err.Error(), "allkeys-lru") {
			t.Errorf("New: %v, want ErrEviction that names the policy", err)
		}
		server.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
		newStore(t, d.open(t, server.Addr), redisstore.Config{})
	})
}

// So is a cluster in which one server does: records are on all of them.
func TestK15EvictingServerInClusterRefused(t *testing.T) {
	nodes := testserver.StartRedisCluster(t, 3)
	s := newStore(t, viaGoRedis.open(t, nodes[0].Addr, nodes[1].Addr), redisstore.Config{})
	for i := range 300 {
		mustClaim(t, s, newClaim(fmt.Sprint("spread ", i)), replay.Acquired)
	}
	for _, node := range nodes {
		if n, _ := node.Do(t, "DBSIZE").(int64); n < 50 {
			t.Errorf("a server has %d of 300 keys", n)
		}
	}
	nodes[2].Do(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	eachDriver(t, func(t *testing.T, d driver) {
		_, err := redisstore.New(t.Context(), d.open(t, nodes[0].Addr, nodes[1].Addr), redisstore.Config{})
		if !errors.Is(err, redisstore.ErrEviction) {
			t.Errorf("New: %v, want ErrEviction", err)
		}
	})
}

// A full server refuses new claims, and knows all old ones. Work under way can
// still be completed or given back.
func TestK15FullServer(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		s, server := startStore(t, d)
		done := make([]replay.Claim, 500)
		for i := range done {
			done[i] = newClaim(fmt.Sprint("done ", i))
			done[i].Fingerprint = 5
			mustClaim(t, s, done[i], replay.Acquired)
			mustComplete(t, s, done[i], nil)
		}
		working, failing, given := newClaim("working"), newClaim("failing"), newClaim("given back")
		mustClaim(t, s, working, replay.Acquired)
		mustClaim(t, s, failing, replay.Acquired)
		mustClaim(t, s, given, replay.Acquired)
		if err := s.Release(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		server.Do(t, "CONFIG", "SET", "maxmemory", "100kb")

		for name, c := range map[string]replay.Claim{"new": newClaim("new"), "given back": rival(given)} {
			if out, err := s.Claim(t.Context(), c); !errors.Is(err, replay.ErrFull) || out.Status != 0 {
				t.Errorf("a claim to a %s key: %v, %v; want ErrFull", name, out.Status, err)
			} else if strings.Contains(err.Error(), "command not allowed") {
				t.Errorf("the error is %q: not plain", err)
			}
		}
		for _, c := range done {
			mustClaim(t, s, rival(c), replay.Duplicate)
		}
		other := rival(done[0])
		other.Fingerprint = 6
		mustClaim(t, s, other, replay.Conflict)
		mustClaim(t, s, rival(working), replay.InFlight)
		mustClaim(t, s, working, replay.Acquired)

		if err := s.Renew(t.Context(), working); err != nil {
			t.Errorf("Renew: %v", err)
		}
		mustComplete(t, s, working, nil)
		mustClaim(t, s, rival(working), replay.Duplicate)
		if err := s.Release(t.Context(), failing); err != nil {
			t.Errorf("Release: %v", err)
		}

		server.Do(t, "CONFIG", "SET", "maxmemory", "0")
		if out := mustClaim(t, s, rival(failing), replay.Acquired); out.Attempt != 2 {
			t.Errorf("attempt %d, want 2", out.Attempt)
		}
		mustClaim(t, s, newClaim("new"), replay.Acquired)
	})
}

// Completed work takes the least that Redis has for it: an integer.
func TestDoneIsKeptAsInteger(t *testing.T) {
	s, server := startStore(t, viaGoRedis)
	for _, fingerprint := range []uint64{0, 1, 1<<40 - 1} {
		for range 20 {
			server.Do(t, "FLUSHALL")
			c := newClaim("done")
			c.Fingerprint = fingerprint
			mustClaim(t, s, c, replay.Acquired)
			mustComplete(t, s, c, nil)
			key := onlyKey(t, server)
			if got := server.Do(t, "OBJECT", "ENCODING", key); got != "int" {
				t.Errorf("fingerprint %#x: %v is kept as %v, want int", fingerprint, server.Do(t, "GET", key), got)
			}
			if left, _ := server.Do(t, "PTTL", key).(int64); left < c.Keep.Milliseconds()-60_000 || left > c.Keep.Milliseconds() {
				t.Errorf("the record is kept for %d ms, want %v", left, c.Keep)
			}
		}
	}
}

func TestForget(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		s, _ := startStore(t, d)
		c := newClaim("forgotten")
		mustClaim(t, s, c, replay.Acquired)
		mustComplete(t, s, c, nil)
		for range 2 {
			if err := s.Forget(t.Context(), c.Key); err != nil {
				t.Fatal(err)
			}
		}
		mustClaim(t, s, rival(c), replay.Acquired)
	})
}

// What the server may not tell is a refusal that says what to do; a user who may
// only do what the package documents can do all.
func TestAccessRights(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t)
		rights := []any{"on", "nopass", "resetkeys", "~rp:*", "resetchannels", "-@all", "+set", "+get", "+del", "+pexpire",
			"+eval", "+evalsha", "+time", "+wait", "+hello", "+client", "+ping"}
		server.Do(t, append([]any{"ACL", "SETUSER", "default"}, rights...)...)
		_, err := redisstore.New(t.Context(), d.open(t, server.Addr), redisstore.Config{})
		if err == nil || !strings.Contains(err.Error(), "NOPERM") || !strings.Contains(err.Error(), "InsecureUnknownEviction") {
			t.Errorf("New without the right to INFO: %v", err)
		}
		s := newStore(t, d.open(t, server.Addr), redisstore.Config{InsecureUnknownEviction: true})
		c := newClaim("limited")
		mustClaim(t, s, c, replay.Acquired)
		if err := s.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		mustClaim(t, s, c, replay.Acquired)
		if err := s.Renew(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		mustComplete(t, s, c, nil)
		if err := s.Forget(t.Context(), c.Key); err != nil {
			t.Fatal(err)
		}

		foreign := newStore(t, d.open(t, server.Addr), redisstore.Config{InsecureUnknownEviction: true, Prefix: "secret:"})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := foreign.Claim(ctx, c); err == nil || !strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "secret:") {
			t.Errorf("a claim to a key without the right: %v", err)
		}
	})
}
