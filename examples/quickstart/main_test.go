package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

func memory() replay.Store { return replay.NewMemory(replay.MemoryConfig{}) }

func TestOnce(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, false, memory(), "127.0.0.1:0", true))
	require.Contains(t, out.String(), "\n46 requests, 46 as expected, 0 not\n")
	require.NotContains(t, out.String(), "\x1b", "colours without a terminal")
	require.NotContains(t, out.String(), "curl")
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, w, true, memory(), "127.0.0.1:0", false)
		w.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(r)
	var base string
	coloured := 0
	for base == "" && lines.Scan() {
		if strings.HasPrefix(lines.Text(), green) || strings.HasPrefix(lines.Text(), red) {
			coloured++
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "Serving on "); ok {
			base, _, _ = strings.Cut(rest, ";")
		}
	}
	require.NotEmpty(t, base)
	require.Equal(t, 46, coloured)

	answered := make(chan int, 1)
	go func() {
		answer, err := http.Post(base+"/hmac", "application/json", strings.NewReader("{}"))
		if err != nil {
			answered <- 0
			return
		}
		answer.Body.Close()
		answered <- answer.StatusCode
	}()
	require.True(t, lines.Scan(), "the verdict on a request from outside is logged")
	require.Contains(t, lines.Text(), "verdict.reason=missing")
	require.Equal(t, http.StatusUnauthorized, <-answered)
	cancel()
	require.NoError(t, <-ended)
}

// Copies do not run the handler, and get what their route says.
func TestCopies(t *testing.T) {
	creds, journal := newCredentials(), newJournal()
	handler, err := routes(creds, memory(), journal)
	require.NoError(t, err)
	server := httptest.NewServer(journal.label(handler))
	defer server.Close()
	outcomes, err := play(t.Context(), server.URL, copies(creds), journal)
	require.NoError(t, err)
	bodies := map[string][]string{}
	for _, o := range outcomes {
		require.True(t, o.expected(), "%s, %s: %d %s", o.route, o.sent, o.gotStatus, o.event.Reason)
		bodies[o.route] = append(bodies[o.route], o.gotBody)
	}
	require.EqualValues(t, 5, journal.runs.Load())
	require.Equal(t, []string{"{\"results\":[],\"run\":4}\n", ""}, bodies["/acknowledge"])
	require.Equal(t, []string{"{\"results\":[],\"run\":5}\n", "{\"results\":[],\"run\":5}\n"}, bodies["/repeat"])
}

func TestStores(t *testing.T) {
	nothing := func(replay.Store) error { return nil }
	require.NoError(t, withStore(t.Context(), "", "", nothing))
	require.ErrorContains(t, withStore(t.Context(), "redis://127.0.0.1", "postgres://127.0.0.1", nothing), "exclude")
	require.Error(t, withStore(t.Context(), "no URL", "", nothing))
	require.Error(t, withStore(t.Context(), "redis://127.0.0.1:1", "", nothing))
	require.Error(t, withStore(t.Context(), "", "postgres://127.0.0.1:1/none", nothing))
}

func TestAddressInUse(t *testing.T) {
	busy := httptest.NewServer(http.NotFoundHandler())
	defer busy.Close()
	err := run(t.Context(), io.Discard, false, memory(), busy.Listener.Addr().String(), true)
	require.ErrorContains(t, err, "-addr")
}

// A verifier that accepts everything must not pass for a good one.
func TestUnexpectedVerdicts(t *testing.T) {
	creds, journal := newCredentials(), newJournal()
	open := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		journal.observe(r.Context(), verify.Event{Reason: "ok"})
	})
	server := httptest.NewServer(journal.label(open))
	defer server.Close()
	steps := script(creds)
	outcomes, err := play(t.Context(), server.URL, steps, journal)
	require.NoError(t, err)
	forged := 0
	for _, s := range steps {
		if s.status != http.StatusOK || s.reason != "ok" {
			forged++
		}
	}
	var out bytes.Buffer
	require.Equal(t, forged, printTable(&out, outcomes, false))
	require.Equal(t, forged, strings.Count(out.String(), "<-- expected"))
}

// The bodies are signed as they are; a checkout that rewrites line endings or an
// editor that adds a newline would make the play pointless.
func TestBodiesAreByteExact(t *testing.T) {
	for name, digest := range map[string]string{
		"assistant-request":   "ca88d6808ed4f1835b080866ba06d6045ac60abb325d8be899b6861072e21f9e",
		"conversation-update": "3e2cba09e9ee3bc239f27561c7c29df3ec60713387a306ab6a49757013ae951a",
		"end-of-call-report":  "a1af19f4ee8d82a4573ee630ded4e2812a7e90fe694b1c7aeb62a42dcd6fcdbb",
		"status-update":       "8fdbb22b3a5da0cc5f27c04f4e582f8853e9ea856839da6a973a728d02ecbdbe",
		"tool-calls":          "97b3ffdb324809e36200caef3611da6ff7789490b43db26f937fef13333b51a5",
		"transcript":          "649305218a20bad2d1c88d90a1a6f8b971f01b7260850e2f85d660ab2981ff39",
	} {
		sum := sha256.Sum256(message(name))
		require.Equal(t, digest, hex.EncodeToString(sum[:]), name)
	}
}

func TestSpoilers(t *testing.T) {
	for name, spoil := range map[string]func(*http.Request){
		"tampered": tampered, "reserialised": reserialised, "enlarged": enlarged(nil),
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		setBody(r, message("transcript"))
		spoil(r)
		body := bodyOf(r)
		require.NotEqual(t, message("transcript"), body, name)
		require.Len(t, body, int(r.ContentLength), name)
	}
}

// The printed lines are pasted by people: they run here as they stand.
func TestCurlLines(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	creds, journal := newCredentials(), newJournal()
	handler, err := routes(creds, memory(), journal)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	var text bytes.Buffer
	printCurl(&text, server.URL, creds)
	_, lines, ok := strings.Cut(text.String(), "# bearer token")
	require.True(t, ok)
	lines, _, ok = strings.Cut(lines, "Serving on")
	require.True(t, ok)
	out, err := exec.Command("sh", "-ec", "#"+lines).Output()
	require.NoError(t, err)
	require.Equal(t, 6, strings.Count(string(out), "HTTP/1.1 200 OK"), "%s", out)
	require.Equal(t, 1, strings.Count(string(out), "HTTP/1.1 409 Conflict"), "%s", out)
}
