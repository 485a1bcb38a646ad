package adaptertest

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

const (
	key   = "adapter-test-key"
	token = "adapter-test-token"

	bearer = "Authorization: Bearer " + token + "\r\n"
)

var (
	hmacScheme   = verify.HMAC{Keys: verify.Static(key)}
	bearerScheme = verify.Bearer{Tokens: verify.Static(token)}
)

// sign is the signature of Vapi's default plan, by hand.
func sign(payload string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(payload))
	return hex.EncodeToString(mac.Sum(nil))
}

// signed are the header lines of a genuine request with the body.
func signed(body string) string {
	return "X-Timestamp: " + stamp + "\r\nX-Signature: " + sign(stamp+"."+body) + "\r\n"
}

// request is a request as it stands on the wire, with a Content-Length.
func request(headers, body string) string {
	return fmt.Sprintf("POST /hook HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body)
}

// chunked is a request with the body in one chunk.
func chunked(headers, body string) string {
	if body != "" {
		body = fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	}
	return "POST /hook HTTP/1.1\r\nHost: h\r\n" + headers + "Transfer-Encoding: chunked\r\n\r\n" + body + "0\r\n\r\n"
}

// genuine is a signed request; equal bodies make equal requests.
func genuine(body string) string { return request(signed(body), body) }

// connection is a client that writes bytes as they are.
type connection struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (s *server) dial(t *testing.T) *connection {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// A server that does not answer fails the test instead of holding it up.
	if err := c.SetDeadline(time.Now().Add(s.patience)); err != nil {
		t.Fatal(err)
	}
	return &connection{c, t, bufio.NewReader(c)}
}

// write sends text. A server that has answered may close before it has read
// everything, so an error is none.
func (c *connection) write(text string) { _, _ = io.WriteString(c.Conn, text) }

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header // but Date
	body   string
}

// read gives the next answer on the connection.
func (c *connection) read() answer {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return received(c.t, r)
}

func received(t *testing.T, r *http.Response) answer {
	t.Helper()
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Del("Date")
	if r.Close {
		r.Header.Set("Connection", "close") // which net/http has taken out
	}
	return answer{r.StatusCode, r.Header, string(body)}
}

// send sends one request on a connection of its own.
func (s *server) send(t *testing.T, text string) answer {
	t.Helper()
	c := s.dial(t)
	c.write(text)
	return c.read()
}

// is expects an answer to the last byte: its headers are Content-Type,
// Content-Length and the given name-value pairs, and no others.
func (got answer) is(t *testing.T, status int, contentType, body string, pairs ...string) {
	t.Helper()
	want := http.Header{}
	if contentType != "" {
		want.Set("Content-Type", contentType)
	}
	if status != http.StatusNoContent {
		want.Set("Content-Length", strconv.Itoa(len(body)))
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			want.Add(pairs[i], pairs[i+1])
		}
	}
	if got.status != status || got.body != body || !maps.EqualFunc(got.header, want, slices.Equal) {
		t.Errorf("answered %d %.200q %v\nwant     %d %.200q %v", got.status, got.body, got.header, status, body, want)
	}
}

// refused expects an adapter's refusal, to the last byte.
func (got answer) refused(t *testing.T, a Adapter, status int, pairs ...string) {
	t.Helper()
	contentType, body := a.Refusal(status)
	got.is(t, status, contentType, body, pairs...)
}

// withoutDate is a whole answer but for the line that changes.
func withoutDate(raw []byte) string {
	before, rest, _ := bytes.Cut(raw, []byte("Date: "))
	_, after, _ := bytes.Cut(rest, []byte("\r\n"))
	return strings.Join([]string{string(before), string(after)}, "")
}
