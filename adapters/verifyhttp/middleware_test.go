package verifyhttp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// A middleware is of the unnamed type, so that it fits chi, and named types like
// gorilla's.
type middlewareFunc func(http.Handler) http.Handler

var (
	_ func(http.Handler) http.Handler = verifyhttp.Middleware(nil)
	_ middlewareFunc                  = verifyhttp.WithConfig(nil, verifyhttp.Config{})
)

// scheme is a scheme of another package that does what it is told.
type scheme func(context.Context, *verify.Message) (*verify.Result, error)

func (s scheme) Build(verify.Env) (verify.Authenticator, error) { return s, nil }
func (s scheme) Authenticate(ctx context.Context, m *verify.Message) (*verify.Result, error) {
	return s(ctx, m)
}

// refusing is a scheme that refuses for one reason.
func refusing(reason error) scheme {
	return func(context.Context, *verify.Message) (*verify.Result, error) {
		return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "fake", Err: reason, Detail: "a detail for operators"}}}
	}
}

func newVerifier(t testing.TB, s verify.Scheme) *verify.Verifier {
	t.Helper()
	v, err := verify.New(verify.Config{Accept: s, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func withToken(value string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer "+value)
	return r
}

// never is a handler that must not run.
func never(t *testing.T) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("C11 the handler ran") })
}

func TestRefusals(t *testing.T) {
	problem := func(title, status string) string {
		return `{"type":"about:blank","title":"` + title + `","status":` + status + `}`
	}
	unauthorized := problem("Unauthorized", "401")
	for _, c := range []struct {
		name  string
		err   error
		code  int
		body  string
		retry string
	}{
		{"missing", verify.ErrMissing, 401, unauthorized, ""},
		{"malformed", verify.ErrMalformed, 401, unauthorized, ""},
		{"stale", verify.ErrStale, 401, unauthorized, ""},
		{"mismatch", verify.ErrMismatch, 401, unauthorized, ""},
		{"inactive", verify.ErrInactive, 401, unauthorized, ""},
		{"scope", verify.ErrScope, 403, problem("Forbidden", "403"), ""},
		{"too large", verify.ErrTooLarge, 413, problem("Request Entity Too Large", "413"), ""},
		{"body unreadable", verify.ErrBodyUnreadable, 400, problem("Bad Request", "400"), ""},
		{"body consumed", verify.ErrBodyConsumed, 500, problem("Internal Server Error", "500"), ""},
		{"duplicate", verify.ErrDuplicate, 409, problem("Conflict", "409"), ""},
		{"in flight", verify.ErrInFlight, 503, problem("Service Unavailable", "503"), "30"},
		{"conflict", verify.ErrConflict, 409, problem("Conflict", "409"), ""},
		{"attempts", verify.ErrAttempts, 429, problem("Too Many Requests", "429"), ""},
		{"unavailable", verify.ErrUnavailable, 503, problem("Service Unavailable", "503"), "30"},
		{"misconfigured", verify.ErrMisconfigured, 500, problem("Internal Server Error", "500"), ""},
		{"internal", verify.ErrInternal, 500, problem("Internal Server Error", "500"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			verifyhttp.Middleware(newVerifier(t, refusing(c.err)))(never(t)).ServeHTTP(w, withToken(token))
			if w.Code != c.code || w.Body.String() != c.body {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.code, c.body)
			}
			h := w.Header()
			if h.Get("Content-Type") != "application/problem+json" || h.Get("Retry-After") != c.retry || len(h["Www-Authenticate"]) != 0 {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestVerifiersThatRefuseEverything(t *testing.T) {
	panics := newVerifier(t, scheme(func(context.Context, *verify.Message) (*verify.Result, error) { panic("no verdict") }))
	nothing := newVerifier(t, scheme(func(context.Context, *verify.Message) (*verify.Result, error) { return nil, nil }))
	for name, v := range map[string]*verify.Verifier{"nil": nil, "zero": {}, "C06 panics": panics, "C06 neither result nor error": nothing} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			verifyhttp.Middleware(v)(never(t)).ServeHTTP(w, withToken(token))
			if w.Code != 500 {
				t.Errorf("status %d", w.Code)
			}
		})
	}
}

// W21: whatever is wrong, a prober reads the same bytes.
func TestEvery401IsTheSame(t *testing.T) {
	good := signed("{}")
	for _, c := range []struct {
		name, challenge string
		scheme          verify.Scheme
		send            []string
	}{
		{"W21 hmac", "", hmacScheme, []string{
			"", strings.Replace(good, "X-Signature: ", "X-Signature: 0", 1), good + good, "X-Timestamp: 1\r\nX-Signature: " + sign("1.{}") + "\r\n",
			"X-Timestamp: " + stamp + "\r\nX-Signature: " + sign(stamp+".[]") + "\r\n", "X-Timestamp: now\r\nX-Signature: " + sign("now.{}") + "\r\n",
		}},
		{"W21 bearer", `Bearer realm="webhook"`, bearerScheme, []string{
			"", "Authorization: Basic x\r\n", "Authorization: Bearer wrong\r\n", "Authorization: Bearer\r\n", "Authorization: Bearer a b\r\n",
		}},
		{"W21 secret header", "", verify.VapiSecret(verify.Static(token)), []string{"", "X-Vapi-Secret: wrong\r\n", "X-Vapi-Secret:\r\n"}},
		{"W21 either", `Bearer realm="webhook"`, verify.AnyOf(hmacScheme, bearerScheme), []string{"", "Authorization: Bearer wrong\r\n", strings.Replace(good, stamp, "1", 1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, verify.Config{Accept: c.scheme})
			var first string
			for _, headers := range c.send {
				conn := dial(t, s)
				conn.write(request(headers+"Connection: close\r\n", "{}"))
				raw, err := io.ReadAll(conn.answer)
				if err != nil {
					t.Fatal(err)
				}
				answer := withoutDate(string(raw))
				if first == "" {
					first = answer
				}
				if answer != first || !strings.HasPrefix(answer, "HTTP/1.1 401 ") {
					t.Errorf("%q is answered\n%s, others\n%s", headers, answer, first)
				}
			}
			if got := strings.Contains(first, "Www-Authenticate: "+c.challenge+"\r\n"); got != (c.challenge != "") {
				t.Errorf("challenge %q in\n%s", c.challenge, first)
			}
			if s.ran.Load() != 0 || len(s.events()) != len(c.send) {
				t.Errorf("the handler ran %d times, %d events of %d", s.ran.Load(), len(s.events()), len(c.send))
			}
		})
	}
}

func withoutDate(answer string) string {
	before, rest, _ := strings.Cut(answer, "Date: ")
	_, after, _ := strings.Cut(rest, "\r\n")
	return before + after
}

func TestOneConnection(t *testing.T) {
	t.Run("W22 bad, then good", func(t *testing.T) {
		s := serve(t, verify.Config{Accept: hmacScheme})
		c := dial(t, s)
		c.write(request(signed("[]"), "{}") + request(signed("{}"), "{}"))
		if bad, _ := c.read(); bad.StatusCode != 401 {
			t.Errorf("status %d", bad.StatusCode)
		}
		if good, body := c.read(); good.StatusCode != 200 || body != "{}" {
			t.Errorf("status %d, body %q", good.StatusCode, body)
		}
	})
	t.Run("W22 unread, then good", func(t *testing.T) {
		s := serve(t, verify.Config{Accept: hmacScheme})
		c := dial(t, s)
		c.write(request("", "{}") + request(signed("{}"), "{}"))
		c.read()
		if good, body := c.read(); good.StatusCode != 200 || body != "{}" {
			t.Errorf("status %d, body %q", good.StatusCode, body)
		}
	})
	t.Run("W10 HEAD has no body", func(t *testing.T) {
		s := serve(t, verify.Config{Accept: bearerScheme})
		c := dial(t, s)
		c.write("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		raw, err := io.ReadAll(c.answer)
		if _, body, _ := strings.Cut(string(raw), "\r\n\r\n"); err != nil || !bytes.HasPrefix(raw, []byte("HTTP/1.1 401 ")) || body != "" {
			t.Errorf("%q, %v", raw, err)
		}
	})
}

func TestAcceptedRequest(t *testing.T) {
	v := newVerifier(t, bearerScheme)
	w := httptest.NewRecorder()
	var seen http.ResponseWriter
	verifyhttp.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = w
		if res, ok := verify.FromContext(r.Context()); !ok || res.Scheme != "bearer" || res.KeyID != "0" {
			t.Errorf("result %+v, %v", res, ok)
		}
	})).ServeHTTP(w, withToken(token))
	if seen != http.ResponseWriter(w) {
		t.Errorf("the handler got a %T for a writer, not the server's own", seen)
	}
	if res, ok := verify.FromContext(context.Background()); ok || res != nil {
		t.Errorf("without a middleware: %v, %v", res, ok)
	}
}

// The server's own writer reaches the handler, and with it all that it can do.
func TestHijack(t *testing.T) {
	s := protect(t, verify.Config{Accept: bearerScheme})
	s.Config.Handler = verifyhttp.Middleware(newVerifier(t, bearerScheme))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("no ReaderFrom")
		}
		if _, ok := w.(http.Flusher); !ok {
			t.Error("no Flusher")
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "taken over")
		conn.Close()
	}))
	s.Start()
	c := dial(t, s)
	c.write(request("Authorization: Bearer "+token+"\r\n", ""))
	if raw, err := io.ReadAll(c.answer); err != nil || string(raw) != "taken over" {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestHandlerPanicPasses(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	h := verifyhttp.Middleware(newVerifier(t, bearerScheme))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	h.ServeHTTP(httptest.NewRecorder(), withToken(token))
}

func TestReportOnly(t *testing.T) {
	s := serve(t, verify.Config{Accept: hmacScheme, ReportOnly: true, MaxBody: 10})
	for _, body := range []string{"{}", strings.Repeat("x", 100)} {
		c := dial(t, s)
		c.write(request("X-Signature: forged\r\n", body))
		if answer, echoed := c.read(); answer.StatusCode != 200 || echoed != body {
			t.Errorf("C09 status %d, %d bytes of %d", answer.StatusCode, len(echoed), len(body))
		}
	}
	for _, e := range s.events() {
		if !e.LetThrough || e.Reason != "missing" {
			t.Errorf("C09 event %+v", e)
		}
	}
}

func TestSkip(t *testing.T) {
	skip := func(r *http.Request) bool { return r.URL.Path == "/healthz" }
	h := verifyhttp.WithConfig(newVerifier(t, bearerScheme), verifyhttp.Config{Skip: skip})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok := verify.FromContext(r.Context())
		w.Header().Set("X-Verified", map[bool]string{true: "yes", false: "no"}[ok])
	}))
	for _, c := range []struct {
		path, verified string
		token          string
		code           int
	}{{"/healthz", "no", "", 200}, {"/webhook", "yes", token, 200}, {"/webhook", "", "", 401}} {
		w := httptest.NewRecorder()
		r := withToken(c.token)
		r.URL.Path = c.path
		h.ServeHTTP(w, r)
		if w.Code != c.code || w.Header().Get("X-Verified") != c.verified {
			t.Errorf("%s: status %d, verified %q", c.path, w.Code, w.Header().Get("X-Verified"))
		}
	}
}
