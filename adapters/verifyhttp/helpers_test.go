package verifyhttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

const (
	key   = "adapter-test-key"
	token = "adapter-test-token"
)

// now is the moment at which all tests take place.
var (
	now   = time.Unix(1767225600, 0)
	stamp = strconv.FormatInt(now.Unix(), 10)
)

func clock() time.Time { return now }

var (
	hmacScheme   = verify.HMAC{Keys: verify.Static(key)}
	bearerScheme = verify.Bearer{Tokens: verify.Static(token)}
)

// server is a protected server that keeps what came of its requests.
type server struct {
	*httptest.Server
	ran  atomic.Int32           // how often the handler ran
	body atomic.Pointer[string] // what it last read
	mu   sync.Mutex
	seen []verify.Event
}

func (s *server) events() []verify.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]verify.Event(nil), s.seen...)
}

func (s *server) observe(_ context.Context, e verify.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, e)
}

// ServeHTTP is the handler behind the middleware: it echoes the body, and answers
// 413 or 400 if that cannot be read to its end.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.ran.Add(1)
	data, err := io.ReadAll(r.Body)
	body := string(data)
	s.body.Store(&body)
	if _, tooLarge := err.(*http.MaxBytesError); tooLarge {
		http.Error(w, "too large for the handler", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "broken for the handler", http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Handler", "ran")
	_, _ = io.WriteString(w, body)
}

// protect makes the server, not yet started.
func protect(t testing.TB, cfg verify.Config) *server {
	t.Helper()
	s := &server{}
	if cfg.Now == nil {
		cfg.Now = clock
	}
	cfg.Observe = s.observe
	v, err := verify.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(verifyhttp.Middleware(v)(s))
	t.Cleanup(func() { s.Server.Close() })
	return s
}

func serve(t testing.TB, cfg verify.Config) *server {
	s := protect(t, cfg)
	s.Start()
	return s
}
