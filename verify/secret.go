package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Secret is one shared secret with the name it is known by. It cannot be
// printed, logged, marshalled or compared with ==; every way of formatting it
// gives its ID alone. The zero Secret is empty and no scheme builds with it.
type Secret struct {
	// ID names the secret in Result.KeyID, logs and metrics. It is not secret.
	ID string
	// NotBefore and NotAfter bound the time at which the secret is accepted,
	// both inclusive. Zero means no bound.
	NotBefore, NotAfter time.Time

	// A closure, so that neither fmt nor a debugging dumper that follows
	// pointers ever reaches the bytes.
	reveal func() string
}

// NewSecret names a secret. An empty or whitespace-edged value is refused where
// the secret is used.
func NewSecret(id, value string) Secret {
	return Secret{ID: id, reveal: func() string { return value }}
}

// ValidAt tells whether t lies within NotBefore and NotAfter.
func (s Secret) ValidAt(t time.Time) bool {
	return (s.NotBefore.IsZero() || !t.Before(s.NotBefore)) && (s.NotAfter.IsZero() || !t.After(s.NotAfter))
}

// Matches compares a presented value with the secret in constant time. An
// empty secret matches nothing.
func (s Secret) Matches(presented string) bool {
	value := s.value()
	if len(value) == 0 {
		return false
	}
	want, got := sha256.Sum256([]byte(value)), sha256.Sum256([]byte(presented))
	return equalDigests(want[:], got[:])
}

// equalDigests is the only comparison of secret material in this module. Both
// sides are digests of one length, so that neither content nor length leaks.
func equalDigests(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func (s Secret) value() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format prints the ID, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.redacted()) }

// LogValue logs the ID alone.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.redacted()) }

// MarshalText gives the ID alone, so that no encoder writes the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.redacted()), nil }

func (s Secret) redacted() string { return "Secret(" + strconv.Quote(s.ID) + ")" }

func (s Secret) check() error {
	value := s.value()
	switch {
	case value == "":
		return fmt.Errorf("secret %q is empty", s.ID)
	case strings.TrimSpace(value) == "":
		return fmt.Errorf("secret %q is only whitespace", s.ID)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("secret %q begins or ends with whitespace (a newline at the end of a file?)", s.ID)
	case !s.NotAfter.IsZero() && s.NotAfter.Before(s.NotBefore):
		return fmt.Errorf("secret %q: NotAfter is before NotBefore", s.ID)
	}
	return nil
}

// SecretSet is an immutable list of secrets, newest first.
type SecretSet struct{ secrets []Secret }

// NewSecretSet checks and copies a list: at least one secret, none empty or
// with whitespace at an edge, no id twice.
func NewSecretSet(secrets ...Secret) (*SecretSet, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secrets")
	}
	seen := make(map[string]bool, len(secrets))
	for _, s := range secrets {
		if err := s.check(); err != nil {
			return nil, err
		}
		if seen[s.ID] {
			return nil, fmt.Errorf("two secrets have the id %q", s.ID)
		}
		seen[s.ID] = true
	}
	return &SecretSet{secrets: append([]Secret(nil), secrets...)}, nil
}

// All gives a copy of the list, newest first.
func (s *SecretSet) All() []Secret { return append([]Secret(nil), s.secrets...) }

// Secrets is where a scheme finds its secrets: Static, Named, a *Rotating, a
// *SecretFile, or a source of your own.
type Secrets interface {
	// Load returns the current set. It is called for every request, so it must
	// be quick, safe for concurrent use, and return the same pointer for as
	// long as nothing has changed. An error makes requests fail with
	// ErrUnavailable; it must not hold a secret.
	Load(now time.Time) (*SecretSet, error)
}

// Static is a fixed list of secrets, newest first, with the ids "0", "1" and so
// on. A rotation is two values: Static(new, old).
func Static(values ...string) Secrets {
	secrets := make([]Secret, len(values))
	for i, v := range values {
		secrets[i] = NewSecret(strconv.Itoa(i), v)
	}
	return Named(secrets...)
}

// Named is a fixed list of secrets, newest first, with ids and validity
// intervals of your own. What is wrong with one is reported by New.
func Named(secrets ...Secret) Secrets {
	set, err := NewSecretSet(secrets...)
	return &fixed{set, err}
}

type fixed struct {
	set *SecretSet
	err error
}

func (f *fixed) Load(time.Time) (*SecretSet, error) { return f.set, f.err }

// Rotating is a list of secrets that can be replaced while requests are served:
// from a vault, an admin endpoint, a signal handler. Fill it with Replace
// before New. The zero value is empty; it must not be copied. Safe for
// concurrent use.
type Rotating struct{ set atomic.Pointer[SecretSet] }

// Replace puts a new list, newest first, in the place of the old. Requests that
// arrive after it returns see only the new one. A list that NewSecretSet
// refuses leaves the old one in force.
func (r *Rotating) Replace(secrets ...Secret) error {
	set, err := NewSecretSet(secrets...)
	if err != nil {
		return fmt.Errorf("verify: Rotating: %w", err)
	}
	r.set.Store(set)
	return nil
}

// Load returns the list that the last Replace put in.
func (r *Rotating) Load(time.Time) (*SecretSet, error) {
	if set := r.set.Load(); set != nil {
		return set, nil
	}
	return nil, errors.New("Rotating holds no secrets yet: call Replace first")
}

// prepared turns the secrets of a source into what a scheme verifies with, once
// for each new set.
type prepared[T any] struct {
	source Secrets
	build  func(Secret) (T, error)
	last   atomic.Pointer[preparedSet[T]]
}

type preparedSet[T any] struct {
	set   *SecretSet
	items []T
}

func (p *prepared[T]) load(now time.Time) ([]T, error) {
	if p.source == nil {
		return nil, errors.New("is nil")
	}
	set, err := p.source.Load(now)
	if err != nil {
		return nil, err
	}
	if set == nil || len(set.secrets) == 0 {
		return nil, errors.New("no secrets")
	}
	if last := p.last.Load(); last != nil && last.set == set {
		return last.items, nil
	}
	items := make([]T, len(set.secrets))
	for i, s := range set.secrets {
		if items[i], err = p.build(s); err != nil {
			return nil, fmt.Errorf("secret %q %w", s.ID, err)
		}
	}
	p.last.Store(&preparedSet[T]{set, items})
	return items, nil
}
