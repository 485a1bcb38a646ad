package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// Scheme is the configuration of one way to authenticate a request: Bearer,
// HMAC, SourceIP, AnyOf, AllOf, or one of your own. It is a plain value; New
// builds it, once, into the Authenticator that serves requests.
type Scheme interface {
	// Build validates the configuration and copies what it needs of it. An
	// error should be a *ConfigError whose Field is relative to the scheme; any
	// other error is wrapped in one.
	Build(Env) (Authenticator, error)
}

// Authenticator decides about requests. It must be safe for concurrent use.
type Authenticator interface {
	// Authenticate returns a result, or an *Error, never both or neither: that
	// counts as ErrInternal. It should look at everything cheap before it calls
	// Message.Body, and must not change the message.
	Authenticate(context.Context, *Message) (*Result, error)
}

// Challenger is what an Authenticator implements besides, if its scheme has a
// WWW-Authenticate challenge (RFC 9110 §11.6.1).
type Challenger interface {
	// Challenge gives the header's values for a refusal with status 401 or 403.
	Challenge(error) []string
}

// Identifier is what an Authenticator implements besides, if its results have an
// Identity whenever Env.Key is set.
type Identifier interface {
	// Window tells between which ages a message is accepted.
	Window() Window
}

// Window is how far the signed time of an accepted message may lie in the past
// and in the future. The zero Window means that no time is signed.
type Window struct{ Past, Future time.Duration }

// Env is what New hands to every scheme it builds.
type Env struct {
	// Now is the verifier's clock, never nil.
	Now func() time.Time
	// Key derives a replay key from what a sender signed, within the verifier's
	// scope; nil if there is no replay guard, and results need no Identity.
	Key func(signed ...string) replay.Key
}

// AnyOf accepts a request that at least one of the schemes accepts; they are
// tried in order and the first to accept vouches for it. It is meant for
// migrations: AnyOf(new, old). Result.Scheme then tells when the old credential
// has fallen silent.
//
// A scheme that finds its credential missing, malformed, stale, wrong, inactive
// or short of a scope lets the next one try. Any other refusal stops: an outage
// must not downgrade to the weaker scheme. The refusal keeps every attempt.
//
// The request is only as well protected as the weakest alternative. See
// StrictAnyOf for one that refuses bad credentials beside good ones.
func AnyOf(schemes ...Scheme) Scheme { return anyOf{name: "AnyOf", schemes: slices.Clone(schemes)} }

// StrictAnyOf is AnyOf without tolerance for bad credentials: every scheme is
// asked, and the request is accepted only if at least one accepts and all that
// do not find their credential missing. A wrong signature beside a right token
// is then a refusal, whatever the order.
func StrictAnyOf(schemes ...Scheme) Scheme {
	return anyOf{name: "StrictAnyOf", schemes: slices.Clone(schemes), strict: true}
}

// AllOf accepts a request that every scheme accepts, asked in order; the first
// refusal decides. The results are merged: the scheme names are joined by "+",
// of every other field the first that is set is kept.
func AllOf(schemes ...Scheme) Scheme { return allOf(slices.Clone(schemes)) }

type anyOf struct {
	name    string
	schemes []Scheme
	strict  bool
}

// Build implements Scheme.
func (a anyOf) Build(env Env) (Authenticator, error) {
	built, err := buildAll(env, a.name, a.schemes)
	if err != nil {
		return nil, err
	}
	return &anyOfAuth{group(built), a.strict}, nil
}

type allOf []Scheme

// Build implements Scheme.
func (a allOf) Build(env Env) (Authenticator, error) {
	built, err := buildAll(env, "AllOf", a)
	if err != nil {
		return nil, err
	}
	return &allOfAuth{group(built)}, nil
}

func buildAll(env Env, name string, schemes []Scheme) ([]Authenticator, error) {
	if len(schemes) == 0 {
		return nil, &ConfigError{Field: name, Problem: "has no schemes"}
	}
	built := make([]Authenticator, len(schemes))
	for i, s := range schemes {
		a, err := build(env, s)
		if err != nil {
			return nil, within(fmt.Sprintf("%s[%d]", name, i), err)
		}
		built[i] = a
	}
	return built, nil
}

func build(env Env, s Scheme) (Authenticator, error) {
	if s == nil {
		return nil, &ConfigError{Problem: "is nil: name the scheme to accept"}
	}
	a, err := s.Build(env)
	if err == nil && a == nil {
		err = &ConfigError{Problem: fmt.Sprintf("%T built no authenticator", s)}
	}
	return a, err
}

// group is the alternatives or conjuncts of a combined scheme.
type group []Authenticator

// Challenge implements Challenger with the members' challenges, each once.
func (g group) Challenge(refusal error) []string {
	var all []string
	for _, a := range g {
		if c, ok := a.(Challenger); ok {
			for _, challenge := range c.Challenge(refusal) {
				if !slices.Contains(all, challenge) {
					all = append(all, challenge)
				}
			}
		}
	}
	return all
}

type anyOfAuth struct {
	group
	strict bool
}

func (a *anyOfAuth) Authenticate(ctx context.Context, m *Message) (*Result, error) {
	var accepted *Result
	var refused Error
	present := false // a credential was there and was bad
	for _, scheme := range a.group {
		res, err := authenticate(ctx, scheme, m)
		if err == nil {
			if !a.strict {
				return res, nil
			}
			if accepted == nil {
				accepted = res
			}
			continue
		}
		refused.Attempts = append(refused.Attempts, err.Attempts...)
		verdict := err.verdict()
		if verdict.stops {
			refused.RetryAfter = err.RetryAfter
			return nil, &refused
		}
		present = present || verdict != ErrMissing
	}
	if accepted != nil && !present {
		return accepted, nil
	}
	return nil, &refused
}

type allOfAuth struct{ group }

func (a *allOfAuth) Authenticate(ctx context.Context, m *Message) (*Result, error) {
	merged := &Result{}
	for _, scheme := range a.group {
		res, err := authenticate(ctx, scheme, m)
		if err != nil {
			return nil, err
		}
		merged.merge(res)
	}
	return merged, nil
}

// authenticate asks one scheme and holds it to its contract. No verdict is a
// refusal, a panic too; its value is not kept, it may hold anything.
func authenticate(ctx context.Context, a Authenticator, m *Message) (res *Result, refused *Error) {
	defer func() {
		if p := recover(); p != nil {
			res, refused = nil, refuse(schemeName(a), ErrInternal, fmt.Sprintf("panic of type %T", p))
		}
	}()
	res, err := a.Authenticate(ctx, m)
	switch {
	case res != nil && err != nil:
		return nil, refuse(schemeName(a), ErrInternal, "both a result and an error")
	case err != nil:
		return nil, asError(schemeName(a), err)
	case res == nil:
		return nil, refuse(schemeName(a), ErrInternal, "neither a result nor an error")
	}
	return res, nil
}

// schemeName names a scheme of another package in a refusal it did not name itself.
func schemeName(a Authenticator) string { return strings.TrimPrefix(fmt.Sprintf("%T", a), "*") }
