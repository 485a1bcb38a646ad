package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// DuplicatePolicy is what the sender of a copy is answered when the delivery is
// finished. The handler does not run again under any.
type DuplicatePolicy uint8

const (
	// Reject answers 409. It is the default: Vapi does not retry unless it is
	// told to, so that a copy is most likely an attack.
	Reject DuplicatePolicy = iota
	// Acknowledge answers 200 with an empty body: for senders that repeat a
	// delivery until they see a 2xx, and look no further.
	Acknowledge
	// Repeat gives the first answer again, status, content type and body: for
	// senders that repeat a delivery and need its result, as of Vapi's
	// tool-calls. Copies of a delivery whose answer was not kept, such as one over
	// MaxAnswer, are answered as by Reject.
	Repeat
)

const (
	defaultMargin    = time.Minute
	defaultMaxAnswer = 16 << 10
	maxMaxAttempts   = 250 // replay.Memory counts a little further
)

// Replay lets each delivery through once. A request that is genuine and fresh
// claims its message in the store before the handler runs; a copy is refused
// while the handler runs (503) and after it has answered with a 2xx
// (Duplicate). Any other answer, and a panic, gives the message back, so that the
// sender's retry is let in.
//
// The claim is made after everything else, so that forgeries and bodies that
// arrive too late touch no store, and its key is made of signed material alone.
// Whoever calls Check or CheckMessage must then call Settle; the adapters do.
//
// Under AnyOf the alternative that accepts names the message. A request that
// carries credentials of two alternatives can be sent again without the first, and
// is then another message: once for each.
//
// The zero Replay is off: a captured request is good again until its timestamp
// is too old.
type Replay struct {
	// Store keeps the claims: replay.NewMemory for one process, package redisstore
	// or sqlstore for several. If it fails, requests are refused with
	// ErrUnavailable; see replay.Tiered for the alternative.
	Store replay.Store
	// Duplicate is what a copy of a finished delivery is answered.
	Duplicate DuplicatePolicy
	// MaxAnswer is the largest answer, in bytes of its body, that Repeat keeps; 0
	// means 16 KiB.
	MaxAnswer int
	// Scope names the endpoint, and is part of every key: the same message sent
	// to two endpoints is two deliveries. Required if the store is shared, where
	// every node of an endpoint must have the same; verifiers that share a store
	// in memory need one each.
	Scope string
	// Lease is for how long a claim holds if the process crashes, and so how long
	// a crash delays the retry; 0 means 30 seconds. It is renewed while the
	// handler runs.
	Lease time.Duration
	// MaxHold ends the renewal: a handler that runs for longer may run twice. 0
	// means 5 minutes.
	MaxHold time.Duration
	// Timeout bounds the wait for each answer of the store; 0 means 250 ms.
	Timeout time.Duration
	// Margin is how much longer than the message is accepted a finished one is
	// remembered; 0 means 1 minute. It must exceed the largest difference between
	// the clocks of two nodes, and Timeout.
	Margin time.Duration
	// Horizon is for how long after its end a delivery is remembered at least, for
	// senders that retry with a new timestamp and the same signed id. 0 means
	// until the message is no longer accepted. Required for schemes that sign no
	// time. For messages with a ReceivedAt, set it to the longest time that one
	// waits: the end of acceptance counts from ReceivedAt.
	Horizon time.Duration
	// Key names the message for a scheme that signs no identity, such as Bearer:
	// two requests with the same text are the same delivery. It is required with
	// such a scheme. "" lets the request pass without a claim; an error that is
	// not an *Error counts as ErrInternal. Use only what an attacker cannot vary;
	// BodyKey is the body.
	Key func(*Message, *Result) (string, error)
	// MaxAttempts refuses a message with ErrAttempts once so many of its
	// attempts were given back, 250 at most; 0 means never. It bounds what a
	// message that always fails half-way can do.
	MaxAttempts int
	// RestartGuard refuses, with ErrUnavailable, messages signed so early that
	// they may have been handled before this verifier was made: for a store in
	// memory, which a restart empties. It costs every sender a retry, with a new
	// timestamp, for as long as FutureTolerance after a start.
	RestartGuard bool
	// OnSettle, if set, is told how every claim ended. It must be quick and safe
	// for concurrent use.
	OnSettle func(context.Context, Settlement)
}

// BodyKey is for Replay.Key: the SHA-256 of the body. Two genuine messages that
// are equal to the byte count as one, and the second is lost; and where the body
// is not signed, as under Bearer, a captured request passes again with a space
// added. It stops careless repeats, not an attacker.
func BodyKey(m *Message, _ *Result) (string, error) {
	body, err := m.Body()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return string(sum[:]), nil
}

// guard is a Replay at work, its defaults filled in.
type guard struct {
	Replay
	claims  replay.Guard
	started time.Time
	future  time.Duration // the largest FutureTolerance
}

// buildReplay validates the configuration but for what depends on the scheme.
func buildReplay(r Replay, now func() time.Time) (*guard, error) {
	if s := reflect.ValueOf(r.Store); s.Kind() == reflect.Pointer && s.IsNil() {
		return nil, &ConfigError{Field: "Store", Problem: fmt.Sprintf("is a nil %T", r.Store)}
	}
	if r.Store == nil {
		if !reflect.ValueOf(r).IsZero() {
			return nil, &ConfigError{Field: "Store", Problem: "is nil, but other fields are set"}
		}
		return nil, nil
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"Lease", &r.Lease, replay.DefaultLease},
		{"MaxHold", &r.MaxHold, replay.DefaultMaxHold},
		{"Timeout", &r.Timeout, replay.DefaultTimeout},
		{"Margin", &r.Margin, defaultMargin},
		{"Horizon", &r.Horizon, 0},
	} {
		switch {
		case *f.value < 0:
			return nil, &ConfigError{Field: f.name, Problem: "is negative"}
		case *f.value != 0 && *f.value < time.Millisecond:
			return nil, &ConfigError{Field: f.name, Problem: fmt.Sprintf("is %v, under a millisecond: stores count in whole ones", *f.value)}
		}
		if *f.value == 0 {
			*f.value = f.zero
		}
	}
	if r.MaxAnswer == 0 {
		r.MaxAnswer = defaultMaxAnswer
	}
	limits := replay.LimitsOf(r.Store)
	var field, problem string
	switch {
	case r.Duplicate > Repeat:
		field, problem = "Duplicate", "is not Reject, Acknowledge or Repeat"
	case r.MaxAnswer < 0:
		field, problem = "MaxAnswer", "is negative"
	case r.MaxAttempts < 0:
		field, problem = "MaxAttempts", "is negative"
	case r.MaxAttempts > maxMaxAttempts:
		field, problem = "MaxAttempts", "is over 250, which is further than every store counts"
	case r.Scope == "" && limits.Shared:
		field, problem = "Scope", "is required, the store is shared: name the endpoint, or two endpoints would take each other's deliveries for copies"
	case r.Timeout >= r.Lease/3:
		field, problem = "Lease", fmt.Sprintf("is %v: it must be more than three times Timeout, %v, to be renewed in time", r.Lease, r.Timeout)
	case r.MaxHold < r.Lease:
		field, problem = "MaxHold", fmt.Sprintf("is %v, less than Lease, %v", r.MaxHold, r.Lease)
	case r.Margin <= r.Timeout:
		field, problem = "Margin", fmt.Sprintf("is %v: it must be more than Timeout, %v", r.Margin, r.Timeout)
	case r.Margin < 2*limits.MaxSkew:
		field, problem = "Margin", fmt.Sprintf("is %v: two clocks that are each %v off the store's, which it allows, differ by more", r.Margin, limits.MaxSkew)
	}
	if field != "" {
		return nil, &ConfigError{Field: field, Problem: problem}
	}
	if s, ok := r.Store.(interface{ Err() error }); ok && s.Err() != nil {
		return nil, &ConfigError{Field: "Store", Problem: s.Err().Error()}
	}
	claims := replay.Guard{Store: r.Store, Lease: r.Lease, MaxHold: r.MaxHold, Timeout: r.Timeout}
	return &guard{Replay: r, claims: claims, started: now()}, nil
}

// key derives a replay key within the scope.
func (g *guard) key(signed ...string) replay.Key { return replay.NewKey(g.Scope, signed...) }

// fit holds the configuration against the scheme's identities and windows.
func (g *guard) fit(auth Authenticator) error {
	windows, unsigned := windowsOf(auth)
	if unsigned != "" && g.Key == nil {
		return &ConfigError{Field: "Key", Problem: "is required: " + unsigned + " signs nothing that tells one message from another"}
	}
	limit := replay.LimitsOf(g.Store).Retention
	timed := unsigned == ""
	for _, w := range windows {
		if w == (Window{}) {
			timed = false
			continue
		}
		g.future = max(g.future, w.Future)
		if keep := sum(w.Past, w.Future, g.Margin); limit > 0 && keep > limit {
			return &ConfigError{Field: "Store", Problem: fmt.Sprintf(
				"keeps keys for %v at most, but a message is accepted for %v and Margin: keys would lapse while it is fresh", limit, sum(w.Past, w.Future))}
		}
	}
	switch {
	case !timed && g.Horizon == 0:
		return &ConfigError{Field: "Horizon", Problem: "is required: not every message has a signed time that ends its life"}
	case !timed && g.RestartGuard:
		return &ConfigError{Field: "RestartGuard", Problem: "is set, but not every message has a signed time"}
	case limit > 0 && g.Horizon > limit:
		return &ConfigError{Field: "Horizon", Problem: fmt.Sprintf("is %v, but the store keeps keys for %v at most", g.Horizon, limit)}
	}
	return nil
}

// sum adds durations of 0 and more, up to the greatest that there is: a tolerance
// that is to mean "for ever" must not come round to none.
func sum(durations ...time.Duration) (total time.Duration) {
	for _, d := range durations {
		total += min(d, math.MaxInt64-total)
	}
	return total
}

// windowsOf lists the windows of all identities that a scheme's results may have,
// and names an alternative without one, if there is any.
func windowsOf(auth Authenticator) (windows []Window, unsigned string) {
	switch a := auth.(type) {
	case *anyOfAuth:
		for _, alternative := range a.group {
			w, u := windowsOf(alternative)
			windows = append(windows, w...)
			if u != "" {
				unsigned = u
			}
		}
		return windows, unsigned
	case *allOfAuth: // one identity is enough, and the first that there is is taken
		for _, conjunct := range a.group {
			var w []Window
			w, unsigned = windowsOf(conjunct)
			if windows = append(windows, w...); unsigned == "" {
				break
			}
		}
		return windows, unsigned
	case Identifier:
		return []Window{a.Window()}, ""
	}
	if s, ok := auth.(fmt.Stringer); ok {
		return nil, s.String()
	}
	return nil, schemeName(auth)
}
