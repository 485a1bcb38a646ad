package adaptertest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// scheme is a scheme of another package that does what it is told, with two
// challenges.
type scheme func() (*verify.Result, error)

func (s scheme) Build(verify.Env) (verify.Authenticator, error) { return s, nil }
func (s scheme) Authenticate(context.Context, *verify.Message) (*verify.Result, error) {
	return s()
}
func (s scheme) Challenge(error) []string { return []string{`Bearer realm="one"`, `Other realm="two"`} }

// refusing is a scheme that refuses for one reason, with more that must not come
// out.
func refusing(reason error, after time.Duration) scheme {
	return func() (*verify.Result, error) {
		attempt := verify.Attempt{Scheme: "fake", Err: reason, Detail: "only for operators", Cause: errors.New("the text of another system")}
		return nil, &verify.Error{Attempts: []verify.Attempt{attempt}, RetryAfter: after}
	}
}

// refusals: every kind of refusal is answered as it should be, to the last byte,
// is told to the observer once, and keeps the handler from running.
func refusals(t *testing.T, a Adapter) {
	const limit = 1000
	over := strings.Repeat("x", limit+1)
	credentials := signed("{}")
	retry := func(seconds string) []string { return []string{"Retry-After", seconds} }
	challenges := []string{"WWW-Authenticate", `Bearer realm="one"`, "WWW-Authenticate", `Other realm="two"`}
	realm := []string{"WWW-Authenticate", `Bearer realm="webhook"`}
	closed := []string{"Connection", "close"}
	for _, c := range []struct {
		name, reason string
		scheme       verify.Scheme
		send         string
		status       int
		pairs        []string // further headers
	}{
		{"missing", "missing", hmacScheme, request("", "{}"), 401, nil},
		{"missing without a body", "missing", hmacScheme, request("", ""), 401, nil},
		{"missing with a challenge", "missing", bearerScheme, request("", "{}"), 401, realm},
		{"malformed", "malformed", bearerScheme, request("Authorization: Bearer a b\r\n", "{}"), 401, realm},
		{"signature twice", "malformed", hmacScheme, request(credentials+"X-Signature: "+sign(stamp+".{}")+"\r\n", "{}"), 401, nil},
		{"token twice", "malformed", bearerScheme, request(bearer+bearer, "{}"), 401, realm},
		{"mismatch", "mismatch", hmacScheme, request(credentials, "[]"), 401, nil},
		{"stale", "stale", hmacScheme, request("X-Timestamp: 1\r\nX-Signature: "+sign("1.{}")+"\r\n", "{}"), 401, nil},
		{"inactive", "inactive", refusing(verify.ErrInactive, 0), request("", "{}"), 401, challenges},
		{"scope", "scope", refusing(verify.ErrScope, 0), request("", "{}"), 403, challenges},
		{"too large, declared", "too_large", hmacScheme, request(signed(over), over), 413, closed},
		{"too large, chunked", "too_large", hmacScheme, chunked(signed(over), over), 413, closed},
		{"too large, a scheme that reads nothing", "too_large", bearerScheme, request(bearer, over), 413, closed},
		{"unsigned and too large", "missing", hmacScheme, request("", over), 401, nil},
		// The server itself closes, it cannot find the next request.
		{"body unreadable", "body_unreadable", hmacScheme, strings.Replace(chunked(credentials, "{}"), "2\r\n", "zz\r\n", 1), 400, closed},
		{"unavailable", "unavailable", refusing(verify.ErrUnavailable, 0), request("", "{}"), 503, retry("30")},
		{"unavailable with a time to wait", "unavailable", refusing(verify.ErrUnavailable, 1500*time.Millisecond), request("", "{}"), 503, retry("2")},
		{"misconfigured", "misconfigured", refusing(verify.ErrMisconfigured, 0), request("", "{}"), 500, nil},
		{"unknown error", "internal", refusing(io.ErrUnexpectedEOF, 0), request("", "{}"), 500, nil},
		{"panic in the scheme", "internal", scheme(func() (*verify.Result, error) { panic("a secret") }), request("", "{}"), 500, nil},
		{"no verdict", "internal", scheme(func() (*verify.Result, error) { return nil, nil }), request("", "{}"), 500, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, a, setup{Config: verify.Config{Accept: c.scheme, MaxBody: limit}})
			conn := s.dial(t)
			conn.write(c.send)
			conn.read().refused(t, a, c.status, c.pairs...)
			s.ran(t, 0)
			s.observed(t, c.reason)
			if c.status != http.StatusRequestEntityTooLarge {
				return
			}
			if _, err := conn.in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}

// refusingVerifiers: no verifier is no open door.
func refusingVerifiers(t *testing.T, a Adapter) {
	for name, v := range map[string]*verify.Verifier{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			h := a.Serve(v, func(http.ResponseWriter, *http.Request, *verify.Result) { t.Error("the handler ran") })
			s := serve(t, Adapter{Patience: a.Patience, Serve: func(*verify.Verifier, Handler) http.Handler { return h }}, setup{})
			s.send(t, genuine("{}")).refused(t, a, 500)
		})
	}
}

// every401: whatever is wrong, a prober reads the same bytes.
func every401(t *testing.T, a Adapter) {
	signature := "X-Signature: " + sign(stamp+".{}") + "\r\n"
	for _, c := range []struct {
		name   string
		scheme verify.Scheme
		send   []string
	}{
		{"hmac", hmacScheme, []string{
			"", signature, "X-Timestamp: " + stamp + "\r\n", signed("[]"), signed("{}") + signature, "X-Timestamp: 1\r\nX-Signature: " + sign("1.{}") + "\r\n",
			"X-Timestamp: now\r\nX-Signature: " + sign("now.{}") + "\r\n", strings.Replace(signed("{}"), "X-Signature: ", "X-Signature: 0", 1),
		}},
		{"either", verify.AnyOf(hmacScheme, bearerScheme), []string{
			"", "Authorization: Basic x\r\n", "Authorization: Bearer wrong\r\n", "Authorization: Bearer a b\r\n", signed("[]"), signed("[]") + "Authorization: Bearer wrong\r\n",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, a, setup{Config: verify.Config{Accept: c.scheme}})
			var first string
			for _, headers := range c.send {
				conn := s.dial(t)
				conn.write(request(headers+"Connection: close\r\n", "{}"))
				raw, err := io.ReadAll(conn.in)
				if err != nil {
					t.Fatal(err)
				}
				answer := withoutDate(raw)
				if first == "" {
					first = answer
				}
				if answer != first || !strings.HasPrefix(answer, "HTTP/1.1 401 ") {
					t.Errorf("%q is answered\n%s\nothers\n%s", headers, answer, first)
				}
			}
			s.ran(t, 0)
		})
	}
}
