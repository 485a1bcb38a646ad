package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 8 << 10

// Bearer accepts a static token in a header: Vapi's plan of type "bearer". Its
// zero value is refused, it has no tokens.
//
// By default it takes "Authorization: Bearer <token>" (RFC 6750 §2.1; the form
// and query methods of §2.2 and §2.3 are never accepted). The scheme word may
// have any case, one or more spaces follow it, and a token holds neither spaces
// nor commas. The header must come exactly once. The body is not read.
type Bearer struct {
	// Tokens are the accepted tokens, newest first. Required. Vapi: token.
	Tokens Secrets
	// Header carries the token; "" means Authorization. Vapi: headerName.
	Header string
	// Bare means that the header's whole value is the token, with no "Bearer "
	// before it. Vapi: bearerPrefixEnabled, negated.
	Bare bool
	// Name is Result.Scheme and the label in events; "" means "bearer".
	Name string
}

// VapiSecret accepts the secret that Vapi's older inline server.secret sends in
// X-Vapi-Secret, bare. It is a filled-in Bearer with the name "vapi-secret".
func VapiSecret(secrets Secrets) Bearer {
	return Bearer{Tokens: secrets, Header: "X-Vapi-Secret", Bare: true, Name: "vapi-secret"}
}

// Build implements Scheme.
func (b Bearer) Build(env Env) (Authenticator, error) {
	auth, err := b.build(env)
	if err != nil {
		return nil, within("Bearer", err)
	}
	return auth, nil
}

func (b Bearer) build(env Env) (*bearerAuth, error) {
	a := &bearerAuth{bare: b.Bare}
	var err error
	if a.name, err = checkName(b.Name, "bearer"); err != nil {
		return nil, err
	}
	if a.header, err = checkHeaderName("Header", b.Header, "Authorization"); err != nil {
		return nil, err
	}
	if !b.Bare && a.header == "Authorization" {
		// RFC 6750 §3 asks for at least one parameter after the scheme.
		a.challenge = []string{`Bearer realm="webhook"`}
	}
	a.tokens = &prepared[bearerToken]{source: b.Tokens, build: a.prepare}
	if _, err := a.tokens.load(env.Now()); err != nil {
		return nil, &ConfigError{Field: "Tokens", Problem: err.Error()}
	}
	return a, nil
}

// bearerAuth is a Bearer at work.
type bearerAuth struct {
	name      string
	header    string
	bare      bool
	challenge []string
	tokens    *prepared[bearerToken]
}

// bearerToken is a token by its digest.
type bearerToken struct {
	secret Secret
	digest [sha256.Size]byte
}

// prepare refuses tokens that no request can carry.
func (a *bearerAuth) prepare(s Secret) (bearerToken, error) {
	value := s.value()
	if len(value) > maxToken {
		return bearerToken{}, fmt.Errorf("is longer than %d bytes", maxToken)
	}
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return bearerToken{}, errors.New("holds a control character, which no header can carry")
		}
	}
	if !a.bare && !isOneToken(value) {
		return bearerToken{}, errors.New("holds a space or a comma, which a token after Bearer cannot (RFC 6750 §2.1)")
	}
	return bearerToken{s, sha256.Sum256([]byte(value))}, nil
}

// Authenticate implements Authenticator.
func (a *bearerAuth) Authenticate(_ context.Context, m *Message) (*Result, error) {
	value, refused := m.single(a.name, a.header)
	if refused != nil {
		return nil, refused
	}
	if !a.bare {
		if value, refused = a.afterScheme(value); refused != nil {
			return nil, refused
		}
	}
	if len(value) > maxToken {
		return nil, refuse(a.name, ErrMalformed, "token is too long")
	}
	return a.match(m, value)
}

// afterScheme cuts "Bearer" and the spaces after it.
func (a *bearerAuth) afterScheme(value string) (string, *Error) {
	const scheme = "Bearer"
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", refuse(a.name, ErrMalformed, a.header+" does not begin with Bearer")
	}
	token := strings.TrimLeft(value[len(scheme):], " ")
	if token == "" {
		return "", refuse(a.name, ErrMalformed, "no token after Bearer")
	}
	if len(token) == len(value)-len(scheme) {
		return "", refuse(a.name, ErrMalformed, "no space after Bearer")
	}
	if !isOneToken(token) {
		return "", refuse(a.name, ErrMalformed, "more than one token after Bearer")
	}
	return token, nil
}

// isOneToken tells whether there is no sign of a second token: a proxy may have
// joined two header lines with a comma.
func isOneToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == ' ' || c == '\t' || c == ',' {
			return false
		}
	}
	return true
}

// match compares with every token that is valid now, and does not stop at the
// first that matches.
func (a *bearerAuth) match(m *Message, presented string) (*Result, error) {
	now := m.Time()
	tokens, err := a.tokens.load(now)
	if err != nil {
		return nil, noSecret(a.name, err)
	}
	digest := sha256.Sum256([]byte(presented))
	var matched *bearerToken
	valid := 0
	for i := range tokens {
		t := &tokens[i]
		if !t.secret.ValidAt(now) {
			continue
		}
		valid++
		if equalDigests(digest[:], t.digest[:]) && matched == nil {
			matched = t
		}
	}
	switch {
	case valid == 0:
		return nil, noSecret(a.name, nil)
	case matched == nil:
		return nil, refuse(a.name, ErrMismatch, a.header+" holds another token")
	}
	return &Result{Scheme: a.name, KeyID: matched.secret.ID}, nil
}

// String is the scheme's name.
func (a *bearerAuth) String() string { return a.name }

// Challenge implements Challenger. It is the same for every refusal: RFC 6750
// §3.1 error codes would tell a prober which part of a guess was right.
func (a *bearerAuth) Challenge(error) []string { return a.challenge }

// noSecret is the refusal of a scheme that has nothing to compare with. It is
// the receiver's fault and passes, so it is not a 401.
func noSecret(scheme string, cause error) *Error {
	detail := "no secret is valid now"
	if cause != nil {
		detail = "the secrets cannot be loaded"
	}
	return &Error{Attempts: []Attempt{{Scheme: scheme, Err: ErrUnavailable, Detail: detail, Cause: cause}}}
}
