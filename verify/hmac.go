package verify

import (
	"crypto"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"
)

// Encoding is how a signature's bytes are written in its header.
type Encoding uint8

const (
	// Hex is hexadecimal, in either case. It is the default.
	Hex Encoding = iota
	// Base64 is standard padded base64 (RFC 4648 §4), in its one canonical form.
	Base64
)

// defaultTolerance is HMAC.Tolerance's default.
const defaultTolerance = 5 * time.Minute

// HMAC accepts an HMAC signature (RFC 2104) over the request: Vapi's plan of
// type "hmac", and with other settings the schemes of GitHub, Slack, Stripe's
// kin and Standard Webhooks. Every default is Vapi's. The zero value is refused,
// it has no keys.
//
// What is signed is exactly one payload format over the bytes as they came: the
// body is never decoded, the timestamp never printed anew. Headers are judged
// first; a request that is unsigned, malformed or stale never has its body read.
type HMAC struct {
	// Keys are the accepted keys, newest first. Required. Vapi: secretKey.
	Keys Secrets
	// KeysAreBase64 says that keys are written in standard base64, with or
	// without padding, and are to be decoded. Vapi: secretIsBase64. Decide by
	// what the sender does: many base64-looking keys are used as text.
	KeysAreBase64 bool
	// Hash is crypto.SHA256, crypto.SHA512 or crypto.SHA1; 0 means SHA-256.
	// Vapi: algorithm.
	Hash crypto.Hash
	// Encoding of the signature. Vapi: signatureEncoding.
	Encoding Encoding
	// SignatureHeader carries the signature; "" means X-Signature. Vapi:
	// signatureHeader.
	SignatureHeader string
	// SignaturePrefix is literal text before the signature, such as "sha256=";
	// it is case-sensitive and required if set. Vapi: signaturePrefix.
	SignaturePrefix string
	// MultiSignature takes a list of up to 32 signatures separated by spaces, as
	// Svix and Standard Webhooks send them: "v1,… v1,…". One that begins with
	// SignaturePrefix ("" then means "v1,") must match; others are passed over.
	MultiSignature bool
	// TimestampHeader carries the timestamp; "" means X-Timestamp. Vapi:
	// timestampHeader.
	TimestampHeader string
	// TimestampUnit is the timestamp's form. The zero value takes seconds and
	// milliseconds.
	TimestampUnit TimestampUnit
	// MessageIDHeader carries the message id. Required if the payload has
	// {svix-id}; an id that the payload does not sign is not looked at. Vapi:
	// messageIdHeader.
	MessageIDHeader string
	// Payload is the format of the signed bytes, with the tokens {body},
	// {timestamp}, {method}, {url} and {svix-id}; "" means
	// "{timestamp}.{body}". Vapi: payloadFormat.
	Payload string
	// PublicURL is scheme and authority of the endpoint as the sender knows it,
	// and the path before the request's own, if a proxy cut one:
	// "https://hooks.example.com". Required if the payload has {url}, which is
	// then PublicURL and the request target, byte for byte. Host and forwarded
	// headers are never trusted for it. A target may hold any text, also what
	// stands behind {url} in the payload: put {url} last, or route by the path
	// alone, where it matters that nothing moves between query and body.
	PublicURL string
	// URLWithoutQuery ends {url} before the question mark.
	URLWithoutQuery bool
	// Tolerance is how far the timestamp may lie in the past, inclusive; 0 means
	// 5 minutes.
	Tolerance time.Duration
	// FutureTolerance is how far it may lie in the future, inclusive; 0 means
	// as far as Tolerance.
	FutureTolerance time.Duration
	// InsecureNoTimestamp accepts payloads without a signed time: a captured
	// request then stays good for as long as its key. Vapi: includeTimestamp
	// false. Payload must be set, without {timestamp}.
	InsecureNoTimestamp bool
	// InsecureUnsignedBody accepts a payload without {body}: whoever sees one
	// genuine request can send any body under its signature.
	InsecureUnsignedBody bool
	// InsecureTouchingTokens accepts a payload with two variable tokens side by
	// side, such as {url}{body}: bytes can be moved from one to the other under
	// the same signature. A {timestamp} whose unit is Seconds or Milliseconds
	// has a fixed width and may touch others without this.
	InsecureTouchingTokens bool
	// Name is Result.Scheme and the label in events; "" means "hmac".
	Name string
}

// Build implements Scheme.
func (h HMAC) Build(env Env) (Authenticator, error) {
	auth, err := h.build(env)
	if err != nil {
		return nil, within("HMAC", err)
	}
	return auth, nil
}

func (h HMAC) build(env Env) (*hmacAuth, error) {
	a := &hmacAuth{encoding: h.Encoding, unit: h.TimestampUnit, prefix: h.SignaturePrefix, list: h.MultiSignature, replayKey: env.Key}
	for _, step := range []func(*hmacAuth) error{h.buildHeaders, h.buildWindow, h.buildPayload, h.buildURL} {
		if err := step(a); err != nil {
			return nil, err
		}
	}
	newHash := hashFunc(h.Hash)
	if newHash == nil {
		return nil, &ConfigError{Field: "Hash", Problem: "is not 0, crypto.SHA256, crypto.SHA512 or crypto.SHA1"}
	}
	if h.Encoding > Base64 {
		return nil, &ConfigError{Field: "Encoding", Problem: "is neither Hex nor Base64"}
	}
	a.size = newHash().Size()
	a.keys = &prepared[*macKey]{source: h.Keys, build: func(s Secret) (*macKey, error) {
		key := []byte(s.value())
		if h.KeysAreBase64 {
			var err error
			if key, err = decodeKey(s.value()); err != nil {
				return nil, err
			}
		}
		return newMACKey(s, newHash, key), nil
	}}
	if _, err := a.keys.load(env.Now()); err != nil {
		return nil, &ConfigError{Field: "Keys", Problem: err.Error()}
	}
	return a, nil
}

func (h HMAC) buildHeaders(a *hmacAuth) (err error) {
	if a.name, err = checkName(h.Name, "hmac"); err != nil {
		return err
	}
	if a.signatureHeader, err = checkHeaderName("SignatureHeader", h.SignatureHeader, "X-Signature"); err != nil {
		return err
	}
	if a.timestampHeader, err = checkHeaderName("TimestampHeader", h.TimestampHeader, "X-Timestamp"); err != nil {
		return err
	}
	if a.messageIDHeader, err = checkHeaderName("MessageIDHeader", h.MessageIDHeader, ""); err != nil {
		return err
	}
	if a.signatureHeader == a.timestampHeader || a.signatureHeader == a.messageIDHeader || a.timestampHeader == a.messageIDHeader {
		return &ConfigError{Field: "SignatureHeader", Problem: "SignatureHeader, TimestampHeader and MessageIDHeader must be three different headers"}
	}
	if a.list && a.prefix == "" {
		a.prefix = "v1,"
	}
	for _, c := range []byte(a.prefix) {
		if c < ' ' || c >= 0x7f || c == ' ' && a.list {
			return &ConfigError{Field: "SignaturePrefix", Problem: "holds a byte that cannot stand there"}
		}
	}
	if strings.HasPrefix(a.prefix, " ") {
		return &ConfigError{Field: "SignaturePrefix", Problem: "begins with a space, which HTTP removes"}
	}
	return nil
}

func (h HMAC) buildWindow(a *hmacAuth) error {
	switch {
	case h.Tolerance < 0:
		return &ConfigError{Field: "Tolerance", Problem: "is negative"}
	case h.FutureTolerance < 0:
		return &ConfigError{Field: "FutureTolerance", Problem: "is negative"}
	case h.TimestampUnit > RFC3339:
		return &ConfigError{Field: "TimestampUnit", Problem: "is not AutoUnit, Seconds, Milliseconds or RFC3339"}
	case h.InsecureNoTimestamp && (h.Tolerance != 0 || h.FutureTolerance != 0):
		return &ConfigError{Field: "Tolerance", Problem: "is set beside InsecureNoTimestamp: without a signed timestamp there is no window"}
	}
	a.window = window{past: h.Tolerance, future: h.FutureTolerance}
	if a.window.past == 0 {
		a.window.past = defaultTolerance
	}
	if a.window.future == 0 {
		a.window.future = a.window.past
	}
	return nil
}

func (h HMAC) buildPayload(a *hmacAuth) (err error) {
	format := h.Payload
	if format == "" {
		format = defaultPayload
	}
	if a.payload, err = compilePayload(format); err != nil {
		return &ConfigError{Field: "Payload", Problem: err.Error()}
	}
	timed := a.payload.has(timestampToken)
	pair, touching := a.payload.touching(h.TimestampUnit)
	var problem string
	switch {
	case timed && h.InsecureNoTimestamp && h.Payload == "":
		problem = "is not set beside InsecureNoTimestamp, and the default has {timestamp}: say what the sender signs, such as {body}"
	case timed && h.InsecureNoTimestamp:
		problem = "has {timestamp} beside InsecureNoTimestamp: what the sender puts there is unknown"
	case !timed && !h.InsecureNoTimestamp:
		problem = "lacks {timestamp}: a window over an unsigned time proves nothing (InsecureNoTimestamp goes without)"
	case !a.payload.has(bodyToken) && !h.InsecureUnsignedBody:
		problem = "lacks {body}: the body would not be protected (InsecureUnsignedBody allows it)"
	case a.payload.has(messageIDToken) && a.messageIDHeader == "":
		return &ConfigError{Field: "MessageIDHeader", Problem: "is required, Payload has {svix-id}"}
	case touching && !h.InsecureTouchingTokens:
		problem = "has " + pair + " with nothing between: bytes could be moved across (pin TimestampUnit if one is {timestamp}; InsecureTouchingTokens allows it)"
	default:
		return nil
	}
	return &ConfigError{Field: "Payload", Problem: problem}
}

func (h HMAC) buildURL(a *hmacAuth) error {
	if !a.payload.has(urlToken) {
		if h.PublicURL != "" || h.URLWithoutQuery {
			return &ConfigError{Field: "PublicURL", Problem: "is set, but Payload has no {url}"}
		}
		return nil
	}
	u, err := url.Parse(h.PublicURL)
	switch {
	case h.PublicURL == "":
		return &ConfigError{Field: "PublicURL", Problem: "is required, Payload has {url}: give the endpoint's address as the sender knows it, like https://hooks.example.com"}
	case err != nil || u.Host == "" || !strings.EqualFold(u.Scheme, "https") && !strings.EqualFold(u.Scheme, "http"):
		return &ConfigError{Field: "PublicURL", Problem: "is not an absolute http or https URL"}
	case strings.ContainsAny(h.PublicURL, "?#"):
		return &ConfigError{Field: "PublicURL", Problem: "has a query or fragment: it is what stands before the request target"}
	case strings.HasSuffix(h.PublicURL, "/"):
		return &ConfigError{Field: "PublicURL", Problem: "ends in a slash: the request target begins with one"}
	}
	a.publicURL, a.withoutQuery = h.PublicURL, h.URLWithoutQuery
	return nil
}

// decodeKey decodes a key written in standard base64, padded or not.
func decodeKey(text string) ([]byte, error) {
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(text, "=") {
		encoding = base64.StdEncoding
	}
	key, err := encoding.Strict().DecodeString(text)
	switch {
	case strings.HasPrefix(text, "whsec_"):
		return nil, errors.New("still has its whsec_ prefix: remove it, the base64 begins after it")
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New("is not standard base64: it holds a line break")
	case strings.ContainsAny(text, "-_"):
		return nil, errors.New("is not standard base64: it uses the URL-safe alphabet")
	case err != nil:
		return nil, errors.New("is not standard base64")
	}
	return key, nil
}
