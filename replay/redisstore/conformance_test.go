package redisstore_test

import (
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
	"github.com/webhookauth/webhookauth/replay/replaytest"
)

// K32 (and K01, K03, K09, K10 inside): the suite on real servers. Every lease in
// it lapses by the server's own time, and the suite waits for that.
func TestK32ConformanceOnRealServers(t *testing.T) {
	single := []string{testserver.StartRedis(t).Addr}
	var cluster []string
	for _, node := range testserver.StartRedisCluster(t, 3) {
		cluster = append(cluster, node.Addr)
	}
	// Not with t.Parallel, which would let only as many wait at a time as there are
	// processors.
	var all sync.WaitGroup
	for _, kind := range []struct {
		name  string
		addrs []string
		keys  int
	}{{"one server", single, 300}, {"cluster", cluster, 100}} {
		for _, d := range drivers {
			all.Go(func() {
				t.Run(kind.name+", "+d.name, func(t *testing.T) {
					cfg := redisstore.Config{Prefix: d.name + ":"}
					replaytest.Run(t, replaytest.Harness{
						New: func(t *testing.T) replay.Store { return newStore(t, d.open(t, kind.addrs...), cfg) },
						Another: func(t *testing.T, _ replay.Store) replay.Store {
							return newStore(t, d.open(t, kind.addrs...), cfg)
						},
						Keys:    kind.keys,
						Answers: redisstore.DefaultMaxAnswer,
					})
				})
			})
		}
	}
	all.Wait()
}
