package verify

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// TestR16Garbage: what the store gives back may be of another program, or cut
// off. It is an answer of 2xx or none, and never a panic.
func TestR16Garbage(t *testing.T) {
	v := &Verifier{guard: &guard{Replay: Replay{Duplicate: Repeat, MaxAnswer: 64}}}
	good := Answer{Status: 201, ContentType: "text/plain", Body: []byte("body")}
	encoded := v.kept(good)
	if got := decodeAnswer(encoded); got == nil || got.Status != 201 || got.ContentType != "text/plain" || string(got.Body) != "body" {
		t.Fatalf("%x decodes to %+v", encoded, got)
	}
	for n := range len(encoded) {
		// The body has no length of its own; up to its beginning a cut shows.
		if got := decodeAnswer(encoded[:n]); (got == nil) != (n < 4+len(good.ContentType)) {
			t.Errorf("%d bytes decode to %+v", n, got)
		}
	}
	for version := range 256 {
		if got := decodeAnswer(append([]byte{byte(version)}, encoded[1:]...)); (got == nil) != (version != 1) {
			t.Errorf("version %d decodes to %+v", version, got)
		}
	}
	for status := range 1 << 16 {
		binary.BigEndian.PutUint16(encoded[1:], uint16(status))
		if got := decodeAnswer(encoded); (got == nil) != (status < 200 || status > 299) {
			t.Fatalf("status %d decodes to %+v", status, got)
		}
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, seed := range []string{"", "\x01", "\x01\x00\xc8", "\x01\x00\xc8\x00", "\x01\x00\xc8\x01", "\x01\x00\xc8\xff", "\x01\x00\xcc\x00", "\x01\x01\xf4\x00x",
		"\x01\x00\xc8\x0atext/plainbody", "\x02\x00\xc8\x00", "\x00\x00\xc8\x00"} {
		f.Add([]byte(seed))
	}
	v := &Verifier{guard: &guard{Replay: Replay{Duplicate: Repeat, MaxAnswer: 1 << 20}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		a := decodeAnswer(b)
		if a == nil {
			return
		}
		if a.Status < 200 || a.Status > 299 || len(a.ContentType) > maxContentType {
			t.Errorf("%x decodes to %+v", b, a)
		}
		if again := v.kept(*a); !bytes.Equal(again, b) {
			t.Errorf("%x is encoded as %x", b, again)
		}
	})
}
