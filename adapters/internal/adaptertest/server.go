package adaptertest

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// now is the moment at which everything takes place.
var (
	now   = time.Unix(1767225600, 0)
	stamp = strconv.FormatInt(now.Unix(), 10)
)

func clock() time.Time { return now }

// setup describes a protected server. The zero one has the HMAC scheme, no replay
// guard, and a handler that echoes the body.
type setup struct {
	verify.Config
	// verifier is used in place of one made of Config.
	verifier *verify.Verifier
	// handler runs behind the adapter.
	handler Handler
	// outer stands around the framework's own handler.
	outer func(http.Handler) http.Handler
	// http2 serves HTTP/2 over TLS.
	http2 bool
}

// server is a protected server that keeps what came of its requests.
type server struct {
	*httptest.Server
	patience time.Duration
	runs     atomic.Int32 // how often the handler ran
	settled  chan verify.Settlement
	mu       sync.Mutex
	seen     []verify.Event
}

// serve starts the server.
func serve(t *testing.T, a Adapter, c setup) *server {
	t.Helper()
	s := &server{patience: a.Patience, settled: make(chan verify.Settlement, 1000)}
	if c.handler == nil {
		c.handler = echo
	}
	if c.verifier == nil {
		c.verifier = s.verifier(t, c.Config)
	}
	h := a.Serve(c.verifier, func(w http.ResponseWriter, r *http.Request, native *verify.Result) {
		s.runs.Add(1)
		c.handler(w, r, native)
	})
	if c.outer != nil {
		h = c.outer(h)
	}
	s.Server = httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // panics and hijacked connections are meant
	t.Cleanup(s.Close)
	s.EnableHTTP2 = c.http2
	if c.http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

// verifier makes one that the server watches.
func (s *server) verifier(t *testing.T, cfg verify.Config) *verify.Verifier {
	t.Helper()
	if cfg.Accept == nil {
		cfg.Accept = hmacScheme
	}
	cfg.Now = clock
	cfg.Observe = func(_ context.Context, e verify.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, e)
	}
	if cfg.Replay.Store != nil {
		cfg.Replay.OnSettle = func(_ context.Context, settled verify.Settlement) { s.settled <- settled }
	}
	v, err := verify.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// guarded is a configuration with a replay guard.
func guarded(r verify.Replay) verify.Config {
	r.Store = replay.NewMemory(replay.MemoryConfig{Now: clock})
	return verify.Config{Replay: r}
}

// echo answers the body, and 400 if that cannot be read to its end.
func echo(w http.ResponseWriter, r *http.Request, _ *verify.Result) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(body)
}

// ran expects how often the handler has run.
func (s *server) ran(t *testing.T, want int32) {
	t.Helper()
	if got := s.runs.Load(); got != want {
		t.Errorf("the handler ran %d times, want %d", got, want)
	}
}

// observed expects what the observer was told, by its reasons.
func (s *server) observed(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, e := range s.seen {
		got = append(got, e.Reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

// settlement expects that a claim ends, and how.
func (s *server) settlement(t *testing.T, completed bool) {
	t.Helper()
	select {
	case got := <-s.settled:
		if got.Completed != completed || got.Err != nil {
			t.Errorf("the claim ended with completed %v, %v; want completed %v", got.Completed, got.Err, completed)
		}
	case <-time.After(s.patience):
		t.Fatal("the claim is not settled")
	}
}
