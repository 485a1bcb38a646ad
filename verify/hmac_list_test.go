package verify_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

func TestHMACList(t *testing.T) {
	right := hexMAC(hmacStamp + "." + hmacBody)
	good, bad, other := "v1,"+right, "v1,"+hexMAC("something else"), "v2,"+right
	scheme := defaultHMAC()
	scheme.MultiSignature = true
	v := build(t, scheme)
	for _, tt := range []struct{ name, signatures string }{
		{"H24 one alone", good},
		{"H24 bad then good", bad + " " + good},
		{"H24 good first", good + " " + bad},
		{"H24 good twice", good + " " + good},
		{"H24 tab-separated, bad then good", bad + "\t" + good},
		{"H24 tab-separated, good first", good + "\t" + bad},
		{"H24 many separators", bad + " \t  " + good},
		{"H24 unknown label then good", other + " " + good},
		{"H24 good then unknown label", good + " " + other},
		{"H24 label alone then good", "v1 " + good},
		{"H24 malformed then good", "v1,xyz " + good},
		{"H24 good then malformed", good + " v1,"},
		{"H15 upper-case hex", "v1," + strings.ToUpper(right)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, signedPost(hmacBody, hmacStamp, tt.signatures))
		})
	}
	for _, tt := range []struct {
		name, signatures string
		reason           error
		detail           string
	}{
		{"H24 all bad", bad + " " + bad, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H25 only a v2 item matches", bad + " " + other, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H25 only an unknown label", other, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H25 label in other case", "V1," + right, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H25 no label", right, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H25 label without its comma", "v1" + right, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H25 longer label", "v10," + right, verify.ErrMismatch, "no signature in X-Signature fits"},
		{"H17 only malformed items", "v1,xyz v1," + right[1:], verify.ErrMalformed, "not the length"},
		{"H17 first half of the right MAC", "v1," + right[:32], verify.ErrMalformed, "not the length"},
		{"H10 only the label", "v1,", verify.ErrMalformed, "not the length"},
		{"H16 non-hexadecimal character", "v1,g" + right[1:], verify.ErrMalformed, "not hexadecimal"},
		{"H23 comma list", bad + "," + good, verify.ErrMalformed, "not the length"},
		{"H23 comma list of bare signatures", good + "," + right, verify.ErrMalformed, "not the length"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, signedPost(hmacBody, hmacStamp, good))
			refuse(t, v, signedPost(hmacBody, hmacStamp, tt.signatures), tt.reason, tt.detail)
		})
	}
	t.Run("H22 two lines", func(t *testing.T) {
		accept(t, v, post(hmacBody, "X-Timestamp", hmacStamp, "X-Signature", bad+" "+good))
		refuse(t, v, post(hmacBody, "X-Timestamp", hmacStamp, "X-Signature", bad, "X-Signature", good),
			verify.ErrMalformed, "more than once")
	})
	t.Run("H23 a list without MultiSignature", func(t *testing.T) {
		scheme := defaultHMAC()
		scheme.SignaturePrefix = "v1,"
		v := build(t, scheme)
		accept(t, v, signedPost(hmacBody, hmacStamp, good))
		refuse(t, v, signedPost(hmacBody, hmacStamp, bad+" "+good), verify.ErrMalformed, "not the length")
		refuse(t, v, signedPost(hmacBody, hmacStamp, good+" "+bad), verify.ErrMalformed, "not the length")
	})
	t.Run("H24 a prefix of its own", func(t *testing.T) {
		scheme := scheme
		scheme.SignaturePrefix = "v2,"
		v := build(t, scheme)
		accept(t, v, signedPost(hmacBody, hmacStamp, bad+" "+other))
		refuse(t, v, signedPost(hmacBody, hmacStamp, good), verify.ErrMismatch, "no signature")
	})
}

// TestHMACListPlaces: every place of the list counts, up to a bound.
func TestHMACListPlaces(t *testing.T) {
	const bound = 32
	for _, p := range hmacPlans() {
		scheme := p.scheme
		scheme.MultiSignature = true
		v := build(t, scheme)
		good := "v1," + p.encode(p.mac(hmacStamp+"."+hmacBody))
		bad := "v1," + p.encode(p.mac("something else"))
		t.Run("V24 every place from first to last, "+p.name, func(t *testing.T) {
			want := *accept(t, v, signedPost(hmacBody, hmacStamp, good))
			for _, length := range []int{1, 2, 3, bound} {
				allBad := slices.Repeat([]string{bad}, length)
				refuse(t, v, signedPost(hmacBody, hmacStamp, strings.Join(allBad, " ")), verify.ErrMismatch, "no signature")
				for place := range length {
					list := slices.Clone(allBad)
					list[place] = good
					if res := accept(t, v, signedPost(hmacBody, hmacStamp, strings.Join(list, " "))); *res != want {
						t.Fatalf("place %d of %d shows in the result: %+v", place, length, res)
					}
				}
			}
		})
		for _, length := range []int{bound + 1, 1000} {
			t.Run(fmt.Sprintf("H26 V24 %d items, %s", length, p.name), func(t *testing.T) {
				for _, filler := range []string{bad, "v2,x", "v1,x"} {
					list := slices.Repeat([]string{filler}, length)
					list[0] = good
					accept(t, v, signedPost(hmacBody, hmacStamp, strings.Join(list[:bound], " ")))
					refuse(t, v, signedPost(hmacBody, hmacStamp, strings.Join(list, " ")), verify.ErrMalformed, "more than 32 signatures")
				}
			})
		}
	}
}

// TestHMACListBits flips every bit of one signature of two.
func TestHMACListBits(t *testing.T) {
	scheme := defaultHMAC()
	scheme.MultiSignature = true
	v := build(t, scheme)
	bad := hexMAC("something else")
	mac, err := hex.DecodeString(hexMAC(hmacStamp + "." + hmacBody))
	if err != nil {
		t.Fatal(err)
	}
	accept(t, v, signedPost(hmacBody, hmacStamp, "v1,"+bad+" v1,"+hex.EncodeToString(mac)))
	t.Run("H07 MAC bit flipped at every position of a list's item", func(t *testing.T) {
		for bit := range len(mac) * 8 {
			forged := slices.Clone(mac)
			forged[bit/8] ^= 1 << (bit % 8)
			refuse(t, v, signedPost(hmacBody, hmacStamp, "v1,"+bad+" v1,"+hex.EncodeToString(forged)), verify.ErrMismatch, "no signature")
		}
	})
}
