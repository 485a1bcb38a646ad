package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/vapi"
)

// patience is how long the upstream may take, its answer included. Less than
// verify.Replay.MaxHold, or a slow delivery could run twice.
const patience = time.Minute

// verified begins the headers that only the proxy sets.
const verified = "X-Webhook-Verified-"

type settings struct {
	credential []byte // JSON
	secret     string
	secretSet  bool // false: the secret is in the JSON
	upstream   string
	publicURL  string
	maxBody    int64
	once       bool
}

// handler verifies and passes on.
func handler(s settings) (http.Handler, error) {
	target, err := url.Parse(s.upstream)
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" ||
		target.User != nil || target.RawQuery != "" || target.Fragment != "" {
		return nil, errors.New("-upstream must be http://host or https://host, with a port and a path if need be")
	}
	var secrets verify.Secrets
	if s.secretSet {
		secrets = verify.Static(s.secret)
	}
	scheme, err := vapi.ParseCredential(s.credential, secrets)
	if err != nil {
		return nil, err
	}
	if h, ok := scheme.(verify.HMAC); ok {
		h.PublicURL = s.publicURL
		scheme = h
	}
	cfg := verify.Config{Accept: scheme, MaxBody: s.maxBody, Observe: observe}
	if s.once {
		cfg.Replay.Store = replay.NewMemory(replay.MemoryConfig{})
	}
	v, err := verify.New(cfg)
	if err != nil {
		return nil, err
	}
	return verifyhttp.Middleware(v)(patient(newProxy(target))), nil
}

func observe(ctx context.Context, e verify.Event) { slog.Log(ctx, e.Level(), "webhook", "verdict", e) }

// patient lets the upstream finish although the sender has hung up, so that its
// answer still tells whether the delivery is done.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func newProxy(target *url.URL) *httputil.ReverseProxy {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil               // HTTP_PROXY is for other traffic
	transport.DisableCompression = true // answers are passed on as they come
	return &httputil.ReverseProxy{
		Transport:    transport,
		ErrorHandler: fail,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // byte for byte: the standard library drops what it cannot parse
			r.SetXForwarded()
			r.Out.Trailer = nil
			r.Out.Header.Del("Connection") // with Upgrade: what follows would be verified by nobody
			r.Out.Header.Del("Upgrade")
			r.Out.Header.Del("Expect") // answered by this server; an upstream of HTTP/1.0 would not
			vouch(r.In.Context(), r.Out.Header)
		},
	}
}

// vouch sets the headers that say who vouches for the request, and removes what the
// client sent in their place.
func vouch(ctx context.Context, h http.Header) {
	for name := range h {
		if strings.HasPrefix(http.CanonicalHeaderKey(strings.Map(folded, name)), verified) {
			delete(h, name)
		}
	}
	res, _ := verify.FromContext(ctx)
	h.Set(verified+"Scheme", res.Scheme)
	h.Set(verified+"Key-Id", res.KeyID)
	if res.MessageID != "" {
		h.Set(verified+"Message-Id", res.MessageID)
	}
}

// folded is a character of a header's name as the most careless of servers sees it:
// CGI and its kin take X_Webhook_Verified_Scheme for X-Webhook-Verified-Scheme.
func folded(c rune) rune {
	if strings.ContainsRune("_.!#$%&'*+^`|~", c) {
		return '-'
	}
	return c
}

// fail answers for an upstream that did not.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge): // of a body whose length was not declared, and which no signature covers
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	slog.ErrorContext(r.Context(), "upstream", "error", err, "status", status)
	http.Error(w, fmt.Sprintf("%d %s", status, http.StatusText(status)), status)
}
