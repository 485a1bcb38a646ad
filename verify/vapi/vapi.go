package vapi

import (
	"encoding/json"
	"errors"
	"net/netip"
)

// Names of the headers that Vapi uses unless a credential says otherwise.
const (
	// SecretHeader carries the secret of the older inline server.secret, bare.
	SecretHeader = "X-Vapi-Secret"
	// SignatureHeader is the default of an HMAC plan's signatureHeader.
	SignatureHeader = "X-Signature"
	// TimestampHeader is the default of an HMAC plan's timestampHeader.
	TimestampHeader = "X-Timestamp"
)

// StaticIPs are the networks that requests come from when a server has
// staticIpAddressesEnabled, for verify.SourceIP. The list is Vapi's of 2026; the
// slice is the caller's own.
func StaticIPs() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("167.150.224.0/23")}
}

// Envelope is what logs and routing need of a message.
type Envelope struct {
	// Type is message.type, like "tool-calls" or "end-of-call-report".
	Type string
	// CallID is message.call.id; "" if the message belongs to no call.
	CallID string
}

// ParseEnvelope reads the envelope of a body. Give it verified bodies only. A
// body that is not a JSON object with a message is an error, which does not
// repeat the body.
func ParseEnvelope(body []byte) (Envelope, error) {
	var b struct {
		Message *struct {
			Type string `json:"type"`
			Call *struct {
				ID string `json:"id"`
			} `json:"call"`
		} `json:"message"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return Envelope{}, errors.New("vapi: body is not a Vapi message in JSON")
	}
	if b.Message == nil || b.Message.Type == "" {
		return Envelope{}, errors.New("vapi: body has no message.type")
	}
	e := Envelope{Type: b.Message.Type}
	if b.Message.Call != nil {
		e.CallID = b.Message.Call.ID
	}
	return e, nil
}
