package verifytest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

var now = time.UnixMilli(1767225600123)

func clock() time.Time { return now }

func post(body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
}

// wantHeaders signs and expects these headers and no others.
func wantHeaders(t *testing.T, signer verifytest.Signer, r *http.Request, want map[string]string) {
	t.Helper()
	if err := signer.Sign(r); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, values := range r.Header {
		if len(values) != 1 {
			t.Errorf("%s has %d values", name, len(values))
		}
		got[name] = strings.Join(values, " | ")
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// sha256Hex is the MAC by the plainest use of crypto/hmac.
func sha256Hex(key, signed string) string {
	mac := hmac.New(sha256.New, []byte(key))
	io.WriteString(mac, signed)
	return hex.EncodeToString(mac.Sum(nil))
}

func TestBearer(t *testing.T) {
	for _, test := range []struct {
		name   string
		signer verifytest.Bearer
		want   map[string]string
	}{
		{"default", verifytest.Bearer{Token: "t0k"}, map[string]string{"Authorization": "Bearer t0k"}},
		{"HeaderName", verifytest.Bearer{Token: "t0k", HeaderName: "x-api-key"}, map[string]string{"X-Api-Key": "Bearer t0k"}},
		{"NoPrefix", verifytest.Bearer{Token: "t0k", NoPrefix: true}, map[string]string{"Authorization": "t0k"}},
		{"VapiSecret", verifytest.VapiSecret("t0k"), map[string]string{"X-Vapi-Secret": "t0k"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post("body")
			wantHeaders(t, test.signer, r, test.want)
			wantHeaders(t, test.signer, r, test.want) // a second time replaces
			wantBody(t, r, "body")
		})
	}
}

// Each other field against crypto/hmac over a string put together by hand.
func TestHMAC(t *testing.T) {
	const stamp = "1767225600123"
	for _, test := range []struct {
		name   string
		signer verifytest.HMAC
		body   string
		want   map[string]string
	}{
		{"default", verifytest.HMAC{SecretKey: "k", Now: clock}, `{"a":1}`,
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", stamp+`.{"a":1}`)}},
		{"SecretIsBase64 false takes base64 as text", verifytest.HMAC{SecretKey: "a2V5", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("a2V5", stamp+".b")}},
		{"SignatureHeader", verifytest.HMAC{SecretKey: "k", SignatureHeader: "x-sig", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Sig": sha256Hex("k", stamp+".b")}},
		{"SignaturePrefix", verifytest.HMAC{SecretKey: "k", SignaturePrefix: "sha256=", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Signature": "sha256=" + sha256Hex("k", stamp+".b")}},
		{"TimestampHeader", verifytest.HMAC{SecretKey: "k", TimestampHeader: "x-time", Now: clock}, "b",
			map[string]string{"X-Time": stamp, "X-Signature": sha256Hex("k", stamp+".b")}},
		{"Timestamp as text", verifytest.HMAC{SecretKey: "k", Timestamp: "01767225600 ", Now: clock}, "b",
			map[string]string{"X-Timestamp": "01767225600 ", "X-Signature": sha256Hex("k", "01767225600 .b")}},
		{"NoTimestamp", verifytest.HMAC{SecretKey: "k", NoTimestamp: true, PayloadFormat: "{body}", Now: clock}, "b",
			map[string]string{"X-Signature": sha256Hex("k", "b")}},
		{"PayloadFormat", verifytest.HMAC{SecretKey: "k", PayloadFormat: "{timestamp}{body}{body}", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", stamp+"bb")}},
		{"method and URL", verifytest.HMAC{SecretKey: "k", PayloadFormat: "{method} {url} {timestamp} {body}", URL: "https://h.example/w?a=1", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", "POST https://h.example/w?a=1 "+stamp+" b")}},
		{"no URL", verifytest.HMAC{SecretKey: "k", PayloadFormat: "{url}.{body}", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", ".b")}},
		{"message id, not sent", verifytest.HMAC{SecretKey: "k", PayloadFormat: "{svix-id}.{body}", MessageID: "m1", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", "m1.b")}},
		{"message id, not signed", verifytest.HMAC{SecretKey: "k", MessageIDHeader: "x-id", MessageID: "m1", Now: clock}, "b",
			map[string]string{"X-Timestamp": stamp, "X-Id": "m1", "X-Signature": sha256Hex("k", stamp+".b")}},
		{"T03 tokens in the values", verifytest.HMAC{SecretKey: "k", PayloadFormat: "{svix-id}.{url}.{body}", MessageID: "{body}", URL: "{method}", Now: clock}, "{timestamp}",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", "{body}.{method}.{timestamp}")}},
		{"bytes that are not UTF-8", verifytest.HMAC{SecretKey: "k\xff", Now: clock}, "\x00\xff\r\n",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k\xff", stamp+".\x00\xff\r\n")}},
		{"empty body", verifytest.HMAC{SecretKey: "k", Now: clock}, "",
			map[string]string{"X-Timestamp": stamp, "X-Signature": sha256Hex("k", stamp+".")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(test.body)
			wantHeaders(t, test.signer, r, test.want)
			wantHeaders(t, test.signer, r, test.want) // a second time replaces
			wantBody(t, r, test.body)
		})
	}
}

func TestSystemClock(t *testing.T) {
	r := post("b")
	before := time.Now().UnixMilli()
	if err := (verifytest.HMAC{SecretKey: "k"}).Sign(r); err != nil {
		t.Fatal(err)
	}
	stamp, err := strconv.ParseInt(r.Header.Get("X-Timestamp"), 10, 64)
	if err != nil || stamp < before || stamp > time.Now().UnixMilli() {
		t.Errorf("timestamp %q, error %v", r.Header.Get("X-Timestamp"), err)
	}
}

func wantBody(t *testing.T, r *http.Request, want string) {
	t.Helper()
	got, err := io.ReadAll(r.Body)
	if err != nil || string(got) != want || r.ContentLength != int64(len(want)) {
		t.Errorf("body %q, length %d, error %v; want %q", got, r.ContentLength, err, want)
	}
}

// closing notes whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestBodyIsPutBack(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 1<<16)
	original := &closing{Reader: iotest.HalfReader(strings.NewReader(body))}
	r := post(body)
	r.Body = original
	if err := (verifytest.HMAC{SecretKey: "k", Now: clock}).Sign(r); err != nil {
		t.Fatal(err)
	}
	if !original.closed {
		t.Error("the original body was not closed")
	}
	wantBody(t, r, body)

	none, err := http.NewRequest(http.MethodGet, "https://hooks.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantHeaders(t, verifytest.HMAC{SecretKey: "k", Now: clock}, none,
		map[string]string{"X-Timestamp": "1767225600123", "X-Signature": sha256Hex("k", "1767225600123.")})
	if none.Body != nil {
		t.Error("a request without a body got one")
	}
}

// A signer that fails leaves the request unsigned, and does not tell the key.
func TestErrors(t *testing.T) {
	broken := errors.New("connection reset")
	for _, test := range []struct {
		name   string
		signer verifytest.HMAC
		body   io.Reader
		want   string
	}{
		{"Algorithm", verifytest.HMAC{SecretKey: "the key", Algorithm: "md5"}, strings.NewReader("b"), `verifytest: HMAC: unknown Algorithm "md5"`},
		{"Algorithm in another case", verifytest.HMAC{SecretKey: "the key", Algorithm: "SHA256"}, strings.NewReader("b"), `verifytest: HMAC: unknown Algorithm "SHA256"`},
		{"SignatureEncoding", verifytest.HMAC{SecretKey: "the key", SignatureEncoding: "base32"}, strings.NewReader("b"), `verifytest: HMAC: unknown SignatureEncoding "base32"`},
		{"SecretKey", verifytest.HMAC{SecretKey: "the key", SecretIsBase64: true}, strings.NewReader("b"), "verifytest: HMAC: SecretKey is not base64"},
		{"SecretKey, URL-safe", verifytest.HMAC{SecretKey: "the-key_", SecretIsBase64: true}, strings.NewReader("b"), "verifytest: HMAC: SecretKey is not base64"},
		{"body", verifytest.HMAC{SecretKey: "the key"}, iotest.ErrReader(broken), "verifytest: HMAC: connection reset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post("b")
			r.Body = io.NopCloser(test.body)
			err := test.signer.Sign(r)
			if err == nil || err.Error() != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if len(r.Header) != 0 {
				t.Errorf("headers were set: %v", slices.Collect(maps.Keys(r.Header)))
			}
			if test.name == "body" {
				if !errors.Is(err, broken) {
					t.Error("the cause is lost")
				}
				return
			}
			wantBody(t, r, "b")
		})
	}
}
