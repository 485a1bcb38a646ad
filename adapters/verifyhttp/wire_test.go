package verifyhttp_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// sign is the signature of Vapi's default plan, by hand.
func sign(signed string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return hex.EncodeToString(mac.Sum(nil))
}

// signed are the header lines of a genuine request with the body.
func signed(body string) string {
	return "X-Timestamp: " + stamp + "\r\nX-Signature: " + sign(stamp+"."+body) + "\r\n"
}

// request is a request as it stands on the wire, with a Content-Length.
func request(headers, body string) string {
	return fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body)
}

// connection is a client that writes bytes as they are.
type connection struct {
	net.Conn
	t      *testing.T
	answer *bufio.Reader
}

func dial(t *testing.T, s *server) *connection {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// A server that does not answer fails the test instead of holding it up.
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &connection{c, t, bufio.NewReader(c)}
}

func (c *connection) write(text string) {
	// A server that has answered may close before it has read everything.
	_, _ = io.WriteString(c.Conn, text)
}

// read gives the next answer's status line, headers and body.
func (c *connection) read() (*http.Response, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.answer, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r, string(body)
}

// exchange sends one request on a connection of its own and gives the status.
func exchange(t *testing.T, s *server, text string) int {
	t.Helper()
	c := dial(t, s)
	c.write(text)
	r, _ := c.read()
	return r.StatusCode
}

func TestWire(t *testing.T) {
	const body = `{"message":{"type":"hang"}}`
	chunked := func(chunks ...string) string {
		var b strings.Builder
		b.WriteString("POST /webhook HTTP/1.1\r\nHost: h\r\n" + signed(strings.Join(chunks, "")) + "Transfer-Encoding: chunked\r\n\r\n")
		for _, c := range chunks {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c), c)
		}
		return b.String() + "0\r\n\r\n"
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(bytes.Repeat([]byte("0"), 64<<20)); err != nil { // 64 MiB in 64 KiB
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	manyHeaders := strings.Repeat("A: b\r\n", 10_000)
	for _, c := range []struct {
		name   string
		send   string
		status int
		reason string // "": the server itself refuses, before the verifier
	}{
		{"W01 control", request(signed(body), body), 200, "ok"},
		{"W01 names in lower case", request(strings.ToLower(signed(body)), body), 200, "ok"},
		{"W01 names in upper case", request("X-TIMESTAMP: "+stamp+"\r\nX-SIGNATURE: "+sign(stamp+"."+body)+"\r\n", body), 200, "ok"},
		{"W01 order reversed", request("X-Signature: "+sign(stamp+"."+body)+"\r\nX-Timestamp: "+stamp+"\r\n", body), 200, "ok"},
		{"W02 space before the colon", request(strings.Replace(signed(body), "X-Signature:", "X-Signature :", 1), body), 400, ""},
		// RFC 9112 §5.2 lets a server refuse a folded line or join it; net/http joins.
		{"W02 folded line", request(strings.Replace(signed(body), "X-Signature: ", "X-Signature:\r\n\t", 1), body), 200, "ok"},
		{"W02 folded line in two values", request("X-Timestamp: "+stamp+"\r\nX-Signature: "+sign(stamp + "." + body)[:32]+"\r\n "+sign(stamp + "." + body)[32:]+"\r\n", body), 401, "malformed"},
		{"W02 NUL in a value", request(strings.Replace(signed(body), "X-Signature: ", "X-Signature: \x00", 1), body), 400, ""},
		{"W03 chunked", chunked(body), 200, "ok"},
		{"W03 chunks of one byte", chunked(strings.Split(body, "")...), 200, "ok"},
		{"W03 chunk extension", strings.Replace(chunked(body), "1b\r\n", "1b;name=value\r\n", 1), 200, "ok"},
		{"W04 signature in a trailer", "POST /webhook HTTP/1.1\r\nHost: h\r\nX-Timestamp: " + stamp + "\r\nTrailer: X-Signature\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Signature: " +
			sign(stamp+".{}") + "\r\n\r\n", 401, "missing"},
		{"W05 two lengths", request(signed(body)+"Content-Length: 5\r\n", body), 400, ""},
		{"W05 a sum of lengths", request(signed(body)+"Content-Length: 27, 27\r\n", body), 400, ""},
		{"W07 gzip, MAC over the wire bytes, a bomb", request(signed(zipped.String())+"Content-Encoding: gzip\r\n", zipped.String()), 200, "ok"},
		{"W07 gzip, MAC over the decoded bytes", request(signed(strings.Repeat("0", 64<<20))+"Content-Encoding: gzip\r\n", zipped.String()), 401, "mismatch"},
		{"W09 no content type", request(signed(body), body), 200, "ok"},
		{"W09 a form", request(signed("a=b")+"Content-Type: application/x-www-form-urlencoded\r\n", "a=b"), 200, "ok"},
		{"W09 multipart", request(signed(body)+"Content-Type: multipart/form-data; boundary=x\r\n", body), 200, "ok"},
		{"W10 PUT", strings.Replace(request(signed(body), body), "POST", "PUT", 1), 200, "ok"},
		{"W10 GET", strings.Replace(request(signed(body), body), "POST", "GET", 1), 200, "ok"},
		{"W19 a signature of 64 KB", request("X-Timestamp: "+stamp+"\r\nX-Signature: "+strings.Repeat("a", 64<<10)+"\r\n", body), 401, "malformed"},
		{"W19 10,000 headers", request(signed(body)+manyHeaders, body), 200, "ok"},
		{"W19 headers over the server's limit", request(signed(body)+strings.Repeat(manyHeaders, 25), body), 431, ""},
		{"W23 HTTP/1.0", strings.Replace(request(signed(body), body), "HTTP/1.1", "HTTP/1.0", 1), 200, "ok"},
		{"W23 HTTP/1.0 without a length has no body", "POST /webhook HTTP/1.0\r\n" + signed("") + "\r\n", 200, "ok"},
		{"W23 absolute-form target", strings.Replace(request(signed(body), body), "/webhook", "http://h/webhook", 1), 200, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, verify.Config{Accept: hmacScheme})
			if status := exchange(t, s, c.send); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			ran := int32(0)
			if c.status == http.StatusOK {
				ran = 1
			}
			if got := s.ran.Load(); got != ran {
				t.Errorf("the handler ran %d times, want %d", got, ran)
			}
			switch events := s.events(); {
			case c.reason == "" && len(events) != 0:
				t.Errorf("the verifier saw a request that the server should have refused: %v", events)
			case c.reason != "" && (len(events) != 1 || events[0].Reason != c.reason):
				t.Errorf("events %v, want one with %q", events, c.reason)
			}
		})
	}
}

// OPTIONS * is about the server, not a resource: net/http answers it alone.
func TestWireOptions(t *testing.T) {
	t.Run("W23 OPTIONS *", func(t *testing.T) {
		s := serve(t, verify.Config{Accept: hmacScheme})
		status := exchange(t, s, strings.Replace(request("", ""), "POST /webhook", "OPTIONS *", 1))
		if status != 200 || s.ran.Load() != 0 || len(s.events()) != 0 {
			t.Errorf("status %d, handler ran %d times, events %v", status, s.ran.Load(), s.events())
		}
	})
}

// W05: with both framings the server takes the chunks (RFC 9112 §6.3) and closes;
// the verifier judges the bytes that the handler would get, whatever they are.
func TestWireBothFramings(t *testing.T) {
	s := serve(t, verify.Config{Accept: hmacScheme})
	frame := "POST /webhook HTTP/1.1\r\nHost: h\r\n%sContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
	for _, c := range []struct {
		name, signed string
		status       int
	}{
		{"W05 signed as the chunks read", "abcde", 200},
		{"W05 signed as the length reads", "5\r", 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status := exchange(t, s, fmt.Sprintf(frame, signed(c.signed))); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
		})
	}
	if got := s.body.Load(); got != nil && *got != "abcde" {
		t.Errorf("the handler got %q", *got)
	}
}

func TestWireURL(t *testing.T) {
	const base = "https://hooks.example.com"
	scheme := hmacScheme
	scheme.Payload, scheme.PublicURL = "{timestamp}.{url}.{body}", base
	s := serve(t, verify.Config{Accept: scheme})
	send := func(target, signedURL, more string) int {
		headers := "X-Timestamp: " + stamp + "\r\nX-Signature: " + sign(stamp+"."+signedURL+".{}") + "\r\n" + more
		return exchange(t, s, strings.Replace(request(headers, "{}"), "/webhook", target, 1))
	}
	for _, c := range []struct{ name, target, rewritten string }{
		{"W11 path and query", "/webhook?a=1&b=2", "/webhook?b=2&a=1"},
		{"W12 %2F", "/web%2Fhook", "/web%2fhook"},
		{"W12 %41", "/%41", "/A"},
		{"W12 apostrophe", "/it's", "/it%27s"},
		{"W13 dot segments", "/a/../b", "/b"},
		{"W13 double slash", "//a//b", "/a/b"},
		{"W13 trailing slash", "/a/", "/a"},
		{"W13 a question mark and nothing", "/a?", "/a"},
		{"W14 repeated keys", "/a?x=2&x=1", "/a?x=1&x=2"},
		{"W14 plus", "/a?x=1+2", "/a?x=1%202"},
		{"W14 semicolon", "/a?x=1;y=2", "/a?x=1&y=2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status := send(c.target, base+c.target, ""); status != 200 {
				t.Errorf("as sent: status %d", status)
			}
			if status := send(c.target, base+c.rewritten, ""); status != 401 {
				t.Errorf("signed in another spelling: status %d", status)
			}
		})
	}
	t.Run("W11 another host is signed", func(t *testing.T) {
		if status := send("/a", "https://other.example.com/a", ""); status != 401 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("W17 forwarded headers change nothing", func(t *testing.T) {
		spoofed := "X-Forwarded-Host: other.example.com\r\nX-Forwarded-Proto: http\r\nForwarded: host=other.example.com\r\n"
		if status := send("/a", "http://other.example.com/a", spoofed); status != 401 {
			t.Errorf("signed for the forwarded host: status %d", status)
		}
		if status := send("/a", base+"/a", spoofed); status != 200 {
			t.Errorf("signed for the public URL: status %d", status)
		}
	})
	t.Run("W23 absolute-form target", func(t *testing.T) {
		if status := send("http://internal:8080/a?b", base+"/a?b", ""); status != 200 {
			t.Errorf("status %d", status)
		}
	})
}
