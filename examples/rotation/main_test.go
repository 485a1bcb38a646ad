package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	oldKey = "rotation example old key"
	newKey = "rotation example new key"
	body   = "{\"message\":{\"type\":\"status-update\",\"url\":\"https:\\/\\/a.example\",\"n\":1.0}}\n"
)

const (
	onlyOld = "2026-10 " + oldKey + "\n"
	onlyNew = "2026-11 " + newKey + "\n"
	both    = "# newest first\n\n" + onlyNew + onlyOld
)

// capture gives what is logged from now on.
func capture(t *testing.T) *bytes.Buffer {
	t.Helper()
	logged := new(bytes.Buffer)
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return logged
}

func write(t *testing.T, path, keys string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(keys), 0o600))
}

// send gives the status for a request signed with a key.
func send(t *testing.T, h http.Handler, key string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook", strings.NewReader(body))
	require.NoError(t, verifytest.HMAC{SecretKey: key}.Sign(r))
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer.Code
}

// The whole rotation: only the old key, both, only the new one.
func TestRotation(t *testing.T) {
	logged := capture(t)
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, onlyOld)
	var keys verify.Rotating
	require.NoError(t, load(&keys, path))
	h, err := handler(&keys, webhook)
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	hangups, ended := make(chan os.Signal), make(chan struct{})
	go func() {
		follow(ctx, hangups, &keys, path)
		close(ended)
	}()
	hangUp := func() {
		hangups <- syscall.SIGHUP
		hangups <- syscall.SIGHUP // is taken when the first is done with
	}
	expect := func(oldStatus, newStatus int) {
		t.Helper()
		require.Equal(t, oldStatus, send(t, h, oldKey))
		require.Equal(t, newStatus, send(t, h, newKey))
		require.Equal(t, http.StatusUnauthorized, send(t, h, "another key"))
	}

	expect(200, 401)
	write(t, path, both)
	expect(200, 401) // nobody said that the file has changed
	hangUp()
	expect(200, 200)
	write(t, path, onlyNew)
	hangUp()
	expect(401, 200)
	for _, unusable := range []string{"", "# none\n", "2026-12\n", onlyNew + onlyNew, "2026-12  a\n", "2026-12 a\r\n"} {
		write(t, path, unusable)
		hangUp()
		expect(401, 200) // the keys stay as they are
	}
	require.NoError(t, os.Remove(path))
	hangUp()
	expect(401, 200)

	stop()
	<-ended
	text := logged.String()
	require.Contains(t, text, `msg="keys loaded" newest_first="[Secret(\"2026-11\") Secret(\"2026-10\")]"`)
	require.Equal(t, 3, strings.Count(text, "verified.key_id=2026-10"))
	require.Equal(t, 9, strings.Count(text, "verified.key_id=2026-11"))
	require.NotContains(t, text, oldKey)
	require.NotContains(t, text, newKey)
}

// While keys are replaced every request meets the old list or the new one, never
// none.
func TestReplaceWhileServing(t *testing.T) {
	capture(t)
	old, current := verify.NewSecret("old", oldKey), verify.NewSecret("new", newKey)
	var keys verify.Rotating
	require.NoError(t, keys.Replace(old))
	var bodies atomic.Int32
	h, err := handler(&keys, func(_ http.ResponseWriter, r *http.Request) {
		if received, err := io.ReadAll(r.Body); err == nil && string(received) == body {
			bodies.Add(1) // byte for byte
		}
	})
	require.NoError(t, err)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range 50 {
				r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
				_ = verifytest.HMAC{SecretKey: oldKey}.Sign(r) // its text is fixed and good
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
	for range 50 {
		require.NoError(t, keys.Replace(current, old))
		require.NoError(t, keys.Replace(old))
	}
	senders.Wait()
	require.EqualValues(t, 200, bodies.Load())
}

// What is wrong with a file is told without its text.
func TestUnusableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	var keys verify.Rotating
	require.ErrorIs(t, load(&keys, path), os.ErrNotExist)
	for text, want := range map[string]string{
		"":                        "no secrets",
		"# none\n":                "no secrets",
		"2026-11 \n":              `secret "2026-11" is empty`,
		onlyOld + newKey[:8]:      `line 2 is not "id key"`,
		" " + newKey:              `line 1 is not "id key"`,
		onlyNew + onlyNew:         `two secrets have the id "2026-11"`,
		"2026-11 " + newKey + " ": `secret "2026-11" begins or ends with whitespace`,
	} {
		write(t, path, text)
		err := load(&keys, path)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), newKey[:8])
	}
	_, err := handler(&keys, webhook)
	require.ErrorContains(t, err, "Rotating holds no secrets yet")
}
