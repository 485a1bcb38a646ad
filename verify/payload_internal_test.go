package verify

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

// TestCompilePayload writes each format with one value for every token.
func TestCompilePayload(t *testing.T) {
	given := &values{body: []byte("B"), timestamp: "T", method: "M", url: "U", messageID: "I"}
	for _, tt := range []struct{ name, format, want string }{
		{"T01 default", defaultPayload, "T.B"},
		{"T02 every token", "{svix-id}{method}{url}{timestamp}{body}", "IMUTB"},
		{"T05 empty", "", ""},
		{"T05 only text", "text", "text"},
		{"T05 text round a token", "a{body}b", "aBb"},
		{"T05 repeated token", "{body}{body}.{body}", "BB.B"},
		{"T05 literal braces round a token", "{{body}}", "{B}"},
		{"T05 nested braces", "{{{body}}}", "{{B}}"},
		{"T05 braces round text and a token", "{a{body}b}", "{aBb}"},
		{"T05 two tokens in one pair", "{{timestamp}.{body}}", "{T.B}"},
		{"T05 pairs side by side", "{{timestamp}}{{body}}", "{T}{B}"},
		{"T05 pairs in a pair", "{{{timestamp}}{{body}}}", "{{T}{B}}"},
		{"T05 JSON", `{"t":{timestamp},"b":{body}}`, `{"t":T,"b":B}`},
		{"T05 words without braces", "body timestamp", "body timestamp"},
		{"T05 a token's name round a token", "{body{body}}", "{bodyB}"},
		{"T05 other brackets", "[body](url)<method>", "[body](url)<method>"},
		{"T05 any bytes", "\x00é\xff{body}", "\x00é\xffB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := compilePayload(tt.format)
			if err != nil {
				t.Fatal(err)
			}
			var got recorder
			p.write(&got, given, nil)
			if got.String() != tt.want {
				t.Errorf("%q wrote %q, want %q", tt.format, got.String(), tt.want)
			}
		})
	}
	const word, open, closed = "without a known token", "{ without its }", "} without its {"
	for _, tt := range []struct{ name, format, problem string }{
		{"T06 unknown word", "{body}.{foo}", word},
		{"T06 unknown word alone", "{foo}", word},
		{"T06 other case", "{Body}", word},
		{"T06 spaces inside", "{ body }", word},
		{"T06 underscore for hyphen", "{body}{svix_id}", word},
		{"T06 plural", "{bodys}", word},
		{"T06 empty braces", "{body}{}", word},
		{"T06 empty braces in a pair", "{{}{body}}", word},
		{"T06 empty braces after a token in a pair", "{{body}{}}", word},
		{"T06 unknown word beside a token in a pair", "{{foo}{body}}", word},
		{"T06 doubled braces", "{{}}", word},
		{"T06 dollar", "${foo}", word},
		{"T06 opened at the end", "{body}{", open},
		{"T06 opened at the start", "{{body}", open},
		{"T06 token not closed", "{body", open},
		{"T06 opened twice, closed once", "{a{b{body}c}", open},
		{"T06 closed at the end", "{body}}", closed},
		{"T06 closed at the start", "}{body}", closed},
		{"T06 token not opened", "body}", closed},
		{"T06 the wrong way round", "}{", closed},
		{"T06 closed twice", "{a{body}b}}", closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if p, err := compilePayload(tt.format); err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q compiled to %v, error %v; want %q", tt.format, p, err, tt.problem)
			}
		})
	}
}

// TestPayloadTouching lists pairs of tokens with no clear border.
func TestPayloadTouching(t *testing.T) {
	all := []TimestampUnit{AutoUnit, Seconds, Milliseconds, RFC3339}
	variable, fixed := []TimestampUnit{AutoUnit, RFC3339}, []TimestampUnit{Seconds, Milliseconds}
	for _, tt := range []struct {
		name, format string
		units        []TimestampUnit
		pair         string // "" if every border is clear
	}{
		{"V16 separated", "{svix-id}.{timestamp}.{body}", all, ""},
		{"V16 one token", "{body}", all, ""},
		{"V16 method before the URL", "{method}{url}.{body}", all, ""},
		{"V16 URL before the method", "{url}{method}.{body}", all, "{url}{method}"},
		{"V16 URL and body", "{url}{body}", all, "{url}{body}"},
		{"V16 body and URL", "{body}{url}", all, "{body}{url}"},
		{"V16 method and body", "{method}{body}", all, "{method}{body}"},
		{"V16 id and body", "{svix-id}{body}", all, "{svix-id}{body}"},
		{"V16 body and id", "{body}{svix-id}", all, "{body}{svix-id}"},
		{"V16 a token and itself", "{body}{body}", all, "{body}{body}"},
		{"V16 the last pair of three", "{method}{url}{body}", all, "{url}{body}"},
		{"T11 timestamp and body", "{timestamp}{body}", variable, "{timestamp}{body}"},
		{"T11 body and timestamp", "{body}{timestamp}", variable, "{body}{timestamp}"},
		{"T11 id and timestamp", "{svix-id}{timestamp}.{body}", variable, "{svix-id}{timestamp}"},
		{"T11 fixed timestamp and body", "{timestamp}{body}", fixed, ""},
		{"T11 body and fixed timestamp", "{body}{timestamp}", fixed, ""},
		{"T11 fixed timestamp and URL", "{timestamp}{url}.{body}", fixed, ""},
		{"T11 fixed timestamp and id", "{timestamp}{svix-id}.{body}", fixed, ""},
		{"V16 id and fixed timestamp", "{svix-id}{timestamp}.{body}", fixed, "{svix-id}{timestamp}"},
		{"V16 fixed timestamp between body and URL", "{body}{timestamp}{url}", fixed, "{body}{url}"},
		{"V16 two fixed timestamps between", "{url}{timestamp}{timestamp}{body}", fixed, "{url}{body}"},
	} {
		for _, unit := range tt.units {
			t.Run(tt.name+", "+unit.String(), func(t *testing.T) {
				p, err := compilePayload(tt.format)
				if err != nil {
					t.Fatal(err)
				}
				if pair, found := p.touching(unit); pair != tt.pair || found != (tt.pair != "") {
					t.Errorf("touching %q, %v; want %q", pair, found, tt.pair)
				}
			})
		}
	}
}

// TestPayloadScratch: what an earlier request left in the buffer is not written,
// and a body is not copied into it.
func TestPayloadScratch(t *testing.T) {
	p, err := compilePayload("v0:{timestamp}:{body}:{method}")
	if err != nil {
		t.Fatal(err)
	}
	var first, second recorder
	scratch := p.write(&first, &values{body: bytes.Repeat([]byte("b"), 1<<20), timestamp: "1767225600", method: "DELETE"}, nil)
	if len(scratch) > 64 || cap(scratch) > maxScratch {
		t.Errorf("scratch of %d bytes, capacity %d", len(scratch), cap(scratch))
	}
	p.write(&second, &values{body: []byte("B"), timestamp: "1", method: "M"}, scratch)
	if want := "v0:1:B:M"; second.String() != want {
		t.Errorf("wrote %q, want %q", second.String(), want)
	}
	if got := token(literal).String(); got != "text" {
		t.Errorf("a literal is called %q", got)
	}
}

// TestPooledState: what stays in memory between two requests is small and holds
// no MAC.
func TestPooledState(t *testing.T) {
	p, err := compilePayload("{url}.{body}")
	if err != nil {
		t.Fatal(err)
	}
	key := newMACKey(NewSecret("id", "key"), sha256.New, []byte("key"))
	for _, length := range []int{10, maxScratch, 1 << 20} {
		for range 10 {
			key.verify(p, &values{url: strings.Repeat("u", length)}, &signatures{size: sha256.Size}, nil)
			st := key.states.Get().(*macState)
			if cap(st.scratch) > maxScratch || st.sum != [maxMAC]byte{} {
				t.Fatalf("after a URL of %d bytes: a buffer of %d, sum %x", length, cap(st.scratch), st.sum)
			}
			key.states.Put(st)
		}
	}
}
