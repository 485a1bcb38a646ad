package verifyhttp_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// hooked counts the calls of a Deny hook that answers everything with 418.
func hooked(asked *atomic.Int32) verifyhttp.Config {
	return verifyhttp.Config{Deny: func(w http.ResponseWriter, _ *http.Request, err error) {
		asked.Add(1)
		http.Error(w, verify.Reason(err), http.StatusTeapot)
	}}
}

// TestR16Answers: the sender of a copy is answered by the policy, and the Deny
// hook is asked about refusals alone.
func TestR16Answers(t *testing.T) {
	html := "<!DOCTYPE html><p>" + strings.Repeat("x", 3000)
	for _, tt := range []struct {
		name   string
		policy verify.DuplicatePolicy
		h      http.HandlerFunc
		status int // of the copy; 0: as of the first, with its content type and body
	}{
		{"Reject", verify.Reject, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }, 409},
		{"Acknowledge 200", verify.Acknowledge, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }, 200},
		{"Acknowledge 201", verify.Acknowledge, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, "x") }, 200},
		{"Repeat nothing", verify.Repeat, func(http.ResponseWriter, *http.Request) {}, 0},
		{"Repeat 201", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			_, _ = io.WriteString(w, `{"results":[]}`)
		}, 0},
		{"Repeat 204", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 0},
		{"Repeat 202 without a body", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, 0},
		{"Repeat, content type by sniffing", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, html) }, 0},
		{"Repeat, content type against the body", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=latin1")
			_, _ = io.WriteString(w, html)
		}, 0},
		{"Repeat a content type set too late", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			_, _ = io.WriteString(w, html)
			w.Header().Set("Content-Type", "application/json")
		}, 0},
		{"Repeat parts", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			for n := range 100 {
				_, _ = fmt.Fprintf(w, "part %d\n", n)
			}
			w.(http.Flusher).Flush()
			_, _ = io.Copy(w, onlyReader{strings.NewReader(html)})
			_, _ = w.Write([]byte{0, 0xff})
		}, 0},
		{"Repeat a copied body", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, onlyReader{strings.NewReader(html)}) }, 0},
		{"Repeat as much as is kept", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 4096)) }, 0},
		{"Repeat as much as is kept, copied", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{io.LimitReader(zeros{}, 4096)})
		}, 0},
		{"Repeat a byte more", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 4097)) }, 409},
		{"Repeat a byte more, in parts", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 4096))
			_, _ = io.WriteString(w, "x")
			_, _ = io.WriteString(w, "")
		}, 409},
		{"Repeat much more, then little", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			_, _ = io.WriteString(w, "little")
		}, 409},
		{"Repeat a byte more, copied", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{io.LimitReader(zeros{}, 4097)})
		}, 409},
		{"Repeat a body in a content coding", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "coded")
		}, 409},
		{"Repeat a long content type", verify.Repeat, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; x="+strings.Repeat("x", 250))
		}, 409},
	} {
		t.Run("R16 "+tt.name, func(t *testing.T) {
			var ran, asked atomic.Int32
			g := guard(t, verify.Replay{Duplicate: tt.policy, MaxAnswer: 4096}, hooked(&asked), func(w http.ResponseWriter, r *http.Request) {
				ran.Add(1)
				tt.h(w, r)
			}, nil)
			g.Start()
			first := g.send(t, "{}")
			if first.status/100 != 2 {
				t.Fatalf("first: %+v", first)
			}
			for n := range 2 {
				a := g.send(t, "{}")
				switch tt.status {
				case 409: // left to the hook
					if a.status != http.StatusTeapot || a.body != "duplicate\n" || int(asked.Load()) != n+1 {
						t.Errorf("copy: %+v, the hook was asked %d times", a, asked.Load())
					}
					continue
				case 200: // Acknowledge
					if a.status != 200 || a.body != "" || a.length != 0 || a.header.Get("Content-Length") != "0" || a.header["Content-Type"] != nil {
						t.Errorf("copy: %+v", a)
					}
				default:
					if a.status != first.status || a.body != first.body || a.header.Get("Content-Type") != first.header.Get("Content-Type") {
						t.Errorf("copy: %d %s, %d bytes; first: %d %s, %d bytes", a.status, a.header.Get("Content-Type"), len(a.body),
							first.status, first.header.Get("Content-Type"), len(first.body))
					}
					if _, set := a.header["Content-Length"]; set == (a.status == 204) || a.status != 204 && a.length != int64(len(first.body)) {
						t.Errorf("copy of %d bytes: %v", len(first.body), a.header)
					}
				}
				if asked.Load() != 0 {
					t.Error("the hook was asked about a copy that has an answer")
				}
			}
			if ran.Load() != 1 {
				t.Errorf("the handler ran %d times", ran.Load())
			}
		})
	}
}

// TestDenyHookUnderGuard: what has no answer is the hook's.
func TestDenyHookUnderGuard(t *testing.T) {
	for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Acknowledge, verify.Repeat} {
		t.Run(fmt.Sprint("R20 in flight, policy ", policy), func(t *testing.T) {
			var asked atomic.Int32
			started, finish := make(chan struct{}), make(chan struct{})
			g := guard(t, verify.Replay{Duplicate: policy, MaxAttempts: 1}, hooked(&asked), func(w http.ResponseWriter, _ *http.Request) {
				close(started)
				<-finish
				w.WriteHeader(500)
			}, nil)
			g.Start()
			first := make(chan answer, 1)
			go func() {
				a, err := g.try(t, "{}")
				if err != nil {
					t.Error(err)
				}
				first <- a
			}()
			release := sync.OnceFunc(func() { close(finish) })
			defer release()
			await(t, started, "the handler")
			if a := g.send(t, "{}"); a.status != http.StatusTeapot || a.body != "in_flight\n" {
				t.Errorf("in flight: %+v", a)
			}
			release()
			if a := await(t, first, "the first answer"); a.status != 500 {
				t.Errorf("first: %+v", a)
			}
			if a := g.send(t, "{}"); a.status != http.StatusTeapot || a.body != "attempts\n" || asked.Load() != 2 {
				t.Errorf("attempts: %+v, the hook was asked %d times", a, asked.Load())
			}
		})
	}
	t.Run("R16 a hook that answers nothing", func(t *testing.T) {
		silent := verifyhttp.Config{Deny: func(http.ResponseWriter, *http.Request, error) {}}
		g := guard(t, verify.Replay{}, silent, func(http.ResponseWriter, *http.Request) {}, nil)
		g.Start()
		g.send(t, "{}")
		if a := g.send(t, "{}"); a.status != 409 || a.body != conflict {
			t.Errorf("copy: %+v", a)
		}
	})
}

// TestDenyAnswer: a copy's answer is written as it is, whatever the server
// would mend.
func TestDenyAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer verify.Answer
		header http.Header
	}{
		{"R16 200, empty", verify.Answer{Status: 200}, http.Header{"Content-Length": {"0"}}},
		{"R16 201", verify.Answer{Status: 201, ContentType: "a/b", Body: []byte("xyz")}, http.Header{"Content-Length": {"3"}, "Content-Type": {"a/b"}}},
		{"R16 204 has no length", verify.Answer{Status: 204}, http.Header{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			err := &verify.Error{Attempts: []verify.Attempt{{Scheme: "hmac", Err: verify.ErrDuplicate}}, Answer: &tt.answer}
			verifyhttp.Deny(newVerifier(t, bearerScheme), plainWriter{w}, withToken(token), err)
			if w.Code != tt.answer.Status || w.Body.String() != string(tt.answer.Body) {
				t.Errorf("%d %q", w.Code, w.Body)
			}
			if !maps.EqualFunc(w.Header(), tt.header, slices.Equal) {
				t.Errorf("header %v, want %v", w.Header(), tt.header)
			}
		})
	}
}
