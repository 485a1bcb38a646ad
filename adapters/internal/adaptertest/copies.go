package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// identified signs a message id, which the content is not part of.
var identified = verify.HMAC{Keys: verify.Static(key), MessageIDHeader: "X-Id", Payload: "{svix-id}.{timestamp}.{body}"}

// withID are the header lines of a genuine request under identified.
func withID(id, body string) string {
	return "X-Id: " + id + "\r\nX-Timestamp: " + stamp + "\r\nX-Signature: " + sign(id+"."+stamp+"."+body) + "\r\n"
}

// copies: what the replay guard refuses is answered as any other refusal.
func copies(t *testing.T, a Adapter) {
	t.Run("duplicate", func(t *testing.T) {
		s := serve(t, a, setup{Config: guarded(verify.Replay{})})
		s.send(t, genuine("{}")).is(t, 200, "text/plain", "{}")
		s.send(t, genuine("{}")).refused(t, a, 409)
		s.send(t, genuine("[]")).is(t, 200, "text/plain", "[]")
		s.ran(t, 2)
		s.observed(t, "ok", "duplicate", "ok")
	})
	t.Run("in flight", func(t *testing.T) {
		started, finish := make(chan struct{}), make(chan struct{})
		s := serve(t, a, setup{Config: guarded(verify.Replay{}), handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) {
			close(started)
			<-finish
			w.WriteHeader(http.StatusNoContent)
		}})
		first := s.dial(t)
		first.write(genuine("{}"))
		var once sync.Once
		defer once.Do(func() { close(finish) })
		<-started
		s.send(t, genuine("{}")).refused(t, a, 503, "Retry-After", "5")
		once.Do(func() { close(finish) })
		first.read().is(t, 204, "", "")
		s.ran(t, 1)
		s.observed(t, "ok", "in_flight")
	})
	t.Run("conflict", func(t *testing.T) {
		cfg := guarded(verify.Replay{})
		cfg.Accept = identified
		s := serve(t, a, setup{Config: cfg})
		s.send(t, request(withID("m1", "{}"), "{}")).is(t, 200, "text/plain", "{}")
		s.send(t, request(withID("m1", "[]"), "[]")).refused(t, a, 409)
		s.ran(t, 1)
		s.observed(t, "ok", "conflict")
	})
	t.Run("attempts", func(t *testing.T) {
		s := serve(t, a, setup{Config: guarded(verify.Replay{MaxAttempts: 1}), handler: func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) {
			w.WriteHeader(http.StatusBadGateway)
		}})
		s.send(t, genuine("{}")).is(t, 502, "", "")
		s.send(t, genuine("{}")).refused(t, a, 429)
		s.ran(t, 1)
		s.observed(t, "ok", "attempts")
	})
	t.Run("no answer from the store", func(t *testing.T) {
		cfg := guarded(verify.Replay{})
		cfg.Replay.Store = broken{cfg.Replay.Store}
		s := serve(t, a, setup{Config: cfg})
		s.send(t, genuine("{}")).refused(t, a, 503, "Retry-After", "30")
		s.ran(t, 0)
		s.observed(t, "unavailable")
	})
}

// broken is a store that does not answer claims.
type broken struct{ replay.Store }

func (broken) Claim(context.Context, replay.Claim) (replay.Outcome, error) {
	return replay.Outcome{}, errors.New("connection to 10.0.0.1 refused")
}

// answers: a copy that has an answer gets that and nothing else.
func answers(t *testing.T, a Adapter) {
	long := strings.Repeat("x", 3000)
	write := func(status int, contentType string, parts ...string) Handler {
		return func(w http.ResponseWriter, _ *http.Request, _ *verify.Result) {
			if contentType != "" {
				w.Header().Set("Content-Type", contentType)
			}
			w.WriteHeader(status)
			for _, part := range parts {
				_, _ = w.Write([]byte(part))
			}
		}
	}
	for _, c := range []struct {
		name         string
		policy       verify.DuplicatePolicy
		first        Handler
		status       int // of the copy
		contentType  string
		body         string
		firstRefused bool
	}{
		{"acknowledged", verify.Acknowledge, write(201, "application/json", "{}"), 200, "", "", false},
		{"repeated", verify.Repeat, write(201, "application/json", `{"results":[]}`), 201, "application/json", `{"results":[]}`, false},
		{"repeated in parts", verify.Repeat, write(200, "text/plain", "one ", "two ", long), 200, "text/plain", "one two " + long, false},
		{"repeated without a content type", verify.Repeat, write(200, "", "<!DOCTYPE html>"), 200, "text/html; charset=utf-8", "<!DOCTYPE html>", false},
		{"repeated with nothing", verify.Repeat, write(202, ""), 202, "", "", false},
		{"repeated with no content", verify.Repeat, write(204, ""), 204, "", "", false},
		{"too large to be repeated", verify.Repeat, write(200, "text/plain", long, long), 409, "", "", false},
		{"failed, not repeated", verify.Repeat, write(500, "text/plain", "no"), 500, "text/plain", "no", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, a, setup{Config: guarded(verify.Replay{Duplicate: c.policy, MaxAnswer: 4096}), handler: c.first})
			first, second := s.send(t, genuine("{}")), s.send(t, genuine("{}"))
			if c.status == http.StatusConflict {
				second.refused(t, a, 409)
			} else {
				second.is(t, c.status, c.contentType, c.body)
			}
			if c.policy == verify.Repeat && c.status != http.StatusConflict && (second.status != first.status || second.body != first.body) {
				t.Errorf("first %d %.100q, then %d %.100q", first.status, first.body, second.status, second.body)
			}
			runs := int32(1)
			if c.firstRefused {
				runs = 2
			}
			s.ran(t, runs)
			s.settlement(t, !c.firstRefused)
		})
	}
}
