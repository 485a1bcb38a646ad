package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

func setBody(r *http.Request, body []byte) {
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
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

// upperCase spells the same signature otherwise.
func upperCase(r *http.Request) {
	r.Header.Set("X-Signature", strings.ToUpper(r.Header.Get("X-Signature")))
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
