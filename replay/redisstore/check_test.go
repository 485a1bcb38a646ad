package redisstore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// clock is the machine's clock, moved.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) set(off time.Duration) { c.offset.Store(int64(off)) }

// A node whose clock is too far from the server's does not start, and one that
// drifts away later claims nothing until it is back.
func TestK17ClockSkew(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t)
		for _, row := range []struct {
			offset, limit time.Duration
			wrong         bool
		}{
			{0, 0, false},
			{25 * time.Second, 0, false},
			{-25 * time.Second, 0, false},
			{31 * time.Second, 0, true},
			{-31 * time.Second, 0, true},
			{31 * time.Second, time.Minute, false},
			{24 * time.Hour, 0, true},
			{5 * time.Second, time.Second, true},
		} {
			var c clock
			c.set(row.offset)
			_, err := redisstore.New(t.Context(), d.open(t, server.Addr), redisstore.Config{Now: c.now, MaxSkew: row.limit})
			if errors.Is(err, redisstore.ErrClockSkew) != row.wrong || (err != nil) != row.wrong {
				t.Errorf("New with a clock off by %v: %v", row.offset, err)
			}
		}

		var c clock
		s := newStore(t, d.open(t, server.Addr), redisstore.Config{Now: c.now})
		mustClaim(t, s, newClaim("in time"), replay.Acquired)
		held := newClaim("held")
		mustClaim(t, s, held, replay.Acquired)
		for _, offset := range []time.Duration{2 * time.Minute, -2 * time.Minute} {
			c.set(offset)
			for range 2 {
				if out, err := s.Claim(t.Context(), newClaim("drifted")); !errors.Is(err, redisstore.ErrClockSkew) || out.Status != 0 {
					t.Errorf("a claim with a clock off by %v: %v, %v; want ErrClockSkew", offset, out.Status, err)
				}
			}
			// What was claimed before is still settled.
			if err := s.Renew(t.Context(), held); err != nil {
				t.Errorf("Renew: %v", err)
			}
		}
		c.set(0)
		mustClaim(t, s, newClaim("back"), replay.Acquired)
		if got := s.Limits(); got != (replay.Limits{Shared: true, MaxSkew: redisstore.DefaultMaxSkew}) {
			t.Errorf("Limits: %+v", got)
		}
	})
}

// steps is a clock that moves only by hand.
type steps struct {
	mu  sync.Mutex
	now time.Time
}

func (c *steps) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *steps) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Checks are made once a minute, or every five seconds when something is wrong,
// and by one caller.
func TestChecksAreRare(t *testing.T) {
	c := &steps{now: time.Now()}
	policy := "noeviction"
	f := &fake{do: replies(nil)}
	f.time = func() (any, error) { return c.read().UnixMicro(), nil }
	f.info = func() (any, error) {
		return "redis_version:7.2.4\r\nmaxmemory_policy:" + policy + "\r\nrole:master\r\n", nil
	}
	s := newStore(t, f, redisstore.Config{Now: c.read})
	claim := func(checks int, want error) {
		t.Helper()
		for range 3 {
			if _, err := s.Claim(t.Context(), newClaim("x")); !errors.Is(err, want) {
				t.Errorf("Claim: %v, want %v", err, want)
			}
		}
		if f.checks != checks {
			t.Errorf("%d checks, want %d", f.checks, checks)
		}
	}
	claim(1, nil)
	c.advance(time.Minute - 1)
	claim(1, nil)
	c.advance(1)
	claim(2, nil)
	policy = "allkeys-random"
	claim(2, nil)
	c.advance(time.Minute)
	claim(3, redisstore.ErrEviction)
	policy = "noeviction"
	c.advance(5*time.Second - 1)
	claim(3, redisstore.ErrEviction)
	c.advance(1)
	claim(4, nil)

	// A check that gets no answer is no verdict, good or bad.
	f.info = func() (any, error) { return nil, io.EOF }
	c.advance(time.Minute)
	claim(5, nil)
	c.advance(5 * time.Second)
	claim(6, nil)
	f.info = func() (any, error) { return strings.Replace(goodInfo, "noeviction", "volatile-lru", 1), nil }
	c.advance(5 * time.Second)
	claim(7, redisstore.ErrEviction)
	f.info = func() (any, error) { return nil, io.EOF }
	c.advance(5 * time.Second)
	claim(8, redisstore.ErrEviction)

	// While one caller checks, the others go on with what is known.
	f.info = nil
	c.advance(5 * time.Second)
	claim(9, nil)
	started, finish := make(chan struct{}), make(chan struct{})
	f.info = func() (any, error) { close(started); <-finish; return goodInfo, nil }
	c.advance(time.Minute)
	slow := make(chan error)
	go func() {
		_, err := s.Claim(context.Background(), newClaim("slow"))
		slow <- err
	}()
	<-started
	claim(10, nil)
	close(finish)
	if err := <-slow; err != nil {
		t.Errorf("Claim: %v", err)
	}
	claim(10, nil)
}

// A check that hangs takes at most half of a claim's time.
func TestCheckLeavesTimeForTheClaim(t *testing.T) {
	c := &steps{now: time.Now()}
	f := &fake{do: replies(nil)}
	f.time = func() (any, error) { return c.read().UnixMicro(), nil }
	s := newStore(t, hanging{f}, redisstore.Config{Now: c.read})
	c.advance(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if out, err := s.Claim(ctx, newClaim("x")); err != nil || out.Status != replay.Acquired {
		t.Errorf("Claim: %v, %v", out.Status, err)
	}
	if ctx.Err() != nil {
		t.Error("the check has used up the claim's time")
	}
}

// hanging is a fake whose checks after the first wait for the end of their time.
type hanging struct{ *fake }

func (h hanging) Servers(ctx context.Context) ([]redisstore.Server, error) {
	h.checks++
	if h.checks > 2 { // the first check counts twice: here, and for INFO
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.fake.Servers(ctx)
}

func TestNewRefuses(t *testing.T) {
	info := func(lines ...string) *fake {
		return &fake{info: func() (any, error) { return strings.Join(lines, "\r\n"), nil }}
	}
	const (
		version = "redis_version:7.0.0"
		policy  = "maxmemory_policy:noeviction"
	)
	denied := func() *fake {
		return &fake{info: func() (any, error) { return nil, redisstore.ServerError("NOPERM no INFO") }}
	}
	trusting := redisstore.Config{InsecureUnknownEviction: true}
	lone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}, ContextTimeoutEnabled: true})
	auto, err := lone.AutoPipeline()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _, _ = auto.Close(), lone.Close(), cluster.Close(), ring.Close() })
	for name, row := range map[string]struct {
		client redisstore.Client
		cfg    redisstore.Config
		want   string // in the error; "" is none
	}{
		"good":                   {&fake{}, redisstore.Config{}, ""},
		"good, 7.2":              {info("redis_version:7.2.4", policy), redisstore.Config{}, ""},
		"good, two digits":       {info("redis_version:10.1.0", policy), redisstore.Config{}, ""},
		"nil":                    {nil, redisstore.Config{}, "the client is nil"},
		"nil UniversalClient":    {redisstore.GoRedis(nil), redisstore.Config{}, "the client is nil"},
		"nil *redis.Client":      {redisstore.GoRedis((*redis.Client)(nil)), redisstore.Config{}, "the client is nil"},
		"nil *ClusterClient":     {redisstore.GoRedis((*redis.ClusterClient)(nil)), redisstore.Config{}, "the client is nil"},
		"nil rueidis":            {redisstore.Rueidis(nil), redisstore.Config{}, "the client is nil"},
		"no context timeout":     {redisstore.GoRedis(lone), redisstore.Config{}, "ContextTimeoutEnabled in redis.Options"},
		"no context timeout (2)": {redisstore.GoRedis(cluster), redisstore.Config{}, "ContextTimeoutEnabled in redis.ClusterOptions"},
		"ring":                   {redisstore.GoRedis(ring), redisstore.Config{}, "redis.Ring"},
		"auto-pipeliner":         {redisstore.GoRedis(auto), redisstore.Config{}, "AutoPipeliner"},
		"long prefix":            {&fake{}, redisstore.Config{Prefix: strings.Repeat("x", 65)}, "Prefix"},
		"brace":                  {&fake{}, redisstore.Config{Prefix: "{a}:"}, "Prefix"},
		"replicas":               {&fake{}, redisstore.Config{Replicas: -1}, "Replicas"},
		"replica timeout":        {&fake{}, redisstore.Config{ReplicaTimeout: time.Microsecond}, "ReplicaTimeout"},
		"skew":                   {&fake{}, redisstore.Config{MaxSkew: -1}, "MaxSkew"},
		"answer":                 {&fake{}, redisstore.Config{MaxAnswer: -2}, "MaxAnswer"},
		"old":                    {info("redis_version:6.2.14", policy), redisstore.Config{}, "7.0"},
		"odd version":            {info("redis_version:x", policy), redisstore.Config{}, "7.0"},
		"eviction":               {info(version, "maxmemory_policy:volatile-lfu"), redisstore.Config{}, "volatile-lfu"},
		"eviction, trusting":     {info(version, "maxmemory_policy:volatile-lfu"), trusting, "volatile-lfu"},
		"policy unknown":         {info(version), redisstore.Config{}, "Config.InsecureUnknownEviction"},
		"policy unknown, trust":  {info(version), trusting, ""},
		"INFO denied":            {denied(), redisstore.Config{}, "Config.InsecureUnknownEviction"},
		"INFO denied, trust":     {denied(), trusting, ""},
		"old, trusting":          {info("redis_version:6.2.14"), trusting, "7.0"},
		"replica":                {info(version, policy, "role:slave"), redisstore.Config{}, "replicas only"},
		"no server":              {nobody{&fake{}}, redisstore.Config{}, "replicas only"},
		"no answer":              {&fake{info: func() (any, error) { return nil, io.EOF }}, trusting, "EOF"},
		"no time":                {&fake{time: func() (any, error) { return "x", nil }}, redisstore.Config{}, "time"},
		"time refused":           {&fake{time: func() (any, error) { return nil, redisstore.ServerError("NOPERM x") }}, redisstore.Config{}, "NOPERM"},
	} {
		s, err := redisstore.New(t.Context(), row.client, row.cfg)
		switch {
		case (err == nil) != (row.want == "") || (s == nil) == (err == nil):
			t.Errorf("%s: %v, want %q", name, err, row.want)
		case err != nil && (!strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "redisstore: ")):
			t.Errorf("%s: the error is %q, which does not begin with the package or does not say %q", name, err, row.want)
		}
	}
}

// nobody is a client without servers.
type nobody struct{ *fake }

func (nobody) Servers(context.Context) ([]redisstore.Server, error) { return nil, nil }

// Of a large answer nothing is kept, and the work is done all the same.
func TestMaxAnswer(t *testing.T) {
	server := testserver.StartRedis(t)
	client := viaGoRedis.open(t, server.Addr)
	for _, row := range []struct{ limit, length, kept int }{
		{0, redisstore.DefaultMaxAnswer, redisstore.DefaultMaxAnswer}, {0, redisstore.DefaultMaxAnswer + 1, -1},
		{10, 10, 10}, {10, 11, -1}, {-1, 0, -1}, {-1, 1, -1}, {1, 0, 0},
	} {
		s := newStore(t, client, redisstore.Config{MaxAnswer: row.limit})
		c := newClaim("answer")
		c.Key = replay.Key(replay.NewOwner())
		mustClaim(t, s, c, replay.Acquired)
		mustComplete(t, s, c, make([]byte, row.length))
		out := mustClaim(t, s, rival(c), replay.Duplicate)
		if got := len(out.Answer); got != max(row.kept, 0) || (out.Answer == nil) != (row.kept < 0) {
			t.Errorf("MaxAnswer %d, answer of %d bytes: %d bytes are kept, want %d (-1: none)", row.limit, row.length, got, row.kept)
		}
	}
}
