package verifyhttp_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// journal is a store that notes what it was asked to do.
type journal struct {
	replay.Store
	mu  sync.Mutex
	ops []string
}

func newJournal() *journal {
	return &journal{Store: replay.NewMemory(replay.MemoryConfig{Now: clock})}
}

func (j *journal) note(op string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ops = append(j.ops, op)
}

func (j *journal) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	out, err := j.Store.Claim(ctx, c)
	j.note("Claim:" + out.Status.String())
	return out, err
}

func (j *journal) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	j.note("Complete")
	return j.Store.Complete(ctx, c, answer)
}

func (j *journal) Release(ctx context.Context, c replay.Claim) error {
	j.note("Release")
	return j.Store.Release(ctx, c)
}

// exactly expects what the store was asked since the last time.
func (j *journal) exactly(t testing.TB, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.ops, want) {
		t.Errorf("the store was asked to %v, want %v", j.ops, want)
	}
	j.ops = nil
}

// guarded is a protected server with a replay guard, and a handler of the test.
type guarded struct {
	*httptest.Server
	v       *verify.Verifier
	store   *journal
	settled chan verify.Settlement
}

// guard makes the server, not yet started. wrap, if set, stands around the
// middleware.
func guard(t testing.TB, r verify.Replay, cfg verifyhttp.Config, h http.HandlerFunc, wrap func(http.Handler) http.Handler) *guarded {
	t.Helper()
	g := &guarded{store: newJournal(), settled: make(chan verify.Settlement, 1000)}
	r.Store = g.store
	r.OnSettle = func(_ context.Context, s verify.Settlement) { g.settled <- s }
	var err error
	if g.v, err = verify.New(verify.Config{Accept: hmacScheme, Now: clock, Replay: r}); err != nil {
		t.Fatal(err)
	}
	all := verifyhttp.WithConfig(g.v, cfg)(h)
	if wrap != nil {
		all = wrap(all)
	}
	g.Server = httptest.NewUnstartedServer(all)
	g.Config.ErrorLog = log.New(io.Discard, "", 0) // panics and superfluous statuses are meant
	t.Cleanup(func() { g.Server.Close() })
	return g
}

// start makes the server and starts it.
func start(t testing.TB, r verify.Replay, h http.HandlerFunc) *guarded {
	t.Helper()
	g := guard(t, r, verifyhttp.Config{}, h, nil)
	g.Start()
	return g
}

// settlement waits for the end of a claim.
func (g *guarded) settlement(t testing.TB) verify.Settlement {
	t.Helper()
	return await(t, g.settled, "the end of a claim")
}

// await receives what must come; a server that hangs fails the test.
func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		return *new(T)
	}
}

// signedRequest is a genuine request with the body; equal bodies make equal
// requests.
func signedRequest(t testing.TB, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Timestamp", stamp)
	r.Header.Set("X-Signature", sign(stamp+"."+body))
	return r
}

// answer is what came back of a request.
type answer struct {
	status int
	header http.Header
	body   string
	length int64
}

// send sends the body, signed, and fails the test without an answer.
func (g *guarded) send(t testing.TB, body string) answer {
	t.Helper()
	a, err := g.try(t, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (g *guarded) try(t testing.TB, body string) (answer, error) {
	t.Helper()
	resp, err := g.Client().Do(signedRequest(t, g.URL, body))
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data), resp.ContentLength}, err
}
