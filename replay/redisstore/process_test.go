package redisstore_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

const (
	childAddr   = "REDISSTORE_TEST_ADDR" // set in the child processes
	childDriver = "REDISSTORE_TEST_DRIVER"
	sharedKeys  = 2000
)

// Two processes claim the same keys: over both, each key is acquired once.
func TestK02TwoProcesses(t *testing.T) {
	if addr := os.Getenv(childAddr); addr != "" {
		claimAsChild(t, addr, os.Getenv(childDriver))
		return
	}
	server := testserver.StartRedis(t)
	var (
		outputs [2]io.Reader
		starts  [2]io.Closer
	)
	for i, d := range drivers {
		cmd := exec.Command(os.Args[0], "-test.run=^TestK02TwoProcesses$")
		cmd.Env = append(os.Environ(), childAddr+"="+server.Addr, childDriver+"="+d.name)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
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
		buffered := bufio.NewReader(out)
		if line, err := buffered.ReadString('\n'); line != "ready\n" {
			t.Fatalf("the child process says %q, %v", line, err)
		}
		outputs[i], starts[i] = buffered, in
	}
	var (
		acquired [2][]string
		all      sync.WaitGroup
	)
	for i := range starts {
		_ = starts[i].Close() // both are ready, and begin at the same time
		all.Go(func() {
			text, err := io.ReadAll(outputs[i])
			if err != nil {
				t.Error(err)
			}
			for line := range strings.Lines(string(text)) {
				if key, ok := strings.CutPrefix(strings.TrimSpace(line), "acquired "); ok {
					acquired[i] = append(acquired[i], key)
				}
			}
		})
	}
	all.Wait()
	owners := make(map[string]int)
	for _, keys := range acquired {
		for _, key := range keys {
			owners[key]++
		}
	}
	for key, n := range owners {
		if n != 1 {
			t.Errorf("key %s was acquired %d times", key, n)
		}
	}
	if len(owners) != sharedKeys {
		t.Errorf("%d of %d keys were acquired", len(owners), sharedKeys)
	}
	t.Logf("the processes acquired %d and %d keys", len(acquired[0]), len(acquired[1]))
	if len(acquired[0]) == 0 || len(acquired[1]) == 0 {
		t.Error("one process acquired nothing: they did not compete")
	}
}

// claimAsChild claims all keys once it may begin, and says which it acquired.
func claimAsChild(t *testing.T, addr, driverName string) {
	d := drivers[0]
	if driverName == drivers[1].name {
		d = drivers[1]
	}
	s := newStore(t, d.open(t, addr), redisstore.Config{})
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range sharedKeys {
				c := newClaim(fmt.Sprint("shared ", i))
				out, err := s.Claim(t.Context(), c)
				if err != nil {
					t.Error(err)
					return
				}
				if out.Status == replay.Acquired {
					fmt.Printf("acquired %d\n", i)
				}
			}
		})
	}
	all.Wait()
}
