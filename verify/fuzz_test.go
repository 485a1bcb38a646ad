package verify_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/webhookauth/webhookauth/verify"
)

// verdict checks a message and gives nil or the sentinel. A scheme that panics
// gives ErrInternal, which no input may cause.
func verdict(t *testing.T, v *verify.Verifier, m *verify.Message) error {
	t.Helper()
	res, err := v.CheckMessage(context.Background(), m)
	if (res == nil) != (err != nil) {
		t.Fatalf("result %v and error %v", res, err)
	}
	if err == nil {
		return nil
	}
	for _, reason := range []error{verify.ErrMissing, verify.ErrMalformed, verify.ErrStale, verify.ErrMismatch} {
		if errors.Is(err, reason) {
			return reason
		}
	}
	t.Fatalf("refused with %v", err)
	return nil
}

// trimmed is a header value as HTTP leaves it.
func trimmed(s string) string { return strings.Trim(s, " \t\r\n") }

// headerMessage has a header once or, if also is set, twice.
func headerMessage(name, value, also, body string) *verify.Message {
	h := http.Header{name: {value}}
	if also != "" {
		h[name] = append(h[name], also)
	}
	return verify.NewMessage(http.MethodPost, "/webhook", h, []byte(body))
}

var bearerHeader = regexp.MustCompile(`(?s)^[Bb][Ee][Aa][Rr][Ee][Rr] +([^ \t,]+)$`)

// configurable is the rule for tokens: something to send, that a header can
// carry as it is.
func configurable(token string, bare bool) bool {
	first, _ := utf8.DecodeRuneInString(token)
	last, _ := utf8.DecodeLastRuneInString(token)
	switch {
	case token == "" || len(token) > 8192 || unicode.IsSpace(first) || unicode.IsSpace(last):
		return false
	case !bare && strings.ContainsAny(token, " \t,"):
		return false
	}
	return !strings.ContainsFunc(token, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// FuzzBearerHeader holds Bearer to a regular expression. An empty token never
// makes a verifier, so that no header, not even an empty one, can equal it
// (V39).
func FuzzBearerHeader(f *testing.F) {
	for _, bare := range []bool{false, true} {
		for _, token := range []string{"s3cret", "", " ", "s3cret\n", "a b", "a,b", "\x00", "\u00a0x", "geheim\u00e9", "\xff"} {
			for _, header := range []string{
				"", "Bearer", "Bearer ", "Bearer {token}", "bEARER   {token}", "Bearer\t{token}", "Bearer{token}", "{token}", "Basic {token}",
				"Bearer {token} ", "Bearer {token}x", "Bearer x{token}", "Bearer {token},Bearer {token}", "Bearer {token} {token}", " Bearer {token}",
				"Bearer \u00a0{token}", "\x00", "\xff\xfe", ",", "Bearer ,", "ſearer {token}", "S3CRET",
			} {
				f.Add(token, header, "", bare)
			}
			f.Add(token, "Bearer {token}", "Bearer {token}", bare)
		}
	}
	f.Add("s3cret", "Bearer "+strings.Repeat("a", 8192), "", false)
	f.Add("s3cret", strings.Repeat("a", 8193), "", true)
	f.Fuzz(func(t *testing.T, token, header, also string, bare bool) {
		v, err := verify.New(verify.Config{Accept: verify.Bearer{Tokens: verify.Static(token), Bare: bare}, Now: clock})
		if (err == nil) != configurable(token, bare) {
			t.Fatalf("token %q: New says %v", token, err)
		}
		if err != nil {
			return
		}
		header = strings.ReplaceAll(header, "{token}", token)
		presented, wellFormed := trimmed(header), true
		if !bare {
			m := bearerHeader.FindStringSubmatch(presented)
			if wellFormed = m != nil; wellFormed {
				presented = m[1]
			}
		}
		var want error
		switch {
		case also == "" && trimmed(header) == "":
			want = verify.ErrMissing
		case also != "" || !wellFormed || len(presented) > 8192:
			want = verify.ErrMalformed
		case presented != token:
			want = verify.ErrMismatch
		}
		if got := verdict(t, v, headerMessage("Authorization", header, also, "")); got != want {
			t.Fatalf("header %q, also %q, token %q: %v, want %v", header, also, token, got, want)
		}
	})
}

// spelling is a header's text of which {mac} is the genuine signature, and
// others are near it.
func spelling(text, mac string) string {
	wrong := "0" + mac[1:]
	if wrong == mac {
		wrong = "1" + mac[1:]
	}
	return strings.NewReplacer("{mac}", mac, "{wrong}", wrong, "{MAC}", strings.ToUpper(mac), "{half}", mac[:len(mac)/2],
		"{unpadded}", strings.TrimRight(mac, "="), "{loose}", loose(mac)).Replace(text)
}

// loose sets the lowest of the unused bits that the last letter of a padded
// base64 text has: another spelling of the same bytes.
func loose(mac string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	letters := strings.TrimRight(mac, "=")
	if letters == mac {
		return mac
	}
	last := len(letters) - 1
	return letters[:last] + string(alphabet[strings.IndexByte(alphabet, letters[last])+1]) + mac[last+1:]
}

// oneText tells whether text is the one way to write the MAC: for hexadecimal
// in either case.
func (a algorithm) oneText(text, mac string) bool {
	return text == mac || a.encoding == verify.Hex && len(text) == len(mac) && strings.ToLower(text) == mac
}

func seedSignatures(f *testing.F) {
	for plan := range uint8(6) {
		for _, prefix := range []string{"", "sha256=", "v1,", "v"} {
			for _, header := range []string{
				"{mac}", "{MAC}", "{loose}", "{unpadded}", "v1,{loose}", "v1,{unpadded}", "sha256={mac}", "SHA256={mac}", "v1,{mac}", "v1,bad v1,{mac}", "{wrong}", "v1,{wrong}", "v1,{wrong} v1,{mac}", "v1,{mac} v1,{wrong}", "v1,{mac} v1,bad", "v2,{mac}", "v2,{mac}\tv1,{mac}",
				"{half}", "{half} {half}", "{mac}{mac}", "{mac},{mac}", "{mac}=", "0x{mac}", "{mac}\n", " {mac}", "", " ", ",", "v1,", "v1, {mac}", "v1,{half}",
				"\x00{mac}", "\xff", strings.Repeat("v1,x ", 32) + "v1,{mac}", strings.Repeat("v1,x ", 31) + "v1,{mac}", strings.Repeat("a", 64), strings.Repeat("A", 86) + "==",
			} {
				f.Add(header, "", prefix, `{"a":1}`, plan)
			}
		}
		f.Add("{mac}", "{mac}", "", "", plan)
	}
}

// Prefixes are printable ASCII that does not begin with a space, and in a list,
// whose separator it is, holds none.
var (
	prefixForm     = regexp.MustCompile(`^([!-~][ -~]*)?$`)
	listPrefixForm = regexp.MustCompile(`^[!-~]*$`)
)

// signatureVerifier has a prefix that New may refuse: ok is then false.
func signatureVerifier(t *testing.T, prefix string, a algorithm, list bool) (v *verify.Verifier, ok bool) {
	t.Helper()
	v, err := verify.New(verify.Config{Now: clock, Accept: verify.HMAC{
		Keys: verify.Static(partsKey), Hash: a.hash, Encoding: a.encoding, SignaturePrefix: prefix, MultiSignature: list,
		Payload: "{body}", InsecureNoTimestamp: true,
	}})
	if sound := list && listPrefixForm.MatchString(prefix) || !list && prefixForm.MatchString(prefix); sound != (err == nil) {
		t.Fatalf("prefix %q: New says %v", prefix, err)
	}
	return v, err == nil
}

func FuzzSignatureHeader(f *testing.F) {
	seedSignatures(f)
	f.Fuzz(func(t *testing.T, header, also, prefix, body string, plan uint8) {
		a := algorithms[int(plan)%len(algorithms)]
		v, ok := signatureVerifier(t, prefix, a, false)
		if !ok {
			return
		}
		mac := a.encode(macBytes(a.hash.New, partsKey, body))
		header, also = spelling(header, mac), spelling(also, mac)
		text, prefixed := strings.CutPrefix(trimmed(header), prefix)
		genuine := also == "" && prefixed && a.oneText(text, mac)
		got := verdict(t, v, headerMessage("X-Signature", header, also, body))
		if (got == nil) != genuine {
			t.Fatalf("%q, also %q, prefix %q, %s %s: %v, genuine %v", header, also, prefix, a.name, a.text, got, genuine)
		}
		wrongLength := len(text) != len(mac)
		if !genuine && (also != "" || !prefixed || wrongLength) && got != verify.ErrMalformed && got != verify.ErrMissing {
			t.Fatalf("%q, also %q, prefix %q: %v", header, also, prefix, got)
		}
	})
}

func FuzzSignatureList(f *testing.F) {
	seedSignatures(f)
	f.Fuzz(func(t *testing.T, header, also, prefix, body string, plan uint8) {
		a := algorithms[int(plan)%len(algorithms)]
		v, ok := signatureVerifier(t, prefix, a, true)
		if !ok {
			return
		}
		if prefix == "" {
			prefix = "v1,"
		}
		mac := a.encode(macBytes(a.hash.New, partsKey, body))
		header, also = spelling(header, mac), spelling(also, mac)
		entries := strings.FieldsFunc(trimmed(header), func(c rune) bool { return c == ' ' || c == '\t' })
		genuine := false
		for _, entry := range entries {
			text, prefixed := strings.CutPrefix(entry, prefix)
			genuine = genuine || prefixed && a.oneText(text, mac)
		}
		genuine = genuine && also == "" && len(entries) <= 32
		got := verdict(t, v, headerMessage("X-Signature", header, also, body))
		if (got == nil) != genuine {
			t.Fatalf("%q, also %q, prefix %q, %s %s: %v, genuine %v", header, also, prefix, a.name, a.text, got, genuine)
		}
		if len(entries) > 32 && got != verify.ErrMalformed {
			t.Fatalf("%d entries: %v", len(entries), got)
		}
	})
}

// V39: what the fuzz targets take for granted, an empty or blank key makes no
// HMAC verifier.
func TestV39EmptyKeys(t *testing.T) {
	for _, c := range []struct {
		name    string
		keys    verify.Secrets
		base64  bool
		problem string
	}{
		{"V39 no source", nil, false, "is nil"},
		{"V39 no keys", verify.Static(), false, "no secrets"},
		{"V39 empty key", verify.Static(""), false, `"0" is empty`},
		{"V39 blank key", verify.Static(" \t"), false, "only whitespace"},
		{"V39 empty second key", verify.Static("good", ""), false, `"1" is empty`},
		{"V39 base64 of nothing", verify.Static("===="), true, "not standard base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := verify.HMAC{Keys: verify.Static("Z29vZA=="), KeysAreBase64: c.base64}
			build(t, good)
			bad := good
			bad.Keys = c.keys
			refuseConfig(t, bad, "Config.Accept.HMAC.Keys", c.problem)
		})
	}
}
