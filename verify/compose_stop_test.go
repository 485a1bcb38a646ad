package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// counted counts how often a scheme is asked.
func counted(n *int, s schemeFunc) schemeFunc {
	return func(ctx context.Context, m *verify.Message) (*verify.Result, error) {
		*n++
		return s(ctx, m)
	}
}

// passesOn are the reasons after which the next alternative may be tried.
var passesOn = []error{verify.ErrMissing, verify.ErrMalformed, verify.ErrStale, verify.ErrMismatch, verify.ErrInactive, verify.ErrScope}

// TestStopRule: an outage or a spoilt body must not lead to the weaker scheme.
func TestStopRule(t *testing.T) {
	for _, reason := range reasons {
		goesOn := slices.Contains(passesOn, reason)
		word := verify.Reason(reason)
		t.Run("C01 "+word+" before an accepting scheme", func(t *testing.T) {
			asked := 0
			v := build(t, verify.AnyOf(refusing("first", reason), counted(&asked, accepting("second"))))
			if goesOn {
				if res := accept(t, v, post("{}")); res.Scheme != "second" {
					t.Errorf("result %+v", res)
				}
				return
			}
			e := refuse(t, v, post("{}"), reason, "as first says")
			if asked != 0 || len(e.Attempts) != 1 {
				t.Errorf("the second scheme was asked %d times: %v", asked, e)
			}
		})
		t.Run("C01 "+word+" behind an accepting scheme", func(t *testing.T) {
			asked := 0
			v := build(t, verify.AnyOf(accepting("first"), counted(&asked, refusing("second", reason))))
			if res := accept(t, v, post("{}")); res.Scheme != "first" || asked != 0 {
				t.Errorf("result %+v, the second scheme was asked %d times", res, asked)
			}
		})
		t.Run("C01 "+word+" behind a missing one", func(t *testing.T) {
			asked := 0
			v := build(t, verify.AnyOf(refusing("first", verify.ErrMissing), refusing("second", reason), counted(&asked, accepting("third"))))
			if goesOn {
				accept(t, v, post("{}"))
				return
			}
			e := refuse(t, v, post("{}"), reason, "first: credential missing (as first says); second: ")
			if asked != 0 || len(e.Attempts) != 2 {
				t.Errorf("the third scheme was asked %d times: %v", asked, e)
			}
		})
		t.Run("C01 "+word+" deep within", func(t *testing.T) {
			v := build(t, verify.AnyOf(verify.AllOf(accepting("first"), verify.AnyOf(refusing("second", reason))), accepting("third")))
			if goesOn {
				accept(t, v, post("{}"))
			} else {
				refuse(t, v, post("{}"), reason, "as second says")
			}
		})
		for order, schemes := range map[string][]verify.Scheme{
			"before": {refusing("bad", reason), accepting("good")},
			"behind": {accepting("good"), refusing("bad", reason)},
		} {
			t.Run("C02 policy strictPresent, "+word+" "+order+" an accepting scheme", func(t *testing.T) {
				v := build(t, verify.StrictAnyOf(schemes...))
				if reason == verify.ErrMissing {
					if res := accept(t, v, post("{}")); res.Scheme != "good" {
						t.Errorf("result %+v", res)
					}
					return
				}
				refuse(t, v, post("{}"), reason, "as bad says")
			})
		}
		t.Run("C04 "+word+" in an all-of", func(t *testing.T) {
			asked := 0
			v := build(t, verify.AllOf(accepting("first"), refusing("second", reason), counted(&asked, accepting("third"))))
			refuse(t, v, post("{}"), reason, "as second says")
			if asked != 0 {
				t.Errorf("the third scheme was asked %d times", asked)
			}
		})
	}
	t.Run("C01 the time to come again is kept", func(t *testing.T) {
		outage := schemeFunc(func(context.Context, *verify.Message) (*verify.Result, error) {
			return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "remote", Err: verify.ErrUnavailable}}, RetryAfter: 7 * time.Second}
		})
		for _, scheme := range []verify.Scheme{outage, verify.AnyOf(refusing("first", verify.ErrMissing), outage), verify.AllOf(outage)} {
			if e := refuse(t, build(t, scheme), post("{}"), verify.ErrUnavailable, "remote"); e.Retry() != "7" {
				t.Errorf("Retry-After %q", e.Retry())
			}
		}
	})
}

// TestStopRuleBody: a real body that is too large or broken stops too, though a
// token that does not need it would follow.
func TestStopRuleBody(t *testing.T) {
	v := configure(t, verify.Config{Accept: verify.AnyOf(defaultHMAC(), goodBearer()), MaxBody: 64})
	request := func(body io.Reader) *http.Request {
		r := bothPost(goodToken, hexMAC("something else"))
		r.Body, r.ContentLength = io.NopCloser(body), -1
		return r
	}
	if res := accept(t, v, request(strings.NewReader("short"))); res.Scheme != "bearer" {
		t.Errorf("result %+v", res)
	}
	refuse(t, v, request(strings.NewReader(strings.Repeat("x", 65))), verify.ErrTooLarge, "over MaxBody")
	broken, end := io.Pipe()
	end.CloseWithError(errors.New("cut off"))
	refuse(t, v, request(broken), verify.ErrBodyUnreadable, "body")
}

// TestUnrulySchemes: a scheme that breaks its contract vouches for nobody, and an
// AnyOf does not go on after it.
func TestUnrulySchemes(t *testing.T) {
	const secret = "in-the-hands-of-a-scheme"
	result := &verify.Result{Scheme: "unruly"}
	var nilError *verify.Error
	foreign := errors.New("dial tcp: " + secret)
	for _, tt := range []struct {
		name   string
		do     schemeFunc
		reason error
		detail string
		cause  error
	}{
		{"C06 panics", func(context.Context, *verify.Message) (*verify.Result, error) { panic(secret) }, verify.ErrInternal, "panic of type string", nil},
		{"C06 panics with an error", func(context.Context, *verify.Message) (*verify.Result, error) { panic(foreign) }, verify.ErrInternal, "panic of type *errors.errorString", nil},
		{"C06 panics with nil", func(context.Context, *verify.Message) (*verify.Result, error) { panic(nil) }, verify.ErrInternal, "panic of type *runtime.PanicNilError", nil},
		{"C06 runs off a slice", func(_ context.Context, m *verify.Message) (*verify.Result, error) {
			return nil, errors.New(m.Header["X-None"][0])
		}, verify.ErrInternal, "panic of type runtime.boundsError", nil},
		{"C06 panics with a refusal", func(context.Context, *verify.Message) (*verify.Result, error) { panic(verify.ErrMissing) }, verify.ErrInternal, "panic of type", nil},
		{"C06 neither result nor error", func(context.Context, *verify.Message) (*verify.Result, error) { return nil, nil }, verify.ErrInternal, "neither a result nor an error", nil},
		{"C06 both result and error", func(context.Context, *verify.Message) (*verify.Result, error) {
			return result, &verify.Error{Attempts: []verify.Attempt{{Scheme: "unruly", Err: verify.ErrMissing}}}
		}, verify.ErrInternal, "", nil},
		{"C06 a result and a nil *Error", func(context.Context, *verify.Message) (*verify.Result, error) { return result, nilError }, verify.ErrInternal, "", nil},
		{"C06 a nil *Error", func(context.Context, *verify.Message) (*verify.Result, error) { return nil, nilError }, verify.ErrInternal, "an Error without an attempt", nil},
		{"C06 an empty Error", func(context.Context, *verify.Message) (*verify.Result, error) { return nil, &verify.Error{} }, verify.ErrInternal, "an Error without an attempt", nil},
		{"C06 an attempt without a reason", func(context.Context, *verify.Message) (*verify.Result, error) {
			return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "unruly"}}}
		}, verify.ErrInternal, "unruly: internal error", nil},
		{"C06 an attempt with a reason of its own", func(context.Context, *verify.Message) (*verify.Result, error) {
			return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "unruly", Err: foreign}}}
		}, verify.ErrInternal, "unruly: internal error", nil},
		{"C06 an attempt with a wrapped reason", func(context.Context, *verify.Message) (*verify.Result, error) {
			return nil, &verify.Error{Attempts: []verify.Attempt{{Scheme: "unruly", Err: fmt.Errorf("x: %w", verify.ErrMissing)}}}
		}, verify.ErrInternal, "unruly: internal error", nil},
		{"C06 a foreign error", func(context.Context, *verify.Message) (*verify.Result, error) { return nil, foreign }, verify.ErrInternal, "verify_test.schemeFunc: internal error (unknown error)", foreign},
		{"C06 a cancelled context", func(context.Context, *verify.Message) (*verify.Result, error) { return nil, context.Canceled }, verify.ErrInternal, "unknown error", context.Canceled},
		{"a bare sentinel", func(context.Context, *verify.Message) (*verify.Result, error) { return nil, verify.ErrUnavailable }, verify.ErrUnavailable, "verify_test.schemeFunc: verification unavailable", nil},
		{"a wrapped sentinel", func(context.Context, *verify.Message) (*verify.Result, error) {
			return nil, fmt.Errorf("%w: %w", foreign, verify.ErrUnavailable)
		}, verify.ErrUnavailable, "verify_test.schemeFunc: verification unavailable", foreign},
		{"a wrapped Error", func(context.Context, *verify.Message) (*verify.Result, error) {
			return nil, fmt.Errorf("%w: %w", foreign, &verify.Error{Attempts: []verify.Attempt{{Scheme: "inner", Err: verify.ErrUnavailable}}})
		}, verify.ErrUnavailable, "inner: verification unavailable", nil},
	} {
		for how, scheme := range map[string]verify.Scheme{
			"alone":                tt.do,
			"in an any-of":         verify.AnyOf(tt.do, accepting("weaker")),
			"in a strict any-of":   verify.StrictAnyOf(tt.do, accepting("weaker")),
			"behind a refusal":     verify.AnyOf(refusing("first", verify.ErrMissing), tt.do, accepting("weaker")),
			"in an all-of":         verify.AllOf(accepting("first"), tt.do),
			"an all-of in any-ofs": verify.AnyOf(verify.AnyOf(verify.AllOf(tt.do)), accepting("weaker")),
		} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				e := refuse(t, build(t, scheme), post("{}"), tt.reason, tt.detail)
				if disclosed(e.Error(), secret) != "" || tt.cause != nil && !errors.Is(e, tt.cause) {
					t.Errorf("refused with %v", e)
				}
				if how == "behind a refusal" && (len(e.Attempts) != 2 || e.Attempts[0].Scheme != "first") {
					t.Errorf("the refusal keeps every attempt, it has %+v", e.Attempts)
				}
			})
		}
	}
}

// challenging is a scheme that refuses and challenges.
type challenging struct {
	schemeFunc
	values []string
}

func (c challenging) Build(verify.Env) (verify.Authenticator, error) { return c, nil }

func (c challenging) Challenge(error) []string { return c.values }

func TestChallenge(t *testing.T) {
	const bearer = `Bearer realm="webhook"`
	basic := challenging{accepting("basic"), []string{`Basic realm="hooks"`, `Digest realm="hooks"`}}
	same := challenging{accepting("same"), []string{bearer}}
	none := challenging{schemeFunc: accepting("none")}
	header := verify.Bearer{Tokens: verify.Static(goodToken), Header: "X-Api-Key"}
	bare := verify.Bearer{Tokens: verify.Static(goodToken), Bare: true}
	for _, tt := range []struct {
		name   string
		scheme verify.Scheme
		want   []string
	}{
		{"W21 bearer", goodBearer(), []string{bearer}},
		{"W21 bearer in another header", header, nil},
		{"W21 bare", bare, nil},
		{"W21 VapiSecret", verify.VapiSecret(verify.Static(goodToken)), nil},
		{"W21 HMAC", defaultHMAC(), nil},
		{"W21 third party", basic, basic.values},
		{"W21 third party without one", none, nil},
		{"W21 any-of", verify.AnyOf(defaultHMAC(), goodBearer()), []string{bearer}},
		{"W21 any-of without one", verify.AnyOf(defaultHMAC(), none), nil},
		{"W21 any-of, each once", verify.AnyOf(goodBearer(), basic, same, goodBearer()), []string{bearer, basic.values[0], basic.values[1]}},
		{"W21 strict any-of", verify.StrictAnyOf(basic, goodBearer()), []string{basic.values[0], basic.values[1], bearer}},
		{"W21 all-of", verify.AllOf(same, basic), []string{bearer, basic.values[0], basic.values[1]}},
		{"W21 nested", verify.AnyOf(verify.AllOf(defaultHMAC(), goodBearer()), verify.AnyOf(same, basic)), []string{bearer, basic.values[0], basic.values[1]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := build(t, tt.scheme)
			for _, reason := range reasons {
				var want []string
				if slices.Contains(passesOn, reason) { // these are 401 and 403
					want = tt.want
				}
				if got := v.Challenge(reason); !slices.Equal(got, want) {
					t.Errorf("%v: %q, want %q", reason, got, want)
				}
			}
			for _, err := range []error{nil, errors.New("foreign"), &verify.Error{}} {
				if got := v.Challenge(err); len(got) != 0 {
					t.Errorf("%v: %q", err, got)
				}
			}
			if got := v.Challenge(verify.ErrMissing); len(got) > 0 {
				got[0] = "changed"
				if again := v.Challenge(verify.ErrMissing); !slices.Equal(again, tt.want) {
					t.Errorf("a caller changed it for others: %q", again)
				}
			}
		})
	}
}
