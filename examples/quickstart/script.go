package main

import (
	"net/http"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// request is one request of the play.
type request struct {
	route   string
	sent    string // what is sent, in words
	message string // the message type, a file in bodies
	signer  verifytest.Signer
	spoil   func(*http.Request) // what happens to it on its way
	status  int                 // what must come of it
	reason  string
}

// step is a request and how it comes.
type step struct {
	request
	how manner
}

// manner is how a step is sent, and how the handler takes it. The zero manner is
// a new message to a handler that answers at once.
type manner struct {
	again     bool // the request before, as it was, once more
	meanwhile bool // while the handler has the request before in hand
	fails     bool // the handler's first attempt at the message fails
}

// outcome is what came of a step.
type outcome struct {
	step
	gotStatus int
	gotBody   string
	event     verify.Event
}

func (o outcome) expected() bool { return o.gotStatus == o.status && o.event.Reason == o.reason }

// script is the play: what Vapi sends, and what others do.
func script(c credentials) []step {
	var steps []step
	for _, r := range requests(c) {
		steps = append(steps, step{request: r})
	}
	return append(steps, copies(c)...)
}

// requests are those that stand alone.
func requests(c credentials) []request {
	bearer := func(token string) verifytest.Signer { return verifytest.Bearer{Token: token} }
	hmac := func(key string, shift time.Duration) verifytest.Signer {
		return verifytest.HMAC{SecretKey: key, Now: func() time.Time { return time.Now().Add(shift) }}
	}
	const wrong = "guessed-by-somebody"
	return []request{
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

// copies are deliveries that come more than once.
func copies(c credentials) []step {
	signer := verifytest.HMAC{SecretKey: c.key}
	return []step{
		{request{"/once", "genuine", "tool-calls", signer, nil, 200, "ok"}, manner{}},
		{request{"/once", "its exact replay", "tool-calls", nil, nil, 409, "duplicate"}, manner{again: true}},
		{request{"/once", "its replay, signature in upper case", "tool-calls", nil, upperCase, 409, "duplicate"}, manner{again: true}},
		{request{"/once", "its replay, tampered", "tool-calls", nil, tampered, 401, "mismatch"}, manner{again: true}},
		{request{"/once", "genuine, slow handler", "status-update", signer, nil, 200, "ok"}, manner{}},
		{request{"/once", "its copy at the same time", "status-update", nil, nil, 503, "in_flight"}, manner{again: true, meanwhile: true}},
		{request{"/once", "its copy afterwards", "status-update", nil, nil, 409, "duplicate"}, manner{again: true}},
		{request{"/once", "genuine, handler fails", "transcript", signer, nil, 500, "ok"}, manner{fails: true}},
		{request{"/once", "the sender's retry", "transcript", nil, nil, 200, "ok"}, manner{again: true, fails: true}},
		{request{"/once", "one more copy", "transcript", nil, nil, 409, "duplicate"}, manner{again: true, fails: true}},

		{request{"/acknowledge", "genuine", "status-update", signer, nil, 200, "ok"}, manner{}},
		{request{"/acknowledge", "its copy: 200, empty", "status-update", nil, nil, 200, "duplicate"}, manner{again: true}},

		{request{"/repeat", "genuine", "tool-calls", signer, nil, 200, "ok"}, manner{}},
		{request{"/repeat", "its copy: the first answer", "tool-calls", nil, nil, 200, "duplicate"}, manner{again: true}},
	}
}
