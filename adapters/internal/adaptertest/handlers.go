package adaptertest

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// policies are the ways in which a handler's writer is treated, by name.
func policies() map[string]verify.Config {
	return map[string]verify.Config{
		"unguarded": {},
		"guarded":   guarded(verify.Replay{}),
		"repeating": guarded(verify.Replay{Duplicate: verify.Repeat}),
	}
}

// resultFound: the handler finds the result in the request's context and in the
// framework's own way, and they are the same.
func resultFound(t *testing.T, a Adapter) {
	for name, cfg := range policies() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, a, setup{Config: cfg, handler: func(_ http.ResponseWriter, r *http.Request, native *verify.Result) {
				res, ok := verify.FromContext(r.Context())
				if !ok || res != native || res.Scheme != "hmac" || res.KeyID != "0" || !res.SignedAt.Equal(now) {
					t.Errorf("results %+v and %+v", res, native)
				}
			}})
			s.send(t, genuine("{}"))
			s.ran(t, 1)
		})
	}
}

// observedOnce: one request, one event, whatever becomes of it.
func observedOnce(t *testing.T, a Adapter) {
	for name, cfg := range policies() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, a, setup{Config: cfg})
			c := s.dial(t)
			c.write(genuine("{}") + request("", "{}") + genuine("[]"))
			for range 3 {
				c.read()
			}
			s.observed(t, "ok", "missing", "ok")
		})
	}
}

// reportOnly: everything reaches the handler, whole and marked.
func reportOnly(t *testing.T, a Adapter) {
	const body = "more than the limit"
	s := serve(t, a, setup{Config: verify.Config{Accept: hmacScheme, ReportOnly: true, MaxBody: 5}, handler: func(w http.ResponseWriter, r *http.Request, native *verify.Result) {
		if res, _ := verify.FromContext(r.Context()); res == nil || res != native || res.Refused == nil {
			t.Errorf("results %+v and %+v", res, native)
		}
		echo(w, r, native)
	}})
	s.send(t, genuine(body)).is(t, 200, "text/plain", body)
	s.send(t, request("", body)).is(t, 200, "text/plain", body)
	s.ran(t, 2)
	s.observed(t, "too_large", "missing")
}

// streaming: what a handler flushes arrives before it ends.
func streaming(t *testing.T, a Adapter) {
	flushes := map[string]func(http.ResponseWriter) error{
		"Flusher": func(w http.ResponseWriter) error {
			f, ok := w.(http.Flusher)
			if !ok {
				return errors.New("no http.Flusher")
			}
			f.Flush()
			return nil
		},
		"ResponseController": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	}
	for name := range policies() {
		for by, flush := range flushes {
			t.Run(name+", "+by, func(t *testing.T) {
				seen := make(chan struct{})
				s := serve(t, a, setup{Config: policies()[name], handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) {
					_, _ = io.WriteString(w, "first ")
					if err := flush(w); err != nil {
						t.Error(err)
						return
					}
					select {
					case <-seen:
					case <-time.After(a.Patience / 2):
						t.Error("nothing has arrived")
					}
					_, _ = io.WriteString(w, "second")
				}})
				c := s.dial(t)
				c.write(genuine("{}"))
				r, err := http.ReadResponse(c.in, nil)
				if err != nil {
					t.Fatal(err)
				}
				first := make([]byte, len("first "))
				if _, err := io.ReadFull(r.Body, first); err != nil {
					t.Error(err)
				}
				close(seen)
				if rest, err := io.ReadAll(r.Body); string(first)+string(rest) != "first second" || err != nil {
					t.Errorf("%q, then %q, %v", first, rest, err)
				}
			})
		}
	}
}

// controlled: http.ResponseController reaches the server's writer.
func controlled(t *testing.T, a Adapter) {
	for name, cfg := range policies() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, a, setup{Config: cfg, handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) {
				c := http.NewResponseController(w)
				soon := time.Now().Add(time.Minute)
				if err := errors.Join(c.SetReadDeadline(soon), c.SetWriteDeadline(soon), c.EnableFullDuplex()); err != nil {
					t.Error(err)
				}
			}})
			s.send(t, genuine("{}"))
			s.ran(t, 1)
		})
	}
}

// hijacking: a handler can take the connection, and has then done its work.
func hijacking(t *testing.T, a Adapter) {
	for name, cfg := range policies() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, a, setup{Config: cfg, handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "taken over")
			}})
			c := s.dial(t)
			c.write(genuine("{}"))
			if raw, err := io.ReadAll(c.in); string(raw) != "taken over" || err != nil {
				t.Errorf("%q, %v", raw, err)
			}
			if cfg.Replay.Store == nil {
				return
			}
			s.settlement(t, true)
			s.send(t, genuine("{}")).refused(t, a, 409)
			s.ran(t, 1)
		})
	}
}

// panics: a panic goes on to whoever stands outside, and gives the message back.
func panics(t *testing.T, a Adapter) {
	value := errors.New("a value of its own")
	for name, fail := range map[string]func(http.ResponseWriter){
		"at once":         func(http.ResponseWriter) { panic(value) },
		"after a status":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted); panic(value) },
		"after an answer": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half"); panic(value) },
	} {
		t.Run(name, func(t *testing.T) {
			caught := make(chan any, 10)
			first := true // the requests come one after another
			s := serve(t, a, setup{
				Config: guarded(verify.Replay{}),
				handler: func(w http.ResponseWriter, r *http.Request, native *verify.Result) {
					if first {
						first = false
						fail(w)
					}
					echo(w, r, native)
				},
				outer: func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer func() {
							if p := recover(); p != nil {
								caught <- p
								panic(http.ErrAbortHandler)
							}
						}()
						next.ServeHTTP(w, r)
					})
				},
			})
			c := s.dial(t)
			c.write(genuine("{}"))
			_, _ = io.Copy(io.Discard, c.in)
			if len(caught) != 1 || <-caught != any(value) {
				t.Error("the panic did not reach the outside as it was")
			}
			s.settlement(t, false)
			s.send(t, genuine("{}")).is(t, 200, "text/plain", "{}")
			s.settlement(t, true)
			s.send(t, genuine("{}")).refused(t, a, 409)
			s.ran(t, 2)
			s.observed(t, "ok", "ok", "duplicate")
			if len(s.settled) != 0 {
				t.Error("a claim was settled twice")
			}
		})
	}
}

// settledByStatus: a 2xx is done, anything else is given back.
func settledByStatus(t *testing.T, a Adapter) {
	for _, c := range []struct {
		name   string
		h      func(http.ResponseWriter)
		status int
	}{
		{"nothing", func(http.ResponseWriter) {}, 200},
		{"a body", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, 200},
		{"an empty body", func(w http.ResponseWriter) { _, _ = w.Write(nil) }, 200},
		{"flushed", func(w http.ResponseWriter) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, 200},
		{"a body, then 500", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x"); w.WriteHeader(500) }, 200},
		{"500, then a body", func(w http.ResponseWriter) { w.WriteHeader(500); _, _ = io.WriteString(w, "x") }, 500},
		{"201", func(w http.ResponseWriter) { w.WriteHeader(201) }, 201},
		{"204", func(w http.ResponseWriter) { w.WriteHeader(204) }, 204},
		{"299", func(w http.ResponseWriter) { w.WriteHeader(299) }, 299},
		{"302", func(w http.ResponseWriter) { w.WriteHeader(302) }, 302},
		{"400", func(w http.ResponseWriter) { w.WriteHeader(400) }, 400},
		{"404", func(w http.ResponseWriter) { http.Error(w, "no", 404) }, 404},
		{"503", func(w http.ResponseWriter) { w.WriteHeader(503) }, 503},
	} {
		for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Acknowledge, verify.Repeat} {
			t.Run(c.name+", "+[]string{"reject", "acknowledge", "repeat"}[policy], func(t *testing.T) {
				s := serve(t, a, setup{Config: guarded(verify.Replay{Duplicate: policy}), handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) { c.h(w) }})
				done := c.status/100 == 2
				if got := s.send(t, genuine("{}")); got.status != c.status {
					t.Errorf("answered %d, want %d", got.status, c.status)
				}
				s.settlement(t, done)
				s.send(t, genuine("{}"))
				if done {
					s.ran(t, 1)
				} else {
					s.ran(t, 2)
				}
			})
		}
	}
}
