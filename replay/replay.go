package replay

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"time"
)

// Store keeps one record for each key and changes it in one step. NewMemory and
// the packages redisstore and sqlstore make stores; replaytest checks one of your
// own. A store must be safe for concurrent use, honour its contexts, and measure
// leases and retention by one clock, its own.
//
// An error means that the outcome is unknown, unless it is ErrFull or
// ErrLostLease: the operation may have taken effect. It must not hold the key's
// origin or an answer.
type Store interface {
	// Claim asks for the right to work on a key. It is safe to repeat with the
	// same Owner. Of many callers at once exactly one is Acquired.
	Claim(context.Context, Claim) (Outcome, error)
	// Renew lets the lease begin anew. It fails with ErrLostLease unless the
	// owner holds the key.
	Renew(context.Context, Claim) error
	// Complete marks the key as done for Claim.Keep from now and keeps the
	// answer beside it; nil keeps none. A store may keep no answer that is too
	// large for it, but never fails because of one. It fails with ErrLostLease,
	// and changes nothing, if somebody else has the key; it succeeds if the lease
	// lapsed and nobody took over, for the work is done.
	Complete(ctx context.Context, c Claim, answer []byte) error
	// Release gives the key back, so that the next claim is Acquired, and counts
	// the attempt. It fails with ErrLostLease unless the owner holds the key.
	Release(context.Context, Claim) error
}

// Claim is one owner's claim to one key. Its zero Key, Owner, Lease or Keep is an
// error for every store.
type Claim struct {
	// Key is the message's identity.
	Key Key
	// Owner tells this claim from every other. It is a fencing token: kept with
	// an effect, it says which of two runs made it.
	Owner Owner
	// Fingerprint is of the message's content, where Key does not cover it; 0
	// means none. A key that is done under another fingerprint is a Conflict. At
	// most 40 bits; see the function Fingerprint.
	Fingerprint uint64
	// Lease is for how long the key is held unless renewed: a crashed owner
	// blocks it for so long. Whole milliseconds.
	Lease time.Duration
	// Keep is for how long a done key, or the count of its attempts, is kept
	// from then on. Whole milliseconds.
	Keep time.Duration
}

// Check reports what makes a claim unusable. Stores call it first.
func (c Claim) Check() error {
	switch {
	case c.Key == Key{}:
		return errors.New("replay: Claim.Key is zero")
	case c.Owner == Owner{}:
		return errors.New("replay: Claim.Owner is zero")
	case c.Fingerprint >= 1<<fingerprintBits:
		return errors.New("replay: Claim.Fingerprint has more than 40 bits")
	case c.Lease < time.Millisecond:
		return errors.New("replay: Claim.Lease is under a millisecond")
	case c.Keep < time.Millisecond:
		return errors.New("replay: Claim.Keep is under a millisecond")
	}
	return nil
}

// Status is what came of a claim. The zero Status is none.
type Status uint8

const (
	// Acquired: the caller holds the key and is to do the work.
	Acquired Status = iota + 1
	// InFlight: another owner holds it, and may still fail.
	InFlight
	// Duplicate: the work was done.
	Duplicate
	// Conflict: work was done under this key for other content.
	Conflict
)

// String is a word for logs.
func (s Status) String() string {
	switch s {
	case Acquired:
		return "acquired"
	case InFlight:
		return "in_flight"
	case Duplicate:
		return "duplicate"
	case Conflict:
		return "conflict"
	}
	return "none"
}

// Outcome is the answer to a claim.
type Outcome struct {
	Status Status
	// Attempt counts the claims that were Acquired for this key, this one
	// included, as far as the store remembers: releases are counted for
	// Claim.Keep, a lapsed lease by some stores. It is 0 unless Acquired.
	Attempt int
	// RetryAfter is how long the other owner's lease goes on, if InFlight; 0
	// means that the store does not tell.
	RetryAfter time.Duration
	// Answer is what Complete kept, if Duplicate; nil means none.
	Answer []byte
	// Degraded marks a claim that only this process knows of, because the shared
	// store did not answer. See Tiered.
	Degraded bool
}

var (
	// ErrLostLease: another owner has the key, or had it since. Nothing was
	// changed.
	ErrLostLease = errors.New("replay: the lease was lost")
	// ErrFull: the store is at its maximum and forgets no live key. Nothing was
	// claimed.
	ErrFull = errors.New("replay: the store is full")
)

// Limits is what a store says of itself, for those who configure a user of it.
type Limits struct {
	// Shared says that other processes see the same records.
	Shared bool
	// Retention is the longest Claim.Keep that the store takes; 0 means any.
	Retention time.Duration
	// MaxSkew is the largest difference between this process's clock and the
	// store's with which it works; 0 means that it does not look.
	MaxSkew time.Duration
	// NoRelease says that a claim cannot be given back: whatever becomes of the
	// work, the key is done from the moment it is claimed.
	NoRelease bool
}

// Limited is a store that states its limits. All of this module's do.
type Limited interface{ Limits() Limits }

// LimitsOf gives a store's limits; a store that states none has none.
func LimitsOf(s Store) Limits {
	if l, ok := s.(Limited); ok {
		return l.Limits()
	}
	return Limits{}
}

// Key is the identity of a message: 128 bits, so that even with a thousand
// million live keys a fresh message is practically never taken for another.
type Key [16]byte

// keyVersion goes into every key, so that a later rule makes other keys.
const keyVersion = "webhookauth replay 1"

// NewKey derives a key: the first 16 bytes of SHA-256 over scope and parts, each
// with its length before it, so that ("a", "bc") and ("ab", "c") differ. Scope
// names the endpoint or queue; the same id in another scope is another message.
// Parts must be what the sender vouches for, such as a signed message id, and
// never text that a stranger can vary.
func NewKey(scope string, parts ...string) (k Key) {
	h := sha256.New()
	var length [8]byte
	for _, part := range append([]string{keyVersion, scope}, parts...) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	var sum [sha256.Size]byte
	copy(k[:], h.Sum(sum[:0]))
	return k
}

// String is the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Owner tells one claim from all others.
type Owner [16]byte

// NewOwner draws a random owner.
func NewOwner() (o Owner) {
	rand.Read(o[:]) // never fails (crypto/rand)
	return o
}

// String is the owner in hexadecimal.
func (o Owner) String() string { return hex.EncodeToString(o[:]) }

// fingerprintBits is the width of a fingerprint: in Redis it shares one integer
// with a part of the owner.
const fingerprintBits = 40

// Fingerprint is a checksum of content for Claim.Fingerprint, of 40 bits and
// never 0. It finds a sender's mistake, not an attack: whoever can sign a message
// can make another with the same fingerprint, and gains nothing, for a Conflict
// and a Duplicate both stay out.
func Fingerprint(content []byte) uint64 {
	// Two checksums that processors compute at memory speed.
	sum := uint64(crc32.ChecksumIEEE(content))<<32 | uint64(crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)))
	if sum &= 1<<fingerprintBits - 1; sum == 0 {
		return 1
	}
	return sum
}
