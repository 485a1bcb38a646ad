package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// credentials are made anew at each start: a demonstration must not leave a
// default secret behind that somebody copies.
type credentials struct {
	token, oldToken   string // bearer
	secret, oldSecret string // X-Vapi-Secret
	key, oldKey       string // HMAC
}

func newCredentials() credentials {
	return credentials{
		token: rand.Text(), oldToken: rand.Text(),
		secret: rand.Text(), oldSecret: rand.Text(),
		key: rand.Text(), oldKey: rand.Text(),
	}
}

// rotation accepts the new secret and, while the sender is being switched over,
// the old one.
func rotation(current, old string) verify.Secrets {
	return verify.Named(verify.NewSecret("new", current), verify.NewSecret("old", old))
}

// routes is the server: one handler behind seven verifiers, three of which let
// each delivery through once.
func routes(c credentials, store replay.Store, journal *journal) (http.Handler, error) {
	hmac := verify.HMAC{Keys: rotation(c.key, c.oldKey)}
	secret := verify.VapiSecret(rotation(c.secret, c.oldSecret))
	schemes := map[string]verify.Scheme{
		"/bearer":  verify.Bearer{Tokens: rotation(c.token, c.oldToken)},
		"/secret":  secret,
		"/hmac":    hmac,
		"/migrate": verify.AnyOf(hmac, secret),

		"/once":        hmac,
		"/acknowledge": hmac,
		"/repeat":      hmac,
	}
	guards := map[string]verify.Replay{
		"/once":        {Store: store, Scope: "once"},
		"/acknowledge": {Store: store, Scope: "acknowledge", Duplicate: verify.Acknowledge},
		"/repeat":      {Store: store, Scope: "repeat", Duplicate: verify.Repeat},
	}
	mux := http.NewServeMux()
	for path, scheme := range schemes {
		v, err := verify.New(verify.Config{Accept: scheme, Replay: guards[path], Observe: journal.observe})
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", path, err)
		}
		mux.Handle("POST "+path, verifyhttp.Middleware(v)(http.HandlerFunc(journal.answer)))
	}
	return mux, nil
}

// answer is what runs only for genuine requests. The play tells it to fail at the
// first attempt, or to wait until a copy had its verdict.
func (j *journal) answer(w http.ResponseWriter, r *http.Request) {
	res, _ := verify.FromContext(r.Context())
	switch what := r.Header.Get(handlerHeader); {
	case what == "fail" && res.Attempt == 1:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case what != "" && what != "fail" && !j.await(r.Context(), what):
		return // the play is over
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"results":[],"run":%d}`+"\n", j.runs.Add(1))
}

// journal keeps the verdicts on the requests that play sends, each under a label
// of its own, and logs those on all others.
type journal struct {
	mu      sync.Mutex
	events  map[string]verify.Event
	changed chan struct{} // closed at the next verdict
	log     atomic.Pointer[slog.Logger]
	runs    atomic.Int64 // of the handler
}

type labelKey struct{}

// The headers by which the play speaks to its own server.
const (
	labelHeader   = "X-Quickstart-Label"
	handlerHeader = "X-Quickstart-Handler"
)

func newJournal() *journal {
	return &journal{events: map[string]verify.Event{}, changed: make(chan struct{})}
}

// label hands a request's label to observe, through the context.
func (j *journal) label(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), labelKey{}, r.Header.Get(labelHeader))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (j *journal) observe(ctx context.Context, e verify.Event) {
	if log := j.log.Load(); log != nil {
		log.Log(ctx, slog.LevelInfo, "webhook", "verdict", e)
		return
	}
	label, _ := ctx.Value(labelKey{}).(string)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events[label] = e
	close(j.changed)
	j.changed = make(chan struct{})
}

// await waits for the verdict on the request with a label; false if ctx ended.
func (j *journal) await(ctx context.Context, label string) bool {
	for {
		j.mu.Lock()
		_, seen := j.events[label]
		changed := j.changed
		j.mu.Unlock()
		if seen {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// event is the verdict on the request with a label.
func (j *journal) event(label string) (verify.Event, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.events[label]
	return e, ok
}

// follow logs every verdict from now on.
func (j *journal) follow(log *slog.Logger) { j.log.Store(log) }
