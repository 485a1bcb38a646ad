package verifyhttp_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// FuzzMiddleware (V34): whatever arrives, nothing panics, and the handler runs
// only for a request whose signature crypto/hmac finds to be right.
func FuzzMiddleware(f *testing.F) {
	f.Add(request(signed("{}"), "{}"))
	f.Add(request(signed("[]"), "{}"))
	f.Add(request(strings.ToUpper(signed("{}")), "{}"))
	f.Add(request(signed("{}")+signed("{}"), "{}"))
	f.Add(request("X-Timestamp: "+stamp+"000\r\nX-Signature: "+sign(stamp+"000.{}")+"\r\n", "{}"))
	f.Add("POST / HTTP/1.1\r\nHost: h\r\n" + signed("{}") + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
	f.Add("POST / HTTP/1.1\r\nHost: h\r\n" + signed("{}") + "Content-Length: 9\r\n\r\n{}")
	f.Add("GET * HTTP/1.0\r\n\r\n")
	v := newVerifier(f, hmacScheme)
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return // the server refuses it
		}
		wire, broken := io.ReadAll(r.Body)
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(wire), failsWith{broken}))
		genuine := false
		if stamps, signatures := r.Header["X-Timestamp"], r.Header["X-Signature"]; broken == nil && len(stamps) == 1 && len(signatures) == 1 {
			inTime := stamps[0] == stamp || strings.HasPrefix(stamps[0], "17672") // near enough; the rest is the signature's
			genuine = inTime && strings.ToLower(signatures[0]) == sign(stamps[0]+"."+string(wire))
		}
		ran := false
		w := httptest.NewRecorder()
		verifyhttp.Middleware(v)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ran = true
			if body, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(body, wire) {
				t.Errorf("the handler read %q, %v; sent was %q", body, err, wire)
			}
			if _, ok := verify.FromContext(r.Context()); !ok {
				t.Error("no result in the context")
			}
		})).ServeHTTP(w, r)
		if ran && !genuine {
			t.Errorf("the handler ran for %q", raw)
		}
		if !ran && w.Code < 400 {
			t.Errorf("refused with status %d", w.Code)
		}
		if genuine && r.Header.Get("X-Timestamp") == stamp && len(wire) <= 1<<20 && !ran {
			t.Errorf("a genuine request was refused with status %d: %q", w.Code, raw)
		}
	})
}

// failsWith is a reader that ends in an error, or nil for a clean end.
type failsWith struct{ err error }

func (f failsWith) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
