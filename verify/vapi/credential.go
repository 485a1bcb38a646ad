package vapi

import (
	"crypto"
	"errors"

	"github.com/webhookauth/webhookauth/verify"
)

// ParseCredential turns a credential into the scheme that verifies it. data is
// the credential as Vapi's API returns it (provider "custom-credential", or
// "webhook" for older ones), or its authenticationPlan alone.
//
// The API does not show a secret again after it was saved, so it may be given
// apart, as at most one verify.Secrets; that one counts even if the JSON holds
// one too. A secret from the JSON has the credential's id, or "0" for a bare
// plan, as its verify.Result.KeyID.
//
// The scheme is a verify.Bearer or a verify.HMAC, by value, with every field as
// the plan has it and Vapi's defaults for the others. What a plan cannot say can
// be set on it:
//
//	scheme, err := vapi.ParseCredential(data, verify.Static(key))
//	if h, ok := scheme.(verify.HMAC); ok {
//		h.PublicURL = "https://hooks.example.com" // for payloads with {url}
//		scheme = h
//	}
//
// A plan of type "oauth2" is an error: it says where Vapi fetches its tokens,
// not how a receiver checks them, which is the work of package verify/oauth.
//
// An error names the field, by its path in the JSON, and never holds the value of
// a secret one, nor a value longer than a word.
// Fields and types that this package does not know are errors too: what is not
// understood is not verified.
func ParseCredential(data []byte, secrets ...verify.Secrets) (verify.Scheme, error) {
	if len(secrets) > 1 {
		return nil, errors.New("vapi: more than one verify.Secrets: a rotation is two secrets in one")
	}
	o, err := parseObject("", data)
	if err != nil {
		return nil, err
	}
	id := "0"
	if o.has("provider") || o.has("authenticationPlan") {
		if id, o, err = unwrap(o); err != nil {
			return nil, err
		}
	}
	var given verify.Secrets
	if len(secrets) == 1 && secrets[0] != nil {
		given = secrets[0]
	}
	var scheme verify.Scheme
	switch kind := o.text("type"); {
	case o.err != nil:
		return nil, o.err
	case kind == "bearer":
		scheme = bearer(o, id, given)
	case kind == "hmac":
		scheme = hmac(o, id, given)
	case kind == "oauth2":
		return nil, o.fault("type", `is "oauth2": package verify/oauth checks access tokens, by introspection or as JWTs; this plan says only where Vapi fetches them`)
	case kind == "":
		return nil, o.fault("type", "is missing")
	default:
		return nil, o.fault("type", shown(kind)+" is not known")
	}
	if err := o.finish(); err != nil {
		return nil, err
	}
	return scheme, nil
}

// unwrap gives a credential's id and plan.
func unwrap(o *object) (id string, plan *object, err error) {
	provider := o.text("provider")
	id = o.text("id")
	plan = o.object("authenticationPlan")
	// What a receiver does not need: the credential's bookkeeping, the session
	// of the sender's OAuth client, and the encryption of fields inside the body,
	// which is undone after verification.
	o.ignore("orgId", "name", "createdAt", "updatedAt", "authenticationSession", "encryptionPlan")
	switch {
	case o.err != nil:
		return "", nil, o.err
	case provider != "custom-credential" && provider != "webhook":
		return "", nil, o.fault("provider", shown(provider)+` is neither "custom-credential" nor "webhook"`)
	case plan == nil:
		return "", nil, o.fault("authenticationPlan", "is missing: the credential authenticates nothing")
	}
	if id == "" {
		id = "0"
	}
	return id, plan, o.finish()
}

// bearer reads a plan of type "bearer".
func bearer(o *object, id string, given verify.Secrets) verify.Bearer {
	return verify.Bearer{
		Tokens: o.secret("token", id, given),
		Header: o.text("headerName"),
		Bare:   !o.flag("bearerPrefixEnabled", true),
	}
}

// hmac reads a plan of type "hmac".
func hmac(o *object, id string, given verify.Secrets) verify.HMAC {
	return verify.HMAC{
		Keys:                o.secret("secretKey", id, given),
		KeysAreBase64:       o.flag("secretIsBase64", false),
		Hash:                oneOf(o, "algorithm", map[string]crypto.Hash{"sha256": crypto.SHA256, "sha512": crypto.SHA512, "sha1": crypto.SHA1}),
		SignatureHeader:     o.text("signatureHeader"),
		SignaturePrefix:     o.text("signaturePrefix"),
		Encoding:            oneOf(o, "signatureEncoding", map[string]verify.Encoding{"": verify.Hex, "hex": verify.Hex, "base64": verify.Base64}),
		TimestampHeader:     o.text("timestampHeader"),
		InsecureNoTimestamp: !o.flag("includeTimestamp", true),
		Payload:             o.text("payloadFormat"),
		MessageIDHeader:     o.text("messageIdHeader"),
	}
}
