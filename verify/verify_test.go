package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// schemeFunc is a scheme of another package: a function that decides.
type schemeFunc func(context.Context, *verify.Message) (*verify.Result, error)

func (f schemeFunc) Build(verify.Env) (verify.Authenticator, error) { return f, nil }

func (f schemeFunc) Authenticate(ctx context.Context, m *verify.Message) (*verify.Result, error) {
	return f(ctx, m)
}

// buildFunc is a scheme of another package that has something to say to New.
type buildFunc func(verify.Env) (verify.Authenticator, error)

func (f buildFunc) Build(env verify.Env) (verify.Authenticator, error) { return f(env) }

// accepting vouches for every request.
func accepting(name string) schemeFunc {
	return func(context.Context, *verify.Message) (*verify.Result, error) {
		return &verify.Result{Scheme: name}, nil
	}
}

// refusing refuses every request.
func refusing(name string, reason error) schemeFunc {
	return func(context.Context, *verify.Message) (*verify.Result, error) {
		return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: name, Err: reason, Detail: "as " + name + " says"}}}
	}
}

// goodToken is the token of the tests in which any would do.
const goodToken = "token-of-the-tests"

func goodBearer() verify.Bearer { return verify.Bearer{Tokens: verify.Static(goodToken)} }

func goodBearerPost() *http.Request { return post("{}", "Authorization", "Bearer "+goodToken) }

func TestNewRefusesOpenConfigurations(t *testing.T) {
	good := goodBearer()
	accept(t, build(t, verify.AllOf(verify.AnyOf(good))), goodBearerPost())
	for _, tt := range []struct {
		name           string
		scheme         verify.Scheme
		field, problem string
	}{
		{"C05 nothing configured", nil, "Config.Accept", "is nil"},
		{"C05 empty AnyOf", verify.AnyOf(), "Config.Accept.AnyOf", "has no schemes"},
		{"C05 empty StrictAnyOf", verify.StrictAnyOf(), "Config.Accept.StrictAnyOf", "has no schemes"},
		{"C05 empty AllOf", verify.AllOf(), "Config.Accept.AllOf", "has no schemes"},
		{"C05 AnyOf of nil", verify.AnyOf(nil), "Config.Accept.AnyOf[0]", "is nil"},
		{"C05 AllOf of nil", verify.AllOf(nil), "Config.Accept.AllOf[0]", "is nil"},
		{"C05 nil behind a good one", verify.AnyOf(good, nil), "Config.Accept.AnyOf[1]", "is nil"},
		{"C05 empty AllOf behind a good one", verify.AnyOf(good, verify.AllOf()), "Config.Accept.AnyOf[1].AllOf", "has no schemes"},
		{"V01 zero Bearer", verify.Bearer{}, "Config.Accept.Bearer.Tokens", "is nil"},
		{"V01 zero VapiSecret", verify.VapiSecret(nil), "Config.Accept.Bearer.Tokens", "is nil"},
		{"V01 zero HMAC", verify.HMAC{}, "Config.Accept.HMAC.Keys", "is nil"},
		{"V01 zero SourceIP", verify.SourceIP{}, "Config.Accept.SourceIP.Allow", "is empty"},
		{"V01 zero Rotating", verify.Bearer{Tokens: &verify.Rotating{}}, "Config.Accept.Bearer.Tokens", "holds no secrets"},
		{"V01 zero SecretFile", verify.Bearer{Tokens: &verify.SecretFile{}}, "Config.Accept.Bearer.Tokens", "secret file"},
		{"V01 zero Secret", verify.Bearer{Tokens: verify.Named(verify.Secret{})}, "Config.Accept.Bearer.Tokens", "is empty"},
		{"V05 a scheme that builds nothing", buildFunc(func(verify.Env) (verify.Authenticator, error) { return nil, nil }),
			"Config.Accept", "verify_test.buildFunc built no authenticator"},
	} {
		t.Run(tt.name, func(t *testing.T) { refuseConfig(t, tt.scheme, tt.field, tt.problem) })
	}
}

// A mistake is named by its place, whoever made it.
func TestConfigErrorPath(t *testing.T) {
	good := goodBearer()
	failing := func(err error) verify.Scheme {
		return buildFunc(func(verify.Env) (verify.Authenticator, error) { return accepting("unused"), err })
	}
	accept(t, build(t, failing(nil)), post("{}"))
	own := &verify.ConfigError{Field: "Basic.Users", Problem: "is empty"}
	for _, tt := range []struct {
		name           string
		scheme         verify.Scheme
		field, problem string
	}{
		{"alternative", verify.AnyOf(good, verify.Bearer{}), "Config.Accept.AnyOf[1].Bearer.Tokens", "is nil"},
		{"strict alternative", verify.StrictAnyOf(verify.HMAC{}, good), "Config.Accept.StrictAnyOf[0].HMAC.Keys", "is nil"},
		{"nested", verify.AllOf(good, verify.AnyOf(good, good, verify.SourceIP{})), "Config.Accept.AllOf[1].AnyOf[2].SourceIP.Allow", "is empty"},
		{"first of two mistakes", verify.AnyOf(verify.HMAC{}, verify.Bearer{}), "Config.Accept.AnyOf[0].HMAC.Keys", "is nil"},
		{"another package's ConfigError", failing(own), "Config.Accept.Basic.Users", "is empty"},
		{"another package's, wrapped", verify.AllOf(failing(fmt.Errorf("basic: %w", own))), "Config.Accept.AllOf[0].Basic.Users", "is empty"},
		{"another package's, without a field", failing(&verify.ConfigError{Problem: "is odd"}), "Config.Accept", "is odd"},
		{"any other error", verify.AnyOf(good, failing(errors.New("no such realm"))), "Config.Accept.AnyOf[1]", "no such realm"},
	} {
		t.Run(tt.name, func(t *testing.T) { refuseConfig(t, tt.scheme, tt.field, tt.problem) })
	}
}

func TestNewMaxBody(t *testing.T) {
	for _, negative := range []int64{-1, math.MinInt64} {
		_, err := verify.New(verify.Config{Accept: goodBearer(), MaxBody: negative})
		var e *verify.ConfigError
		if !errors.As(err, &e) || e.Field != "Config.MaxBody" || e.Problem != "is negative" {
			t.Errorf("MaxBody %d: %v", negative, err)
		}
	}
	for _, tt := range []struct {
		name               string
		maxBody            int64
		accepted, tooLarge int64 // declared lengths; 0: none is
	}{
		{"0 is 1 MiB", 0, 1 << 20, 1<<20 + 1},
		{"1 byte", 1, 1, 2},
		{"largest", math.MaxInt64, math.MaxInt64 - 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := configure(t, verify.Config{Accept: goodBearer(), MaxBody: tt.maxBody})
			r := goodBearerPost()
			r.ContentLength = tt.accepted
			accept(t, v, r)
			if tt.tooLarge > 0 {
				r = goodBearerPost()
				r.ContentLength = tt.tooLarge
				refuse(t, v, r, verify.ErrTooLarge, "over MaxBody")
			}
		})
	}
}

// A verifier is not changed by what becomes of the values it was made of.
func TestNewCopies(t *testing.T) {
	schemes := []verify.Scheme{goodBearer()}
	combined := []verify.Scheme{verify.AnyOf(schemes...), verify.AllOf(schemes...)}
	secrets := []verify.Secret{verify.NewSecret("a", goodToken)}
	named := verify.Named(secrets...)
	networks := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's peer
	source := build(t, verify.SourceIP{Allow: networks})

	schemes[0] = accepting("open")
	secrets[0] = verify.NewSecret("b", "another token")
	networks[0] = netip.MustParsePrefix("198.51.100.0/24")
	for _, scheme := range append(combined, verify.Bearer{Tokens: named}) {
		v := build(t, scheme)
		accept(t, v, goodBearerPost())
		refuse(t, v, post("{}"), verify.ErrMissing, "Authorization is absent")
	}
	accept(t, source, post("{}"))
}

func TestNewClock(t *testing.T) {
	var told time.Time
	v, err := verify.New(verify.Config{Accept: buildFunc(func(env verify.Env) (verify.Authenticator, error) {
		return schemeFunc(func(_ context.Context, m *verify.Message) (*verify.Result, error) {
			told = m.Time()
			if env.Now == nil || env.Now().Before(told) {
				return nil, verify.ErrInternal
			}
			return &verify.Result{Scheme: "clock"}, nil
		}), nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	accept(t, v, post("{}"))
	if told.Before(before) || told.After(time.Now()) {
		t.Errorf("the default clock says %v", told)
	}
}

func TestZeroVerifier(t *testing.T) {
	accept(t, build(t, goodBearer()), goodBearerPost())
	var none *verify.Verifier
	for name, v := range map[string]*verify.Verifier{"zero": {}, "nil": none} {
		t.Run("V01 C05 "+name, func(t *testing.T) {
			r := goodBearerPost()
			body := r.Body
			e := refuse(t, v, r, verify.ErrMisconfigured, "make one with New")
			if e.StatusCode() != http.StatusInternalServerError || r.Body != body {
				t.Errorf("status %d, body replaced: %t", e.StatusCode(), r.Body != body)
			}
			res, err := v.CheckMessage(context.Background(), verify.NewMessage("POST", "/", r.Header, nil))
			refused(t, res, err, verify.ErrMisconfigured, "make one with New")
			res, err = v.CheckMessage(context.Background(), nil)
			refused(t, res, err, verify.ErrMisconfigured, "make one with New")
			if challenge := v.Challenge(verify.ErrMissing); challenge != nil {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
}

func TestVerifierConcurrently(t *testing.T) {
	v := build(t, verify.AnyOf(defaultHMAC(), goodBearer()))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if res, err := v.Check(goodBearerPost()); err != nil || res.Scheme != "bearer" {
					t.Errorf("token: %v, %v", res, err)
				}
				if res, err := v.Check(defaultPost()); err != nil || res.Scheme != "hmac" {
					t.Errorf("signature: %v, %v", res, err)
				}
				if _, err := v.Check(post("{}", "Authorization", "Bearer other")); !errors.Is(err, verify.ErrMismatch) {
					t.Errorf("forgery: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestContext(t *testing.T) {
	ctx := context.Background()
	if res, ok := verify.FromContext(ctx); res != nil || ok {
		t.Errorf("no verifier: %v, %t", res, ok)
	}
	if res, ok := verify.FromContext(verify.NewContext(ctx, nil)); res != nil || ok {
		t.Errorf("nil result: %v, %t", res, ok)
	}
	outer, inner := &verify.Result{Scheme: "outer"}, &verify.Result{Scheme: "inner"}
	carrying := verify.NewContext(ctx, outer)
	if res, ok := verify.FromContext(carrying); res != outer || !ok {
		t.Errorf("got %v, %t", res, ok)
	}
	if res, ok := verify.FromContext(verify.NewContext(carrying, inner)); res != inner || !ok {
		t.Errorf("the nearest verifier counts, got %v, %t", res, ok)
	}
}

// A result is a plain value: nothing that happens to the request or to the
// verifier later shows in it.
func TestV36ResultOutlivesRequest(t *testing.T) {
	v := build(t, verify.AllOf(svixHMAC(), goodBearer()))
	signature := hexMAC("msg_1." + hmacStamp + "." + hmacBody)
	request := func(ctx context.Context) *http.Request {
		r := svixPost("msg_1", hmacStamp, hmacBody, signature).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer "+goodToken)
		return r
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := request(ctx)
	res := accept(t, v, r)
	seen := *res
	if seen.Scheme != "hmac+bearer" || seen.KeyID != "0" || seen.MessageID != "msg_1" || !seen.SignedAt.Equal(now) {
		t.Fatalf("result %+v", seen)
	}
	used := make(chan verify.Result)
	go func() { used <- *res }() // races with what follows if they share memory
	cancel()
	clear(r.Header)
	*r = http.Request{}
	other := accept(t, v, request(context.Background()))
	other.KeyID, other.MessageID = "changed", strings.Repeat("x", 10)
	if got := <-used; got != seen {
		t.Errorf("the result has become %+v", got)
	}
}
