package verifytest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Signer puts a credential on a request, as the sender would.
type Signer interface {
	// Sign sets the headers. It reads the body and puts it back.
	Sign(*http.Request) error
}

// Bearer sends a static token: Vapi's plan of type "bearer".
type Bearer struct {
	// Token is the secret.
	Token string
	// HeaderName carries it; "" means Authorization.
	HeaderName string
	// NoPrefix leaves out "Bearer " (bearerPrefixEnabled false).
	NoPrefix bool
}

// VapiSecret sends the secret as Vapi's older inline server.secret does, bare in
// X-Vapi-Secret.
func VapiSecret(secret string) Bearer {
	return Bearer{Token: secret, HeaderName: "X-Vapi-Secret", NoPrefix: true}
}

// Sign implements Signer. It never fails.
func (b Bearer) Sign(r *http.Request) error {
	name := b.HeaderName
	if name == "" {
		name = "Authorization"
	}
	value := b.Token
	if !b.NoPrefix {
		value = "Bearer " + value
	}
	r.Header.Set(name, value)
	return nil
}

// HMAC signs the request: Vapi's plan of type "hmac", with its field names and
// defaults.
type HMAC struct {
	// SecretKey is the key, or its base64 form if SecretIsBase64.
	SecretKey string
	// SecretIsBase64 decodes SecretKey before use.
	SecretIsBase64 bool
	// Algorithm is "sha256", "sha512" or "sha1"; "" means "sha256".
	Algorithm string
	// SignatureHeader carries the signature; "" means X-Signature.
	SignatureHeader string
	// SignaturePrefix is put before the signature.
	SignaturePrefix string
	// SignatureEncoding is "hex" or "base64"; "" means "hex".
	SignatureEncoding string
	// TimestampHeader carries the timestamp; "" means X-Timestamp.
	TimestampHeader string
	// NoTimestamp sends no timestamp (includeTimestamp false).
	NoTimestamp bool
	// PayloadFormat is what is signed; "" means "{timestamp}.{body}".
	PayloadFormat string
	// MessageIDHeader carries MessageID, if both are set.
	MessageIDHeader string
	// MessageID is the unique id of the message.
	MessageID string
	// URL stands for {url}: the endpoint's address as the sender knows it.
	URL string
	// Timestamp is the timestamp header's text; "" means Now in Unix
	// milliseconds, which is what Vapi was seen to send.
	Timestamp string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Sign implements Signer. It fails on an unknown algorithm or encoding, a key
// that is not base64, and a body that cannot be read.
func (h HMAC) Sign(r *http.Request) error {
	timestamp := h.timestamp()
	signature, err := h.signature(r, timestamp)
	if err != nil {
		return fmt.Errorf("verifytest: HMAC: %w", err)
	}
	r.Header.Set(or(h.SignatureHeader, "X-Signature"), h.SignaturePrefix+signature)
	if !h.NoTimestamp {
		r.Header.Set(or(h.TimestampHeader, "X-Timestamp"), timestamp)
	}
	if h.MessageIDHeader != "" && h.MessageID != "" {
		r.Header.Set(h.MessageIDHeader, h.MessageID)
	}
	return nil
}

func (h HMAC) timestamp() string {
	if h.Timestamp != "" {
		return h.Timestamp
	}
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	return strconv.FormatInt(now().UnixMilli(), 10)
}

func (h HMAC) signature(r *http.Request, timestamp string) (string, error) {
	key := []byte(h.SecretKey)
	if h.SecretIsBase64 {
		var err error
		if key, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(h.SecretKey, "=")); err != nil {
			return "", fmt.Errorf("SecretKey is not base64")
		}
	}
	algorithms := map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha512": sha512.New, "sha1": sha1.New}
	algorithm, ok := algorithms[h.Algorithm]
	if !ok {
		return "", fmt.Errorf("unknown Algorithm %q", h.Algorithm)
	}
	body, err := readBody(r)
	if err != nil {
		return "", err
	}
	// A Replacer goes over the format alone, once: what it inserts is not searched.
	signed := strings.NewReplacer(
		"{body}", string(body),
		"{timestamp}", timestamp,
		"{method}", r.Method,
		"{url}", h.URL,
		"{svix-id}", h.MessageID,
	).Replace(or(h.PayloadFormat, "{timestamp}.{body}"))
	mac := hmac.New(algorithm, key)
	io.WriteString(mac, signed)
	switch h.SignatureEncoding {
	case "", "hex":
		return hex.EncodeToString(mac.Sum(nil)), nil
	case "base64":
		return base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
	}
	return "", fmt.Errorf("unknown SignatureEncoding %q", h.SignatureEncoding)
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
