package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	key  = "nethttp example key"
	body = `{"message":{"type":"status-update","call":{"id":"0b7e2f7c"},"status":"ended"}}`
)

// delivery is a request signed now, which spoil then changes on its way.
func delivery(t *testing.T, base string, spoil func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/webhook", strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, verifytest.HMAC{SecretKey: key}.Sign(r))
	if spoil != nil {
		spoil(r)
	}
	return r
}

// forgeries are single changes that turn the genuine request into a refused one.
var forgeries = map[string]func(*http.Request){
	"no signature": func(r *http.Request) { r.Header.Del("X-Signature") },
	"no timestamp": func(r *http.Request) { r.Header.Del("X-Timestamp") },
	"other body": func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "ended", "enter", 1)))
	},
	"other key": func(r *http.Request) { _ = verifytest.HMAC{SecretKey: "another key"}.Sign(r) },
	"signed an hour ago": func(r *http.Request) {
		_ = verifytest.HMAC{SecretKey: key, Now: func() time.Time { return time.Now().Add(-time.Hour) }}.Sign(r)
	},
}

// send gives the answer's status and body.
func send(t *testing.T, r *http.Request) (status int, answer string) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestWebhook(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(before)
	h, err := handler(key)
	require.NoError(t, err)
	server := httptest.NewServer(h)

	status, answer := send(t, delivery(t, server.URL, nil))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "{}", answer)
	for name, forge := range forgeries {
		status, answer := send(t, delivery(t, server.URL, forge))
		require.Equal(t, http.StatusUnauthorized, status, name)
		require.Equal(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, answer, name)
	}
	response, err := http.Get(server.URL + "/webhook")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)

	server.Close() // nobody writes to the log any more
	require.Equal(t, 1, strings.Count(logged.String(), "\n"), "only the genuine request reaches the handler")
	require.Contains(t, logged.String(), "verified.scheme=hmac verified.key_id=0")
	require.Contains(t, logged.String(), "type=status-update")
	require.NotContains(t, logged.String(), key)
}

// Without a key the program ends at once, instead of serving an open endpoint.
func TestUnsetKey(t *testing.T) {
	if os.Getenv("NETHTTP_RUN_MAIN") == "yes" {
		main()
		return
	}
	program := exec.Command(os.Args[0], "-test.run=^TestUnsetKey$")
	program.Env = append(os.Environ(), "NETHTTP_RUN_MAIN=yes", "WEBHOOK_KEY=")
	printed, err := program.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(printed), `verify: Config.Accept.HMAC.Keys: secret "0" is empty`)
}
