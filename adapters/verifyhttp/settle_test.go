package verifyhttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

const conflict = `{"type":"about:blank","title":"Conflict","status":409}`

// TestK04Retry: a handler that failed is asked again, one that succeeded is not.
func TestK04Retry(t *testing.T) {
	var ran atomic.Int32
	g := start(t, verify.Replay{}, func(w http.ResponseWriter, r *http.Request) {
		n := ran.Add(1)
		res, ok := verify.FromContext(r.Context())
		if body, err := io.ReadAll(r.Body); !ok || res.Attempt != int(n) || res.Duplicate || string(body) != "{}" || err != nil {
			t.Errorf("K04 run %d: result %+v, body %q, %v", n, res, body, err)
		}
		if n == 1 {
			http.Error(w, "not now", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "done")
	})
	if a := g.send(t, "{}"); a.status != 500 || a.body != "not now\n" {
		t.Errorf("K04 first: %+v", a)
	}
	g.store.exactly(t, "Claim:acquired", "Release")
	if a := g.send(t, "{}"); a.status != 200 || a.body != "done" {
		t.Errorf("K04 second: %+v", a)
	}
	g.store.exactly(t, "Claim:acquired", "Complete")
	for range 2 {
		a := g.send(t, "{}")
		if a.status != 409 || a.body != conflict || a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Retry-After") != "" {
			t.Errorf("K04 third: %+v", a)
		}
		g.store.exactly(t, "Claim:duplicate")
	}
	if ran.Load() != 2 {
		t.Errorf("K04 the handler ran %d times", ran.Load())
	}
	for _, completed := range []bool{false, true} {
		if s := g.settlement(t); s.Completed != completed || s.Err != nil || s.Held <= 0 {
			t.Errorf("K04 settlement %+v, want completed %v", s, completed)
		}
	}
	if len(g.settled) != 0 {
		t.Error("K04 more than one settlement for a claim")
	}
}

// TestK05Panic: a handler that panics gives the message back, and whoever stands
// outside gets the panic as it was.
func TestK05Panic(t *testing.T) {
	value := fmt.Errorf("a value of its own")
	for name, fail := range map[string]func(http.ResponseWriter){
		"panic":                 func(http.ResponseWriter) { panic(value) },
		"panic after a status":  func(w http.ResponseWriter) { w.WriteHeader(202); panic(value) },
		"panic after an answer": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half"); w.(http.Flusher).Flush(); panic(value) },
		"ErrAbortHandler":       func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"Goexit":                func(http.ResponseWriter) { runtime.Goexit() },
	} {
		t.Run("K05 "+name, func(t *testing.T) {
			var ran atomic.Int32
			var caught atomic.Value
			recovering := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() {
						if p := recover(); p != nil {
							caught.Store(p)
							panic(http.ErrAbortHandler)
						}
					}()
					next.ServeHTTP(w, r)
				})
			}
			g := guard(t, verify.Replay{}, verifyhttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				if ran.Add(1) == 1 {
					fail(w)
				}
			}, recovering)
			g.Start()
			if a, err := g.try(t, "{}"); err == nil {
				t.Errorf("answered %+v", a)
			}
			if s := g.settlement(t); s.Completed || s.Err != nil {
				t.Errorf("settlement %+v", s)
			}
			g.store.exactly(t, "Claim:acquired", "Release")
			want := map[string]any{"ErrAbortHandler": http.ErrAbortHandler, "Goexit": nil}
			if w, ok := want[name]; !ok && caught.Load() != any(value) || ok && caught.Load() != w {
				t.Errorf("outside caught %v", caught.Load())
			}
			if a := g.send(t, "{}"); a.status != 200 {
				t.Errorf("second: %+v", a)
			}
			if a := g.send(t, "{}"); a.status != 409 || ran.Load() != 2 {
				t.Errorf("third: %+v, the handler ran %d times", a, ran.Load())
			}
		})
	}
}

// TestK06Disconnect: what a sender asked for is recorded though it did not wait;
// and it is given the whole answer when it comes again, or none.
func TestK06Disconnect(t *testing.T) {
	whole := strings.Repeat("x", 12<<10) // more than the server buffers, less than is kept
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter)
		body   string
		done   bool
	}{
		{"writes nothing", func(http.ResponseWriter) {}, "", true},
		{"writes", func(w http.ResponseWriter) { _, _ = io.WriteString(w, whole) }, whole, true},
		{"writes until it fails", func(w http.ResponseWriter) {
			for n := 0; n < len(whole); n += 1 << 10 {
				if _, err := io.WriteString(w, whole[n:n+1<<10]); err != nil {
					return
				}
			}
		}, whole, true},
		{"copies", func(w http.ResponseWriter) { _, _ = io.Copy(w, onlyReader{strings.NewReader(whole)}) }, whole, true},
		{"gives up", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, "", false},
	} {
		for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Repeat} {
			t.Run(fmt.Sprintf("K06 %s, policy %d", tt.name, policy), func(t *testing.T) {
				started := make(chan struct{})
				var ran atomic.Int32
				g := start(t, verify.Replay{Duplicate: policy}, func(w http.ResponseWriter, r *http.Request) {
					if ran.Add(1) > 1 {
						return
					}
					close(started)
					<-r.Context().Done() // the server has noticed
					tt.answer(w)
				})
				c := dial(t, &server{Server: g.Server})
				c.write(request(signed("{}"), "{}"))
				await(t, started, "the handler")
				c.Close()
				if s := g.settlement(t); s.Completed != tt.done || s.Err != nil {
					t.Errorf("settlement %+v", s)
				}
				a, runs := g.send(t, "{}"), ran.Load()
				switch {
				case !tt.done:
					if a.status != 200 || runs != 2 {
						t.Errorf("the retry: %+v, %d runs", a, runs)
					}
				case runs != 1 || a.status != 409 && (policy != verify.Repeat || a.status != 200 || a.body != tt.body):
					t.Errorf("the copy: status %d, %d bytes of %d, %d runs", a.status, len(a.body), len(tt.body), runs)
				}
			})
		}
	}
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestR20TwoAtOnce: the copy that comes while the first is at work is told to
// come again.
func TestR20TwoAtOnce(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	var ran atomic.Int32
	g := start(t, verify.Replay{}, func(http.ResponseWriter, *http.Request) {
		ran.Add(1)
		close(started)
		<-finish
	})
	var first sync.WaitGroup
	first.Go(func() {
		if a, err := g.try(t, "{}"); err != nil || a.status != 200 {
			t.Errorf("R20 first: %+v, %v", a, err)
		}
	})
	release := sync.OnceFunc(func() { close(finish) })
	defer release()
	await(t, started, "the handler")
	for range 2 {
		if a := g.send(t, "{}"); a.status != 503 || a.header.Get("Retry-After") != "5" || a.body != `{"type":"about:blank","title":"Service Unavailable","status":503}` {
			t.Errorf("R20 second: %+v", a)
		}
	}
	release()
	first.Wait()
	if a := g.send(t, "{}"); a.status != 409 || ran.Load() != 1 {
		t.Errorf("R20 after the end: %+v, the handler ran %d times", a, ran.Load())
	}
}

// TestR20Many: many messages, each in several copies at once, each run once.
func TestR20Many(t *testing.T) {
	const messages, copies = 24, 4
	var ran [messages]atomic.Int32
	g := start(t, verify.Replay{Duplicate: verify.Repeat}, func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var n int
		if _, scanErr := fmt.Sscan(string(data), &n); err != nil || scanErr != nil {
			t.Errorf("body %q, %v", data, errors.Join(err, scanErr))
			return
		}
		ran[n].Add(1)
		_, _ = io.Copy(w, onlyReader{bytes.NewReader(data)})
	})
	var all sync.WaitGroup
	for n := range messages {
		for range copies {
			all.Go(func() {
				a, err := g.try(t, fmt.Sprint(n))
				if err != nil || a.status != 503 && (a.status != 200 || a.body != fmt.Sprint(n)) {
					t.Errorf("R20 message %d: %+v, %v", n, a, err)
				}
			})
		}
	}
	all.Wait()
	for n := range ran {
		if got := ran[n].Load(); got != 1 {
			t.Errorf("R20 message %d ran %d times", n, got)
		}
	}
}

// A refusal that no copy is is answered as it was without a guard.
func TestGuardedRefusals(t *testing.T) {
	g := guard(t, verify.Replay{Duplicate: verify.Acknowledge}, verifyhttp.Config{}, func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }, nil)
	w := httptest.NewRecorder()
	r := signedRequest(t, "/webhook", "{}")
	r.Header.Set("X-Signature", sign("other"))
	if g.Config.Handler.ServeHTTP(w, r); w.Code != 401 {
		t.Errorf("R19 forged: %d %s", w.Code, w.Body)
	}
	g.store.exactly(t)
}
