package verify_test

import (
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// published is an HMAC of the body alone, under a key of any bytes: the form of
// all published test vectors.
func published(t testing.TB, hash crypto.Hash, key string) *verify.Verifier {
	t.Helper()
	return build(t, verify.HMAC{
		Keys:                verify.Static(base64.StdEncoding.EncodeToString([]byte(key))),
		KeysAreBase64:       true,
		Hash:                hash,
		Payload:             "{body}",
		InsecureNoTimestamp: true,
	})
}

const (
	rfcLongData1 = "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"
	rfcLongData2 = "This is a test using a larger than block-size key and a larger than block-size data. " +
		"The key needs to be hashed before being used by the HMAC algorithm."
)

// rfcCounting is the key of case 4: the bytes 1 to 25.
const rfcCounting = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"

var rfcCases = []struct {
	name      string
	hash      crypto.Hash
	key, data string
	mac       string
}{
	{"RFC 2202 case 1", crypto.SHA1, strings.Repeat("\x0b", 20), "Hi There",
		"b617318655057264e28bc0b6fb378c8ef146be00"},
	{"RFC 2202 case 2", crypto.SHA1, "Jefe", "what do ya want for nothing?",
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{"RFC 2202 case 3", crypto.SHA1, strings.Repeat("\xaa", 20), strings.Repeat("\xdd", 50),
		"125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
	{"RFC 2202 case 4", crypto.SHA1, rfcCounting, strings.Repeat("\xcd", 50),
		"4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
	{"RFC 2202 case 5", crypto.SHA1, strings.Repeat("\x0c", 20), "Test With Truncation",
		"4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
	{"RFC 2202 case 6", crypto.SHA1, strings.Repeat("\xaa", 80), "Test Using Larger Than Block-Size Key - Hash Key First",
		"aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	{"RFC 2202 case 7", crypto.SHA1, strings.Repeat("\xaa", 80), rfcLongData1,
		"e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},

	{"RFC 4231 case 1, SHA-256", crypto.SHA256, strings.Repeat("\x0b", 20), "Hi There",
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"RFC 4231 case 2, SHA-256", crypto.SHA256, "Jefe", "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"RFC 4231 case 3, SHA-256", crypto.SHA256, strings.Repeat("\xaa", 20), strings.Repeat("\xdd", 50),
		"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"RFC 4231 case 4, SHA-256", crypto.SHA256, rfcCounting, strings.Repeat("\xcd", 50),
		"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{"RFC 4231 case 6, SHA-256", crypto.SHA256, strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First",
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"RFC 4231 case 7, SHA-256", crypto.SHA256, strings.Repeat("\xaa", 131), rfcLongData2,
		"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},

	{"RFC 4231 case 1, SHA-512", crypto.SHA512, strings.Repeat("\x0b", 20), "Hi There",
		"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde" +
			"daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	{"RFC 4231 case 2, SHA-512", crypto.SHA512, "Jefe", "what do ya want for nothing?",
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554" +
			"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	{"RFC 4231 case 3, SHA-512", crypto.SHA512, strings.Repeat("\xaa", 20), strings.Repeat("\xdd", 50),
		"fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39" +
			"bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
	{"RFC 4231 case 4, SHA-512", crypto.SHA512, rfcCounting, strings.Repeat("\xcd", 50),
		"b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db" +
			"a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
	{"RFC 4231 case 6, SHA-512", crypto.SHA512, strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First",
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352" +
			"6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
	{"RFC 4231 case 7, SHA-512", crypto.SHA512, strings.Repeat("\xaa", 131), rfcLongData2,
		"e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944" +
			"b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
}

func TestRFCVectors(t *testing.T) {
	for _, c := range rfcCases {
		t.Run(c.name, func(t *testing.T) {
			v := published(t, c.hash, c.key)
			accept(t, v, post(c.data, "X-Signature", c.mac))
			refuse(t, v, post(c.data+"\x00", "X-Signature", c.mac), verify.ErrMismatch, "fits the body of")
			other := published(t, c.hash, c.key+"\x01")
			refuse(t, other, post(c.data, "X-Signature", c.mac), verify.ErrMismatch, "fits the body of")
		})
	}
}

// Both RFCs' case 5 accepts a tag cut short. This kit does not: a signature has
// its full length.
func TestRFCTruncatedTags(t *testing.T) {
	for _, c := range []struct {
		name string
		hash crypto.Hash
		cut  string
		rest string // "" where the RFC does not print it
	}{
		{"RFC 2202 case 5, 96 bits", crypto.SHA1, "4c1a03424b55e07fe7f27be1", "d58bb9324a9a5a04"},
		{"RFC 4231 case 5, SHA-256, 128 bits", crypto.SHA256, "a3b6167473100ee06e0c796c2955552b", ""},
		{"RFC 4231 case 5, SHA-512, 128 bits", crypto.SHA512, "415fad6271580a531d4179bc891d87a6", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			const data = "Test With Truncation"
			key := strings.Repeat("\x0c", 20)
			v := published(t, c.hash, key)
			full := c.cut + c.rest
			if c.rest == "" {
				full = hex.EncodeToString(macBytes(c.hash.New, key, data))
			}
			if !strings.HasPrefix(full, c.cut) {
				t.Fatal("the published tag does not begin the full one")
			}
			accept(t, v, post(data, "X-Signature", full))
			refuse(t, v, post(data, "X-Signature", c.cut), verify.ErrMalformed, "length of a signature")
		})
	}
}
