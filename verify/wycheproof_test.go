package verify_test

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

type wycheproofFile struct {
	NumberOfTests int
	TestGroups    []struct {
		TagSize int // in bits
		Tests   []wycheproofTest
	}
}

type wycheproofTest struct {
	TCID          int
	Key, Msg, Tag string
	Result        string
}

// Full tags are accepted or refused as the file says. Its half-length tags are
// valid to Wycheproof and refused here, all of them: a signature that may be cut
// short is easier to forge.
func TestWycheproof(t *testing.T) {
	var all, acceptedTags, refusedTags, halfTags int
	for _, file := range []struct {
		name string
		hash crypto.Hash
		bits int
	}{
		{"hmac_sha1_test.json", crypto.SHA1, 160},
		{"hmac_sha256_test.json", crypto.SHA256, 256},
		{"hmac_sha512_test.json", crypto.SHA512, 512},
	} {
		data, err := os.ReadFile("testdata/wycheproof/" + file.name)
		if err != nil {
			t.Fatal(err)
		}
		var vectors wycheproofFile
		if err := json.Unmarshal(data, &vectors); err != nil {
			t.Fatal(err)
		}
		ran := 0
		for _, group := range vectors.TestGroups {
			for _, c := range group.Tests {
				ran++
				t.Run(fmt.Sprintf("%s/%d", file.name, c.TCID), func(t *testing.T) {
					key := unhex(t, c.Key)
					if key == "" {
						refuseConfig(t, verify.HMAC{Keys: verify.Static(""), KeysAreBase64: true, Hash: file.hash}, "Config.Accept.HMAC.Keys", "empty")
						return
					}
					v := published(t, file.hash, key)
					r := post(unhex(t, c.Msg), "X-Signature", c.Tag)
					switch {
					case group.TagSize == file.bits/2:
						halfTags++
						refuse(t, v, r, verify.ErrMalformed, "length of a signature")
					case group.TagSize != file.bits:
						t.Fatalf("tag of %d bits", group.TagSize)
					case c.Result == "valid":
						acceptedTags++
						accept(t, v, r)
					case c.Result == "invalid":
						refusedTags++
						refuse(t, v, r, verify.ErrMismatch, "fits the body of")
					default:
						t.Fatalf("result %q", c.Result)
					}
				})
			}
		}
		if ran != vectors.NumberOfTests {
			t.Errorf("%s: ran %d tests of %d", file.name, ran, vectors.NumberOfTests)
		}
		all += ran
	}
	if acceptedTags+refusedTags != 261 || acceptedTags == 0 || refusedTags == 0 || halfTags != all-261 || all != 518 {
		t.Errorf("%d accepted, %d refused, %d half tags, %d in all", acceptedTags, refusedTags, halfTags, all)
	}
}

func unhex(t testing.TB, text string) string {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
