package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// bodySamples is testdata/vapi-bodies.json, as far as tests need it.
type bodySamples struct {
	Plan      struct{ SecretKey string }
	Timestamp string
	Bodies    []*bodySample
}

type bodySample struct {
	ID         string
	BodyBase64 *string
	BodyParts  []struct {
		Base64 string
		Count  int
	}
	Bytes                int
	SHA256               string
	SignatureDefaultPlan string

	body []byte
}

func loadBodySamples(t testing.TB) *bodySamples {
	t.Helper()
	data, err := os.ReadFile("testdata/vapi-bodies.json")
	if err != nil {
		t.Fatal(err)
	}
	var samples bodySamples
	if err := json.Unmarshal(data, &samples); err != nil {
		t.Fatal(err)
	}
	if len(samples.Bodies) != 71 || samples.Timestamp != strconv.FormatInt(now.Unix(), 10) {
		t.Fatalf("%d bodies at %q", len(samples.Bodies), samples.Timestamp)
	}
	for _, s := range samples.Bodies {
		if s.BodyBase64 != nil {
			s.body = fromBase64(t, *s.BodyBase64)
		}
		for _, part := range s.BodyParts {
			s.body = append(s.body, bytes.Repeat(fromBase64(t, part.Base64), part.Count)...)
		}
	}
	return &samples
}

func fromBase64(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The signatures were published with the bodies and made without this module.
func TestBodySamples(t *testing.T) {
	samples := loadBodySamples(t)
	v := configure(t, verify.Config{
		Accept:  verify.HMAC{Keys: verify.Static(samples.Plan.SecretKey)},
		MaxBody: 8 << 20,
	})
	for _, s := range samples.Bodies {
		t.Run(s.ID, func(t *testing.T) {
			if sum := sha256.Sum256(s.body); len(s.body) != s.Bytes || hex.EncodeToString(sum[:]) != s.SHA256 {
				t.Fatalf("the sample does not decode to what its hash was made of, %d bytes", len(s.body))
			}
			headers := []string{"X-Signature", s.SignatureDefaultPlan, "X-Timestamp", samples.Timestamp}
			accept(t, v, post(string(s.body), headers...))
			for _, body := range flipped(s.body) {
				refuse(t, v, post(body, headers...), verify.ErrMismatch, "fits the body of")
			}
		})
	}
}

// flipped gives the body with one bit changed: in the first, the middle and the
// last byte. An empty body has no bit to change and gets a byte instead.
func flipped(body []byte) []string {
	if len(body) == 0 {
		return []string{"\x00"}
	}
	var all []string
	for _, at := range []int{0, len(body) / 2, len(body) - 1} {
		changed := bytes.Clone(body)
		changed[at] ^= 1 << (at % 8)
		all = append(all, string(changed))
	}
	return all
}
