package verify_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// onWire is a request that net/http's own parser made of a header block.
func onWire(t *testing.T, header string) *http.Request {
	t.Helper()
	raw := "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + header + "\r\n\r\n{}"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBearer(t *testing.T) {
	const token = "Tok3n-of.the~tests/x+y=="
	plain := verify.Bearer{Tokens: verify.Static(token)}
	bare := verify.Bearer{Tokens: verify.Static(token), Bare: true}
	custom := verify.Bearer{Tokens: verify.Static(token), Header: "x-API-key"}
	authorization := func(value string) string { return "Authorization: " + value }
	for _, tt := range []struct {
		name   string
		scheme verify.Bearer
		header string // <T> stands for the token
		reason error  // nil: accepted
		detail string
	}{
		{"B01 Bearer T", plain, authorization("Bearer <T>"), nil, ""},
		{"B02 absent", plain, "X-Other: <T>", verify.ErrMissing, "Authorization is absent"},
		{"B02 empty", plain, authorization(""), verify.ErrMissing, "Authorization is empty"},
		{"B02 only spaces", plain, authorization("  "), verify.ErrMissing, "Authorization is empty"},
		{"B03 bearer", plain, authorization("bearer <T>"), nil, ""},
		{"B03 BEARER", plain, authorization("BEARER <T>"), nil, ""},
		{"B03 bEaReR", plain, authorization("bEaReR <T>"), nil, ""},
		{"B04 two spaces", plain, authorization("Bearer  <T>"), nil, ""},
		{"B05 V33 tab", plain, authorization("Bearer\t<T>"), verify.ErrMalformed, "no space after Bearer"},
		{"B05 tab, then space", plain, authorization("Bearer\t <T>"), verify.ErrMalformed, "no space after Bearer"},
		{"B05 space, then tab", plain, authorization("Bearer \t<T>"), verify.ErrMalformed, "more than one token"},
		{"B05 V33 no space", plain, authorization("Bearer<T>"), verify.ErrMalformed, "no space after Bearer"},
		{"B06 last character changed", plain, authorization("Bearer " + token[:len(token)-1] + "-"), verify.ErrMismatch, "another token"},
		{"B06 first character changed", plain, authorization("Bearer -" + token[1:]), verify.ErrMismatch, "another token"},
		{"B06 one short", plain, authorization("Bearer " + token[:len(token)-1]), verify.ErrMismatch, "another token"},
		{"B06 one long", plain, authorization("Bearer <T>="), verify.ErrMismatch, "another token"},
		{"B06 other letter case", plain, authorization("Bearer " + strings.ToLower(token)), verify.ErrMismatch, "another token"},
		{"B07 V33 Basic", plain, authorization("Basic <T>"), verify.ErrMalformed, "does not begin with Bearer"},
		{"B07 bare", plain, authorization("<T>"), verify.ErrMalformed, "does not begin with Bearer"},
		{"B07 shorter than the scheme", plain, authorization("Bear"), verify.ErrMalformed, "does not begin with Bearer"},
		{"B07 V03 only the scheme", plain, authorization("Bearer"), verify.ErrMalformed, "no token after Bearer"},
		{"B07 V03 only the scheme and spaces", plain, authorization("Bearer   "), verify.ErrMalformed, "no token after Bearer"},
		{"B08 prefix disabled, bare", bare, authorization("<T>"), nil, ""},
		{"B08 prefix disabled, Bearer T", bare, authorization("Bearer <T>"), verify.ErrMismatch, "another token"},
		{"B09 V23 two lines, both right", plain, authorization("Bearer <T>\r\nAuthorization: Bearer <T>"), verify.ErrMalformed, "more than once"},
		{"B09 V23 wrong then right", plain, authorization("Bearer X\r\nAuthorization: Bearer <T>"), verify.ErrMalformed, "more than once"},
		{"B09 V23 right then wrong", plain, authorization("Bearer <T>\r\nAuthorization: Bearer X"), verify.ErrMalformed, "more than once"},
		{"B09 V23 empty then right", plain, authorization("\r\nauthorization: Bearer <T>"), verify.ErrMalformed, "more than once"},
		{"B10 V23 joined", plain, authorization("Bearer X, Bearer <T>"), verify.ErrMalformed, "more than one token"},
		{"B10 V23 joined, right first", plain, authorization("Bearer <T>, Bearer X"), verify.ErrMalformed, "more than one token"},
		{"B10 V23 joined without a space", plain, authorization("Bearer X,<T>"), verify.ErrMalformed, "more than one token"},
		{"B10 V33 a token with spaces", plain, authorization("Bearer X <T>"), verify.ErrMalformed, "more than one token"},
		{"B11 custom header", custom, "X-Api-Key: Bearer <T>", nil, ""},
		{"B11 custom header, lower case", custom, "x-api-key: Bearer <T>", nil, ""},
		{"B11 custom header, upper case", custom, "X-API-KEY: Bearer <T>", nil, ""},
		{"B12 custom header, T in Authorization", custom, authorization("Bearer <T>"), verify.ErrMissing, "X-Api-Key is absent"},
		{"B14 spaces after T", plain, authorization("Bearer <T>  \t"), nil, ""},
		{"B15 no-break space", plain, authorization("Bearer \u00a0<T>"), verify.ErrMismatch, "another token"},
		{"B17 Authorization of server.headers", plain, authorization("Bearer of-server-headers"), verify.ErrMismatch, "another token"},
		{"B17 Authorization of server.headers, Basic", plain, authorization("Basic dXNlcjpwYXNz"), verify.ErrMalformed, "does not begin with Bearer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := build(t, tt.scheme)
			r := onWire(t, strings.ReplaceAll(tt.header, "<T>", token))
			if tt.reason != nil {
				refuse(t, v, r, tt.reason, tt.detail)
				return
			}
			if res := accept(t, v, r); *res != (verify.Result{Scheme: "bearer", KeyID: "0"}) {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// A token elsewhere than in the header is not looked for (RFC 6750 §2.2, §2.3).
func TestBearerElsewhere(t *testing.T) {
	v := build(t, goodBearer())
	accept(t, v, goodBearerPost())
	for name, r := range map[string]*http.Request{
		"query": httptest.NewRequest(http.MethodPost, "/webhook?access_token="+goodToken, strings.NewReader("{}")),
		"form":  post("access_token="+goodToken, "Content-Type", "application/x-www-form-urlencoded"),
	} {
		t.Run("B13 V35 "+name, func(t *testing.T) {
			refuse(t, v, r, verify.ErrMissing, "Authorization is absent")
			if r.Form != nil || r.PostForm != nil {
				t.Error("the verifier parsed a form")
			}
		})
	}
}

func TestBearerBytes(t *testing.T) {
	const utf8, latin1 = "cl\u00e9", "cl\xe9"
	for name, tt := range map[string]struct{ configured, sent string }{
		"UTF-8 against Latin-1":       {utf8, latin1},
		"Latin-1 against UTF-8":       {latin1, utf8},
		"composed against decomposed": {utf8, "cle\u0301"},
	} {
		t.Run("B15 "+name, func(t *testing.T) {
			v := build(t, verify.Bearer{Tokens: verify.Static(tt.configured)})
			accept(t, v, onWire(t, "Authorization: Bearer "+tt.configured))
			refuse(t, v, onWire(t, "Authorization: Bearer "+tt.sent), verify.ErrMismatch, "another token")
		})
	}
}

func TestBearerLength(t *testing.T) {
	const most = 8192
	for name, scheme := range map[string]verify.Bearer{
		"with prefix": {Tokens: verify.Static(strings.Repeat("x", most))},
		"bare":        {Tokens: verify.Static(strings.Repeat("x", most)), Bare: true},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := "Bearer "
			if scheme.Bare {
				prefix = ""
			}
			v := build(t, scheme)
			accept(t, v, post("{}", "Authorization", prefix+strings.Repeat("x", most)))
			refuse(t, v, post("{}", "Authorization", prefix+strings.Repeat("x", most+1)), verify.ErrMalformed, "token is too long")
			scheme.Tokens = verify.Static(strings.Repeat("x", most+1))
			refuseConfig(t, scheme, "Config.Accept.Bearer.Tokens", "longer than 8192 bytes")
		})
	}
}

func TestBearerConfig(t *testing.T) {
	const field = "Config.Accept.Bearer."
	tokens := verify.Static("a-token")
	for _, tt := range []struct {
		name           string
		scheme         verify.Bearer
		field, problem string // "": built
	}{
		{"B16 V01 empty token", verify.Bearer{Tokens: verify.Static("")}, "Tokens", `secret "0" is empty`},
		{"B16 V01 no token", verify.Bearer{Tokens: verify.Static()}, "Tokens", "no secrets"},
		{"B16 V01 second token empty", verify.Bearer{Tokens: verify.Static("a-token", "")}, "Tokens", `secret "1" is empty`},
		{"B16 V01 empty token, bare", verify.Bearer{Tokens: verify.Static(""), Bare: true}, "Tokens", "is empty"},
		{"B16 V01 only spaces", verify.Bearer{Tokens: verify.Static("  ")}, "Tokens", "only whitespace"},
		{"B10 token with a comma", verify.Bearer{Tokens: verify.Static("a,token")}, "Tokens", "a space or a comma"},
		{"B10 token with a space", verify.Bearer{Tokens: verify.Static("a token")}, "Tokens", "a space or a comma"},
		{"B10 token with a tab", verify.Bearer{Tokens: verify.Static("a\ttoken")}, "Tokens", "a space or a comma"},
		{"B10 bare token with all of them", verify.Bearer{Tokens: verify.Static("a, \ttoken"), Bare: true}, "", ""},
		{"line break", verify.Bearer{Tokens: verify.Static("a\ntoken"), Bare: true}, "Tokens", "control character"},
		{"NUL", verify.Bearer{Tokens: verify.Static("a\x00token"), Bare: true}, "Tokens", "control character"},
		{"DEL", verify.Bearer{Tokens: verify.Static("a\x7ftoken"), Bare: true}, "Tokens", "control character"},
		{"header with a space", verify.Bearer{Tokens: tokens, Header: "X Api-Key"}, "Header", "not a header name"},
		{"header with a colon", verify.Bearer{Tokens: tokens, Header: "X-Api-Key:"}, "Header", "not a header name"},
		{"header outside ASCII", verify.Bearer{Tokens: tokens, Header: "X-Schlüssel"}, "Header", "not a header name"},
		{"header of HTTP", verify.Bearer{Tokens: tokens, Header: "content-length"}, "Header", "Content-Length belongs to HTTP"},
		{"header that the server removes", verify.Bearer{Tokens: tokens, Header: "host"}, "Header", "Host belongs to HTTP"},
		{"odd header", verify.Bearer{Tokens: tokens, Header: "x_api.key~1"}, "", ""},
		{"name with a space", verify.Bearer{Tokens: tokens, Name: "my bearer"}, "Name", "letters, digits"},
		{"name with a quote", verify.Bearer{Tokens: tokens, Name: `my"bearer`}, "Name", "letters, digits"},
		{"name with a plus, as AllOf joins", verify.Bearer{Tokens: tokens, Name: "my+bearer"}, "Name", "letters, digits"},
		{"name of 65 bytes", verify.Bearer{Tokens: tokens, Name: strings.Repeat("n", 65)}, "Name", "longer than 64 bytes"},
		{"name of 64 bytes", verify.Bearer{Tokens: tokens, Name: strings.Repeat("n", 64)}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.field == "" {
				build(t, tt.scheme)
				return
			}
			refuseConfig(t, tt.scheme, field+tt.field, tt.problem)
		})
	}
	build(t, verify.Bearer{Tokens: tokens})
	if res := accept(t, build(t, verify.Bearer{Tokens: verify.Static(goodToken), Name: "A-z.0_9"}), goodBearerPost()); res.Scheme != "A-z.0_9" {
		t.Errorf("scheme %q", res.Scheme)
	}
}

func TestBearerSeveralTokens(t *testing.T) {
	v := build(t, verify.Bearer{Tokens: verify.Static("first", "middle", "last")})
	for id, token := range map[string]string{"0": "first", "1": "middle", "2": "last"} {
		t.Run("V24 "+token, func(t *testing.T) {
			if res := accept(t, v, post("{}", "Authorization", "Bearer "+token)); res.KeyID != id {
				t.Errorf("key id %q", res.KeyID)
			}
		})
	}
	t.Run("V24 none", func(t *testing.T) {
		refuse(t, v, post("{}", "Authorization", "Bearer firstmiddle"), verify.ErrMismatch, "another token")
	})
	t.Run("V24 one value under two ids: the newest vouches", func(t *testing.T) {
		v := build(t, verify.Bearer{Tokens: verify.Named(verify.NewSecret("new", goodToken), verify.NewSecret("old", goodToken))})
		if res := accept(t, v, goodBearerPost()); res.KeyID != "new" {
			t.Errorf("key id %q", res.KeyID)
		}
	})
}

// TestBearerRotation moves a clock over a rotation: the new token is valid from
// one minute on, the old one until two minutes.
func TestBearerRotation(t *testing.T) {
	fresh, old := verify.NewSecret("new", "token-of-today"), verify.NewSecret("old", "token-of-yesterday")
	fresh.NotBefore, old.NotAfter = now.Add(time.Minute), now.Add(2*time.Minute)
	clock := verifytest.NewClock(now)
	v := configure(t, verify.Config{Accept: verify.Bearer{Tokens: verify.Named(fresh, old)}, Now: clock.Now})
	for _, tt := range []struct {
		name     string
		after    time.Duration
		new, old bool
	}{
		{"V25 before the overlap", time.Minute - 1, false, true},
		{"V25 first moment of the overlap", time.Minute, true, true},
		{"V25 last moment of the overlap", 2 * time.Minute, true, true},
		{"V25 after the overlap", 2*time.Minute + 1, true, false},
	} {
		clock.Set(now.Add(tt.after))
		for token, valid := range map[string]bool{"token-of-today": tt.new, "token-of-yesterday": tt.old} {
			t.Run(tt.name+", "+token, func(t *testing.T) {
				r := post("{}", "Authorization", "Bearer "+token)
				if valid {
					accept(t, v, r)
				} else {
					refuse(t, v, r, verify.ErrMismatch, "another token")
				}
			})
		}
	}
}

// noCredential are the ways of not sending one, none of which may equal anything
// that was configured.
var noCredential = []struct {
	name  string
	apply func(http.Header, string)
}{
	{"absent", func(h http.Header, name string) { h.Del(name) }},
	{"empty", func(h http.Header, name string) { h.Set(name, "") }},
	{"nil list", func(h http.Header, name string) { h[name] = nil }},
	{"Bearer", func(h http.Header, name string) { h.Set(name, "Bearer") }},
	{"Bearer and a space", func(h http.Header, name string) { h.Set(name, "Bearer ") }},
}

func TestNoCredential(t *testing.T) {
	vapiSecret := verify.VapiSecret(verify.Static(goodToken))
	vapiHeader := []string{"X-Vapi-Secret", goodToken}
	bearerHeader := []string{"Authorization", "Bearer " + goodToken}
	for _, tt := range []struct {
		name   string
		scheme verify.Scheme
		header []string
	}{
		{"Bearer", goodBearer(), bearerHeader},
		{"bare Bearer", verify.Bearer{Tokens: verify.Static(goodToken), Bare: true}, []string{"Authorization", goodToken}},
		{"VapiSecret", vapiSecret, vapiHeader},
		{"AnyOf", verify.AnyOf(goodBearer(), vapiSecret), vapiHeader},
		{"StrictAnyOf", verify.StrictAnyOf(vapiSecret, goodBearer()), bearerHeader},
		{"AllOf", verify.AllOf(goodBearer(), accepting("other")), bearerHeader},
		{"HMAC beside it", verify.AnyOf(defaultHMAC(), vapiSecret), vapiHeader},
	} {
		v := build(t, tt.scheme)
		for _, none := range noCredential {
			t.Run("V03 V04 "+tt.name+", "+none.name, func(t *testing.T) {
				r := post("{}", tt.header...)
				accept(t, v, r)
				none.apply(r.Header, tt.header[0])
				res, err := v.Check(r)
				if err == nil || res != nil || verify.Refusal(err).StatusCode() != http.StatusUnauthorized {
					t.Errorf("result %+v, error %v", res, err)
				}
			})
		}
	}
}
