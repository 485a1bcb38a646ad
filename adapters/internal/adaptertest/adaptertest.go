// Package adaptertest is the table that every adapter passes. An adapter of
// another framework is one Adapter and one call of Run.
//
// It talks to real servers over real connections: what it compares is what a
// sender receives, and what a handler finds.
package adaptertest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// Handler is what runs behind an adapter. Native is what the framework's own way
// to the result finds, nil for none.
type Handler func(w http.ResponseWriter, r *http.Request, native *verify.Result)

// Adapter is how the table gets at an adapter.
type Adapter struct {
	// Serve gives the framework's own handler with POST /hook behind v. It runs h
	// with the framework's writer and request, and answers nothing itself.
	Serve func(v *verify.Verifier, h Handler) http.Handler
	// Refusal is the exact content type and body of a refusal.
	Refusal func(status int) (contentType, body string)
	// Patience is how long a check waits for what must come; 0 means 10 seconds.
	Patience time.Duration
}

// Problem is the Refusal of adapters that answer application/problem+json.
func Problem(status int) (contentType, body string) {
	return "application/problem+json", fmt.Sprintf(`{"type":"about:blank","title":"%s","status":%d}`, http.StatusText(status), status)
}

// Run checks an adapter, each promise in a subtest.
func Run(t *testing.T, a Adapter) {
	if a.Patience == 0 {
		a.Patience = 10 * time.Second
	}
	for _, c := range []struct {
		name  string
		check func(*testing.T, Adapter)
	}{
		{"refusals", refusals},
		{"copies", copies},
		{"verifiers that refuse everything", refusingVerifiers},
		{"every 401 is the same", every401},
		{"observed once", observedOnce},
		{"report only", reportOnly},
		{"body found", bodyFound},
		{"body limit", bodyLimit},
		{"body consumed", bodyConsumed},
		{"client gone", clientGone},
		{"100 Continue", expectContinue},
		{"one connection", oneConnection},
		{"HTTP2", overHTTP2},
		{"result", resultFound},
		{"streaming", streaming},
		{"ResponseController", controlled},
		{"hijacking", hijacking},
		{"panic", panics},
		{"settled by status", settledByStatus},
		{"answers", answers},
		{"concurrent requests", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, a) })
	}
}
