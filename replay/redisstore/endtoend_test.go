package redisstore_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	receiverAddr = "REDISSTORE_TEST_RECEIVER" // set in the child process: the server's address
	receiverWork = "REDISSTORE_TEST_WORK"
	signingKey   = "end-to-end-key-of-the-tests"
)

// receiver is an endpoint behind the net/http adapter, one node of several that
// share a Redis.
func receiver(t *testing.T, d driver, addr string, handler http.HandlerFunc) (url string) {
	t.Helper()
	v, err := verify.New(verify.Config{
		Accept: verify.HMAC{Keys: verify.Static(signingKey)},
		Replay: verify.Replay{
			Store:   newStore(t, d.open(t, addr), redisstore.Config{}),
			Scope:   "end to end",
			Lease:   1200 * time.Millisecond,
			Timeout: 300 * time.Millisecond,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := httptest.NewServer(verifyhttp.Middleware(v)(handler))
	t.Cleanup(endpoint.Close)
	return endpoint.URL
}

// delivery is a signed request that can be sent any number of times.
func delivery(t *testing.T, body string) func(url string) (status int) {
	t.Helper()
	signed := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if err := (verifytest.HMAC{SecretKey: signingKey}).Sign(signed); err != nil {
		t.Fatal(err)
	}
	return func(url string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0
		}
		r.Header = signed.Header.Clone()
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0 // the node died
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return answer.StatusCode
	}
}

// TestK07K08KilledInHandler kills a node with SIGKILL while its handler runs,
// before the effect and after it. Copies to another node are put off until the
// lease has lapsed; then exactly one runs. What had its effect before the kill has
// it a second time: only a mark in the effect's own transaction closes that.
func TestK07K08KilledInHandler(t *testing.T) {
	if addr := os.Getenv(receiverAddr); addr != "" {
		receiveAsChild(t, addr, os.Getenv(receiverWork))
		return
	}
	for work, effects := range map[string]int{"K07 before the effect": 1, "K08 after the effect": 2} {
		t.Run(work, func(t *testing.T) {
			server := testserver.StartRedis(t)
			node, url := startChild(t, server.Addr, work)
			send := delivery(t, work)
			first := make(chan int, 1)
			go func() { first <- send(url) }()
			node.expect(t, "in the handler")
			started := time.Now()
			if err := node.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if got := <-first; got != 0 {
				t.Fatalf("the dead node answered %d", got)
			}

			var runs atomic.Int64
			other := receiver(t, viaGoRedis, server.Addr, func(http.ResponseWriter, *http.Request) {
				runs.Add(1)
				server.Do(t, "INCR", "effects")
			})
			if got := send(other); got != http.StatusServiceUnavailable && time.Since(started) < time.Second {
				t.Fatalf("a copy within the lease is answered %d", got)
			}
			var mu sync.Mutex
			statuses := map[int]int{}
			testserver.Eventually(t, 10*time.Second, "a copy runs", func() bool {
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() {
						status := send(other)
						mu.Lock()
						defer mu.Unlock()
						statuses[status]++
					})
				}
				all.Wait()
				return statuses[http.StatusOK] > 0
			})
			if runs.Load() != 1 || statuses[http.StatusOK] != 1 {
				t.Errorf("%d runs, statuses %v", runs.Load(), statuses)
			}
			if got := send(other); got != http.StatusConflict {
				t.Errorf("a copy afterwards is answered %d", got)
			}
			if got := fmt.Sprint(server.Do(t, "GET", "effects")); got != fmt.Sprint(effects) {
				t.Errorf("the effect happened %s times, want %d", got, effects)
			}
			t.Logf("copies were answered %v; the effect happened %d times", statuses, effects)
		})
	}
}

// TestK09SlowHandler: a handler that takes three leases keeps its message.
func TestK09SlowHandler(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t)
		var runs atomic.Int64
		inside, leave := make(chan struct{}), make(chan struct{})
		handler := func(http.ResponseWriter, *http.Request) {
			if runs.Add(1) == 1 {
				close(inside)
			}
			<-leave
		}
		one, two := receiver(t, d, server.Addr, handler), receiver(t, d, server.Addr, handler)
		send := delivery(t, "slow")
		first := make(chan int, 1)
		go func() { first <- send(one) }()
		<-inside
		for end := time.Now().Add(3600 * time.Millisecond); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if got := send(two); got != http.StatusServiceUnavailable {
				t.Fatalf("a copy in flight is answered %d", got)
			}
		}
		close(leave)
		if got := <-first; got != http.StatusOK {
			t.Errorf("the first is answered %d", got)
		}
		if got := send(two); got != http.StatusConflict || runs.Load() != 1 {
			t.Errorf("a copy afterwards is answered %d, %d runs", got, runs.Load())
		}
	})
}

// TestK13StoreDownEndToEnd: without its Redis an endpoint refuses with a 503 and
// runs nothing; when it is back, it goes on.
func TestK13StoreDownEndToEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		server := testserver.StartRedis(t)
		var runs atomic.Int64
		url := receiver(t, d, server.Addr, func(http.ResponseWriter, *http.Request) { runs.Add(1) })
		send := delivery(t, "down")
		server.Kill()
		for range 20 {
			if got := send(url); got != http.StatusServiceUnavailable || runs.Load() != 0 {
				t.Fatalf("answered %d, %d runs", got, runs.Load())
			}
		}
		testserver.StartRedisOn(t, server.Port)
		testserver.Eventually(t, 10*time.Second, "deliveries run again", func() bool { return send(url) == http.StatusOK })
		if got := send(url); got != http.StatusConflict || runs.Load() != 1 {
			t.Errorf("a copy is answered %d, %d runs", got, runs.Load())
		}
	})
}

// node is a receiver in a process of its own.
type node struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func startChild(t *testing.T, addr, work string) (*node, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestK07K08KilledInHandler$")
	cmd.Env = append(os.Environ(), receiverAddr+"="+addr, receiverWork+"="+work)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	n := &node{cmd, bufio.NewReader(out)}
	return n, strings.TrimSpace(n.line(t))
}

func (n *node) line(t *testing.T) string {
	t.Helper()
	line, err := n.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the node says %q, %v", line, err)
	}
	return line
}

func (n *node) expect(t *testing.T, want string) {
	t.Helper()
	if got := strings.TrimSpace(n.line(t)); got != want {
		t.Fatalf("the node says %q, want %q", got, want)
	}
}

// receiveAsChild serves until it is killed. Its handler never returns.
func receiveAsChild(t *testing.T, addr, work string) {
	client := newGoRedis(t, redis.UniversalOptions{Addrs: []string{addr}})
	url := receiver(t, viaGoRedis, addr, func(http.ResponseWriter, *http.Request) {
		if strings.HasPrefix(work, "K08") {
			if err := client.Incr(t.Context(), "effects").Err(); err != nil {
				fmt.Println(err)
			}
		}
		fmt.Println("in the handler")
		select {}
	})
	fmt.Println(url)
	select {}
}

// The quickstart's replays end on Redis as they do in memory.
func TestQuickstart(t *testing.T) {
	server := testserver.StartRedis(t)
	quickstart := exec.Command("go", "run", "../../examples/quickstart", "-once", "-addr", "127.0.0.1:0", "-redis", "redis://"+server.Addr)
	if out, err := quickstart.CombinedOutput(); err != nil || !strings.Contains(string(out), " as expected, 0 not") {
		t.Fatalf("%v\n%s", err, out)
	}
	if server.Do(t, "DBSIZE") == int64(0) {
		t.Error("it did not use the server")
	}
}
