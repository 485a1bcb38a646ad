package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	key    = "migration example key"
	secret = "migration example secret"
	body   = `{"message":{"type":"status-update","url":"https:\/\/a.example","n":1.0}} `
)

// migration is the handler under a clock of its own, with its log.
type migration struct {
	clock   *verifytest.Clock
	watch   *watch
	handler http.Handler
	log     *bytes.Buffer
}

func begin(t *testing.T, quiet time.Duration) migration {
	t.Helper()
	m := migration{clock: verifytest.NewClock(time.Unix(1767225600, 0)), log: new(bytes.Buffer)}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	m.watch = newWatch(quiet, m.clock.Now)
	var err error
	m.handler, err = handler(key, secret, m.watch, webhook)
	require.NoError(t, err)
	return m
}

// send gives the status for a request with all of the credentials.
func (m migration) send(t *testing.T, spoil func(*http.Request), signers ...verifytest.Signer) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook", strings.NewReader(body))
	for _, s := range signers {
		require.NoError(t, s.Sign(r))
	}
	if spoil != nil {
		spoil(r)
	}
	answer := httptest.NewRecorder()
	m.handler.ServeHTTP(answer, r)
	return answer.Code
}

func (m migration) current() verifytest.Signer {
	return verifytest.HMAC{SecretKey: key, Now: m.clock.Now}
}

func (m migration) old() verifytest.Signer { return verifytest.VapiSecret(secret) }

// report gives the one line that it wrote.
func (m migration) report(t *testing.T) string {
	t.Helper()
	m.log.Reset()
	m.watch.report()
	require.Equal(t, 1, strings.Count(m.log.String(), "\n"))
	return m.log.String()
}

func TestVerdicts(t *testing.T) {
	m := begin(t, time.Hour)
	other := func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(body))) }
	require.Equal(t, http.StatusOK, m.send(t, nil, m.current()))
	require.Contains(t, m.log.String(), "verified.scheme=hmac")
	require.Equal(t, http.StatusOK, m.send(t, nil, m.old()))
	require.Contains(t, m.log.String(), "verified.scheme=vapi-secret")
	require.Equal(t, 2, strings.Count(m.log.String(), " bytes=73"), "the handler sees the body")

	m.log.Reset()
	require.Equal(t, http.StatusUnauthorized, m.send(t, nil))
	require.Equal(t, http.StatusUnauthorized, m.send(t, other, m.current()))
	require.Equal(t, http.StatusUnauthorized, m.send(t, nil, verifytest.HMAC{SecretKey: "another key", Now: m.clock.Now}))
	require.Equal(t, http.StatusUnauthorized, m.send(t, nil, verifytest.VapiSecret("another secret")))
	require.NotContains(t, m.log.String(), " bytes=73", "a forgery reached the handler")
	require.Equal(t, 4, strings.Count(m.log.String(), "msg=verdict"), "every refusal is in the log")
	require.Contains(t, m.log.String(), "event.reason=mismatch")
	require.NotContains(t, m.log.String(), secret)
}

// The handler finds every byte, whichever credential vouched.
func TestBody(t *testing.T) {
	m := begin(t, time.Hour)
	h, err := handler(key, secret, m.watch, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	require.NoError(t, err)
	for _, signer := range []verifytest.Signer{m.current(), m.old()} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook", strings.NewReader(body))
		require.NoError(t, signer.Sign(r))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		require.Equal(t, body, answer.Body.String())
	}
}

// The story of a migration of which the old credential must be silent for a day.
func TestSilence(t *testing.T) {
	m := begin(t, 24*time.Hour)
	require.Contains(t, m.report(t), `"keep the old credential" silent_for=0s old_seen=never new_seen=never`)

	m.clock.Advance(48 * time.Hour)
	require.Contains(t, m.report(t), `"keep the old credential" silent_for=48h0m0s old_seen=never new_seen=never`, "nobody sends anything")

	m.send(t, nil, m.old())
	m.clock.Advance(time.Hour)
	m.send(t, nil, m.current())
	require.Contains(t, m.report(t), `"keep the old credential" silent_for=1h0m0s old_seen=2026-01-03T00:00:00Z new_seen=2026-01-03T01:00:00Z`)

	m.clock.Advance(48 * time.Hour)
	require.Contains(t, m.report(t), `"keep the old credential" silent_for=49h0m0s`, "the new one was silent too")

	m.send(t, nil, m.current())
	require.Contains(t, m.report(t), `level=WARN msg="remove the old credential, it has fallen silent" silent_for=49h0m0s old_seen=2026-01-03T00:00:00Z new_seen=2026-01-05T01:00:00Z`)

	m.send(t, nil, verifytest.VapiSecret("a stranger's"))
	require.Contains(t, m.report(t), "remove the old credential", "a forgery does not keep it alive")
	m.send(t, nil, m.current(), m.old())
	require.Contains(t, m.report(t), "remove the old credential", "nor does a sender that has the new one as well")

	m.send(t, nil, m.old())
	require.Contains(t, m.report(t), `"keep the old credential" silent_for=0s`, "it speaks again")
}

// An old credential that was never seen is silent since the start.
func TestNeverSeen(t *testing.T) {
	m := begin(t, time.Hour)
	m.clock.Advance(time.Hour - time.Second)
	m.send(t, nil, m.current())
	require.Contains(t, m.report(t), "keep the old credential")
	m.clock.Advance(time.Second)
	m.send(t, nil, m.current())
	require.Contains(t, m.report(t), "remove the old credential, it has fallen silent")
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			m.watch.follow(ctx, time.Minute)
			close(ended)
		}()
		time.Sleep(3*time.Minute + time.Second) // of the bubble's clock
		stop()
		<-ended
		require.Equal(t, 3, strings.Count(m.log.String(), "keep the old credential"))
	})
}

func TestUnsetSecret(t *testing.T) {
	watch := newWatch(time.Hour, time.Now)
	_, err := handler("", secret, watch, webhook)
	require.EqualError(t, err, `WEBHOOK_KEY or VAPI_SECRET: verify: Config.Accept.AnyOf[0].HMAC.Keys: secret "0" is empty`)
	_, err = handler(key, "", watch, webhook)
	require.EqualError(t, err, `WEBHOOK_KEY or VAPI_SECRET: verify: Config.Accept.AnyOf[1].Bearer.Tokens: secret "0" is empty`)
}
