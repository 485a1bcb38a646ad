package adaptertest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// expectContinue: a client that asks before it sends the body is told to only if
// the headers may be good.
func expectContinue(t *testing.T, a Adapter) {
	ask := func(t *testing.T, scheme verify.Scheme, headers string) (*server, *connection, string) {
		s := serve(t, a, setup{Config: verify.Config{Accept: scheme}})
		c := s.dial(t)
		c.write("POST /hook HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + headers + "\r\n")
		line, err := c.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return s, c, strings.TrimSpace(line)
	}
	for _, c := range []struct {
		name    string
		scheme  verify.Scheme
		headers string
	}{
		{"token missing", bearerScheme, ""},
		{"token wrong", bearerScheme, "Authorization: Bearer wrong\r\n"},
		{"signature missing", hmacScheme, "X-Timestamp: " + stamp + "\r\n"},
		{"stale", hmacScheme, "X-Timestamp: 1\r\nX-Signature: " + sign("1.{}") + "\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, line := ask(t, c.scheme, c.headers)
			if line != "HTTP/1.1 401 Unauthorized" {
				t.Errorf("%q", line)
			}
			s.ran(t, 0)
		})
	}
	t.Run("a handler that does not want the body", func(t *testing.T) {
		s := serve(t, a, setup{
			Config:  verify.Config{Accept: bearerScheme},
			handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) { w.WriteHeader(http.StatusNoContent) },
		})
		c := s.dial(t)
		c.write("POST /hook HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + bearer + "\r\n")
		if got := c.read(); got.status != http.StatusNoContent {
			t.Errorf("answered %d", got.status)
		}
	})
	t.Run("a signature that may be right", func(t *testing.T) {
		_, c, line := ask(t, hmacScheme, signed("{}"))
		if line != "HTTP/1.1 100 Continue" {
			t.Fatalf("%q", line)
		}
		if _, err := c.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		c.write("{}")
		c.read().is(t, 200, "text/plain", "{}")
	})
}

// oneConnection: what was wrong with a request is forgotten with it.
func oneConnection(t *testing.T, a Adapter) {
	for name, bad := range map[string]string{"bad, then good": request(signed("[]"), "{}"), "unread, then good": request("", "{}"), "chunked, then good": chunked("", "{}")} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, a, setup{})
			c := s.dial(t)
			c.write(bad + genuine("{}") + bad + genuine("[]"))
			c.read().refused(t, a, 401)
			c.read().is(t, 200, "text/plain", "{}")
			c.read().refused(t, a, 401)
			c.read().is(t, 200, "text/plain", "[]")
			s.ran(t, 2)
		})
	}
}

// overHTTP2: the same over HTTP/2, where a connection is not closed for one
// request.
func overHTTP2(t *testing.T, a Adapter) {
	const limit = 1000
	cfg := guarded(verify.Replay{})
	cfg.MaxBody = limit
	s := serve(t, a, setup{http2: true, Config: cfg})
	send := func(sent, body string) answer {
		r, err := http.NewRequest(http.MethodPost, s.URL+"/hook", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Timestamp", stamp)
		r.Header.Set("X-Signature", sign(stamp+"."+sent))
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 {
			t.Errorf("answered by %s", resp.Proto)
		}
		return received(t, resp)
	}
	over := strings.Repeat("x", limit+1)
	send("{}", "[]").refused(t, a, 401)
	send(over, over).refused(t, a, 413)
	send("{}", "{}").is(t, 200, "text/plain", "{}")
	send("{}", "{}").refused(t, a, 409)
	s.ran(t, 1)
}

// concurrent: every request gets its own body and result, and no other's.
func concurrent(t *testing.T, a Adapter) {
	for name, cfg := range map[string]verify.Config{"unguarded": {}, "guarded": guarded(verify.Replay{Duplicate: verify.Repeat})} {
		t.Run(name, func(t *testing.T) {
			cfg.Accept = identified
			s := serve(t, a, setup{Config: cfg, handler: func(w http.ResponseWriter, r *http.Request, native *verify.Result) {
				res, _ := verify.FromContext(r.Context())
				body, err := io.ReadAll(r.Body)
				if err != nil || res == nil || native == nil {
					t.Errorf("results %v and %v, %v", res, native, err)
					return
				}
				fmt.Fprintf(w, "%s %s ", res.MessageID, native.MessageID)
				_, _ = w.Write(body)
			}})
			const workers, each = 6, 15
			var wait sync.WaitGroup
			for worker := range workers {
				wait.Go(func() {
					for i := range each {
						id := fmt.Sprintf("%d-%d", worker, i)
						body := strings.Repeat(id+" ", 1+i*i)
						if got, want := post(t, s, id, body), id+" "+id+" "+body; got != want {
							t.Errorf("message %s: %d bytes, %.60q; want %d, %.60q", id, len(got), got, len(want), want)
						}
					}
				})
			}
			wait.Wait()
			s.ran(t, workers*each)
		})
	}
}

// post sends a genuine request and gives what came back. It is for goroutines of
// a test.
func post(t *testing.T, s *server, id, body string) string {
	r, err := http.NewRequest(http.MethodPost, s.URL+"/hook", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Error(err)
		return ""
	}
	r.Header.Set("X-Id", id)
	r.Header.Set("X-Timestamp", stamp)
	r.Header.Set("X-Signature", sign(id+"."+stamp+"."+body))
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}
