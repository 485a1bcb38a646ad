package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// What is genuine arrives as it was sent, and the answer goes back.
func TestGenuine(t *testing.T) {
	u := newUpstream(t, http.StatusAccepted)
	base, _ := newServer(t, settings{upstream: u.URL + "/base"})
	r := signed(t, base+"/a%2Fb//c?x=1;y=%zz&x=2", body)
	r.Host = "hooks.example.com"
	r.Header.Set("Content-Type", "application/json")
	answer, text := send(t, r)
	require.Equal(t, http.StatusAccepted, answer.StatusCode)
	require.Equal(t, "upstream", answer.Header.Get("X-From"))
	require.Equal(t, "thanks", text)

	require.Equal(t, []string{body}, u.bodies)
	got := u.requests[0]
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "/base/a%2Fb//c?x=1;y=%zz&x=2", got.RequestURI)
	require.EqualValues(t, len(body), got.ContentLength)
	require.Equal(t, strings.TrimPrefix(u.URL, "http://"), got.Host)
	require.Equal(t, "hooks.example.com", got.Header.Get("X-Forwarded-Host"))
	require.Equal(t, "http", got.Header.Get("X-Forwarded-Proto"))
	require.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.Equal(t, r.Header.Get("X-Signature"), got.Header.Get("X-Signature"))
	require.NotContains(t, got.Header, "Accept-Encoding", "or the answer could come in another form than was asked for")
	require.Equal(t, []string{"hmac"}, got.Header.Values("X-Webhook-Verified-Scheme"))
	require.Equal(t, []string{"0"}, got.Header.Values("X-Webhook-Verified-Key-Id"))
	require.Equal(t, []string{"msg-1"}, got.Header.Values("X-Webhook-Verified-Message-Id"))
}

// What is not does not reach the upstream.
func TestForged(t *testing.T) {
	u := newUpstream(t)
	base, logged := newServer(t, settings{upstream: u.URL})
	for name, spoil := range map[string]func(*http.Request){
		"no signature": func(r *http.Request) { r.Header.Del("X-Signature") },
		"no id":        func(r *http.Request) { r.Header.Del("Webhook-Id") },
		"other id":     func(r *http.Request) { r.Header.Set("Webhook-Id", "msg-2") },
		"other body": func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "1.0", "2.0", 1)))
		},
		"vouches for itself": func(r *http.Request) {
			r.Header.Del("X-Signature")
			r.Header.Set("X-Webhook-Verified-Scheme", "hmac")
		},
		"an hour ago": func(r *http.Request) {
			late := signer
			late.Now = func() time.Time { return time.Now().Add(-time.Hour) }
			_ = late.Sign(r) // it has signed r before
		},
	} {
		r := signed(t, base, body)
		spoil(r)
		answer, text := send(t, r)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode, name)
		require.Equal(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, text, name)
	}
	require.Zero(t, u.runs())
	require.Equal(t, 6, strings.Count(logged.String(), "verdict.reason="))
	require.NotContains(t, logged.String(), secret)
}

// Nobody but the proxy says who vouches, or for whom it forwards.
func TestSpoofedHeaders(t *testing.T) {
	u := newUpstream(t)
	base, _ := newServer(t, settings{upstream: u.URL, credential: []byte(bearerCredential)})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base, strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, verifytest.Bearer{Token: secret}.Sign(r))
	for _, name := range []string{"X-Webhook-Verified-Scheme", "x-webhook-verified-key-id", "X-Webhook-Verified-Message-Id",
		"X-Webhook-Verified-Admin", "X_Webhook_Verified_Scheme", "x_WEBHOOK-verified.Key_Id",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		r.Header[name] = []string{"spoofed", "twice"}
	}
	// Hop-by-hop headers are removed: not those that the proxy sets.
	r.Header.Set("Connection", "X-Webhook-Verified-Scheme, X-Forwarded-For, X-Hop")
	r.Header.Set("X-Hop", "to the proxy only")
	r.Header.Set("X-Webhook-Verification", "of the application itself")
	r.ContentLength = -1 // chunked, so that there are trailers
	r.Trailer = http.Header{"X-Webhook-Verified-Scheme": {"spoofed"}}
	answer, _ := send(t, r)
	require.Equal(t, http.StatusOK, answer.StatusCode)

	require.Equal(t, []string{body}, u.bodies)
	got := u.requests[0]
	for name, values := range got.Header {
		require.NotContains(t, values, "spoofed", name)
		require.Len(t, values, 1, name)
	}
	require.Equal(t, "bearer", got.Header.Get("X-Webhook-Verified-Scheme"))
	require.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
	require.Equal(t, "of the application itself", got.Header.Get("X-Webhook-Verification"))
	require.NotContains(t, got.Header, "X-Hop")
	require.NotContains(t, got.Header, "X-Webhook-Verified-Message-Id")
	require.Empty(t, got.Trailer)
}

// Bodies of every size arrive byte for byte, with their length if they had one.
func TestBodies(t *testing.T) {
	u := newUpstream(t)
	s := settings{upstream: u.URL, maxBody: 2 << 20}
	base, _ := newServer(t, s)
	s.credential = []byte(bearerCredential)
	bearer, _ := newServer(t, s)
	for _, text := range []string{"", body, strings.Repeat(body, 2<<20/len(body))} {
		for _, chunked := range []bool{false, true} {
			for _, expect := range []bool{false, true} {
				for _, url := range []string{base, bearer} {
					r := signed(t, url, text)
					require.NoError(t, verifytest.Bearer{Token: secret}.Sign(r))
					want := int64(len(text))
					switch {
					case text == "":
						r.Body = http.NoBody // or the client could not tell its length
					case chunked:
						r.ContentLength, want = -1, -1
					}
					if expect {
						r.Header.Set("Expect", "100-continue")
					}
					answer, _ := send(t, r)
					require.Equal(t, http.StatusOK, answer.StatusCode)
					last := len(u.bodies) - 1
					require.True(t, text == u.bodies[last], "%d bytes, chunked %v", len(text), chunked)
					require.Equal(t, want, u.requests[last].ContentLength)
					require.NotContains(t, u.requests[last].Header, "Expect")
				}
			}
		}
	}
}

// The upstream never sees the end of a body that is too large, whether its length was
// declared or not and whether a signature covers it or not.
func TestTooLarge(t *testing.T) {
	u := newUpstream(t)
	s := settings{upstream: u.URL, maxBody: 64 << 10}
	base, _ := newServer(t, s)
	s.credential = []byte(bearerCredential)
	bearer, _ := newServer(t, s)
	for _, chunked := range []bool{false, true} {
		for _, url := range []string{base, bearer} {
			r := signed(t, url, strings.Repeat("x", 64<<10+1))
			require.NoError(t, verifytest.Bearer{Token: secret}.Sign(r))
			if chunked {
				r.ContentLength = -1
			}
			answer, _ := send(t, r)
			require.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode, "chunked %v", chunked)
		}
	}
	require.Zero(t, u.runs())
}

// An answer that comes in pieces goes out in pieces.
func TestStreaming(t *testing.T) {
	next := make(chan struct{})
	u := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "piece %d\n", i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	defer u.Close()
	base, _ := newServer(t, settings{upstream: u.URL, once: true})
	answer, err := http.DefaultClient.Do(signed(t, base, body))
	require.NoError(t, err)
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n') // the upstream waits until it was read
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("piece %d\n", i), line)
		next <- struct{}{}
	}
	_, err = lines.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// A genuine request opens no tunnel, for what follows would be verified by nobody.
func TestUpgrade(t *testing.T) {
	u := newUpstream(t)
	base, _ := newServer(t, settings{upstream: u.URL})
	r := signed(t, base, body)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	answer, _ := send(t, r)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.NotContains(t, u.requests[0].Header, "Upgrade")
	require.NotContains(t, u.requests[0].Header, "Connection")
}

// An upstream that is down is answered for, and said so in the log.
func TestUpstreamDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	base, logged := newServer(t, settings{upstream: "http://" + l.Addr().String()})
	answer, text := send(t, signed(t, base, body))
	require.Equal(t, http.StatusBadGateway, answer.StatusCode)
	require.Equal(t, "502 Bad Gateway\n", text)
	require.Contains(t, logged.String(), "msg=upstream")
}
