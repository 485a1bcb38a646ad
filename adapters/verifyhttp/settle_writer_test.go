package verifyhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// abilities is what a handler can do with its writer.
func abilities(w http.ResponseWriter) map[string]string {
	does := map[string]string{}
	_, flusher := w.(http.Flusher)
	_, hijacker := w.(http.Hijacker)
	_, readerFrom := w.(io.ReaderFrom)
	_, pusher := w.(http.Pusher)
	does["Flusher, Hijacker, ReaderFrom, Pusher"] = fmt.Sprint(flusher, hijacker, readerFrom, pusher)
	c := http.NewResponseController(w)
	for name, err := range map[string]error{
		"SetReadDeadline":  c.SetReadDeadline(time.Now().Add(time.Minute)),
		"SetWriteDeadline": c.SetWriteDeadline(time.Now().Add(time.Minute)),
		"EnableFullDuplex": c.EnableFullDuplex(),
		"Flush":            c.Flush(),
	} {
		does[name] = fmt.Sprint(err)
		if errors.Is(err, http.ErrNotSupported) {
			does[name] = "not supported"
		}
	}
	return does
}

// TestWriterAbilities: a claim takes nothing from the handler's writer.
func TestWriterAbilities(t *testing.T) {
	const all = "<nil>"
	on := func(t *testing.T, http2 bool, r verify.Replay) map[string]string {
		var does map[string]string
		v, err := verify.New(verify.Config{Accept: hmacScheme, Now: clock, Replay: r})
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if want := map[bool]int{false: 1, true: 2}[http2]; r.ProtoMajor != want {
				t.Errorf("HTTP/%d", r.ProtoMajor)
			}
			does = abilities(w)
		})))
		defer s.Close()
		s.EnableHTTP2 = http2
		if http2 {
			s.StartTLS()
		} else {
			s.Start()
		}
		resp, err := s.Client().Do(signedRequest(t, s.URL, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
			t.Errorf("status %d, %v", resp.StatusCode, err)
		}
		return does
	}
	for name, tt := range map[string]struct {
		http2 bool
		types string
	}{"HTTP/1": {false, "true true true false"}, "HTTP/2": {true, "true false false true"}} {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"Flusher, Hijacker, ReaderFrom, Pusher": tt.types, "Flush": all, "SetReadDeadline": all, "SetWriteDeadline": all, "EnableFullDuplex": all}
			for guarded, r := range map[string]verify.Replay{"off": {}, "on": {Store: newJournal()}, "repeating": {Store: newJournal(), Duplicate: verify.Repeat}} {
				if got := on(t, tt.http2, r); !maps.Equal(got, want) {
					t.Errorf("guard %s: %v, want %v", guarded, got, want)
				}
			}
		})
	}
	t.Run("a writer with no abilities", func(t *testing.T) {
		for guarded, r := range map[string]verify.Replay{"off": {}, "on": {Store: newJournal()}} {
			v, err := verify.New(verify.Config{Accept: hmacScheme, Now: clock, Replay: r})
			if err != nil {
				t.Fatal(err)
			}
			verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, can := range abilities(w) {
					if can != "not supported" && can != "false false false false" {
						t.Errorf("guard %s: %s %s", guarded, name, can)
					}
				}
			})).ServeHTTP(plainWriter{httptest.NewRecorder()}, signedRequest(t, "/", "{}"))
		}
	})
}

// plainWriter hides every ability but the three methods.
type plainWriter struct{ http.ResponseWriter }

// TestHijackUnderGuard: a handler that has taken the connection has done its
// work; one that could not has to say what became of it.
func TestHijackUnderGuard(t *testing.T) {
	hijack := func(w http.ResponseWriter) error {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, "cannot", http.StatusInternalServerError)
			return err
		}
		_, _ = io.WriteString(conn, "taken over")
		return conn.Close()
	}
	t.Run("K04 taken over", func(t *testing.T) {
		g := start(t, verify.Replay{Duplicate: verify.Repeat}, func(w http.ResponseWriter, _ *http.Request) {
			if err := hijack(w); err != nil {
				t.Error(err)
			}
		})
		c := dial(t, &server{Server: g.Server})
		c.write(request(signed("{}"), "{}"))
		if raw, err := io.ReadAll(c.answer); err != nil || string(raw) != "taken over" {
			t.Errorf("%q, %v", raw, err)
		}
		if s := g.settlement(t); !s.Completed {
			t.Errorf("settlement %+v", s)
		}
		if a := g.send(t, "{}"); a.status != 409 { // the bytes on the connection are nobody's answer
			t.Errorf("copy: %+v", a)
		}
	})
	t.Run("K04 taken over, then a status for nobody", func(t *testing.T) {
		g := start(t, verify.Replay{}, func(w http.ResponseWriter, _ *http.Request) {
			_ = hijack(w)
			w.WriteHeader(http.StatusInternalServerError)
		})
		_, _ = g.try(t, "{}")
		if s := g.settlement(t); !s.Completed {
			t.Errorf("settlement %+v", s)
		}
	})
	t.Run("K04 another protocol promised, no connection taken", func(t *testing.T) {
		g := start(t, verify.Replay{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) })
		_, _ = g.try(t, "{}")
		if s := g.settlement(t); s.Completed {
			t.Errorf("settlement %+v", s)
		}
	})
	t.Run("K05 taken over, then a panic", func(t *testing.T) {
		g := start(t, verify.Replay{}, func(w http.ResponseWriter, _ *http.Request) {
			_ = hijack(w)
			panic(http.ErrAbortHandler)
		})
		_, _ = g.try(t, "{}")
		if s := g.settlement(t); s.Completed {
			t.Errorf("settlement %+v", s)
		}
	})
	t.Run("K04 taken over twice", func(t *testing.T) {
		g := start(t, verify.Replay{}, func(w http.ResponseWriter, _ *http.Request) {
			_ = hijack(w)
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("second hijack: %v", err)
			}
		})
		_, _ = g.try(t, "{}")
		if s := g.settlement(t); !s.Completed {
			t.Errorf("settlement %+v", s)
		}
	})
	failed := errors.New("no connection to take")
	for name, w := range map[string]http.ResponseWriter{
		"not supported": httptest.NewRecorder(),
		"fails":         &unhijackable{httptest.NewRecorder(), failed},
	} {
		t.Run("K04 cannot be taken over: "+name, func(t *testing.T) {
			var ran atomic.Int32
			g := guard(t, verify.Replay{}, verifyhttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				if err := hijack(w); ran.Add(1) == 1 && !errors.Is(err, failed) && !errors.Is(err, http.ErrNotSupported) {
					t.Errorf("hijack: %v", err)
				}
			}, nil)
			g.Config.Handler.ServeHTTP(w, signedRequest(t, "/", "{}"))
			if s := g.settlement(t); s.Completed {
				t.Errorf("settlement %+v", s)
			}
			g.store.exactly(t, "Claim:acquired", "Release")
		})
	}
}

// unhijackable is a writer whose Hijack fails.
type unhijackable struct {
	*httptest.ResponseRecorder
	err error
}

func (u *unhijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, u.err }

// TestWriterWithoutClaim: where nothing is settled, nothing is wrapped.
func TestWriterWithoutClaim(t *testing.T) {
	nobody := func(*verify.Message, *verify.Result) (string, error) { return "", nil }
	for name, tt := range map[string]struct {
		cfg  verify.Config
		http verifyhttp.Config
	}{
		"no guard":                {verify.Config{Accept: bearerScheme}, verifyhttp.Config{}},
		"no key":                  {verify.Config{Accept: bearerScheme, Replay: verify.Replay{Store: newJournal(), Horizon: time.Minute, Key: nobody}}, verifyhttp.Config{}},
		"skipped":                 {verify.Config{Accept: hmacScheme, Replay: verify.Replay{Store: newJournal()}}, verifyhttp.Config{Skip: func(*http.Request) bool { return true }}},
		"C09 ReportOnly, refused": {verify.Config{Accept: hmacScheme, ReportOnly: true, Replay: verify.Replay{Store: newJournal()}}, verifyhttp.Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.cfg.Now = clock
			v, err := verify.New(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			var seen http.ResponseWriter
			verifyhttp.WithConfig(v, tt.http)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { seen = w })).ServeHTTP(w, withToken(token))
			if seen != http.ResponseWriter(w) {
				t.Errorf("the handler got a %T", seen)
			}
		})
	}
	t.Run("C09 ReportOnly, a copy", func(t *testing.T) {
		v, err := verify.New(verify.Config{Accept: hmacScheme, Now: clock, ReportOnly: true, Replay: verify.Replay{Store: newJournal()}})
		if err != nil {
			t.Fatal(err)
		}
		ran := 0
		for range 3 {
			w := httptest.NewRecorder()
			verifyhttp.Middleware(v)(http.HandlerFunc(func(seen http.ResponseWriter, r *http.Request) {
				res, _ := verify.FromContext(r.Context())
				if ran++; (seen == http.ResponseWriter(w)) != (ran > 1) || res.Duplicate != (ran > 1) {
					t.Errorf("run %d: writer %T, result %+v", ran, seen, res)
				}
				if body, err := io.ReadAll(r.Body); string(body) != "{}" || err != nil {
					t.Errorf("body %q, %v", body, err)
				}
			})).ServeHTTP(w, signedRequest(t, "/", "{}"))
		}
		if ran != 3 {
			t.Errorf("the handler ran %d times", ran)
		}
	})
}

// TestR16HTTP2: the same over HTTP/2, whose writer is another.
func TestR16HTTP2(t *testing.T) {
	var ran atomic.Int32
	g := guard(t, verify.Replay{Duplicate: verify.Repeat}, verifyhttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		if ran.Add(1) == 1 {
			http.Error(w, "not now", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, onlyReader{strings.NewReader(strings.Repeat("[]", 3000))})
	}, nil)
	g.EnableHTTP2 = true
	g.StartTLS()
	if a := g.send(t, "{}"); a.status != 500 {
		t.Errorf("K04 first: %+v", a)
	}
	second := g.send(t, "{}")
	if a := g.send(t, "{}"); a.status != 201 || a.body != second.body || a.header.Get("Content-Type") != "application/json" || ran.Load() != 2 {
		t.Errorf("R16 copy: %d, %d bytes of %d, %v, the handler ran %d times", a.status, len(a.body), len(second.body), a.header, ran.Load())
	}
}
