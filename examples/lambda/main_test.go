package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const (
	key  = "lambda example key"
	body = "{\"message\":{\"type\":\"status-update\",\"url\":\"https:\\/\\/a.example\",\"n\":1.0}}\n"
)

var hmac = verify.Config{Accept: verify.HMAC{Keys: verify.Static(key)}}

// gateway makes a signed request into the event that API Gateway makes of it: names
// in lower case, headers that repeat joined by commas.
func gateway(t *testing.T, signer verifytest.Signer, inBase64 bool, spoil func(*http.Request)) event {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook?a=1&a=2", strings.NewReader(body))
	require.NoError(t, signer.Sign(r))
	if spoil != nil {
		spoil(r)
	}
	sent, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	e := event{Version: "2.0", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{}, Body: string(sent), IsBase64Encoded: inBase64}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if inBase64 {
		e.Body = base64.StdEncoding.EncodeToString(sent)
	}
	e.RequestContext.HTTP.Method = r.Method
	e.RequestContext.HTTP.SourceIP = "192.0.2.7"
	return e
}

// handle gives the answer to one event, and what reached the work.
func handle(t *testing.T, cfg verify.Config, e event) (a answer, worked []string) {
	t.Helper()
	f, err := newFunction(cfg, func(ctx context.Context, body []byte) answer {
		who, ok := verify.FromContext(ctx)
		require.True(t, ok)
		worked = append(worked, who.Scheme+" "+string(body))
		return answer{StatusCode: http.StatusAccepted, Body: "done"}
	})
	require.NoError(t, err)
	a, err = f.handle(t.Context(), e)
	require.NoError(t, err)
	return a, worked
}

func TestGenuine(t *testing.T) {
	for _, inBase64 := range []bool{false, true} {
		a, worked := handle(t, hmac, gateway(t, verifytest.HMAC{SecretKey: key}, inBase64, nil))
		require.Equal(t, answer{StatusCode: http.StatusAccepted, Body: "done"}, a)
		require.Equal(t, []string{"hmac " + body}, worked, "byte for byte")
	}
}

func TestForged(t *testing.T) {
	signer := verifytest.HMAC{SecretKey: key}
	late := verifytest.HMAC{SecretKey: key, Now: func() time.Time { return time.Now().Add(-time.Hour) }}
	twice := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Add(name, r.Header.Get(name)) }
	}
	stillEncoded := gateway(t, signer, true, nil)
	stillEncoded.IsBase64Encoded = false // the base64 text was signed by nobody
	for name, e := range map[string]event{
		"no signature":    gateway(t, signer, false, func(r *http.Request) { r.Header.Del("X-Signature") }),
		"signature twice": gateway(t, signer, false, twice("X-Signature")),
		"timestamp twice": gateway(t, signer, false, twice("X-Timestamp")),
		"other body": gateway(t, signer, true, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "1.0", "1", 1)))
		}),
		"other key":         gateway(t, verifytest.HMAC{SecretKey: "another key"}, true, nil),
		"an hour ago":       gateway(t, late, false, nil),
		"base64 not undone": stillEncoded,
	} {
		a, worked := handle(t, hmac, e)
		require.Equal(t, answer{StatusCode: http.StatusUnauthorized,
			Headers: map[string]string{"Content-Type": "application/problem+json"},
			Body:    `{"type":"about:blank","title":"Unauthorized","status":401}`}, a, name)
		require.Empty(t, worked, name)
	}
}

func TestUnusableEvent(t *testing.T) {
	genuine := gateway(t, verifytest.HMAC{SecretKey: key}, true, nil)
	notBase64, otherVersion := genuine, genuine
	notBase64.Body = body
	otherVersion.Version = "1.0"
	for _, e := range []event{notBase64, otherVersion, {}} {
		a, worked := handle(t, hmac, e)
		require.Equal(t, answer{StatusCode: http.StatusBadRequest}, a)
		require.Empty(t, worked)
	}
}

// The headers of a refusal: the challenges of the schemes that have one, and when to
// come again if no secret is valid now.
func TestRefusalHeaders(t *testing.T) {
	either := verify.AnyOf(verify.Bearer{Tokens: verify.Static("a-token")}, challenging{})
	a, worked := handle(t, verify.Config{Accept: either}, gateway(t, verifytest.Bearer{Token: "another-token"}, false, nil))
	require.Equal(t, http.StatusUnauthorized, a.StatusCode)
	require.Equal(t, `Bearer realm="webhook", Basic realm="hooks"`, a.Headers["WWW-Authenticate"])
	require.NotContains(t, a.Headers, "Retry-After")
	require.Empty(t, worked)

	expired := verify.NewSecret("expired", key)
	expired.NotAfter = time.Unix(1767225600, 0)
	cfg := verify.Config{Accept: verify.HMAC{Keys: verify.Named(expired)}}
	a, worked = handle(t, cfg, gateway(t, verifytest.HMAC{SecretKey: key}, false, nil))
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	require.Equal(t, "30", a.Headers["Retry-After"])
	require.NotContains(t, a.Headers, "WWW-Authenticate")
	require.Empty(t, worked)
}

// challenging is a scheme that accepts nothing and has a challenge of its own.
type challenging struct{}

func (challenging) Build(verify.Env) (verify.Authenticator, error) { return challenging{}, nil }

func (challenging) Authenticate(context.Context, *verify.Message) (*verify.Result, error) {
	return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "basic", Err: verify.ErrMissing}}}
}

func (challenging) Challenge(error) []string { return []string{`Basic realm="hooks"`} }

// What the event says of the request is what the verifier sees, and a body that is
// too large is refused under a scheme that does not read it too.
func TestMessage(t *testing.T) {
	m := gateway(t, verifytest.Bearer{Token: "a-token"}, true, nil).message(nil)
	require.Equal(t, "POST", m.Method)
	require.Equal(t, "/webhook?a=1&a=2", m.Target)
	require.Equal(t, "192.0.2.7", m.RemoteAddr)
	require.Equal(t, http.Header{"Authorization": {"Bearer a-token"}}, m.Header)

	bearer := verify.Config{Accept: verify.Bearer{Tokens: verify.Static("a-token")}, MaxBody: int64(len(body))}
	e := gateway(t, verifytest.Bearer{Token: "a-token"}, true, nil)
	a, worked := handle(t, bearer, e)
	require.Equal(t, http.StatusAccepted, a.StatusCode)
	require.Equal(t, []string{"bearer " + body}, worked)
	bearer.MaxBody--
	a, worked = handle(t, bearer, e)
	require.Equal(t, http.StatusRequestEntityTooLarge, a.StatusCode)
	require.Empty(t, worked)
}

// With a store that all instances share each delivery runs once: what the work
// answers settles it, and so does a panic. This one is shared by being the only one.
func TestSettled(t *testing.T) {
	cfg := hmac
	cfg.Replay = verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{}), Duplicate: verify.Repeat}
	e := gateway(t, verifytest.HMAC{SecretKey: key}, true, nil)
	done := answer{StatusCode: http.StatusOK, Headers: map[string]string{"Content-Type": "text/plain"}, Body: "done"}
	runs := 0
	f, err := newFunction(cfg, func(context.Context, []byte) answer {
		switch runs++; runs {
		case 1:
			panic("out of order")
		case 2:
			return answer{StatusCode: http.StatusInternalServerError}
		}
		return done
	})
	require.NoError(t, err)
	require.Panics(t, func() { _, _ = f.handle(t.Context(), e) })
	for _, want := range []answer{{StatusCode: http.StatusInternalServerError}, done, done} {
		a, err := f.handle(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, want, a)
	}
	require.Equal(t, 3, runs, "the last was a copy, which got the first answer")
}

// The program, from the event's JSON to the answer's.
func TestRun(t *testing.T) {
	var logged, out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(before)

	text, err := json.Marshal(gateway(t, verifytest.HMAC{SecretKey: key}, true, nil))
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), key, bytes.NewReader(text), &out))
	require.Equal(t, `{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{}"}`+"\n", out.String())
	require.Contains(t, logged.String(), "verified.scheme=hmac verified.key_id=0")
	require.Contains(t, logged.String(), "type=status-update")

	logged.Reset()
	out.Reset()
	require.NoError(t, run(t.Context(), "another key", bytes.NewReader(text), &out))
	require.Contains(t, out.String(), `"statusCode":401`)
	require.Contains(t, logged.String(), "reason=mismatch")

	require.EqualError(t, run(t.Context(), "", bytes.NewReader(text), &out), `verify: Config.Accept.HMAC.Keys: secret "0" is empty`)
	require.ErrorContains(t, run(t.Context(), key, strings.NewReader("no event"), &out), "the event: ")
}
