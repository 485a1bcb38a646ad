package verify

import (
	"strings"
	"testing"
	"time"
)

// TestTimestampParse: what parse makes of a text in each unit. The refusals are
// those of the grammar alone, whatever the clock.
func TestTimestampParse(t *testing.T) {
	sec := func(n int64) time.Time { return time.Unix(n, 0) }
	date := func(text string) time.Time {
		moment, err := time.Parse("2006-01-02 15:04:05.999999999", text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, tt := range []struct {
		name string
		unit TimestampUnit
		text string
		want time.Time
	}{
		{"R01 zero", AutoUnit, "0", sec(0)},
		{"R01 one digit", AutoUnit, "7", sec(7)},
		{"R01 seconds", AutoUnit, "1767225600", sec(1767225600)},
		{"R13 largest seconds", AutoUnit, "9999999999", sec(9999999999)},
		{"R05 milliseconds", AutoUnit, "1767225600123", sec(1767225600).Add(123 * time.Millisecond)},
		{"R05 largest milliseconds", AutoUnit, "9999999999999", sec(9999999999).Add(999 * time.Millisecond)},
		{"R05 seconds, pinned", Seconds, "1767225600", sec(1767225600)},
		{"R05 milliseconds, pinned", Milliseconds, "1767225600123", sec(1767225600).Add(123 * time.Millisecond)},
		{"R05 few milliseconds, pinned", Milliseconds, "12", sec(0).Add(12 * time.Millisecond)},
		{"R05 11 digits of milliseconds, pinned", Milliseconds, "17672256000", sec(17672256)},
		{"R07 RFC 3339", RFC3339, "2026-01-01T00:00:00Z", sec(1767225600)},
		{"R07 offset", RFC3339, "2026-01-01T05:45:00+05:45", sec(1767225600)},
		{"R07 largest offset", RFC3339, "2026-01-01T23:59:00+23:59", sec(1767225600)},
		{"R07 unknown local offset", RFC3339, "2026-01-01T00:00:00-00:00", sec(1767225600)},
		{"R07 fraction", RFC3339, "2026-01-01T00:00:00.5Z", sec(1767225600).Add(time.Second / 2)},
		{"R07 nanoseconds and offset", RFC3339, "2026-01-01T00:00:00.123456789+00:00", sec(1767225600).Add(123456789)},
		{"R07 leap day", RFC3339, "2024-02-29T23:59:59Z", date("2024-02-29 23:59:59")},
		{"R07 first year", RFC3339, "0000-01-01T00:00:00Z", date("0000-01-01 00:00:00")},
		{"R07 last year", RFC3339, "9999-12-31T23:59:59.999999999Z", date("9999-12-31 23:59:59.999999999")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, problem := tt.unit.parse(tt.text); problem != "" || !got.Equal(tt.want) {
				t.Errorf("%q is %v, %q; want %v", tt.text, got, problem, tt.want)
			}
		})
	}
	const form = "not an RFC 3339 time"
	for _, tt := range []struct {
		name    string
		unit    TimestampUnit
		text    string
		problem string
	}{
		{"R04 empty", AutoUnit, "", "length"},
		{"R04 empty, RFC 3339", RFC3339, "", form},
		{"R13 11 digits", AutoUnit, "17672256000", "11 digits"},
		{"R13 12 digits", AutoUnit, "176722560000", "12 digits"},
		{"R13 11 digits, pinned", Seconds, "17672256000", "11 digits"},
		{"R06 14 digits", AutoUnit, "17672256000000", "length"},
		{"R05 V21 pinned to seconds", Seconds, "1767225600123", "look like milliseconds"},
		{"R05 V21 pinned to milliseconds", Milliseconds, "1767225600", "look like seconds"},
		{"R08 leading zero in 13 digits", AutoUnit, "0767225600123", "leading zero"},
		{"R08 byte below the digits", AutoUnit, "176722560/", "whole number"},
		{"R08 byte above the digits", AutoUnit, "176722560:", "whole number"},
		{"R07 no fraction after the point", RFC3339, "2026-01-01T00:00:00.Z", form},
		{"R07 comma fraction", RFC3339, "2026-01-01T00:00:00,5Z", form},
		{"R07 comma fraction as long as an offset", RFC3339, "2026-01-01T00:00:00,0000Z", form},
		{"R07 comma fraction before an offset", RFC3339, "2026-01-01T00:00:00,5+00:00", form},
		{"R07 one-digit hour", RFC3339, "2026-01-01T0:00:00Z", form},
		{"R07 no zone", RFC3339, "2026-01-01T00:00:00", form},
		{"R07 no zone after a fraction", RFC3339, "2026-01-01T00:00:00.5", form},
		{"R07 lower-case zone", RFC3339, "2026-01-01T00:00:00z", form},
		{"R07 lower-case t", RFC3339, "2026-01-01t00:00:00Z", form},
		{"R07 zone without colon", RFC3339, "2026-01-01T00:00:00+0000", form},
		{"R07 zone of hours", RFC3339, "2026-01-01T00:00:00+00", form},
		{"R07 offset of 24 hours", RFC3339, "2026-01-01T00:00:00+24:00", form},
		{"R07 offset of 60 minutes", RFC3339, "2026-01-01T00:00:00+00:60", form},
		{"R07 hour 24", RFC3339, "2026-01-01T24:00:00Z", form},
		{"R07 minute 60", RFC3339, "2026-01-01T00:60:00Z", form},
		{"R07 leap second", RFC3339, "2016-12-31T23:59:60Z", form},
		{"R07 month 0", RFC3339, "2026-00-01T00:00:00Z", form},
		{"R07 month 13", RFC3339, "2026-13-01T00:00:00Z", form},
		{"R07 day 0", RFC3339, "2026-01-00T00:00:00Z", form},
		{"R07 30 February", RFC3339, "2026-02-30T00:00:00Z", form},
		{"R07 29 February of no leap year", RFC3339, "2026-02-29T00:00:00Z", form},
		{"R07 five-digit year", RFC3339, "12026-01-01T00:00:00Z", form},
		{"R07 sign", RFC3339, "+2026-01-01T00:00:00Z", form},
		{"R07 too long", RFC3339, "2026-01-01T00:00:00.1234567890+00:00", form},
		{"R10 full-width digit", RFC3339, "202６-01-01T00:00:00Z", form},
		{"R11 text behind", RFC3339, "2026-01-01T00:00:00Z0", form},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, problem := tt.unit.parse(tt.text)
			if !got.IsZero() || !strings.Contains(problem, tt.problem) || problem == "" {
				t.Errorf("%q is %v, %q; want %q", tt.text, got, problem, tt.problem)
			}
		})
	}
}

// TestWindow: the edges to the nanosecond, and times too far apart for a
// Duration.
func TestWindow(t *testing.T) {
	now := time.Unix(1767225600, 123456789)
	w := window{past: 5 * time.Minute, future: 30 * time.Second}
	for _, tt := range []struct {
		name    string
		signed  time.Time
		problem string // "" inside
	}{
		{"V10 now", now, ""},
		{"V10 past edge", now.Add(-5 * time.Minute), ""},
		{"V10 past edge and a nanosecond", now.Add(-5*time.Minute - 1), "5m0s old, the tolerance is 5m0s"},
		{"V10 future edge", now.Add(30 * time.Second), ""},
		{"V10 future edge and a nanosecond", now.Add(30*time.Second + 1), "30s ahead, the tolerance is 30s"},
		{"V22 300 years ago", now.AddDate(-300, 0, 0), "old"},
		{"V22 in 300 years", now.AddDate(300, 0, 0), "ahead"},
		{"V22 zero time", time.Time{}, "old"},
		{"V22 largest time", time.Unix(1<<62, 0), "ahead"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if problem := w.check(tt.signed, now); (problem == "") != (tt.problem == "") || !strings.Contains(problem, tt.problem) {
				t.Errorf("%q, want %q", problem, tt.problem)
			}
		})
	}
}

func TestTimestampUnitString(t *testing.T) {
	for unit, want := range map[TimestampUnit]string{
		AutoUnit: "seconds or milliseconds", Seconds: "seconds", Milliseconds: "milliseconds", RFC3339: "RFC 3339",
		9: "TimestampUnit(9)",
	} {
		if got := unit.String(); got != want {
			t.Errorf("%d is %q, want %q", uint8(unit), got, want)
		}
	}
}
