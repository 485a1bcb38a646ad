package adaptertest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// readAgain reads a body that was read to its end once more: it ends, and can be
// wound back.
func readAgain(body io.Reader) (string, error) {
	if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return "", fmt.Errorf("after the end: %d bytes, %v", n, err)
	}
	seeker, ok := body.(io.Seeker)
	if !ok {
		return "", fmt.Errorf("%T is no io.Seeker", body)
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	again, err := io.ReadAll(body)
	return string(again), err
}

// bodyFound: the handler finds the bytes that came, and their length as declared.
func bodyFound(t *testing.T, a Adapter) {
	const text = `{"message":{"transcript":"Grüß Gott 🙏 \u00e9 \/", "n": 1.10}}` + "\r\n"
	const unknown = -1
	for _, body := range []string{text, "", "{}", "\x00\xff", strings.Repeat("x", 100_000)} {
		declared := int64(len(body))
		for _, c := range []struct {
			name   string
			scheme verify.Scheme
			reads  bool
			send   string
			length int64
		}{
			{"signed, declared", hmacScheme, true, genuine(body), declared},
			{"signed, chunked", hmacScheme, true, chunked(signed(body), body), unknown},
			{"token, declared", bearerScheme, false, request(bearer, body), declared},
			{"token, chunked", bearerScheme, false, chunked(bearer, body), unknown},
		} {
			t.Run(fmt.Sprintf("%s, %d bytes", c.name, len(body)), func(t *testing.T) {
				s := serve(t, a, setup{Config: verify.Config{Accept: c.scheme}, handler: func(w http.ResponseWriter, r *http.Request, _ *verify.Result) {
					got, err := io.ReadAll(r.Body)
					if string(got) != body || err != nil {
						t.Errorf("read %.100q, %v", got, err)
					}
					if r.ContentLength != c.length {
						t.Errorf("ContentLength %d, want %d", r.ContentLength, c.length)
					}
					if !c.reads || c.length == 0 {
						return // it was not read before the handler did
					}
					if again, err := readAgain(r.Body); again != body || err != nil {
						t.Errorf("read again %.100q, %v", again, err)
					}
					if err := r.Body.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}})
				s.send(t, c.send)
				s.ran(t, 1)
				s.observed(t, "ok")
			})
		}
	}
}

// bodyLimit: the limit is met to the byte, whoever reads.
func bodyLimit(t *testing.T, a Adapter) {
	const limit = 1000
	exact, over := strings.Repeat("x", limit), strings.Repeat("x", limit+1)
	for _, c := range []struct {
		name   string
		scheme verify.Scheme
		send   string
	}{
		{"signed, declared", hmacScheme, genuine(exact)},
		{"signed, chunked", hmacScheme, chunked(signed(exact), exact)},
		{"token, declared", bearerScheme, request(bearer, exact)},
		{"token, chunked", bearerScheme, chunked(bearer, exact)},
	} {
		t.Run("exactly at it, "+c.name, func(t *testing.T) {
			s := serve(t, a, setup{Config: verify.Config{Accept: c.scheme, MaxBody: limit}})
			s.send(t, c.send).is(t, 200, "text/plain", exact)
		})
	}
	for _, c := range []struct{ name, send string }{
		{"declared", genuine(over)},
		{"chunked", chunked(signed(over), over)},
		{"token, declared", request(bearer, over)},
	} {
		t.Run("one over, "+c.name, func(t *testing.T) {
			s := serve(t, a, setup{Config: verify.Config{Accept: verify.AnyOf(hmacScheme, bearerScheme), MaxBody: limit}})
			s.send(t, c.send).refused(t, a, 413, "Connection", "close")
			s.ran(t, 0)
		})
	}
	// Nothing is known to be too large before it is read, and a token needs no
	// reading: the handler meets the limit, as an error.
	t.Run("one over, token, chunked", func(t *testing.T) {
		s := serve(t, a, setup{Config: verify.Config{Accept: bearerScheme, MaxBody: limit}, handler: func(w http.ResponseWriter, r *http.Request, _ *verify.Result) {
			body, err := io.ReadAll(r.Body)
			var tooLarge *http.MaxBytesError
			if len(body) > limit || !errors.As(err, &tooLarge) {
				t.Errorf("the handler read %d bytes, %v", len(body), err)
			}
		}})
		s.send(t, chunked(bearer, over))
		s.ran(t, 1)
	})
}

// bodyConsumed: a middleware in front that read the body is told apart from a bad
// signature.
func bodyConsumed(t *testing.T, a Adapter) {
	s := serve(t, a, setup{
		Config: verify.Config{Accept: verify.AnyOf(hmacScheme, bearerScheme)},
		outer: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				next.ServeHTTP(w, r)
			})
		},
	})
	s.send(t, request(signed("{}")+bearer, "{}")).refused(t, a, 500)
	s.ran(t, 0)
	s.observed(t, "body_consumed")
}

// clientGone: half a body is no request.
func clientGone(t *testing.T, a Adapter) {
	for _, c := range []struct{ name, send string }{
		{"declared length", strings.TrimSuffix(genuine("{}"), "}")},
		{"in a chunk", strings.TrimSuffix(chunked(signed("{}"), "{}"), "}\r\n0\r\n\r\n")},
		{"between chunks", strings.TrimSuffix(chunked(signed("{}"), "{}"), "0\r\n\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := make(chan struct{})
			s := serve(t, a, setup{Config: guarded(verify.Replay{}), outer: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(done)
					next.ServeHTTP(w, r)
				})
			}})
			conn := s.dial(t)
			conn.write(c.send)
			conn.Close()
			<-done
			s.ran(t, 0)
			s.observed(t, "body_unreadable")
		})
	}
}
