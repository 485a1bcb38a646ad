package verify_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// bothPost carries a token and a signature; "" leaves one out.
func bothPost(token, signature string) *http.Request {
	r := signedPost(hmacBody, hmacStamp, signature)
	if signature == "" {
		r.Header.Del("X-Signature")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// TestComposition: what each combination makes of a token and a signature that
// are right, wrong or absent.
func TestComposition(t *testing.T) {
	right, wrong := hexMAC(hmacStamp+"."+hmacBody), hexMAC("something else")
	token, signature := goodBearer(), defaultHMAC()
	for _, tt := range []struct {
		name             string
		scheme           verify.Scheme
		token, signature string
		by               string // the scheme that accepts
		reason           error
		detail           string
	}{
		{"C01 any-of, only the token", verify.AnyOf(token, signature), goodToken, "", "bearer", nil, ""},
		{"C01 any-of, only the signature", verify.AnyOf(token, signature), "", right, "hmac", nil, ""},
		{"C01 any-of in the other order, only the token", verify.AnyOf(signature, token), goodToken, "", "bearer", nil, ""},
		{"C01 any-of in the other order, only the signature", verify.AnyOf(signature, token), "", right, "hmac", nil, ""},
		{"C01 any-of, both", verify.AnyOf(token, signature), goodToken, right, "bearer", nil, ""},
		{"C01 any-of in the other order, both", verify.AnyOf(signature, token), goodToken, right, "hmac", nil, ""},
		{"C02 V18 token right, signature wrong", verify.AnyOf(token, signature), goodToken, wrong, "bearer", nil, ""},
		{"C02 V18 signature wrong, token right", verify.AnyOf(signature, token), goodToken, wrong, "bearer", nil, ""},
		{"C02 V18 token wrong, signature right", verify.AnyOf(token, signature), "other", right, "hmac", nil, ""},
		{"C02 signature malformed, token right", verify.AnyOf(signature, token), goodToken, "zz", "bearer", nil, ""},
		{"C02 policy strictPresent, token right, signature wrong", verify.StrictAnyOf(token, signature), goodToken, wrong, "", verify.ErrMismatch, "no signature in X-Signature"},
		{"C02 policy strictPresent, signature wrong, token right", verify.StrictAnyOf(signature, token), goodToken, wrong, "", verify.ErrMismatch, "no signature in X-Signature"},
		{"C02 policy strictPresent, token wrong, signature right", verify.StrictAnyOf(token, signature), "other", right, "", verify.ErrMismatch, "Authorization holds another token"},
		{"C02 policy strictPresent, signature malformed, token right", verify.StrictAnyOf(token, signature), goodToken, "zz", "", verify.ErrMalformed, "not the length"},
		{"C02 policy strictPresent, only the token", verify.StrictAnyOf(token, signature), goodToken, "", "bearer", nil, ""},
		{"C02 policy strictPresent, only the signature", verify.StrictAnyOf(token, signature), "", right, "hmac", nil, ""},
		{"C02 policy strictPresent, both", verify.StrictAnyOf(token, signature), goodToken, right, "bearer", nil, ""},
		{"C02 policy strictPresent, neither", verify.StrictAnyOf(token, signature), "", "", "", verify.ErrMissing, "Authorization is absent"},
		{"C02 policy strictPresent, both wrong", verify.StrictAnyOf(token, signature), "other", wrong, "", verify.ErrMismatch, "Authorization holds another token"},
		{"C03 all absent", verify.AnyOf(token, signature), "", "", "", verify.ErrMissing,
			"verify: refused: bearer: credential missing (Authorization is absent); hmac: credential missing (X-Signature is absent)"},
		{"C03 all wrong", verify.AnyOf(token, signature), "other", wrong, "", verify.ErrMismatch,
			"verify: refused: bearer: credential does not match (Authorization holds another token); hmac: credential does not match (no signature in X-Signature fits"},
		{"C03 one absent, one wrong", verify.AnyOf(token, signature), "", wrong, "", verify.ErrMismatch,
			"verify: refused: bearer: credential missing (Authorization is absent); hmac: credential does not match"},
		{"C04 all-of, token missing", verify.AllOf(token, signature), "", right, "", verify.ErrMissing, "bearer: credential missing"},
		{"C04 all-of, signature missing", verify.AllOf(token, signature), goodToken, "", "", verify.ErrMissing, "hmac: credential missing"},
		{"C04 all-of, token wrong", verify.AllOf(token, signature), "other", right, "", verify.ErrMismatch, "bearer: credential does not match"},
		{"C04 all-of, signature wrong", verify.AllOf(token, signature), goodToken, wrong, "", verify.ErrMismatch, "hmac: credential does not match"},
		{"C04 all-of, both right", verify.AllOf(token, signature), goodToken, right, "bearer+hmac", nil, ""},
		{"C04 all-of in the other order, both right", verify.AllOf(signature, token), goodToken, right, "hmac+bearer", nil, ""},
		{"C04 the first refusal decides", verify.AllOf(token, signature), "", "zz", "", verify.ErrMissing, "bearer: credential missing"},
		{"V18 HMAC alone, signature wrong, token right", signature, goodToken, wrong, "", verify.ErrMismatch, "no signature"},
		{"V18 HMAC alone, signature missing, token right", signature, goodToken, "", "", verify.ErrMissing, "X-Signature is absent"},
		{"any-of within all-of, one alternative missing", verify.AllOf(verify.AnyOf(token, signature), accepting("net")), "", right, "hmac+net", nil, ""},
		{"any-of within all-of, both missing", verify.AllOf(accepting("net"), verify.AnyOf(token, signature)), "", "", "", verify.ErrMissing, "bearer: credential missing"},
		{"all-of within any-of, incomplete", verify.AnyOf(verify.AllOf(token, signature), accepting("net")), goodToken, "", "net", nil, ""},
		{"all-of within any-of, complete", verify.AnyOf(verify.AllOf(token, signature), accepting("net")), goodToken, right, "bearer+hmac", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := build(t, tt.scheme)
			r := bothPost(tt.token, tt.signature)
			if tt.reason != nil {
				accept(t, v, bothPost(goodToken, right))
				refuse(t, v, r, tt.reason, tt.detail)
				return
			}
			if res := accept(t, v, r); res.Scheme != tt.by || res.KeyID == "" && tt.by != "net" {
				t.Errorf("result %+v", res)
			}
			if got, err := readRest(r); got != hmacBody || err != nil {
				t.Errorf("the handler reads %q, %v", got, err)
			}
		})
	}
}

func TestTwoSignatures(t *testing.T) {
	second := verify.HMAC{Keys: verify.Static("key-of-the-second"), SignatureHeader: "X-Second", Name: "second"}
	r := func() *http.Request {
		r := defaultPost()
		r.Header.Set("X-Second", fmt.Sprintf("%x", macBytes(sha256.New, "key-of-the-second", hmacStamp+"."+hmacBody)))
		return r
	}
	t.Run("C07 in one verifier", func(t *testing.T) {
		if res := accept(t, build(t, verify.AllOf(defaultHMAC(), second)), r()); res.Scheme != "hmac+second" {
			t.Errorf("result %+v", res)
		}
	})
	t.Run("C07 in two verifiers", func(t *testing.T) {
		request := r()
		accept(t, build(t, defaultHMAC()), request)
		accept(t, build(t, second), request)
		if got, err := readRest(request); got != hmacBody || err != nil {
			t.Errorf("the handler reads %q, %v", got, err)
		}
	})
}

func TestRoutesApart(t *testing.T) {
	tokenA, tokenB := build(t, verify.Bearer{Tokens: verify.Static("token-A")}), build(t, verify.Bearer{Tokens: verify.Static("token-B")})
	keyA, keyB := build(t, defaultHMAC()), build(t, verify.HMAC{Keys: verify.Static("key-B")})
	t.Run("C08 token", func(t *testing.T) {
		accept(t, tokenA, post("{}", "Authorization", "Bearer token-A"))
		refuse(t, tokenB, post("{}", "Authorization", "Bearer token-A"), verify.ErrMismatch, "another token")
	})
	t.Run("C08 signature", func(t *testing.T) {
		accept(t, keyA, defaultPost())
		refuse(t, keyB, defaultPost(), verify.ErrMismatch, "no signature")
	})
}

func TestOrderOfFaults(t *testing.T) {
	v := build(t, defaultHMAC())
	accept(t, v, defaultPost())
	stale := signedPost(hmacBody, "1", hexMAC("1."+hmacBody))
	refuse(t, v, stale, verify.ErrStale, "old")
	t.Run("C10 missing signature and expired timestamp", func(t *testing.T) {
		refuse(t, v, post(hmacBody, "X-Timestamp", "1"), verify.ErrMissing, "X-Signature is absent")
	})
	t.Run("C10 missing signature and missing timestamp", func(t *testing.T) {
		refuse(t, v, post(hmacBody), verify.ErrMissing, "X-Signature is absent")
	})
}

// A refusal gives nothing that could be handed to a handler by mistake.
func TestRefusalKeepsNothing(t *testing.T) {
	var event verify.Event
	v := configure(t, verify.Config{Accept: defaultHMAC(), Observe: func(_ context.Context, e verify.Event) { event = e }})
	accept(t, v, defaultPost())
	t.Run("C11 V35 body", func(t *testing.T) {
		r := defaultPost()
		r.Header.Set("X-Signature", hexMAC("something else"))
		e := refuse(t, v, r, verify.ErrMismatch, "no signature")
		if event.Err != e || event.BodyBytes != int64(len(hmacBody)) {
			t.Fatalf("event %+v", event)
		}
		for what, value := range map[string]any{"error": e, "event": event} {
			for how, text := range outputs(value) {
				if disclosed(text, hmacBody) != "" {
					t.Errorf("%s of the %s holds the body: %s", how, what, text)
				}
			}
		}
		if _, ok := verify.FromContext(r.Context()); ok {
			t.Error("a refused request has a result in its context")
		}
	})
}

func TestAllOfMerges(t *testing.T) {
	early, late := now.Add(-time.Minute), now
	fixed := func(res verify.Result) schemeFunc {
		return func(context.Context, *verify.Message) (*verify.Result, error) { return &res, nil }
	}
	full := verify.Result{Scheme: "full", KeyID: "k1", SignedAt: early, MessageID: "m1"}
	other := verify.Result{Scheme: "other", KeyID: "k2", SignedAt: late, MessageID: "m2"}
	bare := verify.Result{Scheme: "bare"}
	for _, tt := range []struct {
		name    string
		results []verify.Result
		want    verify.Result
	}{
		{"one", []verify.Result{full}, full},
		{"two full", []verify.Result{full, other}, verify.Result{Scheme: "full+other", KeyID: "k1", SignedAt: early, MessageID: "m1"}},
		{"in the other order", []verify.Result{other, full}, verify.Result{Scheme: "other+full", KeyID: "k2", SignedAt: late, MessageID: "m2"}},
		{"bare first", []verify.Result{bare, full, other}, verify.Result{Scheme: "bare+full+other", KeyID: "k1", SignedAt: early, MessageID: "m1"}},
		{"field by field", []verify.Result{{Scheme: "a", KeyID: "k"}, {Scheme: "b", SignedAt: late}, {Scheme: "c", MessageID: "m"}},
			verify.Result{Scheme: "a+b+c", KeyID: "k", SignedAt: late, MessageID: "m"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var schemes []verify.Scheme
			for _, res := range tt.results {
				schemes = append(schemes, fixed(res))
			}
			v := build(t, verify.AllOf(schemes...))
			for range 2 { // what a scheme returned, perhaps for ever the same, is not changed
				if res := accept(t, v, post("{}")); *res != tt.want {
					t.Errorf("got %+v, want %+v", res, tt.want)
				}
			}
		})
	}
}

// Every attempt is kept, in order; the one that came furthest speaks for all.
func TestAttempts(t *testing.T) {
	v := build(t, verify.AnyOf(
		refusing("a", verify.ErrMissing),
		verify.AnyOf(refusing("b", verify.ErrStale), refusing("c", verify.ErrMalformed)),
		verify.AllOf(accepting("d"), refusing("e", verify.ErrMissing)),
	))
	e := refuse(t, v, post("{}"), verify.ErrStale, "b: timestamp outside the window (as b says)")
	var names []string
	for _, a := range e.Attempts {
		names = append(names, a.Scheme)
		if a.Detail != "as "+a.Scheme+" says" {
			t.Errorf("attempt %+v", a)
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c", "e"}) {
		t.Errorf("attempts %v", names)
	}
	if res, err := v.Check(post("{}")); res != nil || !errors.Is(err, verify.ErrStale) || len(verify.Refusal(err).Attempts) != 4 {
		t.Errorf("the second request: %v, %v", res, err)
	}
}

// The scheme of the example, which others may copy, holds to what this package
// asks of its own.
func TestExampleScheme(t *testing.T) {
	passwords := rotating(t, verify.NewSecret("new", "pass:word"), verify.NewSecret("old", "other word"))
	v := build(t, Basic{User: "vapi", Passwords: passwords})
	basic := func(user, password string) string {
		r := post("")
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	good := basic("vapi", "pass:word")
	for _, tt := range []struct {
		name          string
		authorization []string
		reason        error
		detail        string
	}{
		{"absent", nil, verify.ErrMissing, "no Authorization"},
		{"empty", []string{""}, verify.ErrMissing, "no Authorization"},
		{"twice", []string{good, good}, verify.ErrMalformed, "more than once"},
		{"bearer", []string{"Bearer token"}, verify.ErrMalformed, "form of Basic"},
		{"not base64", []string{"Basic %"}, verify.ErrMalformed, "form of Basic"},
		{"no colon", []string{"Basic dmFwaQ=="}, verify.ErrMalformed, "form of Basic"},
		{"no password", []string{basic("vapi", "")}, verify.ErrMismatch, "user or password"},
		{"wrong password", []string{basic("vapi", "pass")}, verify.ErrMismatch, "user or password"},
		{"wrong user", []string{basic("Vapi", "pass:word")}, verify.ErrMismatch, "user or password"},
		{"no user", []string{basic("", "pass:word")}, verify.ErrMismatch, "user or password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post("{}", "Authorization", good)
			if res := accept(t, v, r); *res != (verify.Result{Scheme: "basic", KeyID: "new"}) {
				t.Errorf("result %+v", res)
			}
			r.Header["Authorization"] = tt.authorization
			refuse(t, v, r, tt.reason, tt.detail)
		})
	}
	if res := accept(t, v, post("{}", "Authorization", basic("vapi", "other word"))); res.KeyID != "old" {
		t.Errorf("result %+v", res)
	}
	expired := verify.NewSecret("expired", "pass:word")
	expired.NotAfter = now.Add(-1)
	if err := passwords.Replace(expired); err != nil {
		t.Fatal(err)
	}
	refuse(t, v, post("{}", "Authorization", good), verify.ErrUnavailable, "no password is valid now")
	refuseConfig(t, Basic{User: "vapi"}, "Config.Accept.Basic.Passwords", "is nil")
	refuseConfig(t, Basic{User: "va:pi", Passwords: passwords}, "Config.Accept.Basic.User", "holds a colon")
	refuseConfig(t, Basic{Passwords: passwords}, "Config.Accept.Basic.User", "is empty")
	refuseConfig(t, Basic{User: "vapi", Passwords: &verify.Rotating{}}, "Config.Accept.Basic.Passwords", "call Replace first")
}
