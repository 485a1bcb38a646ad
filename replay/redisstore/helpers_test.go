package redisstore_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// go-redis writes a line to standard error for every connection that it does not
// get, and here servers die by intention.
func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	os.Exit(m.Run())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// driver is a client library. With more than one address it speaks to a cluster.
type driver struct {
	name string
	open func(t testing.TB, addrs ...string) redisstore.Client
}

var (
	viaGoRedis = driver{"go-redis", func(t testing.TB, addrs ...string) redisstore.Client {
		return redisstore.GoRedis(newGoRedis(t, redis.UniversalOptions{Addrs: addrs}))
	}}
	viaRueidis = driver{"rueidis", func(t testing.TB, addrs ...string) redisstore.Client {
		return redisstore.Rueidis(newRueidis(t, rueidis.ClientOption{InitAddress: addrs}))
	}}
	drivers = []driver{viaGoRedis, viaRueidis}
)

func newGoRedis(t testing.TB, o redis.UniversalOptions) redis.UniversalClient {
	o.ContextTimeoutEnabled = true
	c := redis.NewUniversalClient(&o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newRueidis(t testing.TB, o rueidis.ClientOption) rueidis.Client {
	t.Helper()
	o.DisableCache = true
	o.ReadBufferEachConn, o.WriteBufferEachConn = 32<<10, 32<<10
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// eachDriver runs a test with both libraries.
func eachDriver(t *testing.T, run func(t *testing.T, d driver)) {
	t.Helper()
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) { run(t, d) })
	}
}

func newStore(t testing.TB, c redisstore.Client, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := redisstore.New(ctx, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startStore is a store of its own on a server of its own.
func startStore(t testing.TB, d driver) (*redisstore.Store, *testserver.Redis) {
	t.Helper()
	server := testserver.StartRedis(t)
	return newStore(t, d.open(t, server.Addr), redisstore.Config{}), server
}

// newClaim is a claim to a key of the text.
func newClaim(text string) replay.Claim {
	return replay.Claim{Key: replay.NewKey("test", text), Owner: replay.NewOwner(), Lease: 30 * time.Second, Keep: 10 * time.Minute}
}

// rival is another owner's claim to the same key.
func rival(c replay.Claim) replay.Claim {
	c.Owner = replay.NewOwner()
	return c
}

// mustClaim claims and expects a status.
func mustClaim(t testing.TB, s replay.Store, c replay.Claim, want replay.Status) replay.Outcome {
	t.Helper()
	out, err := s.Claim(t.Context(), c)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if out.Status != want {
		t.Fatalf("Claim: %v, want %v", out.Status, want)
	}
	return out
}

func mustComplete(t testing.TB, s replay.Store, c replay.Claim, answer []byte) {
	t.Helper()
	if err := s.Complete(t.Context(), c, answer); err != nil {
		t.Fatalf("Complete: %v", err)
	}
}
