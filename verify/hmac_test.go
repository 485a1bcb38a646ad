package verify_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// The request of the HMAC tests, signed at now under Vapi's default plan.
const (
	hmacKey   = "hmac-test-secret"
	hmacStamp = "1767225600"
	hmacBody  = `{"message":{"type":"hang"}}`
)

// macBytes is the oracle for every MAC in these tests: crypto/hmac over bytes
// that were put together by hand.
func macBytes(newHash func() hash.Hash, key, signed string) []byte {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

// hexMAC is the signature of the default plan.
func hexMAC(signed string) string {
	return hex.EncodeToString(macBytes(sha256.New, hmacKey, signed))
}

// signedPost is a request with any signature and timestamp, in the default headers.
func signedPost(body, timestamp, signature string) *http.Request {
	return post(body, "X-Signature", signature, "X-Timestamp", timestamp)
}

// defaultPost is the twin of most negative cases: it is accepted.
func defaultPost() *http.Request {
	return signedPost(hmacBody, hmacStamp, hexMAC(hmacStamp+"."+hmacBody))
}

func defaultHMAC() verify.HMAC { return verify.HMAC{Keys: verify.Static(hmacKey)} }

// hmacPlan is one algorithm with one encoding.
type hmacPlan struct {
	name      string
	algorithm string // Vapi's words
	encoding  string
	scheme    verify.HMAC
	newHash   func() hash.Hash
	encode    func([]byte) string
}

func (p hmacPlan) mac(signed string) []byte { return macBytes(p.newHash, hmacKey, signed) }

// hmacPlans are the six that Vapi knows.
func hmacPlans() []hmacPlan {
	plans := []hmacPlan{
		{name: "H01 sha256 hex", algorithm: "sha256", encoding: "hex", newHash: sha256.New},
		{name: "H02 sha256 base64", algorithm: "sha256", encoding: "base64", newHash: sha256.New},
		{name: "H03 sha512 hex", algorithm: "sha512", encoding: "hex", newHash: sha512.New},
		{name: "H04 sha512 base64", algorithm: "sha512", encoding: "base64", newHash: sha512.New},
		{name: "H05 sha1 hex", algorithm: "sha1", encoding: "hex", newHash: sha1.New},
		{name: "H06 sha1 base64", algorithm: "sha1", encoding: "base64", newHash: sha1.New},
	}
	hashes := map[string]crypto.Hash{"sha256": crypto.SHA256, "sha512": crypto.SHA512, "sha1": crypto.SHA1}
	for i := range plans {
		p := &plans[i]
		p.scheme = verify.HMAC{Keys: verify.Static(hmacKey), Hash: hashes[p.algorithm]}
		p.encode = hex.EncodeToString
		if p.encoding == "base64" {
			p.scheme.Encoding = verify.Base64
			p.encode = base64.StdEncoding.EncodeToString
		}
	}
	return plans
}

func TestHMACPlans(t *testing.T) {
	for _, p := range hmacPlans() {
		t.Run(p.name, func(t *testing.T) {
			signature := p.encode(p.mac(hmacStamp + "." + hmacBody))
			for _, prefix := range []string{"", p.algorithm + "="} {
				scheme := p.scheme
				scheme.SignaturePrefix = prefix
				res := accept(t, build(t, scheme), signedPost(hmacBody, hmacStamp, prefix+signature))
				if res.Scheme != "hmac" || res.KeyID != "0" || !res.SignedAt.Equal(now) || res.MessageID != "" || res.Refused != nil {
					t.Errorf("result %+v", res)
				}
			}
		})
	}
	t.Run("H01 the zero Hash is SHA-256", func(t *testing.T) {
		accept(t, build(t, defaultHMAC()), defaultPost())
	})
	t.Run("H01 a name of its own", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.Name = "vapi-hmac"
		v := build(t, scheme)
		if res := accept(t, v, defaultPost()); res.Scheme != "vapi-hmac" {
			t.Errorf("scheme %q", res.Scheme)
		}
		refuse(t, v, signedPost("other", hmacStamp, hexMAC(hmacStamp+"."+hmacBody)), verify.ErrMismatch, "vapi-hmac: ")
	})
	t.Run("H01 headers of its own", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.SignatureHeader, scheme.TimestampHeader = "x-hub-signature", "X-HUB-TIME"
		v := build(t, scheme)
		signature := hexMAC(hmacStamp + "." + hmacBody)
		accept(t, v, post(hmacBody, "X-Hub-Signature", signature, "X-Hub-Time", hmacStamp))
		refuse(t, v, defaultPost(), verify.ErrMissing, "X-Hub-Signature")
		refuse(t, v, post(hmacBody, "X-Hub-Signature", signature, "X-Timestamp", hmacStamp), verify.ErrMissing, "X-Hub-Time")
	})
}

func TestHMACFlippedBits(t *testing.T) {
	for _, p := range hmacPlans() {
		v := build(t, p.scheme)
		mac := p.mac(hmacStamp + "." + hmacBody)
		accept(t, v, signedPost(hmacBody, hmacStamp, p.encode(mac)))
		t.Run("H07 MAC bit flipped at every position, "+p.name, func(t *testing.T) {
			for bit := range len(mac) * 8 {
				forged := slices.Clone(mac)
				forged[bit/8] ^= 1 << (bit % 8)
				refuse(t, v, signedPost(hmacBody, hmacStamp, p.encode(forged)), verify.ErrMismatch, "no signature in X-Signature fits")
			}
		})
		t.Run("H07 body bit flipped at every position, "+p.name, func(t *testing.T) {
			for bit := range len(hmacBody) * 8 {
				body := []byte(hmacBody)
				body[bit/8] ^= 1 << (bit % 8)
				refuse(t, v, signedPost(string(body), hmacStamp, p.encode(mac)), verify.ErrMismatch, "no signature in X-Signature fits")
			}
		})
		for name, b := range map[string]byte{"all zero": 0, "all one": 0xff} {
			t.Run("H07 "+name+", "+p.name, func(t *testing.T) {
				forged := slices.Repeat([]byte{b}, len(mac))
				refuse(t, v, signedPost(hmacBody, hmacStamp, p.encode(forged)), verify.ErrMismatch, "no signature in X-Signature fits")
			})
		}
	}
}

// TestHMACConcurrent: requests that are verified at the same time do not meet in
// the reused hash states.
func TestHMACConcurrent(t *testing.T) {
	v := build(t, verify.HMAC{Keys: verify.Static(hmacKey, "hmac-test-secret-of-old")})
	var workers sync.WaitGroup
	for worker := range 8 {
		body := strings.Repeat(hmacBody, worker*worker*20)
		signature := hexMAC(hmacStamp + "." + body)
		workers.Go(func() {
			for range 100 {
				if _, err := v.Check(signedPost(body, hmacStamp, signature)); err != nil {
					t.Errorf("genuine request refused: %v", err)
				}
				if _, err := v.Check(signedPost(body+" ", hmacStamp, signature)); !errors.Is(err, verify.ErrMismatch) {
					t.Errorf("forged request: %v", err)
				}
			}
		})
	}
	workers.Wait()
}
