package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	good := settings{credential: []byte(hmacCredential), secret: secret, secretSet: true, upstream: "https://127.0.0.1:3000/base"}
	_, err := handler(good)
	require.NoError(t, err)
	for _, test := range []struct {
		want  string
		spoil func(*settings)
	}{
		{`verify: Config.Accept.HMAC.Keys: secret "0" is empty`, func(s *settings) { s.secret = "" }},
		{"authenticationPlan.secretKey is missing", func(s *settings) { s.secretSet = false }},
		{"vapi: the credential is not a JSON object", func(s *settings) { s.credential = nil }},
		{"-upstream must be", func(s *settings) { s.upstream = "" }},
		{"-upstream must be", func(s *settings) { s.upstream = "127.0.0.1:3000" }},
		{"-upstream must be", func(s *settings) { s.upstream = "ftp://127.0.0.1" }},
		{"-upstream must be", func(s *settings) { s.upstream = "http://127.0.0.1?a=1" }},
		{"-upstream must be", func(s *settings) { s.upstream = "http://user@127.0.0.1" }},
		{"Config.MaxBody: is negative", func(s *settings) { s.maxBody = -1 }},
		{"Config.Replay.Key: is required: bearer signs nothing", func(s *settings) {
			s.credential, s.once = []byte(bearerCredential), true
		}},
		{"PublicURL", func(s *settings) {
			s.credential = []byte(strings.Replace(hmacCredential, "{body}", "{body}.{url}", 1))
		}},
	} {
		s := good
		test.spoil(&s)
		_, err := handler(s)
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), secret)
	}
}

// A payload format with {url} needs the address that senders call.
func TestPublicURL(t *testing.T) {
	u := newUpstream(t)
	const format = "{svix-id}.{timestamp}.{body}.{url}"
	credential := strings.Replace(hmacCredential, "{svix-id}.{timestamp}.{body}", format, 1)
	base, _ := newServer(t, settings{upstream: u.URL, credential: []byte(credential), publicURL: "https://hooks.example.com"})
	for address, want := range map[string]int{"https://hooks.example.com/a?b=1": 200, "https://hooks.example.com/a?b=2": 401} {
		r := signed(t, base+"/a?b=1", body)
		s := signer
		s.PayloadFormat, s.URL = format, address
		require.NoError(t, s.Sign(r))
		answer, _ := send(t, r)
		require.Equal(t, want, answer.StatusCode)
	}
}

// The credential comes from a file, its secret from the environment or, if that is
// not set, from the file.
func TestStart(t *testing.T) {
	u := newUpstream(t)
	s := settings{upstream: u.URL}
	path := filepath.Join(t.TempDir(), "credential.json")
	_, err := start(s, "")
	require.EqualError(t, err, "-credential is required")
	_, err = start(s, path)
	require.ErrorIs(t, err, os.ErrNotExist)

	status := func() int {
		h, err := start(s, path)
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, signed(t, "http://hooks.example.com/", body))
		return answer.Code
	}
	require.NoError(t, os.WriteFile(path, []byte(hmacCredential), 0o600))
	t.Setenv("WEBHOOK_SECRET", secret)
	require.Equal(t, http.StatusOK, status())
	t.Setenv("WEBHOOK_SECRET", "")
	_, err = start(s, path)
	require.ErrorContains(t, err, "is empty")

	require.NoError(t, os.Unsetenv("WEBHOOK_SECRET")) // Setenv puts it back
	_, err = start(s, path)
	require.ErrorContains(t, err, "secretKey is missing")
	whole := strings.Replace(hmacCredential, `"type":"hmac"`, `"type":"hmac","secretKey":"`+secret+`"`, 1)
	require.NoError(t, os.WriteFile(path, []byte(whole), 0o600))
	require.Equal(t, http.StatusOK, status())
	require.Equal(t, "cred-7", u.requests[1].Header.Get("X-Webhook-Verified-Key-Id"))
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
	answer, _ := send(t, signed(t, "http://"+<-address, body))
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NoError(t, <-ended)
	require.Error(t, serve(t.Context(), &http.Server{Addr: "127.0.0.1:-1"}), "an address that is none")
}
