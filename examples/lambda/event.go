package main

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/webhookauth/webhookauth/verify"
)

// event is what API Gateway hands to the function, in payload format 2.0, as far as
// a verifier looks at it.
type event struct {
	Version string `json:"version"`
	// RawPath begins with the stage, as the address does, unless that is $default. For
	// payload formats with {url}, path and query must be those that the sender signed:
	// behind a custom domain compare the two before relying on it.
	RawPath        string `json:"rawPath"`
	RawQueryString string `json:"rawQueryString"`
	// Headers has names in lower case. A header that came twice is one value with a
	// comma, which neither a token nor a signature can hold: it is refused all the same.
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		HTTP struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// bytes is the body as the sender sent it: with the gateway's base64 undone, and the
// JSON inside never decoded.
func (e event) bytes() ([]byte, error) {
	if e.Version != "2.0" {
		return nil, errors.New("not of payload format 2.0") // 1.0 has other fields
	}
	if !e.IsBase64Encoded {
		return []byte(e.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return nil, errors.New("the body is not base64")
	}
	return body, nil
}

// message is the event as a verifier wants it.
func (e event) message(body []byte) *verify.Message {
	header := make(http.Header, len(e.Headers))
	for name, value := range e.Headers {
		header[name] = []string{value}
	}
	target := e.RawPath
	if e.RawQueryString != "" {
		target += "?" + e.RawQueryString
	}
	m := verify.NewMessage(e.RequestContext.HTTP.Method, target, header, body)
	m.RemoteAddr = e.RequestContext.HTTP.SourceIP
	return m
}

// answer is what the function hands back to API Gateway: here text only.
type answer struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       string            `json:"body,omitempty"`
}

const contentType = "Content-Type"

// refuse answers a refusal: the same bytes for every cause.
func refuse(v *verify.Verifier, refusal *verify.Error) answer {
	if a := refusal.Answer; a != nil { // for a copy, by Replay.Duplicate
		return answer{StatusCode: a.Status, Headers: map[string]string{contentType: a.ContentType}, Body: string(a.Body)}
	}
	headers := map[string]string{contentType: "application/problem+json"}
	if after := refusal.Retry(); after != "" {
		headers["Retry-After"] = after
	}
	if challenges := v.Challenge(refusal); len(challenges) > 0 {
		headers["WWW-Authenticate"] = strings.Join(challenges, ", ") // one list (RFC 9110 §11.6.1)
	}
	return answer{StatusCode: refusal.StatusCode(), Headers: headers, Body: string(refusal.Problem())}
}
