package verify_test

import (
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// TestHMACConfig gives each setting a value that New must refuse. The keys are
// in hmac_key_test.go.
func TestHMACConfig(t *testing.T) {
	type edit = func(h *verify.HMAC)
	header := func(name string, value string) edit {
		return func(h *verify.HMAC) {
			switch name {
			case "SignatureHeader":
				h.SignatureHeader = value
			case "TimestampHeader":
				h.TimestampHeader = value
			case "MessageIDHeader":
				h.MessageIDHeader = value
			}
		}
	}
	payload := func(format string) edit { return func(h *verify.HMAC) { h.Payload = format } }
	untimed := func(format string) edit {
		return func(h *verify.HMAC) { h.Payload, h.InsecureNoTimestamp = format, true }
	}
	public := func(url string) edit {
		return func(h *verify.HMAC) { h.Payload, h.PublicURL = "{timestamp}.{url}.{body}", url }
	}
	type row struct {
		name           string
		edit           edit
		field, problem string
	}
	rows := []row{
		{"V05 unknown hash", func(h *verify.HMAC) { h.Hash = crypto.MD5 }, "Hash", "SHA256"},
		{"V05 a hash that Vapi lacks", func(h *verify.HMAC) { h.Hash = crypto.SHA384 }, "Hash", "SHA256"},
		{"V05 SHA-512/256", func(h *verify.HMAC) { h.Hash = crypto.SHA512_256 }, "Hash", "SHA256"},
		{"V05 a hash that does not exist", func(h *verify.HMAC) { h.Hash = 999 }, "Hash", "SHA256"},
		{"V05 unknown encoding", func(h *verify.HMAC) { h.Encoding = verify.Base64 + 1 }, "Encoding", "neither Hex nor Base64"},
		{"V05 encoding 255", func(h *verify.HMAC) { h.Encoding = 255 }, "Encoding", "neither Hex nor Base64"},
		{"V05 unknown unit", func(h *verify.HMAC) { h.TimestampUnit = verify.RFC3339 + 1 }, "TimestampUnit", "AutoUnit"},
		{"V05 unit 255", func(h *verify.HMAC) { h.TimestampUnit = 255 }, "TimestampUnit", "AutoUnit"},
		{"V05 T06 unknown token", payload("{timestamp}.{body}.{foo}"), "Payload", "known token"},
		{"T06 token in other case", payload("{timestamp}.{Body}"), "Payload", "known token"},
		{"T06 token with spaces", payload("{timestamp}.{ body }"), "Payload", "known token"},
		{"T06 empty braces", payload("{timestamp}.{body}{}"), "Payload", "known token"},
		{"T06 brace not closed", payload("{timestamp}.{body}{"), "Payload", "{ without its }"},
		{"T06 brace not opened", payload("{timestamp}.{body}}"), "Payload", "} without its {"},
		{"T07 no {body}", payload("{timestamp}"), "Payload", "lacks {body}"},
		{"T07 no {body}, no timestamp", untimed("constant"), "Payload", "lacks {body}"},
		{"T08 V11 no {timestamp}", payload("{body}"), "Payload", "lacks {timestamp}"},
		{"T08 V11 no {timestamp}, Tolerance set", func(h *verify.HMAC) { h.Payload, h.Tolerance = "{body}", time.Minute }, "Payload", "lacks {timestamp}"},
		{"T09 {timestamp} beside InsecureNoTimestamp", untimed("{timestamp}.{body}"), "Payload", "beside InsecureNoTimestamp"},
		{"T09 the default beside InsecureNoTimestamp", untimed(""), "Payload", "not set beside InsecureNoTimestamp"},
		{"T09 V11 Tolerance beside InsecureNoTimestamp",
			func(h *verify.HMAC) { h.Payload, h.InsecureNoTimestamp, h.Tolerance = "{body}", true, time.Minute }, "Tolerance", "beside InsecureNoTimestamp"},
		{"T09 FutureTolerance beside InsecureNoTimestamp",
			func(h *verify.HMAC) {
				h.Payload, h.InsecureNoTimestamp, h.FutureTolerance = "{body}", true, time.Minute
			}, "Tolerance", "beside InsecureNoTimestamp"},
		{"T11 V16 {timestamp}{body} under AutoUnit", payload("{timestamp}{body}"), "Payload", "{timestamp}{body}"},
		{"T11 V16 {body}{timestamp} under AutoUnit", payload("{body}{timestamp}"), "Payload", "{body}{timestamp}"},
		{"T11 V16 {timestamp}{body} under RFC3339",
			func(h *verify.HMAC) { h.Payload, h.TimestampUnit = "{timestamp}{body}", verify.RFC3339 }, "Payload", "{timestamp}{body}"},
		{"V16 {method}{body}", payload("{timestamp}.{method}{body}"), "Payload", "{method}{body}"},
		{"V16 {body}{body}", payload("{timestamp}.{body}{body}"), "Payload", "{body}{body}"},
		{"V16 {svix-id}{body}",
			func(h *verify.HMAC) { h.Payload, h.MessageIDHeader = "{timestamp}.{svix-id}{body}", "Webhook-Id" }, "Payload", "{svix-id}{body}"},
		// The timestamp's width is fixed, but not where it begins.
		{"V16 {svix-id}{timestamp}{body} under Seconds", func(h *verify.HMAC) {
			h.Payload, h.MessageIDHeader, h.TimestampUnit = "{svix-id}{timestamp}{body}", "Webhook-Id", verify.Seconds
		}, "Payload", "with nothing between"},
		{"T13 {svix-id} without a header", payload("{svix-id}.{timestamp}.{body}"), "MessageIDHeader", "required"},
		{"W18 {url} without PublicURL", public(""), "PublicURL", "required"},
		{"W18 PublicURL without scheme", public("hooks.example.com"), "PublicURL", "absolute"},
		{"W18 PublicURL of host and port", public("hooks.example.com:443"), "PublicURL", "absolute"},
		{"W18 PublicURL of a path", public("/hook"), "PublicURL", "absolute"},
		{"W18 PublicURL without host", public("https://"), "PublicURL", "absolute"},
		{"W18 PublicURL with another scheme", public("ftp://hooks.example.com"), "PublicURL", "absolute"},
		{"W18 PublicURL that is none", public("https://[::1"), "PublicURL", "absolute"},
		{"W18 PublicURL with a control character", public("https://hooks.example.com\n"), "PublicURL", "absolute"},
		{"W18 PublicURL with a query", public("https://hooks.example.com/?a=1"), "PublicURL", "query or fragment"},
		{"W18 PublicURL with an empty query", public("https://hooks.example.com/hook?"), "PublicURL", "query or fragment"},
		{"W15 PublicURL with a fragment", public("https://hooks.example.com/hook#top"), "PublicURL", "query or fragment"},
		{"W18 PublicURL that ends in a slash", public("https://hooks.example.com/"), "PublicURL", "slash"},
		{"W18 PublicURL without {url}", func(h *verify.HMAC) { h.PublicURL = "https://hooks.example.com" }, "PublicURL", "no {url}"},
		{"W18 URLWithoutQuery without {url}", func(h *verify.HMAC) { h.URLWithoutQuery = true }, "PublicURL", "no {url}"},
		{"R01 negative Tolerance", func(h *verify.HMAC) { h.Tolerance = -1 }, "Tolerance", "negative"},
		{"R03 negative FutureTolerance", func(h *verify.HMAC) { h.FutureTolerance = -1 }, "FutureTolerance", "negative"},
		{"H01 name of 65 bytes", func(h *verify.HMAC) { h.Name = strings.Repeat("n", 65) }, "Name", "64"},
		{"H01 name with a space", func(h *verify.HMAC) { h.Name = "my hmac" }, "Name", "letters"},
		{"H01 name with a line break", func(h *verify.HMAC) { h.Name = "hmac\n" }, "Name", "letters"},
		{"H01 name outside ASCII", func(h *verify.HMAC) { h.Name = "hmác" }, "Name", "letters"},
		{"H11 V40 prefix begins with a space", func(h *verify.HMAC) { h.SignaturePrefix = " sha256=" }, "SignaturePrefix", "space"},
		{"H11 V40 prefix with a line break", func(h *verify.HMAC) { h.SignaturePrefix = "sha256=\n" }, "SignaturePrefix", "cannot stand there"},
		{"H11 V40 prefix with a tab", func(h *verify.HMAC) { h.SignaturePrefix = "sha256\t" }, "SignaturePrefix", "cannot stand there"},
		{"H11 prefix with DEL", func(h *verify.HMAC) { h.SignaturePrefix = "sha256\x7f" }, "SignaturePrefix", "cannot stand there"},
		{"H11 prefix outside ASCII", func(h *verify.HMAC) { h.SignaturePrefix = "schlüssel=" }, "SignaturePrefix", "cannot stand there"},
		{"H24 list prefix with a space", func(h *verify.HMAC) { h.MultiSignature, h.SignaturePrefix = true, "v1, " }, "SignaturePrefix", "cannot stand there"},
		{"H01 one header for signature and timestamp", header("SignatureHeader", "x-timestamp"), "SignatureHeader", "three different"},
		{"H01 one header for timestamp and signature", header("TimestampHeader", "X-SIGNATURE"), "SignatureHeader", "three different"},
		{"H01 one header for message id and signature", header("MessageIDHeader", "x-signature"), "SignatureHeader", "three different"},
		{"H01 one header for message id and timestamp", header("MessageIDHeader", "x-timestamp"), "SignatureHeader", "three different"},
	}
	for _, field := range []string{"SignatureHeader", "TimestampHeader", "MessageIDHeader"} {
		for _, name := range []string{"X Signature", "X-Signature:", "X-Signature\r\nX-Evil", "X-Sïgnature", "X/Signature", "\x00"} {
			rows = append(rows, row{"H01 " + field + " is no header name", header(field, name), field, "not a header name"})
		}
		for _, name := range []string{"Host", "transfer-encoding", "TRAILER", "Content-Length", "connection"} {
			rows = append(rows, row{"H01 " + field + " is HTTP's own " + name, header(field, name), field, "belongs to HTTP itself"})
		}
	}
	build(t, defaultHMAC())
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			scheme := defaultHMAC()
			tt.edit(&scheme)
			refuseConfig(t, scheme, "Config.Accept.HMAC."+tt.field, tt.problem)
		})
	}
}

// TestHMACConfigAccepted gives the neighbours of what New refuses.
func TestHMACConfigAccepted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		scheme verify.HMAC
	}{
		{"H01 name of 64 bytes", verify.HMAC{Name: strings.Repeat("n", 64)}},
		{"H01 three headers", verify.HMAC{SignatureHeader: "a", TimestampHeader: "b", MessageIDHeader: "c"}},
		{"H01 every byte of a header name", verify.HMAC{SignatureHeader: "aZ09!#$%&'*+-.^_`|~"}},
		{"H11 prefix with a space inside", verify.HMAC{SignaturePrefix: "HMAC sha256="}},
		{"H11 prefix of all visible ASCII", verify.HMAC{SignaturePrefix: "!~"}},
		{"R01 smallest Tolerance", verify.HMAC{Tolerance: 1, FutureTolerance: 1}},
		{"T01 {body} alone", verify.HMAC{Payload: "{body}", InsecureNoTimestamp: true}},
		{"T07 no {body}", verify.HMAC{Payload: "{timestamp}", InsecureUnsignedBody: true}},
		{"T11 touching under Seconds", verify.HMAC{Payload: "{timestamp}{body}", TimestampUnit: verify.Seconds}},
		{"T11 touching under Milliseconds", verify.HMAC{Payload: "{body}{timestamp}", TimestampUnit: verify.Milliseconds}},
		{"T11 touching by leave", verify.HMAC{Payload: "{timestamp}{body}", InsecureTouchingTokens: true}},
		{"T13 id header that is not signed", verify.HMAC{MessageIDHeader: "Webhook-Id"}},
		{"W18 PublicURL of plain http", verify.HMAC{Payload: "{timestamp}.{url}.{body}", PublicURL: "http://hooks.example.com"}},
		{"W18 PublicURL with a path", verify.HMAC{Payload: "{timestamp}.{url}.{body}", PublicURL: "HTTPS://Hooks.Example.com:443/api"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.scheme.Keys = verify.Static(hmacKey)
			build(t, tt.scheme)
		})
	}
}
