package verify_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/webhookauth/webhookauth/verify"
)

// meter counts what is read of a body.
type meter struct {
	io.Reader
	calls, bytes, asked int // asked is the largest buffer
}

func (m *meter) Read(p []byte) (int, error) {
	m.calls++
	m.asked = max(m.asked, len(p))
	n, err := m.Reader.Read(p)
	m.bytes += n
	return n, err
}

func (m *meter) Close() error { return nil }

// streamed is a signed request whose body comes from any reader. The declared
// length is -1 for a chunked one.
func streamed(signedBody string, body io.Reader, declared int64) (*http.Request, *meter) {
	r := signedPost("", hmacStamp, hexMAC(hmacStamp+"."+signedBody))
	m := &meter{Reader: body}
	r.Body, r.ContentLength = m, declared
	return r, m
}

// limited is a default HMAC verifier with a limit.
func limited(t *testing.T, limit int64) *verify.Verifier {
	t.Helper()
	return configure(t, verify.Config{Accept: defaultHMAC(), MaxBody: limit})
}

func TestBodyLimit(t *testing.T) {
	for _, limit := range []int{1, 64, 511, 512, 513, 128 << 10, 200 << 10} {
		v := limited(t, int64(limit))
		exact, over := strings.Repeat("x", limit), strings.Repeat("x", limit+1)
		t.Run(fmt.Sprintf("W06 V12 exactly %d, declared", limit), func(t *testing.T) {
			r, _ := streamed(exact, strings.NewReader(exact), int64(limit))
			accept(t, v, r)
		})
		t.Run(fmt.Sprintf("W06 V12 exactly %d, chunked", limit), func(t *testing.T) {
			r, m := streamed(exact, strings.NewReader(exact), -1)
			accept(t, v, r)
			if m.bytes != limit {
				t.Errorf("%d bytes read", m.bytes)
			}
		})
		t.Run(fmt.Sprintf("W06 V12 one over %d, declared", limit), func(t *testing.T) {
			r, m := streamed(over, strings.NewReader(over), int64(limit)+1)
			refuse(t, v, r, verify.ErrTooLarge, "over MaxBody")
			if m.calls != 0 {
				t.Errorf("%d reads", m.calls)
			}
		})
		for name, length := range map[string]int{"one over": limit + 1, "ten times": limit * 10} {
			t.Run(fmt.Sprintf("W06 V12 %s %d, chunked", name, limit), func(t *testing.T) {
				body := strings.Repeat("x", length)
				r, m := streamed(body, strings.NewReader(body), -1)
				refuse(t, v, r, verify.ErrTooLarge, "over MaxBody")
				if m.bytes > limit+1 {
					t.Errorf("%d bytes read, at most %d", m.bytes, limit+1)
				}
				raised := limited(t, int64(length))
				r, _ = streamed(body, strings.NewReader(body), -1)
				accept(t, raised, r)
			})
		}
	}
	t.Run("W06 the default is 1 MiB", func(t *testing.T) {
		v := build(t, defaultHMAC())
		for _, declared := range []bool{true, false} {
			for _, length := range []int{1 << 20, 1<<20 + 1} {
				body := strings.Repeat("x", length)
				r, _ := streamed(body, strings.NewReader(body), -1)
				if declared {
					r.ContentLength = int64(length)
				}
				if length > 1<<20 {
					refuse(t, v, r, verify.ErrTooLarge, "over MaxBody")
				} else {
					accept(t, v, r)
				}
			}
		}
	})
	t.Run("W06 the largest limit there is", func(t *testing.T) {
		v := limited(t, 1<<63-1)
		r, _ := streamed(hmacBody, strings.NewReader(hmacBody), -1)
		accept(t, v, r)
		r, m := streamed(hmacBody, strings.NewReader(hmacBody), 1<<62)
		refuse(t, v, r, verify.ErrBodyConsumed, "did not put it back")
		if m.asked > 128<<10+1 {
			t.Errorf("a buffer of %d bytes for a length that was only declared", m.asked)
		}
	})
	t.Run("W06 a body that is not signed", func(t *testing.T) {
		v := configure(t, verify.Config{MaxBody: 64, Accept: verify.HMAC{
			Keys: verify.Static(hmacKey), Payload: "{timestamp}", InsecureUnsignedBody: true,
		}})
		request := func(body io.Reader) *http.Request {
			r := signedPost("", hmacStamp, hexMAC(hmacStamp))
			r.Body, r.ContentLength = io.NopCloser(body), -1
			return r
		}
		accept(t, v, request(strings.NewReader(strings.Repeat("x", 64))))
		refuse(t, v, request(strings.NewReader(strings.Repeat("x", 65))), verify.ErrTooLarge, "over MaxBody")
		refuse(t, v, request(iotest.ErrReader(io.ErrUnexpectedEOF)), verify.ErrBodyUnreadable, "")
	})
}

// TestBodyUnread: what can be judged from the headers costs no byte of the body.
func TestBodyUnread(t *testing.T) {
	v := build(t, svixHMAC())
	for _, tt := range []struct {
		name, id, timestamp string
		edit                func(signature string) string
		reason              error
		detail              string
	}{
		{"V12 unsigned", "msg", hmacStamp, func(string) string { return "" }, verify.ErrMissing, "X-Signature"},
		{"V12 malformed signature", "msg", hmacStamp, func(s string) string { return s[1:] }, verify.ErrMalformed, "X-Signature"},
		{"V12 no timestamp", "msg", "", nil, verify.ErrMissing, "X-Timestamp"},
		{"V12 malformed timestamp", "msg", "now", nil, verify.ErrMalformed, "X-Timestamp"},
		{"V12 R23 stale", "msg", "1767225299", nil, verify.ErrStale, "old"},
		{"V12 from the future", "msg", "1767225901", nil, verify.ErrStale, "ahead"},
		{"V12 no message id", "", hmacStamp, nil, verify.ErrMissing, "Webhook-Id"},
		{"V12 malformed message id", "a.b", hmacStamp, nil, verify.ErrMalformed, "Webhook-Id"},
		{"V12 none of these", "msg", hmacStamp, nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signature := hexMAC(tt.id + "." + tt.timestamp + "." + hmacBody)
			if tt.edit != nil {
				signature = tt.edit(signature)
			}
			r := svixPost(tt.id, tt.timestamp, "", signature)
			m := &meter{Reader: strings.NewReader(hmacBody)}
			r.Body, r.ContentLength = m, int64(len(hmacBody))
			if tt.reason == nil {
				accept(t, v, r)
				if m.bytes != len(hmacBody) {
					t.Errorf("%d bytes read of the twin", m.bytes)
				}
				return
			}
			refuse(t, v, r, tt.reason, tt.detail)
			if m.calls != 0 {
				t.Errorf("%d reads of the body", m.calls)
			}
		})
	}
}

// TestBodyLost: a body that is not whole is never verified, and never taken for
// a wrong signature.
func TestBodyLost(t *testing.T) {
	v := build(t, defaultHMAC())
	broken := errors.New("the wire broke")
	whole := func() io.Reader { return strings.NewReader(hmacBody) }
	part := func(n int64) io.Reader { return io.LimitReader(whole(), n) }
	n := int64(len(hmacBody))
	for _, tt := range []struct {
		name     string
		body     io.Reader
		declared int64
		reason   error // nil: accepted
		status   int
		detail   string
		cause    error
	}{
		{"W03 whole", whole(), n, nil, 0, "", nil},
		{"W03 one-byte chunks", iotest.OneByteReader(whole()), -1, nil, 0, "", nil},
		{"W03 data and end together", iotest.DataErrReader(whole()), -1, nil, 0, "", nil},
		{"W03 stutter", &stutter{whole(), 50, 0}, n, nil, 0, "", nil},
		{"V14 consumed before", strings.NewReader(""), 7, verify.ErrBodyConsumed, 500, "did not put it back", nil},
		{"V14 partly read before", part(n - 1), n, verify.ErrBodyConsumed, 500, "did not put it back", nil},
		{"V14 read and closed before", iotest.ErrReader(http.ErrBodyReadAfterClose), n, verify.ErrBodyConsumed, 500, "did not put it back", http.ErrBodyReadAfterClose},
		{"W20 breaks at once", iotest.ErrReader(broken), n, verify.ErrBodyUnreadable, 400, "body unreadable", broken},
		{"W20 breaks in the middle", io.MultiReader(part(9), iotest.ErrReader(broken)), n, verify.ErrBodyUnreadable, 400, "body unreadable", broken},
		{"W20 breaks after the last byte", io.MultiReader(whole(), iotest.ErrReader(broken)), n, verify.ErrBodyUnreadable, 400, "body unreadable", broken},
		{"W20 breaks off, chunked", io.MultiReader(part(9), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, verify.ErrBodyUnreadable, 400, "body unreadable", io.ErrUnexpectedEOF},
		{"W20 times out", iotest.TimeoutReader(iotest.OneByteReader(whole())), n, verify.ErrBodyUnreadable, 400, "body unreadable", iotest.ErrTimeout},
		{"W20 nothing a hundred thousand times", &stutter{whole(), 100_000, 0}, n, verify.ErrBodyUnreadable, 400, "body unreadable", io.ErrNoProgress},
		{"W06 a smaller limit in front", http.MaxBytesReader(nil, io.NopCloser(whole()), 5), n, verify.ErrTooLarge, 413, "body too large", &http.MaxBytesError{}},
		{"W06 a smaller limit in front, chunked", http.MaxBytesReader(nil, io.NopCloser(whole()), n-1), -1, verify.ErrTooLarge, 413, "body too large", &http.MaxBytesError{}},
		{"W06 a larger limit in front", http.MaxBytesReader(nil, io.NopCloser(whole()), n), n, nil, 0, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := streamed(hmacBody, tt.body, tt.declared)
			if tt.reason == nil {
				accept(t, v, r)
				return
			}
			e := refuse(t, v, r, tt.reason, tt.detail)
			if e.StatusCode() != tt.status || strings.Contains(e.Error(), broken.Error()) {
				t.Errorf("status %d, %v", e.StatusCode(), e)
			}
			var tooLarge *http.MaxBytesError
			if _, limit := tt.cause.(*http.MaxBytesError); limit && !errors.As(e, &tooLarge) || !limit && tt.cause != nil && !errors.Is(e, tt.cause) {
				t.Errorf("the cause %v is not reachable in %v", tt.cause, e)
			}
		})
	}
}

// TestBodyOfServer takes its bodies from net/http's own parser.
func TestBodyOfServer(t *testing.T) {
	v := build(t, defaultHMAC())
	const head = "POST /webhook HTTP/1.1\r\nHost: x\r\n"
	parse := func(t *testing.T, framing string) *http.Request {
		t.Helper()
		signature := "X-Timestamp: " + hmacStamp + "\r\nX-Signature: " + hexMAC(hmacStamp+"."+hmacBody) + "\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + signature + framing)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	declared := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(hmacBody), hmacBody)
	chunked := fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x;ext=1\r\n%s\r\n", len(hmacBody), hmacBody)
	t.Run("W03 declared", func(t *testing.T) { accept(t, v, parse(t, declared)) })
	t.Run("W03 chunked", func(t *testing.T) { accept(t, v, parse(t, chunked+"0\r\n\r\n")) })
	t.Run("W20 declared, cut", func(t *testing.T) {
		e := refuse(t, v, parse(t, declared[:len(declared)-1]), verify.ErrBodyUnreadable, "body unreadable")
		if !errors.Is(e, io.ErrUnexpectedEOF) {
			t.Errorf("no cause in %v", e.Attempts)
		}
	})
	t.Run("W20 chunked, no last chunk", func(t *testing.T) {
		refuse(t, v, parse(t, chunked), verify.ErrBodyUnreadable, "body unreadable")
	})
	t.Run("V14 read before", func(t *testing.T) {
		r := parse(t, declared)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Fatal(err)
		}
		refuse(t, v, r, verify.ErrBodyConsumed, "did not put it back")
	})
	t.Run("V14 closed before", func(t *testing.T) {
		r := parse(t, declared)
		if err := r.Body.Close(); err != nil {
			t.Fatal(err)
		}
		refuse(t, v, r, verify.ErrBodyConsumed, "did not put it back")
	})
	t.Run("V14 read before, chunked, shows as a mismatch of an empty body", func(t *testing.T) {
		r := parse(t, chunked+"0\r\n\r\n")
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Fatal(err)
		}
		refuse(t, v, r, verify.ErrMismatch, "body of 0 bytes")
	})
	t.Run("V14 put back before", func(t *testing.T) {
		r := parse(t, declared)
		read, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(read))
		accept(t, v, r)
	})
}

// stutter gives nothing, without an error, a number of times before every byte.
type stutter struct {
	io.Reader
	times, count int64
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.count++; s.count <= s.times {
		return 0, nil
	}
	s.count = 0
	return s.Reader.Read(p[:1])
}
