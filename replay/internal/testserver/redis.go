package testserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a running redis-server that writes nothing to disk.
type Redis struct {
	*Process
	Addr string
	Port int
	// Admin is a client for the test's own commands.
	Admin *redis.Client
}

// StartRedis starts a server with arguments of redis-server's command line.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return StartRedisOn(t, FreePort(t), args...)
}

// StartRedisOn starts it on a port, for one that comes back.
func StartRedisOn(t testing.TB, port int, args ...string) *Redis {
	t.Helper()
	return startRedis(t, port, append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "",
		"--appendonly", "no", "--dir", t.TempDir(), "--repl-diskless-sync-delay", "0"}, args...))
}

func startRedis(t testing.TB, port int, args []string) *Redis {
	t.Helper()
	binary := Binary(t, "redis-server", "the package redis-server")
	r := &Redis{
		Process: Start(t, exec.Command(binary, args...)),
		Addr:    net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Port:    port,
	}
	r.Admin = redis.NewClient(&redis.Options{Addr: r.Addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = r.Admin.Close() })
	Eventually(t, 10*time.Second, "redis-server answers", func() bool {
		return r.Ended() || r.Admin.Ping(context.Background()).Err() == nil
	})
	if r.Ended() {
		t.Fatal("redis-server ended at once")
	}
	return r
}

// StartRedisReplica starts a replica and waits until it follows. It reaches its
// primary at addr, which may be a proxy's.
func StartRedisReplica(t testing.TB, primary *Redis, addr string) *Redis {
	t.Helper()
	replica := StartRedis(t, "--replicaof", strings.ReplaceAll(addr, ":", " "))
	Eventually(t, 10*time.Second, "the replica follows", func() bool {
		return strings.Contains(replica.Info(t, "replication"), "master_link_status:up") &&
			strings.Contains(primary.Info(t, "replication"), "state=online")
	})
	return replica
}

// StartRedisSentinel starts one sentinel, which watches a primary under a name and
// decides alone.
func StartRedisSentinel(t testing.TB, name string, primary *Redis) *Redis {
	t.Helper()
	port := FreePort(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf") // a sentinel writes to it
	config := fmt.Sprintf("bind 127.0.0.1\nport %d\nsentinel monitor %s 127.0.0.1 %d 1\n", port, name, primary.Port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return startRedis(t, port, []string{file, "--sentinel"})
}

// StartRedisCluster starts a cluster of n primaries that share the slots evenly.
func StartRedisCluster(t testing.TB, n int, args ...string) []*Redis {
	t.Helper()
	const slots = 16384
	nodes := make([]*Redis, n)
	for i := range nodes {
		bus := FreePort(t)
		nodes[i] = StartRedis(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
			"--cluster-node-timeout", "5000"}, args...)...)
		nodes[i].Do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/n, (i+1)*slots/n-1)
		nodes[0].Do(t, "CLUSTER", "MEET", "127.0.0.1", nodes[i].Port, bus)
	}
	for _, node := range nodes {
		Eventually(t, 20*time.Second, "the cluster is complete", func() bool {
			info := fmt.Sprint(node.Do(t, "CLUSTER", "INFO"))
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n))
		})
	}
	return nodes
}

// Do sends a command to this one server and fails the test if it is refused.
func (r *Redis) Do(t testing.TB, args ...any) any {
	t.Helper()
	reply, err := r.Admin.Do(context.Background(), args...).Result()
	if err != nil && err != redis.Nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// Info is a section of the server's INFO.
func (r *Redis) Info(t testing.TB, section string) string {
	t.Helper()
	return fmt.Sprint(r.Do(t, "INFO", section))
}
