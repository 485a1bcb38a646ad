package verify_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

const publicURL = "https://hooks.example.com"

// urlVerifier signs the URL between the default parts.
func urlVerifier(t *testing.T, public string) *verify.Verifier {
	t.Helper()
	return build(t, verify.HMAC{Keys: verify.Static(hmacKey), Payload: "{timestamp}.{url}.{body}", PublicURL: public})
}

// urlPost is a request with a target as on the wire, signed over any URL.
func urlPost(target, signedURL string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(hmacBody))
	r.RequestURI = target
	r.Header.Set("X-Timestamp", hmacStamp)
	r.Header.Set("X-Signature", hexMAC(hmacStamp+"."+signedURL+"."+hmacBody))
	return r
}

func TestURL(t *testing.T) {
	v := urlVerifier(t, publicURL)
	const sent = "/hook/path?tenant=1&token=a%20b"
	t.Run("W11 https, host, path and query", func(t *testing.T) {
		accept(t, v, urlPost(sent, "https://hooks.example.com/hook/path?tenant=1&token=a%20b"))
	})
	for _, tt := range []struct{ name, signed string }{
		{"W11 another scheme", "http://hooks.example.com" + sent},
		{"W11 another host", "https://hooks.example.org" + sent},
		{"W11 another path", publicURL + "/hook/other?tenant=1&token=a%20b"},
		{"W11 another query", publicURL + "/hook/path?tenant=2&token=a%20b"},
		{"W11 no query", publicURL + "/hook/path"},
		{"W11 path alone", sent},
		{"W11 no URL", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, v, urlPost(sent, tt.signed), verify.ErrMismatch, "no signature")
		})
	}
	t.Run("W11 URLWithoutQuery", func(t *testing.T) {
		v := build(t, verify.HMAC{Keys: verify.Static(hmacKey), Payload: "{timestamp}.{url}.{body}", PublicURL: publicURL, URLWithoutQuery: true})
		accept(t, v, urlPost(sent, publicURL+"/hook/path"))
		accept(t, v, urlPost("/hook/path", publicURL+"/hook/path"))
		accept(t, v, urlPost("/hook/path?", publicURL+"/hook/path"))
		accept(t, v, urlPost("/a?b?c", publicURL+"/a"))
		refuse(t, v, urlPost(sent, publicURL+sent), verify.ErrMismatch, "no signature")
		refuse(t, v, urlPost("/hook/path%3Fa", publicURL+"/hook/path"), verify.ErrMismatch, "no signature")
	})
	t.Run("W11 a request without RequestURI", func(t *testing.T) {
		r := urlPost("", publicURL+"/hook/a%2fb?x=1")
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/hook/a/b", "/hook/a%2fb", "x=1"
		accept(t, v, r)
		r = urlPost("", publicURL)
		r.URL = nil
		accept(t, v, r)
	})
	t.Run("W11 a router that rewrites r.URL", func(t *testing.T) {
		r := urlPost("/api/hook", publicURL+"/api/hook")
		r.URL.Path = "/hook" // as http.StripPrefix leaves it
		accept(t, v, r)
	})
}

// TestURLSpellings: each spelling is good as it was sent and signed, and no
// spelling stands for another.
func TestURLSpellings(t *testing.T) {
	v := urlVerifier(t, publicURL)
	for _, tt := range []struct{ name, a, b string }{
		{"W12 %2F and %2f", "/hook%2Fx", "/hook%2fx"},
		{"W12 %2F and /", "/hook%2Fx", "/hook/x"},
		{"W12 %41 and A", "/%41", "/A"},
		{"W12 %41 and A in the query", "/?a=%41", "/?a=A"},
		{"W12 apostrophe and %27", "/o'brien", "/o%27brien"},
		{"W12 tilde and %7E", "/~a", "/%7Ea"},
		{"W12 %25 once and twice", "/%2541", "/%41"},
		{"W12 raw and escaped UTF-8", "/é", "/%C3%A9"},
		{"W13 dot segment", "/./hook", "/hook"},
		{"W13 parent segment", "/a/../hook", "/hook"},
		{"W13 escaped dot segment", "/%2e%2e/hook", "/../hook"},
		{"W13 double slash", "//hook", "/hook"},
		{"W13 double slash inside", "/a//b", "/a/b"},
		{"W13 trailing slash", "/hook/", "/hook"},
		{"W13 ? with nothing after", "/hook?", "/hook"},
		{"W13 root with ?", "/?", "/"},
		{"W14 query order", "/hook?a=1&b=2", "/hook?b=2&a=1"},
		{"W14 repeated keys", "/hook?a=1&a=2", "/hook?a=1"},
		{"W14 repeated keys in other order", "/hook?a=1&a=2", "/hook?a=2&a=1"},
		{"W14 + and %20", "/hook?a=b+c", "/hook?a=b%20c"},
		{"W14 semicolon and ampersand", "/hook?a=1;b=2", "/hook?a=1&b=2"},
		{"W14 key with and without =", "/hook?a=", "/hook?a"},
		{"W14 empty pair", "/hook?a=1&&b=2", "/hook?a=1&b=2"},
		{"W14 second question mark", "/hook?a?b", "/hook?a%3Fb"},
		{"W15 fragment", "/hook#top", "/hook"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, urlPost(tt.a, publicURL+tt.a))
			accept(t, v, urlPost(tt.b, publicURL+tt.b))
			refuse(t, v, urlPost(tt.a, publicURL+tt.b), verify.ErrMismatch, "no signature")
			refuse(t, v, urlPost(tt.b, publicURL+tt.a), verify.ErrMismatch, "no signature")
		})
	}
}

// TestPublicURL: the URL is what the operator says it is, in that spelling.
func TestPublicURL(t *testing.T) {
	for _, tt := range []struct{ name, public string }{
		{"W15 explicit :443", "https://hooks.example.com:443"},
		{"W15 upper-case host", "https://HOOKS.example.com"},
		{"W15 upper-case scheme", "HTTPS://hooks.example.com"},
		{"W15 punycode", "https://xn--hks-tna.example.com"},
		{"W15 IDN", "https://höoks.example.com"},
		{"W15 user info", "https://user@hooks.example.com"},
		{"W15 IPv6", "https://[2001:db8::1]"},
		{"W16 plain http", "http://hooks.example.com"},
		{"W16 path in front", "https://hooks.example.com/api"},
		{"W16 escaped path in front", "https://hooks.example.com/a%2fb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			configured, plain := urlVerifier(t, tt.public), urlVerifier(t, publicURL)
			accept(t, configured, urlPost("/hook", tt.public+"/hook"))
			accept(t, plain, urlPost("/hook", publicURL+"/hook"))
			refuse(t, configured, urlPost("/hook", publicURL+"/hook"), verify.ErrMismatch, "no signature")
			refuse(t, plain, urlPost("/hook", tt.public+"/hook"), verify.ErrMismatch, "no signature")
		})
	}
	t.Run("W16 proxy changed scheme, host and prefix", func(t *testing.T) {
		v := urlVerifier(t, publicURL+"/api")
		r := urlPost("/hook?a=1", publicURL+"/api/hook?a=1")
		r.Host, r.TLS = "10.0.0.7:8080", nil
		accept(t, v, r)
		r = urlPost("/hook?a=1", "http://10.0.0.7:8080/hook?a=1")
		r.Host = "10.0.0.7:8080"
		refuse(t, v, r, verify.ErrMismatch, "no signature")
	})
	t.Run("W16 the connection's own TLS changes nothing", func(t *testing.T) {
		v := urlVerifier(t, "http://hooks.example.com")
		r := urlPost("/hook", "http://hooks.example.com/hook")
		r.TLS = &tls.ConnectionState{ServerName: "hooks.example.com"}
		accept(t, v, r)
	})
	spoofed := http.Header{
		"X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Port": {"80"},
		"X-Forwarded-Prefix": {"/evil"}, "X-Forwarded-Uri": {"/evil"}, "X-Original-Url": {"/evil"}, "X-Rewrite-Url": {"/evil"},
		"Forwarded": {"host=evil.example;proto=http"},
	}
	spoof := func(r *http.Request) *http.Request {
		for name, values := range spoofed {
			r.Header[name] = values
		}
		r.Host = "evil.example"
		return r
	}
	v := urlVerifier(t, publicURL)
	t.Run("W17 spoofed headers beside a right signature", func(t *testing.T) {
		accept(t, v, spoof(urlPost("/hook", publicURL+"/hook")))
	})
	for _, signed := range []string{
		"http://evil.example/hook", "https://evil.example/hook", "http://hooks.example.com/hook",
		publicURL + "/evil", publicURL + "/evil/hook", "http://evil.example/evil", publicURL + ":80/hook",
	} {
		t.Run("W17 signed over what spoofed headers say: "+signed, func(t *testing.T) {
			refuse(t, v, spoof(urlPost("/hook", signed)), verify.ErrMismatch, "no signature")
		})
	}
}

// TestURLOfOddTargets: targets that are no path (RFC 9112 §3.2).
func TestURLOfOddTargets(t *testing.T) {
	v := urlVerifier(t, publicURL)
	for _, tt := range []struct{ name, target, rest string }{
		{"W23 absolute form", "http://hooks.example.com/hook?a=1", "/hook?a=1"},
		{"W23 absolute form of another host", "http://evil.example:8080/hook", "/hook"},
		{"W23 absolute form without a path", "http://hooks.example.com", ""},
		{"W23 absolute form with a query alone", "http://hooks.example.com?a=/b", "?a=/b"},
		{"W23 asterisk", "*", "*"},
		{"W23 a path that holds a URL", "/http://evil.example/x", "/http://evil.example/x"},
		{"W23 a query that holds a URL", "/hook?to=http://evil.example/x", "/hook?to=http://evil.example/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, urlPost(tt.target, publicURL+tt.rest))
			refuse(t, v, urlPost(tt.target, publicURL+tt.rest+"x"), verify.ErrMismatch, "no signature")
		})
	}
}
