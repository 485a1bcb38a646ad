package verify_test

import (
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

func TestTimestampUnits(t *testing.T) {
	const seconds, millis = hmacStamp, hmacStamp + "000"
	for _, tt := range []struct {
		name   string
		unit   verify.TimestampUnit
		text   string
		detail string // "" for one that is accepted
	}{
		{"R05 V21 auto, 13 digits", verify.AutoUnit, millis, ""},
		{"R05 V21 auto, 10 digits", verify.AutoUnit, seconds, ""},
		{"R05 V21 seconds, 10 digits", verify.Seconds, seconds, ""},
		{"R05 V21 seconds, 13 digits", verify.Seconds, millis, "13 digits look like milliseconds"},
		{"R05 V21 milliseconds, 13 digits", verify.Milliseconds, millis, ""},
		{"R05 V21 milliseconds, 10 digits", verify.Milliseconds, seconds, "10 digits look like seconds"},
		{"R13 auto, 11 digits", verify.AutoUnit, seconds + "0", "11 digits are neither"},
		{"R13 auto, 12 digits", verify.AutoUnit, seconds + "00", "12 digits are neither"},
		{"R13 seconds, 11 digits", verify.Seconds, seconds + "0", "11 digits are neither"},
		{"R13 seconds, 12 digits", verify.Seconds, seconds + "00", "12 digits are neither"},
		{"R07 RFC3339", verify.RFC3339, "2026-01-01T00:00:00Z", ""},
		{"R07 RFC3339 with an offset", verify.RFC3339, "2026-01-01T01:30:00+01:30", ""},
		{"R07 RFC3339 with a negative offset", verify.RFC3339, "2025-12-31T16:00:00-08:00", ""},
		{"R07 RFC3339 with nanoseconds and an offset", verify.RFC3339, "2026-01-01T01:00:00.000000000+01:00", ""},
		{"R07 RFC3339, 10 digits", verify.RFC3339, seconds, "not an RFC 3339 time"},
		{"R07 RFC3339, 13 digits", verify.RFC3339, millis, "not an RFC 3339 time"},
		{"R07 RFC3339, HTTP date", verify.RFC3339, "Thu, 01 Jan 2026 00:00:00 GMT", "not an RFC 3339 time"},
		{"R07 RFC3339 without a zone", verify.RFC3339, "2026-01-01T00:00:00", "not an RFC 3339 time"},
		{"R07 RFC3339, date alone", verify.RFC3339, "2026-01-01", "not an RFC 3339 time"},
		{"R07 RFC3339, space for T", verify.RFC3339, "2026-01-01 00:00:00Z", "not an RFC 3339 time"},
		{"R07 RFC3339, lower case", verify.RFC3339, "2026-01-01t00:00:00z", "not an RFC 3339 time"},
		{"R07 RFC3339, comma fraction", verify.RFC3339, "2026-01-01T00:00:00,5Z", "not an RFC 3339 time"},
		{"R07 RFC3339, comma fraction as long as an offset", verify.RFC3339, "2026-01-01T00:00:00,0000Z", "not an RFC 3339 time"},
		{"R07 RFC3339, one-digit hour", verify.RFC3339, "2026-01-01T0:00:00Z", "not an RFC 3339 time"},
		{"R07 RFC3339, 24 o'clock", verify.RFC3339, "2025-12-31T24:00:00Z", "not an RFC 3339 time"},
		{"R07 RFC3339, offset of 24 hours", verify.RFC3339, "2026-01-02T00:00:00+24:00", "not an RFC 3339 time"},
		{"R07 RFC3339, basic form", verify.RFC3339, "20260101T000000Z", "not an RFC 3339 time"},
		{"R10 RFC3339, leading space", verify.RFC3339, " 2026-01-01T00:00:00Z", "not an RFC 3339 time"},
		{"R11 RFC3339, trailing letter", verify.RFC3339, "2026-01-01T00:00:00Zx", "not an RFC 3339 time"},
		{"R12 RFC3339, hundreds of digits", verify.RFC3339, "2026-01-01T00:00:00." + hmacStamp + hmacStamp + "Z", "not an RFC 3339 time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := at(t, now, verify.HMAC{TimestampUnit: tt.unit})
			accept(t, v, stamped(inUnit(tt.unit, now)))
			if tt.detail != "" {
				refuse(t, v, stamped(tt.text), verify.ErrMalformed, "X-Timestamp: "+tt.detail)
			} else if res := accept(t, v, stamped(tt.text)); !res.SignedAt.Equal(now) {
				t.Errorf("signed at %v", res.SignedAt)
			}
		})
	}
}

// TestTimestampFarAway: clock arithmetic does not overflow into the window.
func TestTimestampFarAway(t *testing.T) {
	const ahead, old = "ahead, the tolerance", "old, the tolerance"
	for _, tt := range []struct {
		name   string
		clock  time.Time
		unit   verify.TimestampUnit
		text   string
		detail string // "" for one that is accepted
	}{
		{"R13 V22 0", now, verify.AutoUnit, "0", old},
		{"R13 V22 0 in milliseconds", now, verify.Milliseconds, "0", old},
		{"V22 1", now, verify.AutoUnit, "1", old},
		{"V22 a thousand times too small", now, verify.AutoUnit, "1767225", old},
		{"V22 2^31", now, verify.AutoUnit, "2147483648", ahead},
		{"V22 2^31 as seconds", now, verify.Seconds, "2147483648", ahead},
		{"V22 largest of 10 digits", now, verify.AutoUnit, "9999999999", ahead},
		{"V22 largest of 13 digits", now, verify.AutoUnit, "9999999999999", ahead},
		{"V22 smallest of 13 digits", now, verify.AutoUnit, "1000000000000", old},
		{"V22 year 1", now, verify.RFC3339, "0001-01-01T00:00:00Z", old},
		{"V22 year 0", now, verify.RFC3339, "0000-01-01T00:00:00Z", old},
		{"V22 year 1700", now, verify.RFC3339, "1700-01-01T00:00:00Z", old},
		{"V22 year 2300", now, verify.RFC3339, "2300-01-01T00:00:00Z", ahead},
		{"V22 year 9999", now, verify.RFC3339, "9999-12-31T23:59:59Z", ahead},
		{"V22 clock that was never set", time.Unix(0, 0), verify.AutoUnit, "9999999999", ahead},
		{"V22 clock that was never set, milliseconds", time.Unix(0, 0), verify.AutoUnit, "9999999999999", ahead},
		{"R13 2038 and one second", time.Unix(1<<31, 0), verify.AutoUnit, "2147483648", ""},
		{"R13 2038 and one second, seconds", time.Unix(1<<31, 0), verify.Seconds, "2147483648", ""},
		{"R13 2038 and one second, milliseconds", time.Unix(1<<31, 0), verify.Milliseconds, "2147483648000", ""},
		{"R13 2106, past 32 bits", time.Unix(1<<32, 0), verify.Seconds, "4294967296", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := at(t, tt.clock, verify.HMAC{TimestampUnit: tt.unit})
			accept(t, v, stamped(inUnit(tt.unit, tt.clock)))
			if tt.detail != "" {
				refuse(t, v, stamped(tt.text), verify.ErrStale, tt.detail)
			} else {
				accept(t, v, stamped(tt.text))
			}
		})
	}
}
