package verify_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// variant is a body as somebody on the way wrote it anew.
type variant struct{ name, body string }

// bytesCount checks that a signature over the sent bytes is good for them and
// for no variant, and that each variant is a good body by itself.
func bytesCount(t *testing.T, id, sent string, variants ...variant) {
	t.Helper()
	v := configure(t, verify.Config{Accept: defaultHMAC(), MaxBody: 8 << 20})
	signature := hexMAC(hmacStamp + "." + sent)
	t.Run(id+" as sent", func(t *testing.T) { accept(t, v, signedPost(sent, hmacStamp, signature)) })
	for _, other := range variants {
		t.Run(id+" "+other.name, func(t *testing.T) {
			if other.body == sent {
				t.Fatalf("%q has not changed", sent)
			}
			accept(t, v, signedPost(other.body, hmacStamp, hexMAC(hmacStamp+"."+other.body)))
			refuse(t, v, signedPost(other.body, hmacStamp, signature), verify.ErrMismatch, "no signature")
		})
	}
}

// roundTrip is what a Go program makes of a body that it decodes and encodes.
func roundTrip(t *testing.T, body string, escapeHTML bool) string {
	t.Helper()
	var decoded any
	if err := json.Unmarshal([]byte(body), &decoded); err != nil {
		t.Fatal(err)
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(escapeHTML)
	if err := encoder.Encode(decoded); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(encoded.String(), "\n")
}

func indented(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(body), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func compacted(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBodyReserialised(t *testing.T) {
	const ordered = `{"type":"status-update","status":"ended","call":{"id":"c1","cost":1}}`
	const spaced = `{"type": "hang", "call": {"id": "c1"}}`
	bytesCount(t, "D01", ordered,
		variant{"key order", roundTrip(t, ordered, true)},
		variant{"indentation", indented(t, ordered)},
		variant{"spaces added", strings.ReplaceAll(ordered, ":", ": ")})
	bytesCount(t, "D01", spaced,
		variant{"spaces removed", compacted(t, spaced)},
		variant{"decoded and encoded", roundTrip(t, spaced, true)})
	pretty := indented(t, ordered)
	bytesCount(t, "D01", pretty, variant{"indentation removed", compacted(t, pretty)})

	for _, b := range []variant{
		{`\u00e9 against raw é`, `{"name":"Ren\u00e9"}`},
		{`\u001B against \u001b`, `{"text":"\u001B[31m"}`},
		{"surrogate escapes against raw", `{"text":"\ud83d\ude00"}`},
	} {
		bytesCount(t, "D02", b.body, variant{b.name, roundTrip(t, b.body, false)})
	}
	bytesCount(t, "D02", `{"name":"René 😀"}`, variant{"raw é and 😀 against escapes", `{"name":"Ren\u00e9 \ud83d\ude00"}`})
	bytesCount(t, "D02", `{"name":"Ren\u00e9"}`, variant{"upper-case escape", `{"name":"Ren\u00E9"}`})

	const markup = `{"html":"<b>Q&A</b>"}`
	bytesCount(t, "D03", `{"url":"https:\/\/x.example\/"}`,
		variant{`\/ against /`, roundTrip(t, `{"url":"https:\/\/x.example\/"}`, false)})
	bytesCount(t, "D03", `{"url":"https://x.example/"}`, variant{`/ against \/`, `{"url":"https:\/\/x.example\/"}`})
	bytesCount(t, "D03", markup, variant{"<, > and & against escapes", roundTrip(t, markup, true)})
	bytesCount(t, "D03", roundTrip(t, markup, true), variant{"escapes against <, > and &", markup})
	const separators = "{\"text\":\"a\u2028b\u2029c\"}"
	bytesCount(t, "D03", separators, variant{"U+2028 and U+2029", roundTrip(t, separators, false)})

	for _, number := range []string{"0.10", "1.0", "1E+2", "-0.0", "0.12345678901234567", "9007199254740993"} {
		body := `{"n":` + number + `}`
		bytesCount(t, "D04", body, variant{number + " decoded and encoded", roundTrip(t, body, true)})
	}
	bytesCount(t, "D05", `{"9":1,"10":2,"1":3}`, variant{"integer-like keys out of order", roundTrip(t, `{"9":1,"10":2,"1":3}`, true)})
	bytesCount(t, "D05", `{"a":1,"a":2}`, variant{"duplicate keys", roundTrip(t, `{"a":1,"a":2}`, true)})
}

// TestSamplesReserialised: of the realistic bodies nearly all change when they go
// through a Go map, and none is then accepted under its published signature.
func TestSamplesReserialised(t *testing.T) {
	samples := loadBodySamples(t)
	v := build(t, verify.HMAC{Keys: verify.Static(samples.Plan.SecretKey)})
	changed := 0
	for _, s := range samples.Bodies {
		if !json.Valid(s.body) || len(s.body) > 64<<10 {
			continue
		}
		again := roundTrip(t, string(s.body), true)
		if again == string(s.body) {
			continue
		}
		changed++
		t.Run("D01 "+s.ID, func(t *testing.T) {
			accept(t, v, signedPost(string(s.body), samples.Timestamp, s.SignatureDefaultPlan))
			refuse(t, v, signedPost(again, samples.Timestamp, s.SignatureDefaultPlan), verify.ErrMismatch, "no signature")
		})
	}
	if changed != 63 {
		t.Errorf("%d bodies changed, want 63", changed)
	}
}

func TestBodyEdges(t *testing.T) {
	const bom = "\xef\xbb\xbf"
	for _, edge := range []struct{ name, with, without string }{
		{"trailing newline", hmacBody + "\n", hmacBody},
		{"trailing CRLF", hmacBody + "\r\n", hmacBody},
		{"CRLF for LF", "{\r\n}\r\n", "{\n}\n"},
		{"leading space", " " + hmacBody, hmacBody},
		{"trailing space", hmacBody + " ", hmacBody},
		{"byte order mark", bom + hmacBody, hmacBody},
		{"trailing NUL", hmacBody + "\x00", hmacBody},
	} {
		bytesCount(t, "D06", edge.without, variant{edge.name + " added", edge.with})
		bytesCount(t, "D06", edge.with, variant{edge.name + " removed", edge.without})
	}

	const invalid = "{\"text\":\"\xff\xfe\xc3(\"}"
	bytesCount(t, "D07", invalid,
		variant{"invalid UTF-8 replaced", strings.ToValidUTF8(invalid, "\ufffd")},
		variant{"invalid UTF-8 removed", strings.ToValidUTF8(invalid, "")},
		variant{"invalid UTF-8 decoded and encoded", roundTrip(t, invalid, false)})
	bytesCount(t, "D07", "{\"text\":\"a\x00b\"}", variant{"NUL removed", `{"text":"ab"}`}, variant{"NUL and all behind it removed", `{"text":"a`})
	const lone = `{"text":"\ud83d"}`
	bytesCount(t, "D07", lone, variant{"lone surrogate decoded and encoded", roundTrip(t, lone, false)})
	bytesCount(t, "D07", "{\"name\":\"Rene\u0301\"}", variant{"NFD text composed", "{\"name\":\"Ren\u00e9\"}"})

	bytesCount(t, "D08", "", variant{"empty body filled", "{}"}, variant{"empty body with a newline", "\n"})
	bytesCount(t, "D08", "null", variant{"null emptied", ""})
	bytesCount(t, "D08", "[]", variant{"array with a space", "[ ]"})
	bytesCount(t, "D08", "not { JSON", variant{"not JSON quoted", `"not { JSON"`})
}

func TestBodySizes(t *testing.T) {
	for name, size := range map[string]int{"64 KB": 64 << 10, "1 MB": 1 << 20, "5 MB": 5 << 20} {
		line := `{"role":"user","message":"Grüße, 你好, 🙏"},`
		body := `{"transcript":[` + strings.Repeat(line, size/len(line)) + `{}]}`
		last := len(body) - 1
		bytesCount(t, "D09 "+name, body, variant{"last byte changed", body[:last] + "]"}, variant{"last byte cut", body[:last]})
	}
}

// TestBodyReachesHandler: D10, as a handler and as a caller of Check sees it.
func TestBodyReachesHandler(t *testing.T) {
	large := strings.Repeat(hmacBody, 20_000)
	for name, body := range map[string]string{"small": hmacBody, "large": large, "empty": "", "not text": "\xff\x00\r\n\xef\xbb\xbf"} {
		v := build(t, defaultHMAC())
		t.Run("D10 "+name, func(t *testing.T) {
			r := signedPost(body, hmacStamp, hexMAC(hmacStamp+"."+body))
			accept(t, v, r)
			if got, err := readRest(r); got != body || err != nil || r.ContentLength != int64(len(body)) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
		t.Run("D10 behind the middleware, "+name, func(t *testing.T) {
			ran := false
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				ran = true
				if got, err := io.ReadAll(r.Body); string(got) != body || err != nil {
					t.Errorf("the handler reads %d bytes, %v", len(got), err)
				}
			})
			r := signedPost(body, hmacStamp, hexMAC(hmacStamp+"."+body))
			verifyhttp.Middleware(v)(handler).ServeHTTP(httptest.NewRecorder(), r)
			if !ran {
				t.Error("the handler did not run")
			}
		})
	}
}

// TestBodyAsOnTheWire: ciphertext and compressed bytes are verified before
// anybody decrypts or inflates them.
func TestBodyAsOnTheWire(t *testing.T) {
	const plain = `{"message":{"type":"tool-calls","customer":{"number":"+14155550123"}}}`
	sealed := strings.Replace(plain, "+14155550123", "kR9x0J3yq0Tn6mY5c2ZrZGVtbyBjaXBoZXJ0ZXh0IG9ubHk=", 1)
	bytesCount(t, "D11", sealed, variant{"decrypted", plain})

	zipped := func(body string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	v := build(t, defaultHMAC())
	request := func(body, signed string) *http.Request {
		r := signedPost(body, hmacStamp, hexMAC(hmacStamp+"."+signed))
		r.Header.Set("Content-Encoding", "gzip")
		return r
	}
	wire := zipped(hmacBody)
	t.Run("V38 MAC over the compressed bytes", func(t *testing.T) {
		r := request(wire, wire)
		accept(t, v, r)
		if got, err := readRest(r); got != wire || err != nil {
			t.Errorf("the handler reads %q, %v", got, err)
		}
	})
	t.Run("V38 MAC over the inflated bytes", func(t *testing.T) {
		refuse(t, v, request(wire, hmacBody), verify.ErrMismatch, "no signature")
	})
	t.Run("V38 a bomb is not inflated", func(t *testing.T) {
		bomb := zipped(strings.Repeat("\x00", 8<<20)) // eight times MaxBody
		r := request(bomb, bomb)
		accept(t, v, r)
		if got, err := readRest(r); got != bomb || err != nil {
			t.Errorf("the handler reads %d bytes, %v", len(got), err)
		}
	})
}
