package vapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify/vapi"
)

func TestHeaderNames(t *testing.T) {
	if vapi.SecretHeader != "X-Vapi-Secret" || vapi.SignatureHeader != "X-Signature" || vapi.TimestampHeader != "X-Timestamp" {
		t.Errorf("got %s, %s, %s", vapi.SecretHeader, vapi.SignatureHeader, vapi.TimestampHeader)
	}
}

func TestStaticIPs(t *testing.T) {
	got := vapi.StaticIPs()
	if len(got) != 1 || got[0].String() != "167.150.224.0/23" {
		t.Fatalf("got %v", got)
	}
	for addr, inside := range map[string]bool{
		"167.150.223.255": false, "167.150.224.0": true, "167.150.225.255": true, "167.150.226.0": false,
	} {
		if got[0].Contains(netip.MustParseAddr(addr)) != inside {
			t.Errorf("%s: inside is %t", addr, !inside)
		}
	}
	got[0] = netip.MustParsePrefix("0.0.0.0/0")
	if again := vapi.StaticIPs(); again[0].String() != "167.150.224.0/23" {
		t.Errorf("a caller changed the list for others: %v", again)
	}
}

// sample is one body of testdata/vapi-bodies.json.
type sample struct {
	ID          string
	MessageType string
	BodyBase64  *string
	BodyParts   []struct {
		Base64 string
		Count  int
	}
}

func (s sample) body(t *testing.T) string {
	t.Helper()
	decode := func(text string) string {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("%s: %v", s.ID, err)
		}
		return string(b)
	}
	if s.BodyBase64 != nil {
		return decode(*s.BodyBase64)
	}
	var b strings.Builder
	for _, part := range s.BodyParts {
		b.WriteString(strings.Repeat(decode(part.Base64), part.Count))
	}
	return b.String()
}

func TestParseEnvelopeSamples(t *testing.T) {
	data, err := os.ReadFile("../testdata/vapi-bodies.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Bodies []sample }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Bodies) != 71 {
		t.Fatalf("%d bodies, want 71", len(file.Bodies))
	}
	// The full messages all carry one call; the bodies that are made to break
	// re-serialisation (hz-…) have none, but for one.
	const call = "0b7e2f7c-6d7e-4a36-9a2f-3c0d5a1f9e11"
	callIDs := map[string]string{"chat-created": "", "hz-key-order": "b"}
	notMessages := map[string]string{
		"hz-empty":      "not a Vapi message",
		"hz-not-json":   "not a Vapi message",
		"hz-array-root": "not a Vapi message",
		"hz-null-root":  "no message.type",
		"hz-bom":        "not a Vapi message", // RFC 8259 §8.1: a sender must not add one
	}
	seen := 0
	for _, s := range file.Bodies {
		t.Run(s.ID, func(t *testing.T) {
			got, err := vapi.ParseEnvelope([]byte(s.body(t)))
			if problem, ok := notMessages[s.ID]; ok {
				seen++
				if err == nil || !strings.Contains(err.Error(), problem) || got != (vapi.Envelope{}) {
					t.Errorf("got %+v, error %v; want %q", got, err, problem)
				}
				return
			}
			want := vapi.Envelope{Type: s.MessageType}
			if id, ok := callIDs[s.ID]; ok {
				want.CallID = id
			} else if !strings.HasPrefix(s.ID, "hz-") {
				want.CallID = call
			}
			if err != nil || got != want {
				t.Errorf("got %+v, error %v; want %+v", got, err, want)
			}
		})
	}
	if seen != len(notMessages) {
		t.Errorf("%d of %d bodies that are no messages were there", seen, len(notMessages))
	}
}

func TestParseEnvelope(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       vapi.Envelope
		problem    string
	}{
		{"type and call", `{"message":{"type":"hang","call":{"id":"c1"}}}`, vapi.Envelope{Type: "hang", CallID: "c1"}, ""},
		{"no call", `{"message":{"type":"hang"}}`, vapi.Envelope{Type: "hang"}, ""},
		{"call null", `{"message":{"type":"hang","call":null}}`, vapi.Envelope{Type: "hang"}, ""},
		{"call without id", `{"message":{"type":"hang","call":{}}}`, vapi.Envelope{Type: "hang"}, ""},
		{"unknown type", `{"message":{"type":"new.in.2027"}}`, vapi.Envelope{Type: "new.in.2027"}, ""},
		{"other fields", `{"x":1,"message":{"y":[{}],"type":"hang"}}`, vapi.Envelope{Type: "hang"}, ""},
		{"no message", `{"type":"hang"}`, vapi.Envelope{}, "no message.type"},
		{"message null", `{"message":null}`, vapi.Envelope{}, "no message.type"},
		{"no type", `{"message":{"call":{"id":"c1"}}}`, vapi.Envelope{}, "no message.type"},
		{"type empty", `{"message":{"type":""}}`, vapi.Envelope{}, "no message.type"},
		{"type a number", `{"message":{"type":4155550100}}`, vapi.Envelope{}, "not a Vapi message"},
		{"message a string", `{"message":"4155550100"}`, vapi.Envelope{}, "not a Vapi message"},
		{"call a string", `{"message":{"type":"hang","call":"4155550100"}}`, vapi.Envelope{}, "not a Vapi message"},
		{"call id a number", `{"message":{"type":"hang","call":{"id":4155550100}}}`, vapi.Envelope{}, "not a Vapi message"},
		{"cut off", `{"message":{"type":"4155550100"`, vapi.Envelope{}, "not a Vapi message"},
		{"something after it", `{"message":{"type":"hang"}}4155550100`, vapi.Envelope{}, "not a Vapi message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := vapi.ParseEnvelope([]byte(test.body))
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if test.problem == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Fatalf("error %v, want %q", err, test.problem)
			}
			if strings.Contains(err.Error(), "4155550100") {
				t.Errorf("%q repeats the body", err)
			}
		})
	}
}
