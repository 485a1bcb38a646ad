package verify_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// signedWith is the default request, signed with another key.
func signedWith(key string) *http.Request {
	mac := macBytes(sha256.New, key, hmacStamp+"."+hmacBody)
	return signedPost(hmacBody, hmacStamp, hex.EncodeToString(mac))
}

func TestHMACWrongKey(t *testing.T) {
	v := build(t, defaultHMAC())
	accept(t, v, signedWith(hmacKey))
	for _, tt := range []struct{ name, key string }{
		{"H08 wrong secret", "another-test-secret"},
		{"H08 secret with a trailing newline", hmacKey + "\n"},
		{"H08 secret with a trailing CRLF", hmacKey + "\r\n"},
		{"H08 secret in other case", strings.ToUpper(hmacKey)},
		{"H08 secret cut", hmacKey[:len(hmacKey)-1]},
		{"H08 empty secret", ""},
		{"H08 secret decoded by one side only", base64.StdEncoding.EncodeToString([]byte(hmacKey))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, v, signedWith(tt.key), verify.ErrMismatch, "no signature in X-Signature fits")
		})
	}
}

func TestHMACKeyForms(t *testing.T) {
	// Keys of 24, 25 and 26 bytes, so that the base64 has no, two and one "=".
	for _, key := range []string{"\x00\xff binary key of 24 b\x80\n", "\x00\xff binary key of 25 by\x80\n", "\x00\xff binary key of 26 byt\x80\n"} {
		padded := base64.StdEncoding.EncodeToString([]byte(key))
		name := strconv.Itoa(len(key)) + " bytes"
		t.Run("K01 base64 with padding, "+name, func(t *testing.T) {
			accept(t, build(t, verify.HMAC{Keys: verify.Static(padded), KeysAreBase64: true}), signedWith(key))
		})
		t.Run("K01 base64 without padding, "+name, func(t *testing.T) {
			accept(t, build(t, verify.HMAC{Keys: verify.Static(strings.TrimRight(padded, "=")), KeysAreBase64: true}), signedWith(key))
		})
		t.Run("K03 base64-looking secret, "+name, func(t *testing.T) {
			v := build(t, verify.HMAC{Keys: verify.Static(padded)})
			accept(t, v, signedWith(padded))
			refuse(t, v, signedWith(key), verify.ErrMismatch, "no signature")
		})
	}
	t.Run("K04 whsec_ on a text secret", func(t *testing.T) {
		accept(t, build(t, verify.HMAC{Keys: verify.Static("whsec_" + hmacKey)}), signedWith("whsec_"+hmacKey))
	})
	for _, tt := range []struct{ name, key string }{
		{"K05 non-ASCII text", "Schlüssel-密钥-🔑"},
		{"K05 invalid UTF-8", "key-\xff\xfe-key"},
		{"K05 inner spaces", "three words here"},
		{"K05 1 byte", "k"},
		{"K05 64 bytes, a whole block of SHA-256", strings.Repeat("k", 64)},
		{"K05 65 bytes", strings.Repeat("k", 65)},
		{"K05 129 bytes", strings.Repeat("k", 129)},
		{"K05 131 bytes", strings.Repeat("k", 131)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range hmacPlans() {
				p.scheme.Keys = verify.Static(tt.key)
				signature := p.encode(macBytes(p.newHash, tt.key, hmacStamp+"."+hmacBody))
				accept(t, build(t, p.scheme), signedPost(hmacBody, hmacStamp, signature))
			}
		})
	}
}

func TestHMACBadKeys(t *testing.T) {
	const field = "Config.Accept.HMAC.Keys"
	const good = "bWFjLWtleS1vZi0yNS1ieXRlcy0tLQ=="
	build(t, verify.HMAC{Keys: verify.Static(good), KeysAreBase64: true})
	for _, tt := range []struct{ name, key, problem string }{
		{"K02 bad character", "!" + good[1:], "not standard base64"},
		{"K02 inner space", good[:8] + " " + good[9:], "not standard base64"},
		{"K02 inner line break", good[:8] + "\n" + good[8:], "line break"},
		{"K02 inner CRLF", good[:8] + "\r\n" + good[8:], "line break"},
		{"K02 URL-safe minus", "-" + good[1:], "URL-safe alphabet"},
		{"K02 URL-safe underscore", "_" + good[1:], "URL-safe alphabet"},
		{"K02 too little padding", good[:len(good)-1], "not standard base64"},
		{"K02 too much padding", good + "=", "not standard base64"},
		{"K02 padding after a whole group", "bWFj====", "not standard base64"},
		{"K02 padding in the middle", good + good, "not standard base64"},
		{"K02 unused bits", good[:len(good)-3] + "R==", "not standard base64"},
		{"K02 one character alone", "bWFjL", "not standard base64"},
		{"K04 whsec_ left on", "whsec_" + good, "whsec_"},
		{"V02 whsec_ alone", "whsec_", "whsec_"},
		{"V02 decodes to nothing", "====", "is "},
		{"V02 one padding character", "=", "not standard base64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuseConfig(t, verify.HMAC{Keys: verify.Static(tt.key), KeysAreBase64: true}, field, tt.problem)
			refuseConfig(t, verify.HMAC{Keys: verify.Static(good, tt.key), KeysAreBase64: true}, field, tt.problem)
			build(t, verify.HMAC{Keys: verify.Static(tt.key)})
		})
	}
	const unset = "WEBHOOKAUTH_TEST_SECRET"
	t.Setenv(unset, "") // so that it is restored
	if err := os.Unsetenv(unset); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, key, problem string }{
		{"K06 empty secret", "", "is empty"},
		{"K06 unset variable", os.Getenv(unset), "is empty"},
		{"V40 only white space", " \t\r\n", "only whitespace"},
		{"V40 trailing newline", hmacKey + "\n", "whitespace"},
		{"V40 trailing CRLF", hmacKey + "\r\n", "whitespace"},
		{"V40 trailing space", hmacKey + " ", "whitespace"},
		{"V40 leading space", " " + hmacKey, "whitespace"},
		{"V40 leading tab", "\t" + hmacKey, "whitespace"},
		{"V40 no-break space", hmacKey + "\u00a0", "whitespace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuseConfig(t, verify.HMAC{Keys: verify.Static(tt.key)}, field, tt.problem)
			refuseConfig(t, verify.HMAC{Keys: verify.Static(hmacKey, tt.key)}, field, tt.problem)
			refuseConfig(t, verify.HMAC{Keys: verify.Static(tt.key), KeysAreBase64: true}, field, tt.problem)
		})
	}
	for _, tt := range []struct {
		name    string
		keys    verify.Secrets
		problem string
	}{
		{"K06 no source", nil, "is nil"},
		{"K06 no secrets", verify.Static(), "no secrets"},
		{"K06 Rotating never filled", &verify.Rotating{}, "Replace"},
		{"K06 two secrets with one id", verify.Named(verify.NewSecret("a", "1"), verify.NewSecret("a", "2")), "two secrets"},
	} {
		t.Run(tt.name, func(t *testing.T) { refuseConfig(t, verify.HMAC{Keys: tt.keys}, field, tt.problem) })
	}
}

func TestHMACTwoKeys(t *testing.T) {
	keys := &verify.Rotating{}
	if err := keys.Replace(verify.NewSecret("new", "key-of-today"), verify.NewSecret("old", "key-of-yesterday")); err != nil {
		t.Fatal(err)
	}
	v := build(t, verify.HMAC{Keys: keys})
	for id, key := range map[string]string{"new": "key-of-today", "old": "key-of-yesterday"} {
		t.Run("H27 signed with the "+id+" key", func(t *testing.T) {
			if res := accept(t, v, signedWith(key)); res.KeyID != id {
				t.Errorf("key id %q", res.KeyID)
			}
		})
	}
	t.Run("H27 signed with a removed key", func(t *testing.T) {
		accept(t, v, signedWith("key-of-yesterday"))
		if err := keys.Replace(verify.NewSecret("new", "key-of-today")); err != nil {
			t.Fatal(err)
		}
		refuse(t, v, signedWith("key-of-yesterday"), verify.ErrMismatch, "no signature")
		accept(t, v, signedWith("key-of-today"))
	})
	t.Run("K02 a bad key comes in while serving", func(t *testing.T) {
		keys := &verify.Rotating{}
		if err := keys.Replace(verify.NewSecret("good", base64.StdEncoding.EncodeToString([]byte("key-of-today")))); err != nil {
			t.Fatal(err)
		}
		v := build(t, verify.HMAC{Keys: keys, KeysAreBase64: true})
		accept(t, v, signedWith("key-of-today"))
		if err := keys.Replace(verify.NewSecret("bad", "not base64!")); err != nil {
			t.Fatal(err)
		}
		refuse(t, v, signedWith("key-of-today"), verify.ErrUnavailable, "cannot be loaded")
	})
}

// TestHMACKeyIntervals moves a clock over a rotation: the new key is valid from
// one minute on, the old one until two minutes.
func TestHMACKeyIntervals(t *testing.T) {
	fresh, old := verify.NewSecret("new", "key-of-today"), verify.NewSecret("old", "key-of-yesterday")
	old.NotBefore, old.NotAfter = now, now.Add(2*time.Minute)
	fresh.NotBefore, fresh.NotAfter = now.Add(time.Minute), now.Add(3*time.Minute)
	clock := verifytest.NewClock(now)
	v := configure(t, verify.Config{
		Accept: verify.HMAC{Keys: verify.Named(fresh, old), MultiSignature: true},
		Now:    clock.Now,
	})
	const neither = "unavailable"
	for _, tt := range []struct {
		name                string
		after               time.Duration
		withNew, withOld    string // the key that accepts a delivery, "" for a mismatch
		withBoth, withOther string
	}{
		{"V25 before both", -1, neither, neither, neither, neither},
		{"V25 first moment of the old key", 0, "", "old", "old", ""},
		{"V25 last moment before the overlap", time.Minute - 1, "", "old", "old", ""},
		{"V25 first moment of the overlap", time.Minute, "new", "old", "new", ""},
		{"V25 last moment of the overlap", 2 * time.Minute, "new", "old", "new", ""},
		{"V25 first moment after the overlap", 2*time.Minute + 1, "new", "", "new", ""},
		{"V25 last moment of the new key", 3 * time.Minute, "new", "", "new", ""},
		{"V25 after both", 3*time.Minute + 1, neither, neither, neither, neither},
	} {
		clock.Set(now.Add(tt.after))
		timestamp := strconv.FormatInt(clock.Now().UnixMilli(), 10)
		sign := func(key string) string {
			return "v1," + hex.EncodeToString(macBytes(sha256.New, key, timestamp+"."+hmacBody))
		}
		for _, delivery := range []struct{ name, signatures, want string }{
			{"new only", sign("key-of-today"), tt.withNew},
			{"old only", sign("key-of-yesterday"), tt.withOld},
			{"signed with both", sign("key-of-yesterday") + " " + sign("key-of-today"), tt.withBoth},
			{"signed with a third", sign("key-of-nobody"), tt.withOther},
		} {
			t.Run(tt.name+", "+delivery.name, func(t *testing.T) {
				r := signedPost(hmacBody, timestamp, delivery.signatures)
				switch delivery.want {
				case "":
					refuse(t, v, r, verify.ErrMismatch, "no signature")
				case neither:
					refuse(t, v, r, verify.ErrUnavailable, "no secret is valid now")
				default:
					if res := accept(t, v, r); res.KeyID != delivery.want {
						t.Errorf("key id %q, want %q", res.KeyID, delivery.want)
					}
				}
			})
		}
	}
}
