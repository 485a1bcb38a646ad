package verifyhttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

func TestHandlerFindsTheBody(t *testing.T) {
	const body = `{"message":{"transcript":"Grüß Gott 🙏 \u00e9 \/"}}` + "\r\n"
	for _, c := range []struct{ name, framing string }{
		{"D10 V14 declared length", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)},
		{"D10 V14 chunked", fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := protect(t, verify.Config{Accept: hmacScheme})
			var first, second []byte
			var declared int64
			v, err := verify.New(verify.Config{Accept: hmacScheme, Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			s.Config.Handler = verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				declared = r.ContentLength
				first, _ = io.ReadAll(r.Body)
				if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d bytes, %v", n, err)
				}
				if _, err := r.Body.(io.Seeker).Seek(0, io.SeekStart); err != nil {
					t.Error(err)
				}
				second, _ = io.ReadAll(r.Body)
			}))
			s.Start()
			if status := exchange(t, s, "POST / HTTP/1.1\r\nHost: h\r\n"+signed(body)+c.framing); status != 200 {
				t.Fatalf("status %d", status)
			}
			if string(first) != body || string(second) != body {
				t.Errorf("read %q, then %q", first, second)
			}
			want := int64(len(body))
			if strings.HasPrefix(c.framing, "Transfer") {
				want = -1
			}
			if declared != want {
				t.Errorf("ContentLength %d, want %d", declared, want)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	const limit = 1000
	exact, over := strings.Repeat("x", limit), strings.Repeat("x", limit+1)
	chunked := func(headers, body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", headers, len(body), body)
	}
	bearer := "Authorization: Bearer " + token + "\r\n"
	for _, c := range []struct {
		name   string
		scheme verify.Scheme
		send   string
		status int
		reason string
		ran    int32
	}{
		{"W06 V12 hmac, exactly at the limit", hmacScheme, request(signed(exact), exact), 200, "ok", 1},
		{"W06 V12 hmac, one over", hmacScheme, request(signed(over), over), 413, "too_large", 0},
		{"W06 V12 hmac, exactly at the limit, chunked", hmacScheme, chunked(signed(exact), exact), 200, "ok", 1},
		{"W06 V12 hmac, one over, chunked", hmacScheme, chunked(signed(over), over), 413, "too_large", 0},
		{"W06 bearer, exactly at the limit", bearerScheme, request(bearer, exact), 200, "ok", 1},
		{"W06 bearer, one over", bearerScheme, request(bearer, over), 413, "too_large", 0},
		{"W06 bearer, exactly at the limit, chunked", bearerScheme, chunked(bearer, exact), 200, "ok", 1},
		// Nothing is known to be too large before it is read, and a bearer scheme
		// does not read: the handler meets the limit, as an error.
		{"W06 V13 bearer, one over, chunked", bearerScheme, chunked(bearer, over), 413, "ok", 1},
		{"V12 too large and unsigned: the credential is judged first", hmacScheme, request("", over), 401, "missing", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, verify.Config{Accept: c.scheme, MaxBody: limit})
			conn := dial(t, s)
			conn.write(c.send)
			answer, _ := conn.read()
			if answer.StatusCode != c.status || s.ran.Load() != c.ran {
				t.Errorf("status %d, handler ran %d times; want %d, %d", answer.StatusCode, s.ran.Load(), c.status, c.ran)
			}
			if events := s.events(); len(events) != 1 || events[0].Reason != c.reason {
				t.Errorf("events %v", events)
			}
			if handled := s.body.Load(); handled != nil && len(*handled) > limit {
				t.Errorf("the handler got %d bytes", len(*handled))
			}
			if c.reason == "too_large" {
				if !answer.Close {
					t.Error("the connection is kept, though the rest of the body is unread")
				}
				if _, err := conn.answer.ReadByte(); err == nil {
					t.Error("the connection is still open")
				}
			}
		})
	}
}

// A client that asks before it sends the body is told to only if the headers may
// be good.
func TestExpectContinue(t *testing.T) {
	const body = "{}"
	ask := func(t *testing.T, scheme verify.Scheme, headers string) (c *connection, line string, s *server) {
		s = serve(t, verify.Config{Accept: scheme})
		c = dial(t, s)
		c.write("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + headers + "\r\n")
		line, err := c.answer.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return c, strings.TrimSpace(line), s
	}
	for _, c := range []struct {
		name    string
		scheme  verify.Scheme
		headers string
	}{
		{"W08 bearer missing", bearerScheme, ""},
		{"W08 bearer wrong", bearerScheme, "Authorization: Bearer wrong\r\n"},
		{"W08 signature missing", hmacScheme, "X-Timestamp: " + stamp + "\r\n"},
		{"W08 stale", hmacScheme, "X-Timestamp: 1\r\nX-Signature: " + sign("1.{}") + "\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, line, s := ask(t, c.scheme, c.headers); line != "HTTP/1.1 401 Unauthorized" || s.ran.Load() != 0 {
				t.Errorf("%q, handler ran %d times", line, s.ran.Load())
			}
		})
	}
	t.Run("W08 a right token, and a handler that does not want the body", func(t *testing.T) {
		s := protect(t, verify.Config{Accept: bearerScheme})
		s.Config.Handler = verifyhttp.Middleware(newVerifier(t, bearerScheme))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}))
		s.Start()
		c := dial(t, s)
		c.write("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nAuthorization: Bearer " + token + "\r\n\r\n")
		if answer, _ := c.read(); answer.StatusCode != http.StatusNoContent {
			t.Errorf("status %d", answer.StatusCode)
		}
	})
	t.Run("W08 a signature that may be right", func(t *testing.T) {
		c, line, s := ask(t, hmacScheme, signed(body))
		if line != "HTTP/1.1 100 Continue" {
			t.Fatalf("%q", line)
		}
		if _, err := c.answer.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		c.write(body)
		if answer, echoed := c.read(); answer.StatusCode != 200 || echoed != body || s.ran.Load() != 1 {
			t.Errorf("status %d, body %q", answer.StatusCode, echoed)
		}
	})
}

func TestClientHangsUp(t *testing.T) {
	for _, c := range []struct{ name, send string }{
		{"W05 W20 declared length", strings.TrimSuffix(request(signed("{}"), "{}"), "}")},
		{"W20 in a chunk", "POST / HTTP/1.1\r\nHost: h\r\n" + signed("{}") + "Transfer-Encoding: chunked\r\n\r\n2\r\n{"},
		{"W20 between chunks", "POST / HTTP/1.1\r\nHost: h\r\n" + signed("{}") + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := protect(t, verify.Config{Accept: hmacScheme})
			done := make(chan struct{})
			protected := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				protected.ServeHTTP(w, r)
				close(done)
			})
			s.Start()
			conn := dial(t, s)
			conn.write(c.send)
			conn.Close()
			<-done
			if events := s.events(); len(events) != 1 || events[0].Reason != "body_unreadable" || events[0].Status != 400 {
				t.Errorf("events %v", events)
			}
			if s.ran.Load() != 0 {
				t.Error("the handler ran on a partial body")
			}
		})
	}
}

// V14: something in front took the body and did not put it back.
func TestConsumedBody(t *testing.T) {
	for name, scheme := range map[string]verify.Scheme{"V14 alone": hmacScheme, "V14 the next alternative is not tried": verify.AnyOf(hmacScheme, bearerScheme)} {
		t.Run(name, func(t *testing.T) {
			s := protect(t, verify.Config{Accept: scheme})
			protected := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				protected.ServeHTTP(w, r)
			})
			s.Start()
			if status := exchange(t, s, request(signed("{}")+"Authorization: Bearer "+token+"\r\n", "{}")); status != 500 {
				t.Errorf("status %d", status)
			}
			if e := s.events()[0]; e.Reason != "body_consumed" || s.ran.Load() != 0 {
				t.Errorf("event %v, handler ran %d times", e, s.ran.Load())
			}
		})
	}
}

// C07: two verifiers in a row.
func TestTwoVerifiers(t *testing.T) {
	s := protect(t, verify.Config{Accept: hmacScheme})
	v, err := verify.New(verify.Config{Accept: hmacScheme, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = verifyhttp.Middleware(v)(s.Config.Handler)
	s.Start()
	c := dial(t, s)
	c.write(request(signed("{}"), "{}"))
	if answer, body := c.read(); answer.StatusCode != 200 || body != "{}" {
		t.Errorf("C07 status %d, body %q", answer.StatusCode, body)
	}
}

// Every request gets its own body back, and no other's.
func TestConcurrentRequests(t *testing.T) {
	s := serve(t, verify.Config{Accept: hmacScheme})
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 40 {
				body := bytes.Repeat([]byte(fmt.Sprintf("%d-%d ", worker, i)), 1+i*i)
				r, err := http.NewRequest(http.MethodPost, s.URL, bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("X-Timestamp", stamp)
				r.Header.Set("X-Signature", sign(stamp+"."+string(body)))
				answer, err := s.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				echoed, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || answer.StatusCode != 200 || !bytes.Equal(echoed, body) {
					t.Errorf("worker %d, request %d: status %d, %d bytes back of %d, %v", worker, i, answer.StatusCode, len(echoed), len(body), err)
				}
			}
		})
	}
	wait.Wait()
}

func TestHTTP2(t *testing.T) {
	s := protect(t, verify.Config{Accept: hmacScheme})
	s.EnableHTTP2 = true
	s.StartTLS()
	for _, c := range []struct {
		name, body string
		status     int
	}{{"W01 genuine", "{}", 200}, {"W01 tampered", "[]", 401}, {"W06 over the limit", strings.Repeat("x", 1<<20+1), 413}} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, s.URL, strings.NewReader(c.body))
			r.RequestURI = ""
			r.Header.Set("x-timestamp", stamp)
			r.Header.Set("x-signature", sign(stamp+".{}"))
			answer, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.ProtoMajor != 2 || answer.StatusCode != c.status {
				t.Errorf("%s %d, want HTTP/2 and %d", answer.Proto, answer.StatusCode, c.status)
			}
		})
	}
}
