package verify

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Message is what a scheme may see of a request. Schemes must not change it.
// One message is for one check at a time, and for verifiers with one MaxBody:
// what a check found of the body stays with it.
type Message struct {
	// Method is the request method, as on the request line.
	Method string
	// Target is the request target as on the request line, neither decoded nor
	// cleaned: "/hook?a=1".
	Target string
	// Header holds the header fields under their canonical names.
	Header http.Header
	// RemoteAddr is the peer that sent the request, as http.Request has it
	// ("192.0.2.1:1234"), or its address alone; "" if unknown.
	RemoteAddr string
	// ReceivedAt is when the request arrived; zero means now, by the
	// verifier's clock. Set it when a message is verified later than it was
	// received, from a queue say, and only ever from your own record:
	// timestamps are judged by it.
	ReceivedAt time.Time

	body   body
	now    time.Time
	merged map[string]bool // headers that came under several spellings, in unknown order
}

// NewMessage describes a request that did not come as an *http.Request: a
// Lambda event, a queue, another HTTP stack. Header names may have any case;
// white space around values is removed, as HTTP does. The body must be the
// bytes as received, after undoing only what the transport added (the base64 of
// an API gateway, say); it is not copied.
func NewMessage(method, target string, header http.Header, payload []byte) *Message {
	m := &Message{Method: method, Target: target, Header: make(http.Header, len(header))}
	for name, values := range header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if len(m.Header[name]) > 0 {
			if m.merged == nil {
				m.merged = map[string]bool{}
			}
			m.merged[name] = true
		}
		for _, v := range values {
			m.Header[name] = append(m.Header[name], textproto.TrimString(v))
		}
	}
	m.body = body{src: bytes.NewReader(payload), length: int64(len(payload)), given: payload}
	return m
}

// fromRequest describes r without touching its body.
func fromRequest(r *http.Request) *Message {
	m := &Message{Method: r.Method, Target: r.RequestURI, Header: r.Header, RemoteAddr: r.RemoteAddr}
	if m.Method == "" {
		m.Method = http.MethodGet // as net/http means it
	}
	if m.Target == "" && r.URL != nil {
		m.Target = r.URL.RequestURI()
	}
	m.body = body{length: r.ContentLength}
	if r.Body != nil {
		m.body.src = r.Body
	}
	return m
}

// Body reads the whole body on its first call and gives the same bytes on every
// other. It fails with ErrTooLarge, ErrBodyConsumed or ErrBodyUnreadable, as an
// *Error to be returned as it is. The bytes must not be changed.
func (m *Message) Body() ([]byte, error) {
	if err := m.body.read(); err != nil {
		return nil, err
	}
	return m.body.buf, nil
}

// Time is the moment by which the message is judged: ReceivedAt, or the
// verifier's clock when the check began.
func (m *Message) Time() time.Time {
	if !m.ReceivedAt.IsZero() {
		return m.ReceivedAt
	}
	return m.now
}

// single gives the one value of a header field. A field that is absent or empty
// is missing; one that comes twice is malformed, for a proxy and a server may
// differ in which of the two they believe.
func (m *Message) single(scheme, canonical string) (string, *Error) {
	values := m.Header[canonical]
	switch {
	case len(values) == 0:
		return "", refuse(scheme, ErrMissing, canonical+" is absent")
	case len(values) > 1:
		return "", refuse(scheme, ErrMalformed, canonical+" appears more than once")
	case values[0] == "":
		return "", refuse(scheme, ErrMissing, canonical+" is empty")
	}
	return values[0], nil
}

// checkHeaderName validates a configured header name and gives its canonical form.
func checkHeaderName(field, name, fallback string) (string, error) {
	if name == "" {
		return fallback, nil
	}
	for _, c := range []byte(name) {
		if !isTokenByte(c) {
			return "", &ConfigError{Field: field, Problem: "is not a header name (RFC 9110 §5.6.2)"}
		}
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Host", "Transfer-Encoding", "Trailer", "Content-Length", "Connection":
		return "", &ConfigError{Field: field, Problem: name + " belongs to HTTP itself and cannot carry a credential"}
	}
	return name, nil
}

// isTokenByte tells whether c may stand in an RFC 9110 §5.6.2 token.
func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

// checkName validates the configured name of a scheme.
func checkName(name, fallback string) (string, error) {
	if name == "" {
		return fallback, nil
	}
	if len(name) > 64 {
		return "", &ConfigError{Field: "Name", Problem: "is longer than 64 bytes"}
	}
	for _, c := range []byte(name) {
		if !isAlphanumeric(c) && c != '-' && c != '.' && c != '_' {
			return "", &ConfigError{Field: "Name", Problem: "may hold letters, digits and -._ only, so that it can label a metric"}
		}
	}
	return name, nil
}
