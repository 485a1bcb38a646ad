package verify_test

import (
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// TestHMACShape edits the text of the right signature in one way each.
func TestHMACShape(t *testing.T) {
	for _, p := range hmacPlans() {
		v := build(t, p.scheme)
		mac := p.mac(hmacStamp + "." + hmacBody)
		good := p.encode(mac)
		n := len(good)
		// One byte more or less can have as many characters in base64.
		shapes := []struct{ name, signature, detail string }{
			{"H16 0x in front", "0x" + good, "not the length"},
			{"H16 odd length, one character short", good[:n-1], "not the length"},
			{"H16 odd length, one character more", good + "0", "not the length"},
			{"H16 inner space added", good[:8] + " " + good[8:], "not the length"},
			{"H16 inner space in place of a character", good[:8] + " " + good[9:], "not "},
			{"H16 line break in place of a character", good[:8] + "\n" + good[9:], "not "},
			{"H16 trailing line break", good + "\n", "not the length"},
			{"H16 colons", colons(good), "not the length"},
			{"H17 first half of the right MAC", p.encode(mac[:len(mac)/2]), "not the length"},
			{"H17 right MAC and one byte more", p.encode(append(slices.Clone(mac), 0)), "not "},
			{"V07 one byte", p.encode(mac[:1]), "not the length"},
			{"V07 one byte less", p.encode(mac[:len(mac)-1]), "not "},
			{"V07 doubled", good + good, "not the length"},
			{"V07 bytes doubled", p.encode(append(slices.Clone(mac), mac...)), "not the length"},
			{"H12 prefix without one configured", p.algorithm + "=" + good, "not the length"},
			{"H23 comma list, bad first", strings.Repeat("0", n) + "," + good, "not the length"},
			{"H23 comma list, good first", good + "," + strings.Repeat("0", n), "not the length"},
			{"H23 space list", good + " " + good, "not the length"},
		}
		for _, s := range shapes {
			t.Run(s.name+", "+p.name, func(t *testing.T) {
				accept(t, v, signedPost(hmacBody, hmacStamp, good))
				refuse(t, v, signedPost(hmacBody, hmacStamp, s.signature), verify.ErrMalformed, "X-Signature: "+s.detail)
			})
		}
	}
}

// colons writes a colon after every second character.
func colons(s string) string {
	var groups []string
	for pair := range slices.Chunk([]byte(s), 2) {
		groups = append(groups, string(pair))
	}
	return strings.Join(groups, ":")
}

func TestHMACHexadecimal(t *testing.T) {
	v := build(t, defaultHMAC())
	good := hexMAC(hmacStamp + "." + hmacBody)
	accept(t, v, signedPost(hmacBody, hmacStamp, good))
	t.Run("H15 upper case", func(t *testing.T) {
		if upper := strings.ToUpper(good); upper != good {
			accept(t, v, signedPost(hmacBody, hmacStamp, upper))
		} else {
			t.Error("the signature has no letters")
		}
	})
	t.Run("H15 mixed case", func(t *testing.T) {
		accept(t, v, signedPost(hmacBody, hmacStamp, strings.ToUpper(good[:32])+good[32:]))
	})
	t.Run("H16 non-hexadecimal character at every position", func(t *testing.T) {
		for i := range good {
			refuse(t, v, signedPost(hmacBody, hmacStamp, good[:i]+"g"+good[i+1:]), verify.ErrMalformed, "not hexadecimal")
		}
	})
	t.Run("H16 0x in place of two digits", func(t *testing.T) {
		refuse(t, v, signedPost(hmacBody, hmacStamp, "0x"+good[2:]), verify.ErrMalformed, "not hexadecimal")
	})
	t.Run("H21 base64 to a hex plan", func(t *testing.T) {
		for _, p := range hmacPlans() {
			if p.encoding == "hex" {
				mac := p.mac(hmacStamp + "." + hmacBody)
				accept(t, build(t, p.scheme), signedPost(hmacBody, hmacStamp, hex.EncodeToString(mac)))
				refuse(t, build(t, p.scheme), signedPost(hmacBody, hmacStamp, base64.StdEncoding.EncodeToString(mac)),
					verify.ErrMalformed, "not the length of a signature in hexadecimal")
			}
		}
	})
}

func TestHMACSignatureHeader(t *testing.T) {
	v := build(t, defaultHMAC())
	good := hexMAC(hmacStamp + "." + hmacBody)
	bad := hexMAC("something else")
	for _, tt := range []struct {
		name   string
		values []string
		reason error
		detail string
	}{
		{"H09 absent", nil, verify.ErrMissing, "X-Signature is absent"},
		{"H09 empty", []string{""}, verify.ErrMissing, "X-Signature is empty"},
		{"H22 twice the same", []string{good, good}, verify.ErrMalformed, "X-Signature appears more than once"},
		{"H22 bad then good", []string{bad, good}, verify.ErrMalformed, "X-Signature appears more than once"},
		{"H22 good then bad", []string{good, bad}, verify.ErrMalformed, "X-Signature appears more than once"},
		{"H22 empty then good", []string{"", good}, verify.ErrMalformed, "X-Signature appears more than once"},
		{"H22 good then empty", []string{good, ""}, verify.ErrMalformed, "X-Signature appears more than once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, defaultPost())
			r := defaultPost()
			delete(r.Header, "X-Signature")
			if tt.values != nil {
				r.Header["X-Signature"] = tt.values
			}
			refuse(t, v, r, tt.reason, tt.detail)
		})
	}
}

func TestHMACPrefix(t *testing.T) {
	signed := hmacStamp + "." + hmacBody
	scheme := defaultHMAC()
	scheme.SignaturePrefix = "sha256="
	v := build(t, scheme)
	good := hexMAC(signed)
	sha1MAC := hex.EncodeToString(macBytes(sha1.New, hmacKey, signed))
	for _, tt := range []struct{ name, signature, detail string }{
		{"H10 only the prefix", "sha256=", "not the length"},
		{"H10 part of the prefix", "sha256", "SignaturePrefix"},
		{"H11 prefix absent", good, "SignaturePrefix"},
		{"H11 prefix in other case", "SHA256=" + good, "SignaturePrefix"},
		{"H11 prefix twice", "sha256=sha256=" + good, "not the length"},
		{"H11 space before the prefix", " sha256=" + good, "SignaturePrefix"},
		{"H11 space after the prefix", "sha256= " + good, "not the length"},
		{"H13 V19 right SHA-1 MAC under its own label", "sha1=" + sha1MAC, "SignaturePrefix"},
		{"H13 V19 right SHA-1 MAC under our label", "sha256=" + sha1MAC, "not the length"},
		{"H13 right MAC under another label", "sha1=" + good, "SignaturePrefix"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, signedPost(hmacBody, hmacStamp, "sha256="+good))
			refuse(t, v, signedPost(hmacBody, hmacStamp, tt.signature), verify.ErrMalformed, "X-Signature: ")
			refuse(t, v, signedPost(hmacBody, hmacStamp, tt.signature), verify.ErrMalformed, tt.detail)
		})
	}
	t.Run("H14 V19 right SHA-1 MAC without a prefix", func(t *testing.T) {
		refuse(t, build(t, defaultHMAC()), signedPost(hmacBody, hmacStamp, sha1MAC), verify.ErrMalformed, "not the length")
	})
	t.Run("H14 SHA-512 MAC cut to 32 bytes", func(t *testing.T) {
		cut := macBytes(sha512.New, hmacKey, signed)[:32]
		refuse(t, build(t, defaultHMAC()), signedPost(hmacBody, hmacStamp, hex.EncodeToString(cut)), verify.ErrMismatch, "no signature")
	})
}

func TestHMACBase64(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for _, p := range hmacPlans() {
		if p.encoding != "base64" {
			continue
		}
		v := build(t, p.scheme)
		body := bodyWithPlusAndSlash(p)
		mac := p.mac(hmacStamp + "." + body)
		good := base64.StdEncoding.EncodeToString(mac)
		text := strings.TrimRight(good, "=")
		padding := good[len(text):]
		shapes := []struct{ name, signature, detail string }{
			{"H17 nothing but padding", strings.Repeat("=", len(good)), "not canonical base64"},
			{"H18 URL-safe alphabet", base64.URLEncoding.EncodeToString(mac), "not canonical base64"},
			{"H18 URL-safe minus alone", strings.ReplaceAll(good, "+", "-"), "not canonical base64"},
			{"H18 URL-safe underscore alone", strings.ReplaceAll(good, "/", "_"), "not canonical base64"},
			{"H19 padding missing", text, "not the length"},
			{"H19 padding doubled", good + padding, "not the length"},
			{"H19 inner space added", good[:8] + " " + good[8:], "not the length"},
			{"H19 inner space in place of a character", good[:8] + " " + good[9:], "not canonical base64"},
			{"H19 line break in place of the padding", text + strings.Repeat("\n", len(padding)), "not canonical base64"},
			{"H21 hex to a base64 plan", hex.EncodeToString(mac), "not the length of a signature in base64"},
		}
		last := strings.IndexByte(alphabet, text[len(text)-1])
		for unused := 1; unused < 1<<(2*len(padding)); unused++ {
			spelling := text[:len(text)-1] + string(alphabet[last+unused]) + padding
			if decoded, err := base64.StdEncoding.DecodeString(spelling); err != nil || !slices.Equal(decoded, mac) {
				t.Fatalf("%s is no second spelling of %s", spelling, good)
			}
			shapes = append(shapes, struct{ name, signature, detail string }{
				"H20 unused bits in the last character", spelling, "not canonical base64"})
		}
		for _, s := range shapes {
			t.Run(s.name+", "+p.name, func(t *testing.T) {
				accept(t, v, signedPost(body, hmacStamp, good))
				refuse(t, v, signedPost(body, hmacStamp, s.signature), verify.ErrMalformed, "X-Signature: "+s.detail)
			})
		}
	}
}

// bodyWithPlusAndSlash finds a body whose signature uses both characters in
// which the URL-safe alphabet differs.
func bodyWithPlusAndSlash(p hmacPlan) string {
	for body := hmacBody; ; body += " " {
		signature := p.encode(p.mac(hmacStamp + "." + body))
		if strings.Contains(signature, "+") && strings.Contains(signature, "/") {
			return body
		}
	}
}
