package redisstore

import (
	"encoding/base64"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// What Redis holds under a key, one of
//
//	H owner attempt         held: 16 bytes, and the how-manieth claim it is
//	R attempts              released, and how often it was held
//	done                    a decimal number
//	A done : answer         done, with an answer
//
// The number of a done record is 63 bits wide: 23 that depend on the owner, by
// which it knows its own work again, and 40 of the fingerprint. Redis keeps such a
// number in 16 bytes less than any text of this length.
type record struct {
	state    state
	owner    replay.Owner // held
	attempts int          // held, released
	done     uint64       // done
	answer   []byte       // done; nil is none
}

type state byte

const (
	absent   state = iota
	held     state = 'H'
	released state = 'R'
	done     state = 'A'
)

const (
	fingerprintBits = 40
	// maxAttempts is more than anybody reaches, and an exact number in Lua.
	maxAttempts = 1e9
)

// errForeign does not show the value: it may be anybody's.
var errForeign = errors.New("redisstore: under the key is a value that this store did not write; is Config.Prefix used by others?")

// parse reads a reply to SET with GET, or to a script. Every form has one spelling
// only; all else is an error.
func parse(reply any) (record, error) {
	if reply == nil {
		return record{}, nil
	}
	text, ok := reply.(string)
	if !ok || text == "" {
		return record{}, errForeign
	}
	switch state(text[0]) {
	case held:
		const head = 1 + len(replay.Owner{})
		if len(text) <= head {
			return record{}, errForeign
		}
		attempts, ok := count(text[head:])
		if !ok {
			return record{}, errForeign
		}
		return record{state: held, owner: replay.Owner([]byte(text[1:head])), attempts: attempts}, nil
	case released:
		attempts, ok := count(text[1:])
		if !ok {
			return record{}, errForeign
		}
		return record{state: released, attempts: attempts}, nil
	case done:
		number, answer, found := strings.Cut(text[1:], ":")
		n, ok := decimal(number)
		if !ok || !found {
			return record{}, errForeign
		}
		return record{state: done, done: n, answer: []byte(answer)}, nil
	}
	n, ok := decimal(text)
	if !ok {
		return record{}, errForeign
	}
	return record{state: done, done: n}, nil
}

// decimal reads a number of at most 63 bits as strconv writes it.
func decimal(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return n, err == nil && strconv.FormatUint(n, 10) == text
}

// count reads a number of attempts.
func count(text string) (int, bool) {
	n, ok := decimal(text)
	return int(n), ok && 0 < n && n < maxAttempts
}

// heldBy is what an owner's held record begins with.
func heldBy(o replay.Owner) string { return string(held) + string(o[:]) }

// heldRecord is an owner's held record.
func heldRecord(o replay.Owner, attempt int) string { return heldBy(o) + strconv.Itoa(attempt) }

// doneRecord is the record of completed work.
func doneRecord(c replay.Claim, answer []byte) string {
	number := strconv.FormatUint(doneNumber(c), 10)
	if answer == nil {
		return number
	}
	return string(done) + number + ":" + string(answer)
}

func doneNumber(c replay.Claim) uint64 {
	return uint64(crc32.ChecksumIEEE(c.Owner[:])>>9)<<fingerprintBits | c.Fingerprint
}

// fingerprint is the content's part of a done record.
func (r record) fingerprint() uint64 { return r.done & (1<<fingerprintBits - 1) }

// doneBy tells whether the owner did the work. One of eight million others looks
// the same; it would miss the news that the work ran twice.
func (r record) doneBy(c replay.Claim) bool {
	return r.state == done && r.done>>fingerprintBits == doneNumber(c)>>fingerprintBits
}

// recordKey is where a record is: 22 characters that every tool can show. With the
// default prefix Redis takes no more for them than for the 16 bytes themselves.
func (s *Store) recordKey(k replay.Key) string {
	return s.cfg.Prefix + base64.RawURLEncoding.EncodeToString(k[:])
}

// milliseconds rounds up, so that nothing ends early.
func milliseconds(d time.Duration) string {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return strconv.FormatInt(ms, 10)
}
