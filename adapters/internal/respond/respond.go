// Package respond is what the adapters answer a refused request with.
package respond

import (
	"net/http"
	"strconv"

	"github.com/webhookauth/webhookauth/verify"
)

// Header sets what belongs beside a refusal's status: WWW-Authenticate (RFC 9110
// §11.6.1), Retry-After (§10.2.3) and Connection.
func Header(h http.Header, v *verify.Verifier, r *http.Request, refusal *verify.Error) {
	for _, challenge := range v.Challenge(refusal) {
		h.Add("WWW-Authenticate", challenge)
	}
	if after := refusal.Retry(); after != "" {
		h.Set("Retry-After", after)
	}
	if refusal.StatusCode() == http.StatusRequestEntityTooLarge && r.ProtoMajor == 1 {
		h.Set("Connection", "close") // the rest of the body is not worth receiving
	}
}

// Refusal writes a refusal with its application/problem+json body (RFC 9457).
func Refusal(w http.ResponseWriter, v *verify.Verifier, r *http.Request, refusal *verify.Error) {
	Header(w.Header(), v, r, refusal)
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, refusal.StatusCode(), refusal.Problem())
}

// Answer writes what a copy is answered in place of a refusal.
func Answer(w http.ResponseWriter, a *verify.Answer) {
	if a.ContentType != "" {
		w.Header().Set("Content-Type", a.ContentType)
	}
	write(w, a.Status, a.Body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	if status != http.StatusNoContent { // which has no length (RFC 9110 §8.6)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
}
