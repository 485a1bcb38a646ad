package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

//go:embed bodies
var bodies embed.FS

// message gives a sample body, byte for byte.
func message(name string) []byte {
	body, err := bodies.ReadFile("bodies/" + name + ".json")
	if err != nil {
		panic(err) // the names are in this file, the bodies in the binary
	}
	return body
}

// step is one request of the play.
type step struct {
	route   string
	sent    string // what is sent, in words
	message string // the message type, a file in bodies
	signer  verifytest.Signer
	spoil   func(*http.Request) // what happens to it on its way
	status  int                 // what must come of it
	reason  string
}

// outcome is what came of a step.
type outcome struct {
	step
	gotStatus int
	event     verify.Event
}

func (o outcome) expected() bool { return o.gotStatus == o.status && o.event.Reason == o.reason }

// script is the play: what Vapi sends, and what others do.
func script(c credentials) []step {
	bearer := func(token string) verifytest.Signer { return verifytest.Bearer{Token: token} }
	hmac := func(key string, shift time.Duration) verifytest.Signer {
		return verifytest.HMAC{SecretKey: key, Now: func() time.Time { return time.Now().Add(shift) }}
	}
	const wrong = "guessed-by-somebody"
	return []step{
		{"/bearer", "genuine", "assistant-request", bearer(c.token), nil, 200, "ok"},
		{"/bearer", "old token of a rotation", "status-update", bearer(c.oldToken), nil, 200, "ok"},
		{"/bearer", "wrong token", "status-update", bearer(wrong), nil, 401, "mismatch"},
		{"/bearer", "no header", "status-update", bearer(c.token), without("Authorization"), 401, "missing"},
		{"/bearer", "header twice", "status-update", bearer(c.token), twice("Authorization"), 401, "malformed"},
		{"/bearer", "too large", "end-of-call-report", bearer(c.token), enlarged(nil), 413, "too_large"},

		{"/secret", "genuine", "tool-calls", verifytest.VapiSecret(c.secret), nil, 200, "ok"},
		{"/secret", "old secret of a rotation", "status-update", verifytest.VapiSecret(c.oldSecret), nil, 200, "ok"},
		{"/secret", "wrong secret", "status-update", verifytest.VapiSecret(wrong), nil, 401, "mismatch"},
		{"/secret", "no header", "status-update", verifytest.VapiSecret(c.secret), without("X-Vapi-Secret"), 401, "missing"},
		{"/secret", "empty header", "status-update", verifytest.VapiSecret(""), nil, 401, "missing"},
		{"/secret", "header twice", "status-update", verifytest.VapiSecret(c.secret), twice("X-Vapi-Secret"), 401, "malformed"},
		{"/secret", "too large", "end-of-call-report", verifytest.VapiSecret(c.secret), enlarged(nil), 413, "too_large"},

		{"/hmac", "genuine", "tool-calls", hmac(c.key, 0), nil, 200, "ok"},
		{"/hmac", "genuine", "end-of-call-report", hmac(c.key, 0), nil, 200, "ok"},
		{"/hmac", "genuine, escaped slashes", "transcript", hmac(c.key, 0), nil, 200, "ok"},
		{"/hmac", "old key of a rotation", "conversation-update", hmac(c.oldKey, 0), nil, 200, "ok"},
		{"/hmac", "wrong key", "tool-calls", hmac(wrong, 0), nil, 401, "mismatch"},
		{"/hmac", "tampered body", "tool-calls", hmac(c.key, 0), tampered, 401, "mismatch"},
		{"/hmac", "re-serialised body", "transcript", hmac(c.key, 0), reserialised, 401, "mismatch"},
		{"/hmac", "stale, signed 10 minutes ago", "tool-calls", hmac(c.key, -10*time.Minute), nil, 401, "stale"},
		{"/hmac", "stale, new time put in", "tool-calls", hmac(c.key, -10*time.Minute), freshTime, 401, "mismatch"},
		{"/hmac", "from the future", "tool-calls", hmac(c.key, 10*time.Minute), nil, 401, "stale"},
		{"/hmac", "no signature", "tool-calls", hmac(c.key, 0), without("X-Signature"), 401, "missing"},
		{"/hmac", "no timestamp", "tool-calls", hmac(c.key, 0), without("X-Timestamp"), 401, "missing"},
		{"/hmac", "signature twice", "tool-calls", hmac(c.key, 0), twice("X-Signature"), 401, "malformed"},
		{"/hmac", "too large", "end-of-call-report", hmac(c.key, 0), enlarged(hmac(c.key, 0)), 413, "too_large"},

		{"/migrate", "genuine, new credential", "tool-calls", hmac(c.key, 0), nil, 200, "ok"},
		{"/migrate", "genuine, legacy secret", "tool-calls", verifytest.VapiSecret(c.secret), nil, 200, "ok"},
		{"/migrate", "tampered body", "tool-calls", hmac(c.key, 0), tampered, 401, "mismatch"},
		{"/migrate", "wrong legacy secret", "tool-calls", verifytest.VapiSecret(wrong), nil, 401, "mismatch"},
		{"/migrate", "neither", "tool-calls", verifytest.VapiSecret(c.secret), without("X-Vapi-Secret"), 401, "missing"},
	}
}

// play sends every step and collects what came of it.
func play(ctx context.Context, base string, steps []step, journal *journal) ([]outcome, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	outcomes := make([]outcome, len(steps))
	for i, s := range steps {
		label := strconv.Itoa(i)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+s.route, nil)
		if err != nil {
			return nil, err
		}
		setBody(r, message(s.message))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(labelHeader, label)
		if err := s.signer.Sign(r); err != nil {
			return nil, err
		}
		if s.spoil != nil {
			s.spoil(r)
		}
		answer, err := client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", s.route, s.sent, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		event, seen := journal.event(label)
		if !seen {
			return nil, fmt.Errorf("%s, %s: status %d, but no verdict was observed", s.route, s.sent, answer.StatusCode)
		}
		outcomes[i] = outcome{s, answer.StatusCode, event}
	}
	return outcomes, nil
}

func setBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err) // it is in memory
	}
	return body
}

func without(header string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(header) }
}

func twice(header string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(header, r.Header.Get(header)) }
}

// tampered changes one bit in the middle of the body.
func tampered(r *http.Request) {
	body := bodyOf(r)
	body[len(body)/2] ^= 1
	setBody(r, body)
}

// reserialised does what a JSON-parsing proxy or middleware does: the same
// message in other bytes.
func reserialised(r *http.Request) {
	var message any
	if err := json.Unmarshal(bodyOf(r), &message); err != nil {
		panic(err) // the sample is JSON
	}
	body, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	setBody(r, body)
}

// freshTime replaces the timestamp, which the signature covers.
func freshTime(r *http.Request) {
	r.Header.Set("X-Timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
}

// enlarged sends a body over the default limit of 1 MiB, signed again where the
// signature covers it.
func enlarged(signer verifytest.Signer) func(*http.Request) {
	return func(r *http.Request) {
		setBody(r, bytes.Repeat(bodyOf(r), 1<<20/1000))
		r.Header.Set("Expect", "100-continue") // as curl does: ask before sending it all
		if signer == nil {
			return
		}
		if err := signer.Sign(r); err != nil {
			panic(err) // it signed the smaller body
		}
	}
}
