package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// An outage in a tree of errors is an outage, whatever stands before it.
func TestStopInATreeOfErrors(t *testing.T) {
	missing := &verify.Error{Attempts: []verify.Attempt{{Scheme: "other", Err: verify.ErrMissing}}}
	for name, err := range map[string]error{
		"sentinels joined":    errors.Join(verify.ErrMissing, verify.ErrUnavailable),
		"in the other order":  errors.Join(verify.ErrUnavailable, verify.ErrMissing),
		"an Error before it":  errors.Join(missing, verify.ErrUnavailable),
		"wrapped and joined":  fmt.Errorf("two things: %w", errors.Join(missing, fmt.Errorf("and %w", verify.ErrUnavailable))),
		"a nil Error with it": errors.Join((*verify.Error)(nil), verify.ErrUnavailable),
	} {
		t.Run(name, func(t *testing.T) {
			v := build(t, verify.AnyOf(
				schemeFunc(func(context.Context, *verify.Message) (*verify.Result, error) { return nil, err }),
				accepting("weaker")))
			refuse(t, v, post(""), verify.ErrUnavailable, "verification unavailable")
			if reason := verify.Reason(err); reason != "unavailable" {
				t.Errorf("reason %q", reason)
			}
		})
	}
}

// failing is a scheme whose Build returns a typed nil for an error.
type failing struct{}

func (failing) Build(verify.Env) (verify.Authenticator, error) {
	var err *verify.ConfigError
	return nil, err
}

func TestBuildWithATypedNil(t *testing.T) {
	refuseConfig(t, failing{}, "Config.Accept", "failed without saying why")
}

// In a map of headers two spellings of one name have no order, and of
// X-Forwarded-For the order decides.
func TestV37TwoSpellings(t *testing.T) {
	v := build(t, verify.SourceIP{Allow: networks("192.0.2.0/24"), TrustedProxies: networks("10.0.0.0/8")})
	for range 20 { // the order of a map changes from run to run
		m := verify.NewMessage("POST", "/", http.Header{"X-Forwarded-For": {"203.0.113.9"}, "x-forwarded-for": {"192.0.2.1"}}, nil)
		m.RemoteAddr = "10.0.0.1"
		res, err := v.CheckMessage(context.Background(), m)
		refused(t, res, err, verify.ErrMalformed, "several spellings")
	}
	m := verify.NewMessage("POST", "/", http.Header{"x-forwarded-for": {"192.0.2.1", "10.0.0.2"}}, nil)
	m.RemoteAddr = "10.0.0.1"
	if _, err := v.CheckMessage(context.Background(), m); err != nil {
		t.Error(err)
	}
}
