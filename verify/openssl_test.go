package verify_test

import (
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// parts are what one request puts into a payload.
type parts struct{ method, target, id, timestamp, body string }

const (
	partsKey = "vapi-bodies-example-secret"
	partsURL = "https://hooks.example.com"
)

// signedFormat is a payload format of the wild, with the signed bytes joined by
// hand and the settings that the kit asks for.
type signedFormat struct {
	name   string
	scheme verify.HMAC
	join   func(p parts) string
}

var signedFormats = []signedFormat{
	{"default", verify.HMAC{},
		func(p parts) string { return p.timestamp + "." + p.body }},
	{"{svix-id}.{timestamp}.{body}", verify.HMAC{MessageIDHeader: "Svix-Id"},
		func(p parts) string { return p.id + "." + p.timestamp + "." + p.body }},
	{"v0:{timestamp}:{body}", verify.HMAC{},
		func(p parts) string { return "v0:" + p.timestamp + ":" + p.body }},
	{"{body}{timestamp}", verify.HMAC{InsecureTouchingTokens: true},
		func(p parts) string { return p.body + p.timestamp }},
	{"{method}{url}{body}{timestamp}", verify.HMAC{InsecureTouchingTokens: true, PublicURL: partsURL},
		func(p parts) string { return p.method + partsURL + p.target + p.body + p.timestamp }},
	{"{url}{body}", verify.HMAC{InsecureTouchingTokens: true, InsecureNoTimestamp: true, PublicURL: partsURL},
		func(p parts) string { return partsURL + p.target + p.body }},
	{"{url}", verify.HMAC{InsecureUnsignedBody: true, InsecureNoTimestamp: true, PublicURL: partsURL},
		func(p parts) string { return partsURL + p.target }},
}

// with gives the scheme of a format under an algorithm and an encoding.
func (f signedFormat) with(a algorithm) verify.HMAC {
	h := f.scheme
	h.Keys = verify.Static(partsKey)
	h.Hash, h.Encoding = a.hash, a.encoding
	if f.name != "default" {
		h.Payload = f.name
	}
	return h
}

// request carries what is signed, and a signature.
func (f signedFormat) request(p parts, signature string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(p.body))
	r.Method, r.RequestURI = p.method, p.target
	r.Header.Set("X-Signature", signature)
	if !f.scheme.InsecureNoTimestamp {
		r.Header.Set("X-Timestamp", p.timestamp)
	}
	if f.scheme.MessageIDHeader != "" {
		r.Header.Set(f.scheme.MessageIDHeader, p.id)
	}
	return r
}

// forged changes one signed byte.
func (f signedFormat) forged(p parts) parts {
	switch {
	case f.name == "{url}":
		p.target += "x"
	case p.body == "":
		p.body = "x"
	default:
		changed := []byte(p.body)
		changed[len(changed)/2] ^= 1
		p.body = string(changed)
	}
	return p
}

type algorithm struct {
	name     string // Vapi's, and OpenSSL's
	hash     crypto.Hash
	encoding verify.Encoding
	text     string // Vapi's name of the encoding
}

var algorithms = []algorithm{
	{"sha256", crypto.SHA256, verify.Hex, "hex"},
	{"sha512", crypto.SHA512, verify.Hex, "hex"},
	{"sha1", crypto.SHA1, verify.Hex, "hex"},
	{"sha256", crypto.SHA256, verify.Base64, "base64"},
	{"sha512", crypto.SHA512, verify.Base64, "base64"},
	{"sha1", crypto.SHA1, verify.Base64, "base64"},
}

func (a algorithm) encode(mac []byte) string {
	if a.encoding == verify.Base64 {
		return base64.StdEncoding.EncodeToString(mac)
	}
	return hex.EncodeToString(mac)
}

// comparison is one body under one format and algorithm; mac is OpenSSL's.
type comparison struct {
	sample *bodySample
	format signedFormat
	algorithm
	parts parts
	mac   []byte
	err   error
}

// OpenSSL signs every sample body in every format, and kit and verifytest must
// agree with it.
func TestOpenSSLAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not in PATH")
	}
	var comparisons []*comparison
	for i, sample := range loadBodySamples(t).Bodies {
		for j, format := range signedFormats {
			comparisons = append(comparisons, &comparison{
				sample: sample, format: format,
				// Seven formats and six algorithms have no common factor, so
				// every format meets every algorithm.
				algorithm: algorithms[(i*len(signedFormats)+j)%len(algorithms)],
				parts: parts{
					method: http.MethodPost, target: "/webhook%2fa?b=1&b=%41", id: "msg_2Lh9KRb0pzN4LePd3XiA4v9Axj",
					timestamp: strconv.FormatInt(now.UnixMilli(), 10), body: string(sample.body),
				},
			})
		}
	}
	if len(comparisons) != 71*7 {
		t.Fatalf("%d comparisons", len(comparisons))
	}
	signAll(t, openssl, comparisons)
	used := map[string]int{}
	for _, c := range comparisons {
		t.Run(c.sample.ID+" "+c.format.name+" "+c.name+" "+c.text, func(t *testing.T) {
			c.compare(t)
			used[c.format.name+c.name+c.text]++
		})
	}
	if len(used) != len(signedFormats)*len(algorithms) && !t.Failed() {
		t.Errorf("%d pairs of format and algorithm, want every one", len(used))
	}
}

// signAll lets two openssl processes run at a time.
func signAll(t *testing.T, openssl string, comparisons []*comparison) {
	queue := make(chan *comparison)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for c := range queue {
				cmd := exec.CommandContext(t.Context(), openssl, "dgst", "-"+c.name, "-mac", "HMAC",
					"-macopt", "hexkey:"+hex.EncodeToString([]byte(partsKey)), "-binary")
				cmd.Stdin = strings.NewReader(c.format.join(c.parts))
				c.mac, c.err = cmd.Output()
			}
		})
	}
	for _, c := range comparisons {
		queue <- c
	}
	close(queue)
	workers.Wait()
}

func (c *comparison) compare(t *testing.T) {
	if c.err != nil || len(c.mac) != c.hash.Size() {
		t.Fatalf("openssl: %d bytes, %v", len(c.mac), c.err)
	}
	v := configure(t, verify.Config{Accept: c.format.with(c.algorithm), MaxBody: 8 << 20})
	signature := c.encode(c.mac)
	accept(t, v, c.format.request(c.parts, signature))
	forged := c.format.forged(c.parts)
	refuse(t, v, c.format.request(forged, signature), verify.ErrMismatch, "fits the body of")

	signer := verifytest.HMAC{
		SecretKey: partsKey, Algorithm: c.name, SignatureEncoding: c.text, PayloadFormat: c.format.with(c.algorithm).Payload,
		NoTimestamp: c.format.scheme.InsecureNoTimestamp, MessageIDHeader: c.format.scheme.MessageIDHeader,
		MessageID: c.parts.id, URL: partsURL + c.parts.target, Timestamp: c.parts.timestamp,
	}
	r := c.format.request(c.parts, "")
	if err := signer.Sign(r); err != nil || r.Header.Get("X-Signature") != signature {
		t.Errorf("verifytest signs %q, openssl %q; error %v", r.Header.Get("X-Signature"), signature, err)
	}
}
