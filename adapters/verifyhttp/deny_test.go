package verifyhttp_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

func TestDenyHook(t *testing.T) {
	const standard = `{"type":"about:blank","title":"Unauthorized","status":401}`
	for _, c := range []struct {
		name string
		deny func(http.ResponseWriter, *http.Request, error)
		code int
		body string
		set  string // X-Hook
	}{
		{"answers", func(w http.ResponseWriter, _ *http.Request, _ error) { http.Error(w, "go away", http.StatusTeapot) }, 418, "go away\n", ""},
		{"only a status", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusNotFound) }, 404, "", ""},
		{"only a body", func(w http.ResponseWriter, _ *http.Request, _ error) { _, _ = io.WriteString(w, "ok?") }, 200, "ok?", ""},
		{"nothing", func(http.ResponseWriter, *http.Request, error) {}, 401, standard, ""},
		{"only a header", func(w http.ResponseWriter, _ *http.Request, _ error) { w.Header().Set("X-Hook", "ran") }, 401, standard, "ran"},
		{"through a controller", func(w http.ResponseWriter, _ *http.Request, _ error) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(w, "flushed")
		}, 200, "flushed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got error
			hook := func(w http.ResponseWriter, r *http.Request, err error) {
				got = err
				c.deny(w, r, err)
			}
			w := httptest.NewRecorder()
			verifyhttp.WithConfig(newVerifier(t, bearerScheme), verifyhttp.Config{Deny: hook})(never(t)).ServeHTTP(w, withToken("wrong"))
			if w.Code != c.code || w.Body.String() != c.body || w.Header().Get("X-Hook") != c.set {
				t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
			}
			var refusal *verify.Error
			if !errors.As(got, &refusal) || !errors.Is(got, verify.ErrMismatch) {
				t.Errorf("the hook got %T %v", got, got)
			}
		})
	}
	t.Run("an interim answer is none", func(t *testing.T) {
		s := protect(t, verify.Config{Accept: bearerScheme})
		early := func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusEarlyHints) }
		s.Config.Handler = verifyhttp.WithConfig(newVerifier(t, bearerScheme), verifyhttp.Config{Deny: early})(never(t))
		s.Start()
		answer, err := s.Client().Post(s.URL, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 401 {
			t.Errorf("status %d", answer.StatusCode)
		}
	})
}

// Deny serves those who call Verifier.Check themselves, too.
func TestDeny(t *testing.T) {
	for _, c := range []struct {
		name       string
		err        error
		proto      int
		code       int
		retry      string
		connection string
	}{
		{"a time to wait", &verify.Error{Attempts: []verify.Attempt{{Err: verify.ErrUnavailable}}, RetryAfter: 1500 * time.Millisecond}, 1, 503, "2", ""},
		{"too large", &verify.Error{Attempts: []verify.Attempt{{Err: verify.ErrTooLarge}}}, 1, 413, "", "close"},
		{"too large, HTTP/2", &verify.Error{Attempts: []verify.Attempt{{Err: verify.ErrTooLarge}}}, 2, 413, "", ""},
		{"a foreign error", io.ErrUnexpectedEOF, 1, 500, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
			r.ProtoMajor = c.proto
			verifyhttp.Deny(newVerifier(t, bearerScheme), w, r, c.err)
			if w.Code != c.code || w.Header().Get("Retry-After") != c.retry || w.Header().Get("Connection") != c.connection {
				t.Errorf("%d %v", w.Code, w.Header())
			}
		})
	}
}
