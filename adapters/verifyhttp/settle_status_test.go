package verifyhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/webhookauth/webhookauth/verify"
)

// TestR24Statuses: the status that went out decides, however it was written.
func TestR24Statuses(t *testing.T) {
	status := func(codes ...int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, code := range codes {
				w.WriteHeader(code)
			}
		}
	}
	write := func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) }
	tests := map[string]struct {
		h    http.HandlerFunc
		sent int
	}{
		"nothing":        {func(http.ResponseWriter, *http.Request) {}, 200},
		"only headers":   {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Set", "1") }, 200},
		"Write":          {func(w http.ResponseWriter, _ *http.Request) { write(w) }, 200},
		"empty Write":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil); w.WriteHeader(500) }, 200},
		"io.WriteString": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x"); w.WriteHeader(500) }, 200},
		"Flush":          {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, 200},
		"controller Flush": {func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			w.WriteHeader(500)
		}, 200},
		"ReadFrom": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{strings.NewReader("x")})
			w.WriteHeader(500)
		}, 200},
		"Write, then 500": {func(w http.ResponseWriter, _ *http.Request) { write(w); w.WriteHeader(500) }, 200},
		"500, then Write": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); write(w) }, 500},
		"ReadFrom fails, then 502": {func(w http.ResponseWriter, _ *http.Request) {
			if _, err := io.Copy(w, iotest.ErrReader(io.ErrUnexpectedEOF)); err != nil {
				http.Error(w, "no", http.StatusBadGateway)
			}
		}, 502},
		"ReadFrom an empty source, then 500": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{strings.NewReader("")})
			w.WriteHeader(500)
		}, 500},
		"ReadFrom an empty source, then 202": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{strings.NewReader("")})
			w.WriteHeader(202)
		}, 202},
		"ReadFrom an empty source": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, onlyReader{strings.NewReader("")}) }, 200},
		"500, then ReadFrom": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.Copy(w, onlyReader{strings.NewReader("x")})
		}, 500},
		"500, then Flush":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); w.(http.Flusher).Flush() }, 500},
		"200, then 500":     {status(200, 500), 200},
		"500, then 200":     {status(500, 200), 500},
		"103, then nothing": {status(103), 200},
		"103, then 200":     {status(103, 200), 200},
		"103, then 500":     {status(103, 500), 500},
		"102 and 103, 404":  {status(102, 103, 404), 404},
		"100, then 202":     {status(100, 202), 202},
		"http.Error":        {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, 502},
		"http.Redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusTemporaryRedirect) }, 307},
		"http.NotFound":     {http.NotFound, 404},
	}
	for _, code := range []int{200, 201, 202, 203, 204, 205, 206, 226, 299, 300, 301, 304, 400, 401, 404, 409, 410, 422, 429, 500, 502, 503, 599} {
		tests[fmt.Sprint("status ", code)] = struct {
			h    http.HandlerFunc
			sent int
		}{status(code), code}
	}
	for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Repeat} {
		for name, tt := range tests {
			t.Run(fmt.Sprintf("R24 K04 %s, policy %d", name, policy), func(t *testing.T) {
				g := start(t, verify.Replay{Duplicate: policy}, tt.h)
				g.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				if a := g.send(t, "{}"); a.status != tt.sent {
					t.Errorf("answered %+v, want %d", a, tt.sent)
				}
				if s := g.settlement(t); s.Completed != (tt.sent/100 == 2) || s.Err != nil {
					t.Errorf("settlement %+v after %d", s, tt.sent)
				}
				ended := "Release"
				if tt.sent/100 == 2 {
					ended = "Complete"
				}
				g.store.exactly(t, "Claim:acquired", ended)
			})
		}
	}
}

// onlyReader hides that a reader can write itself, so that io.Copy asks the writer.
type onlyReader struct{ io.Reader }
