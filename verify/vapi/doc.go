// Package vapi turns what Vapi knows about a webhook into what package verify
// needs: a credential's JSON into a scheme, the static addresses into networks,
// and a verified body into the few words that logs and routers want.
package vapi
