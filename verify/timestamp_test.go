package verify_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// stamped is a request signed over the very text of its timestamp header, so
// that nothing but the timestamp can be wrong with it.
func stamped(timestamp string) *http.Request {
	return signedPost(hmacBody, timestamp, hexMAC(timestamp+"."+hmacBody))
}

// at makes a verifier of a unit whose clock stands at a moment.
func at(t *testing.T, moment time.Time, h verify.HMAC) *verify.Verifier {
	t.Helper()
	h.Keys = verify.Static(hmacKey)
	return configure(t, verify.Config{Accept: h, Now: func() time.Time { return moment }})
}

// inUnit writes a moment as the unit has it.
func inUnit(u verify.TimestampUnit, moment time.Time) string {
	switch u {
	case verify.Milliseconds:
		return strconv.FormatInt(moment.UnixMilli(), 10)
	case verify.RFC3339:
		return moment.UTC().Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(moment.Unix(), 10)
}

// TestTimestampWindow: both edges are inclusive, to the unit.
func TestTimestampWindow(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	half := now.Add(s / 2)
	finest := map[verify.TimestampUnit]time.Duration{
		verify.AutoUnit: s, verify.Seconds: s, verify.Milliseconds: ms, verify.RFC3339: 1,
	}
	for _, w := range []struct {
		name         string
		scheme       verify.HMAC
		past, future time.Duration
	}{
		{"default", verify.HMAC{}, 300 * s, 300 * s},
		{"Tolerance alone", verify.HMAC{Tolerance: 40 * s}, 40 * s, 40 * s},
		{"R03 FutureTolerance 30", verify.HMAC{FutureTolerance: 30 * s}, 300 * s, 30 * s},
		{"R03 both", verify.HMAC{Tolerance: 60 * s, FutureTolerance: 600 * s}, 60 * s, 600 * s},
	} {
		for unit, step := range finest {
			w.scheme.TimestampUnit = unit
			name := fmt.Sprintf("%s, %v", w.name, unit)
			v := at(t, now, w.scheme)
			for _, age := range []time.Duration{0, w.past, -w.future, w.past - step, -w.future + step} {
				t.Run(fmt.Sprintf("R01 V10 age %v, %s", age, name), func(t *testing.T) {
					if res := accept(t, v, stamped(inUnit(unit, now.Add(-age)))); !res.SignedAt.Equal(now.Add(-age)) {
						t.Errorf("signed at %v", res.SignedAt)
					}
				})
			}
			t.Run("R02 V10 one unit too old, "+name, func(t *testing.T) {
				refuse(t, v, stamped(inUnit(unit, now.Add(-w.past-step))), verify.ErrStale, "old, the tolerance is "+w.past.String())
			})
			t.Run("R02 R03 V10 one unit too early, "+name, func(t *testing.T) {
				refuse(t, v, stamped(inUnit(unit, now.Add(w.future+step))), verify.ErrStale, "ahead, the tolerance is "+w.future.String())
			})
		}
	}
	// A clock between two seconds: only timestamps within 300 s of it are fresh.
	for _, unit := range []verify.TimestampUnit{verify.AutoUnit, verify.Seconds} {
		v := at(t, half, verify.HMAC{TimestampUnit: unit})
		for _, tt := range []struct {
			offset time.Duration // from now, half a second before the clock
			fresh  bool
		}{{-300 * s, false}, {-299 * s, true}, {300 * s, true}, {301 * s, false}} {
			t.Run(fmt.Sprintf("V10 %v seen half a second later, %v", tt.offset, unit), func(t *testing.T) {
				r := stamped(inUnit(unit, now.Add(tt.offset)))
				if tt.fresh {
					accept(t, v, r)
				} else {
					refuse(t, v, r, verify.ErrStale, "tolerance")
				}
			})
		}
	}
	for _, unit := range []verify.TimestampUnit{verify.AutoUnit, verify.Milliseconds} {
		v := at(t, half, verify.HMAC{TimestampUnit: unit})
		for _, edge := range []time.Duration{-300 * s, 300 * s} {
			t.Run(fmt.Sprintf("V10 milliseconds round %v of half a second, %v", edge, unit), func(t *testing.T) {
				outward := edge / 300_000
				accept(t, v, stamped(inUnit(verify.Milliseconds, half.Add(edge))))
				accept(t, v, stamped(inUnit(verify.Milliseconds, half.Add(edge-outward))))
				refuse(t, v, stamped(inUnit(verify.Milliseconds, half.Add(edge+outward))), verify.ErrStale, "tolerance")
			})
		}
	}
}

func TestTimestampHeader(t *testing.T) {
	v := build(t, defaultHMAC())
	for _, tt := range []struct {
		name   string
		values []string
		reason error
		detail string
	}{
		{"R04 V11 absent", nil, verify.ErrMissing, "X-Timestamp is absent"},
		{"R04 empty", []string{""}, verify.ErrMissing, "X-Timestamp is empty"},
		{"R04 twice the same", []string{hmacStamp, hmacStamp}, verify.ErrMalformed, "X-Timestamp appears more than once"},
		{"R04 twice, good first", []string{hmacStamp, "1"}, verify.ErrMalformed, "X-Timestamp appears more than once"},
		{"R04 twice, good last", []string{"1", hmacStamp}, verify.ErrMalformed, "X-Timestamp appears more than once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accept(t, v, defaultPost())
			for _, signed := range []string{hmacStamp, ""} {
				r := signedPost(hmacBody, "", hexMAC(signed+"."+hmacBody))
				delete(r.Header, "X-Timestamp")
				if tt.values != nil {
					r.Header["X-Timestamp"] = tt.values
				}
				refuse(t, v, r, tt.reason, tt.detail)
			}
		})
	}
	t.Run("R14 V11 fresh timestamp swapped in after signing", func(t *testing.T) {
		const signed, fresh = "1767225590", hmacStamp
		signature := hexMAC(signed + "." + hmacBody)
		accept(t, v, signedPost(hmacBody, signed, signature))
		refuse(t, v, signedPost(hmacBody, fresh, signature), verify.ErrMismatch, "no signature")
		refuse(t, v, signedPost(hmacBody, fresh+"000", signature), verify.ErrMismatch, "no signature")
	})
	t.Run("R14 milliseconds re-printed as seconds", func(t *testing.T) {
		signature := hexMAC(hmacStamp + "000." + hmacBody)
		accept(t, v, signedPost(hmacBody, hmacStamp+"000", signature))
		refuse(t, v, signedPost(hmacBody, hmacStamp, signature), verify.ErrMismatch, "no signature")
	})
	t.Run("R15 leading zero in the header, MAC without it", func(t *testing.T) {
		accept(t, v, defaultPost())
		refuse(t, v, signedPost(hmacBody, "0"+hmacStamp, hexMAC(hmacStamp+"."+hmacBody)), verify.ErrMalformed, "leading zero")
	})
	t.Run("R23 expired and wrong MAC together", func(t *testing.T) {
		accept(t, v, stamped("1767225300"))
		refuse(t, v, signedPost(hmacBody, "1767225300", hexMAC("something else")), verify.ErrMismatch, "no signature")
		refuse(t, v, stamped("1767225299"), verify.ErrStale, "old")
		refuse(t, v, signedPost(hmacBody, "1767225299", hexMAC("something else")), verify.ErrStale, "old")
	})
}

// TestTimestampGrammar: every text is signed as it stands, and refused by its
// form alone.
func TestTimestampGrammar(t *testing.T) {
	const length, digits = "not the length of Unix", "not a whole number of Unix"
	for _, tt := range []struct{ name, text, detail string }{
		{"R06 16 digits", hmacStamp + "000000", length},
		{"R06 19 digits", hmacStamp + "000000000", length},
		{"R06 14 digits", hmacStamp + "0000", length},
		{"R07 ISO 8601", "2026-01-01T00:00:00Z", length},
		{"R07 ISO 8601 basic", "20260101T0000", digits},
		{"R07 HTTP date", "Thu, 01 Jan 2026 00:00:00 GMT", length},
		{"R08 V20 negative", "-" + hmacStamp, digits},
		{"R08 V20 plus sign", "+" + hmacStamp, digits},
		{"R08 V20 leading zero", "0" + hmacStamp, "leading zero"},
		{"R08 V20 leading zeros and a sign", "+00" + hmacStamp, digits},
		{"R08 V20 leading zeros", "000" + hmacStamp, "leading zero"},
		{"R08 two zeros", "00", "leading zero"},
		{"R09 fraction", hmacStamp + ".0", digits},
		{"R09 comma fraction", hmacStamp + ",0", digits},
		{"R09 fraction without digits", hmacStamp + ".", digits},
		{"R09 V20 exponent", "1.7672256e9", digits},
		{"R09 V20 hexadecimal", fmt.Sprintf("%#x", now.Unix()), digits},
		{"R09 hexadecimal without 0x", fmt.Sprintf("%x", now.Unix()), digits},
		{"R09 underscore", "1_767_225_600", digits},
		{"R09 thousands", "1,767,225,600", digits},
		{"R10 V20 leading space", " " + hmacStamp, digits},
		{"R10 V20 trailing space", hmacStamp + " ", digits},
		{"R10 inner space", "17672 25600", digits},
		{"R10 trailing line break", hmacStamp + "\n", digits},
		{"R10 trailing NUL", hmacStamp + "\x00", digits},
		{"R10 full-width digits", "１７６７２２５６００", length},
		{"R10 one full-width digit", "176722560０", digits},
		{"R10 Arabic-Indic digits", "١٧٦٧٢٢", digits},
		{"R11 trailing letters", hmacStamp + "s", digits},
		{"R11 trailing ms", hmacStamp + "ms", digits},
		{"R12 Infinity", "Infinity", digits},
		{"R12 NaN", "NaN", digits},
		{"R12 V22 2^63", "9223372036854775808", length},
		{"R12 V22 2^63-1", strconv.FormatInt(math.MaxInt64, 10), length},
		{"R12 2^64 and now", "18446744075476777216", length},
		{"R12 V22 2^53", strconv.Itoa(1 << 53), length},
		{"R12 V22 400 digits", strings.Repeat("1", 400), length},
		{"R12 V22 64 KiB of digits", strings.Repeat("1", 64<<10), length},
	} {
		for _, unit := range []verify.TimestampUnit{verify.AutoUnit, verify.Seconds, verify.Milliseconds} {
			t.Run(fmt.Sprintf("%s, %v", tt.name, unit), func(t *testing.T) {
				v := at(t, now, verify.HMAC{TimestampUnit: unit})
				accept(t, v, stamped(inUnit(unit, now)))
				e := refuse(t, v, stamped(tt.text), verify.ErrMalformed, "X-Timestamp: "+tt.detail)
				if len(tt.text) > 2 && strings.Contains(e.Error(), tt.text) {
					t.Errorf("the refusal repeats the header: %v", e)
				}
			})
		}
	}
}
