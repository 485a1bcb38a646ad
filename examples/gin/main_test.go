package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/webhookauth/webhookauth/adapters/verifygin"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	key    = "gin example key"
	secret = "gin example secret"
	// Decoded and encoded again it would have other bytes.
	body = "{\"message\":{\"type\":\"status-update\", \"url\":\"https:\\/\\/example.com\",\"n\":1.0,\"status\":\"caf\u00e9\"}}\n"
)

var (
	hmac   = verifytest.HMAC{SecretKey: key}
	legacy = verifytest.VapiSecret(secret)
)

// send gives the answer's status and body. The request is signed, then spoilt.
func send(t *testing.T, url string, signer verifytest.Signer, spoil func(*http.Request)) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, signer.Sign(r))
	if spoil != nil {
		spoil(r)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func otherBody(r *http.Request) {
	r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "1.0", "2.0", 1)))
}

var forgeries = []struct {
	name, path string
	signer     verifytest.Signer
	spoil      func(*http.Request)
}{
	{"no signature", "/webhook", hmac, func(r *http.Request) { r.Header.Del("X-Signature") }},
	{"other body", "/webhook", hmac, otherBody},
	{"other key", "/webhook", verifytest.HMAC{SecretKey: "another key"}, nil},
	{"signed an hour ago", "/webhook",
		verifytest.HMAC{SecretKey: key, Now: func() time.Time { return time.Now().Add(-time.Hour) }}, nil},
	{"the other route's credential", "/webhook", legacy, nil},
	{"no secret", "/legacy", legacy, func(r *http.Request) { r.Header.Del("X-Vapi-Secret") }},
	{"empty secret", "/legacy", verifytest.VapiSecret(""), nil},
	{"other secret", "/legacy", verifytest.VapiSecret("another secret"), nil},
	{"the other route's credential", "/legacy", hmac, nil},
}

func TestWebhook(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(before)
	h, err := router(key, secret, webhook)
	require.NoError(t, err)
	server := httptest.NewServer(h)

	for path, signer := range map[string]verifytest.Signer{"/webhook": hmac, "/legacy": legacy} {
		status, answer := send(t, server.URL+path, signer, nil)
		require.Equal(t, http.StatusOK, status, path)
		require.Equal(t, "{}", answer, path)
	}
	for _, f := range forgeries {
		status, answer := send(t, server.URL+f.path, f.signer, f.spoil)
		require.Equal(t, http.StatusUnauthorized, status, f.path+" "+f.name)
		require.Equal(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, answer, f.path+" "+f.name)
	}

	server.Close() // nobody writes to the log any more
	require.Equal(t, 2, strings.Count(logged.String(), "\n"), "only the genuine requests reach the handler")
	require.Contains(t, logged.String(), "verified.scheme=hmac verified.key_id=0")
	require.Contains(t, logged.String(), "verified.scheme=vapi-secret verified.key_id=0")
	require.Equal(t, 2, strings.Count(logged.String(), "type=status-update"), "what was bound")
	require.NotContains(t, logged.String(), key)
	require.NotContains(t, logged.String(), secret)
}

// The handler finds every byte of the body, and who vouched for it.
func TestBody(t *testing.T) {
	h, err := router(key, secret, func(c *gin.Context) {
		who, ok := verifygin.Result(c)
		received, err := c.GetRawData()
		if err != nil || !ok {
			c.Status(http.StatusTeapot)
			return
		}
		c.String(http.StatusOK, "%s %s", who.Scheme, received)
	})
	require.NoError(t, err)
	server := httptest.NewServer(h)
	defer server.Close()
	_, answer := send(t, server.URL+"/webhook", hmac, nil)
	require.Equal(t, "hmac "+body, answer)
	_, answer = send(t, server.URL+"/legacy", legacy, nil)
	require.Equal(t, "vapi-secret "+body, answer)
}

// Without a secret there is no server, rather than an open endpoint.
func TestUnsetSecret(t *testing.T) {
	_, err := router("", secret, webhook)
	require.EqualError(t, err, `WEBHOOK_KEY: verify: Config.Accept.HMAC.Keys: secret "0" is empty`)
	_, err = router(key, "", webhook)
	require.EqualError(t, err, `VAPI_SECRET: verify: Config.Accept.Bearer.Tokens: secret "0" is empty`)
}

// The program itself ends with exit status 1.
func TestUnsetEnvironment(t *testing.T) {
	if os.Getenv("GIN_RUN_MAIN") == "yes" {
		main()
		return
	}
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnsetEnvironment$")
	program.Env = append(os.Environ(), "GIN_RUN_MAIN=yes", "WEBHOOK_KEY="+key, "VAPI_SECRET=")
	printed, err := program.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(printed), `VAPI_SECRET: verify: `)
}

// A body that breaks off, here at the limit, is not taken for a whole one.
func TestEndlessBody(t *testing.T) {
	h, err := router(key, secret, webhook)
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/legacy", strings.NewReader(`{"pad":"`+strings.Repeat("x", 2<<20)+`"}`))
	r.ContentLength = -1 // so that the verifier cannot know
	require.NoError(t, legacy.Sign(r))
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	require.Equal(t, http.StatusBadRequest, answer.Code)
}

// A server that is told to stop finishes the request that it has.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	address, release := make(chan string, 1), make(chan struct{})
	server := &http.Server{
		Addr:        "127.0.0.1:0",
		BaseContext: func(l net.Listener) context.Context { address <- l.Addr().String(); return t.Context() },
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			stop()
			<-release
		}),
	}
	server.RegisterOnShutdown(func() { close(release) })
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, server) }()
	status, _ := send(t, "http://"+<-address, hmac, nil)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, <-ended)
	require.Error(t, serve(t.Context(), &http.Server{Addr: "127.0.0.1:-1"}), "an address that is none")
}
