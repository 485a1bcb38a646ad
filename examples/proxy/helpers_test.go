package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	secret = "proxy-example-secret"
	body   = "{\"message\":{\"type\":\"status-update\",\"url\":\"https:\\/\\/a.example\",\"n\":1.0}}\n"

	hmacCredential = `{"id":"cred-7","provider":"custom-credential","authenticationPlan":{"type":"hmac","algorithm":"sha256",
		"payloadFormat":"{svix-id}.{timestamp}.{body}","messageIdHeader":"Webhook-Id"}}`
	bearerCredential = `{"id":"cred-8","provider":"webhook","authenticationPlan":{"type":"bearer"}}`
)

// signer signs as the credential says.
var signer = verifytest.HMAC{SecretKey: secret, PayloadFormat: "{svix-id}.{timestamp}.{body}",
	MessageIDHeader: "Webhook-Id", MessageID: "msg-1"}

// upstream is a server that keeps what reached it, and answers with what is left of
// its answers, then with 200.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	answers  []int
}

func newUpstream(t *testing.T, answers ...int) *upstream {
	t.Helper()
	u := &upstream{answers: answers}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	received, err := io.ReadAll(r.Body)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil { // the proxy broke it off
		return
	}
	u.requests, u.bodies = append(u.requests, r), append(u.bodies, string(received))
	w.Header().Set("X-From", "upstream")
	if len(u.answers) > 0 {
		w.WriteHeader(u.answers[0])
		u.answers = u.answers[1:]
	}
	_, _ = io.WriteString(w, "thanks")
}

func (u *upstream) runs() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.requests)
}

// newServer serves the proxy in front of an upstream, with its log.
func newServer(t *testing.T, s settings) (base string, logged *bytes.Buffer) {
	t.Helper()
	base, _, logged = newWatchedServer(t, s)
	return base, logged
}

// newWatchedServer also tells when the sender of the first request has hung up, or
// has its answer.
func newWatchedServer(t *testing.T, s settings) (base string, hungUp <-chan struct{}, logged *bytes.Buffer) {
	t.Helper()
	logged = new(bytes.Buffer)
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	if s.credential == nil {
		s.credential = []byte(hmacCredential)
	}
	s.secret, s.secretSet = secret, true
	h, err := handler(s)
	require.NoError(t, err)
	gone := make(chan struct{})
	var first sync.Once
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first.Do(func() { context.AfterFunc(r.Context(), func() { close(gone) }) })
		h.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // aborted answers are part of the tests
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, gone, logged
}

// signed is a genuine request, as it goes out.
func signed(t *testing.T, url, text string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, signer.Sign(r))
	return r
}

// copied is the same request once more.
func copied(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	again := r.Clone(t.Context())
	var err error
	again.Body, err = r.GetBody()
	require.NoError(t, err)
	return again
}

// client adds nothing to a request, such as Accept-Encoding.
var client = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// send gives the answer with its body.
func send(t *testing.T, r *http.Request) (answer *http.Response, text string) {
	t.Helper()
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	received, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, string(received)
}
