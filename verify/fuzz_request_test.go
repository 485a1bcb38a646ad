package verify_test

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

var (
	visibleID   = regexp.MustCompile(`^[!-~]{1,256}$`)
	currentTime = regexp.MustCompile(`^(17672(25[3-8][0-9]{2}|25900)|17672(25[3-8][0-9]{2}[0-9]{3}|25900000))$`)
)

// FuzzRequest sends a request with arbitrary headers, which may be accepted only
// if crypto/hmac over bytes joined by hand says so, and the same request
// genuinely signed, which must be.
func FuzzRequest(f *testing.F) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	for plan := range uint8(len(signedFormats) * len(algorithms)) {
		f.Add("POST", "webhook?a=%2f", "msg_1", stamp, "{mac}", `{"a":"{timestamp}"}`, plan)
		f.Add("post", "//x/../y?", "msg.1", stamp+"000", "{mac}", "", plan)
		f.Add("", "", "", "", "", "\x00\xff", plan)
		f.Add("GET", "?://", "{body}", "1767225901", "{mac}", "1767225600", plan)
		f.Add("PUT", "a b", "é", "01767225600", "{MAC}", stamp, plan)
		f.Add("\r\n", "\xff", "\x00", " ", "{half}", "{\"a\":\r\n1}", plan)
	}
	f.Fuzz(func(t *testing.T, method, path, id, timestamp, signature, body string, plan uint8) {
		format := signedFormats[int(plan)%len(signedFormats)]
		a := algorithms[int(plan)/len(signedFormats)%len(algorithms)]
		v := build(t, format.with(a))
		p := parts{method: method, target: "/" + path, id: id, timestamp: timestamp, body: body}
		if method == "" {
			p.method = "GET" // as net/http means it
		}
		mac := a.encode(macBytes(a.hash.New, partsKey, format.join(p)))
		r := format.request(p, spelling(signature, mac))
		r.Method = method
		timed, identified := !format.scheme.InsecureNoTimestamp, format.scheme.MessageIDHeader != ""
		genuine := a.oneText(spelling(signature, mac), mac) &&
			(!timed || currentTime.MatchString(timestamp)) &&
			(!identified || visibleID.MatchString(id) && !strings.Contains(id, "."))
		res, err := v.Check(r)
		if (err == nil) != genuine || (res == nil) != (err != nil) {
			t.Fatalf("%s: result %v, error %v, genuine %v", format.name, res, err, genuine)
		}
		if errors.Is(err, verify.ErrInternal) {
			t.Fatal(err)
		}

		p.timestamp, p.id = stamp, "msg_"+hex.EncodeToString([]byte(id))
		if len(p.id) > 256 {
			p.id = p.id[:256]
		}
		signature = a.encode(macBytes(a.hash.New, partsKey, format.join(p)))
		r = format.request(p, signature)
		r.Method = method
		accept(t, v, r)
		refuse(t, v, format.request(format.forged(p), signature), verify.ErrMismatch, "fits the body of")
	})
}

// malformedValues are what no scheme takes for a credential.
var malformedValues = []struct{ name, value string }{
	{"empty", ""},
	{"NUL", "\x00"},
	{"control bytes", "\x01\x02\x1b[31m\x7f"},
	{"line break", "a\r\nX-Signature: b"},
	{"64 KB of one letter", strings.Repeat("a", 64<<10)},
	{"64 KB of digits", strings.Repeat("1", 64<<10)},
	{"64 KB of spaces inside", "a" + strings.Repeat(" ", 64<<10) + "a"},
	{"64 KB of commas", strings.Repeat(",", 64<<10)},
	{"invalid UTF-8", "\xff\xfe\xc0\xaf"},
	{"full-width digits", "１７６７２２５６００"},
	{"one space", " "},
	{"spaces and tabs", " \t \t"},
	{"comma", ","},
	{"commas and spaces", ", , ,"},
	{"equals signs", "===="},
	{"dots", "..."},
	{"colons", "::"},
	{"percent signs", "%s%n%00"},
	{"braces", "{body}{timestamp}"},
}

// V34: every scheme, with each of its headers in turn replaced by each malformed
// value. The twin with the good header is accepted.
func TestV34MalformedHeaders(t *testing.T) {
	const key = "malformed-test-key"
	stamp := strconv.FormatInt(now.Unix(), 10)
	sign := func(signed string) string {
		return hex.EncodeToString(macBytes(algorithms[0].hash.New, key, signed))
	}
	token := verify.Bearer{Tokens: verify.Static(key)}
	plain := verify.HMAC{Keys: verify.Static(key)}
	proxied := verify.SourceIP{
		Allow:          []netip.Prefix{netip.MustParsePrefix("167.150.224.0/23")},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, // where httptest's requests come from
	}
	authorization := []string{"Authorization", "Bearer " + key}
	signed := []string{"X-Signature", sign(stamp + ".{}"), "X-Timestamp", stamp}
	bare, list, prefixed, rfc3339, identified := token, plain, plain, plain, plain
	bare.Header, bare.Bare = "X-Api-Key", true
	list.MultiSignature = true
	prefixed.SignaturePrefix = "sha256="
	rfc3339.TimestampUnit = verify.RFC3339
	identified.MessageIDHeader, identified.Payload = "Svix-Id", "{svix-id}.{timestamp}.{body}"
	const instant = "2026-01-01T00:00:00Z"
	for _, c := range []struct {
		name    string
		scheme  verify.Scheme
		headers []string
	}{
		{"Bearer", token, authorization},
		{"bare Bearer", bare, []string{"X-Api-Key", key}},
		{"VapiSecret", verify.VapiSecret(verify.Static(key)), []string{"X-Vapi-Secret", key}},
		{"HMAC", plain, signed},
		{"HMAC list", list, []string{"X-Signature", "v1," + sign(stamp+".{}"), "X-Timestamp", stamp}},
		{"HMAC prefix", prefixed, []string{"X-Signature", "sha256=" + sign(stamp+".{}"), "X-Timestamp", stamp}},
		{"HMAC RFC 3339", rfc3339, []string{"X-Signature", sign(instant + ".{}"), "X-Timestamp", instant}},
		{"HMAC message id", identified, []string{"X-Signature", sign("id." + stamp + ".{}"), "X-Timestamp", stamp, "Svix-Id", "id"}},
		{"SourceIP", proxied, []string{"X-Forwarded-For", "167.150.224.7"}},
		{"AnyOf", verify.AnyOf(plain, token), authorization},
		{"AllOf", verify.AllOf(proxied, plain, token), append(append([]string{"X-Forwarded-For", "167.150.224.7"}, signed...), authorization...)},
	} {
		v := build(t, c.scheme)
		accept(t, v, post("{}", c.headers...))
		for i := 0; i < len(c.headers); i += 2 {
			for _, bad := range malformedValues {
				t.Run("V34 "+c.name+" "+c.headers[i]+" "+bad.name, func(t *testing.T) {
					r := post("{}", c.headers...)
					r.Header[http.CanonicalHeaderKey(c.headers[i])] = []string{bad.value}
					res, err := v.Check(r)
					if err == nil || res != nil {
						t.Fatalf("accepted: %v", res)
					}
					if s := verify.Refusal(err).StatusCode(); s != http.StatusUnauthorized || strings.Contains(err.Error(), "panic") {
						t.Fatalf("status %d: %v", s, err)
					}
				})
			}
		}
	}
}
