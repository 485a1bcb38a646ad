package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// maxMessageID is the longest message id, in bytes.
const maxMessageID = 256

// hmacAuth is an HMAC at work, its defaults filled in.
type hmacAuth struct {
	name            string
	signatureHeader string
	timestampHeader string
	messageIDHeader string
	prefix          string
	encoding        Encoding
	list            bool
	unit            TimestampUnit
	window          window
	payload         payload
	publicURL       string
	withoutQuery    bool
	size            int // of a MAC, in bytes
	keys            *prepared[*macKey]
	replayKey       func(signed ...string) replay.Key // nil: results need no Identity
}

// Window implements Identifier.
func (a *hmacAuth) Window() Window {
	if !a.payload.has(timestampToken) {
		return Window{}
	}
	return Window{Past: a.window.past, Future: a.window.future}
}

// Authenticate implements Authenticator. Signature, timestamp and message id are
// judged in this order, then the body is read and the MAC computed.
func (a *hmacAuth) Authenticate(_ context.Context, m *Message) (*Result, error) {
	header, refused := m.single(a.name, a.signatureHeader)
	if refused != nil {
		return nil, refused
	}
	res := &Result{Scheme: a.name}
	v := values{method: m.Method}
	if a.payload.has(timestampToken) {
		if v.timestamp, refused = m.single(a.name, a.timestampHeader); refused != nil {
			return nil, refused
		}
		signed, problem := a.unit.parse(v.timestamp)
		if problem != "" {
			return nil, refuse(a.name, ErrMalformed, a.timestampHeader+": "+problem)
		}
		if problem := a.window.check(signed, m.Time()); problem != "" {
			return nil, refuse(a.name, ErrStale, problem)
		}
		res.SignedAt = signed
	}
	if a.payload.has(messageIDToken) {
		if v.messageID, refused = a.messageID(m); refused != nil {
			return nil, refused
		}
		res.MessageID = v.messageID
	}
	if a.publicURL != "" {
		v.url = a.publicURL + a.target(m.Target)
	}
	var sigs signatures
	if problem := sigs.parse(a, header); problem != "" {
		return nil, refuse(a.name, ErrMalformed, a.signatureHeader+": "+problem)
	}
	// The body is read even when it is not signed: a handler never gets one
	// that breaks off or exceeds the limit.
	body, err := m.Body()
	if err != nil {
		return nil, err
	}
	v.body = body
	return a.match(m, &sigs, &v, res)
}

// match tries every key that is valid now, newest first.
func (a *hmacAuth) match(m *Message, sigs *signatures, v *values, res *Result) (*Result, error) {
	now := m.Time()
	keys, err := a.keys.load(now)
	if err != nil {
		return nil, noSecret(a.name, err)
	}
	var found func(mac []byte)
	if a.replayKey != nil {
		found = func(mac []byte) { res.Identity = a.identity(v, mac, res.SignedAt) }
	}
	valid := 0
	for _, key := range keys {
		if !key.secret.ValidAt(now) {
			continue
		}
		valid++
		if key.verify(a.payload, v, sigs, found) {
			res.KeyID = key.secret.ID
			return res, nil
		}
	}
	if valid == 0 {
		return nil, noSecret(a.name, nil)
	}
	return nil, refuse(a.name, ErrMismatch, fmt.Sprintf("no signature in %s fits the body of %d bytes", a.signatureHeader, len(v.body)))
}

// identity is made of the message id where one is signed, for a retry repeats it
// under a new time; else of the MAC; and where several signatures may come, of
// which one can be cut off, of the signed content.
func (a *hmacAuth) identity(v *values, mac []byte, signed time.Time) *Identity {
	id := &Identity{}
	switch {
	case a.payload.has(messageIDToken):
		id.Key = a.replayKey("id", v.messageID)
		id.Fingerprint = replay.Fingerprint(v.body)
	case !a.list:
		id.Key = a.replayKey("mac", string(mac))
	default:
		h := sha256.New()
		a.payload.write(h, v, nil)
		id.Key = a.replayKey("content", string(h.Sum(nil)))
	}
	if !signed.IsZero() {
		id.Expires = signed.Add(a.window.past)
	}
	return id
}

func (a *hmacAuth) messageID(m *Message) (string, *Error) {
	id, refused := m.single(a.name, a.messageIDHeader)
	if refused != nil {
		return "", refused
	}
	if len(id) > maxMessageID {
		return "", refuse(a.name, ErrMalformed, a.messageIDHeader+": too long")
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f {
			return "", refuse(a.name, ErrMalformed, a.messageIDHeader+": holds a byte that is not visible ASCII")
		}
	}
	if a.payload.ambiguousID(id) {
		return "", refuse(a.name, ErrMalformed, a.messageIDHeader+": holds the separator of the payload format")
	}
	return id, nil
}

// target is the part of {url} after PublicURL: path and query as they stand on
// the request line, of an absolute-form target (RFC 9112 §3.2.2) too.
func (a *hmacAuth) target(target string) string {
	if !strings.HasPrefix(target, "/") {
		if _, rest, ok := strings.Cut(target, "://"); ok {
			target = ""
			if i := strings.IndexAny(rest, "/?"); i >= 0 {
				target = rest[i:]
			}
		}
	}
	if a.withoutQuery {
		target, _, _ = strings.Cut(target, "?")
	}
	return target
}
