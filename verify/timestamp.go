package verify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TimestampUnit is the form of a timestamp header.
type TimestampUnit uint8

const (
	// AutoUnit takes Unix seconds (up to 10 digits) and milliseconds (13
	// digits), told apart by their length. It is the default, for Vapi does not
	// document its unit; observed deliveries carry milliseconds.
	AutoUnit TimestampUnit = iota
	// Seconds takes Unix seconds only.
	Seconds
	// Milliseconds takes Unix milliseconds only.
	Milliseconds
	// RFC3339 takes an RFC 3339 time, like 2026-01-01T00:00:00Z.
	RFC3339
)

// String names the unit.
func (u TimestampUnit) String() string {
	switch u {
	case AutoUnit:
		return "seconds or milliseconds"
	case Seconds:
		return "seconds"
	case Milliseconds:
		return "milliseconds"
	case RFC3339:
		return "RFC 3339"
	}
	return "TimestampUnit(" + strconv.Itoa(int(u)) + ")"
}

// fixedWidth tells whether every timestamp inside a window has one length, so
// that its end is clear without a separator.
func (u TimestampUnit) fixedWidth() bool { return u == Seconds || u == Milliseconds }

const (
	secondDigits = 10 // until the year 2286
	milliDigits  = 13
)

// parse reads a timestamp by the strictest grammar: ASCII digits with no sign,
// space, fraction or leading zero. problem is "" for a good one, and never
// repeats the text.
func (u TimestampUnit) parse(text string) (t time.Time, problem string) {
	if u == RFC3339 {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || !isRFC3339(text) {
			return time.Time{}, "not an RFC 3339 time"
		}
		return t, ""
	}
	if len(text) == 0 || len(text) > milliDigits {
		return time.Time{}, "not the length of Unix " + u.String()
	}
	var n int64
	for _, c := range []byte(text) {
		if !isDigit(c) {
			return time.Time{}, "not a whole number of Unix " + u.String()
		}
		n = n*10 + int64(c-'0')
	}
	if text[0] == '0' && len(text) > 1 {
		return time.Time{}, "leading zero"
	}
	switch {
	case len(text) == milliDigits && u != Seconds:
		return time.UnixMilli(n), ""
	case len(text) <= secondDigits && u != Milliseconds:
		return time.Unix(n, 0), ""
	case len(text) == milliDigits:
		return time.Time{}, "13 digits look like milliseconds, but TimestampUnit is seconds"
	case len(text) == secondDigits:
		return time.Time{}, "10 digits look like seconds, but TimestampUnit is milliseconds"
	case u == Milliseconds:
		return time.UnixMilli(n), ""
	}
	return time.Time{}, fmt.Sprintf("%d digits are neither Unix seconds nor milliseconds", len(text))
}

// isRFC3339 tells whether a text that time.Parse takes is of the form of RFC 3339
// §5.6, with at most nine digits of a second. time.Parse is looser: it takes a
// comma before them, one digit for the hour, and offsets of a day and more.
func isRFC3339(text string) bool {
	const shape = "0000-00-00T00:00:00"
	if len(text) <= len(shape) {
		return false
	}
	for i := range len(shape) {
		if isDigit(text[i]) != isDigit(shape[i]) || !isDigit(shape[i]) && text[i] != shape[i] {
			return false
		}
	}
	zone := text[len(shape):]
	if fraction, ok := strings.CutPrefix(zone, "."); ok {
		zone = strings.TrimLeft(fraction, "0123456789")
		if digits := len(fraction) - len(zone); digits < 1 || digits > 9 {
			return false
		}
	}
	return zone == "Z" || len(zone) == len("+00:00") && (zone[0] == '+' || zone[0] == '-') && zone[1:3] < "24" && zone[4:6] < "60"
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// window is the span of signed times that are accepted around now, both ends
// included.
type window struct{ past, future time.Duration }

// check gives "" for a time inside the window. It compares times, not their
// distance: that of a time centuries ahead does not fit a Duration.
func (w window) check(signed, now time.Time) (problem string) {
	switch age := now.Sub(signed); {
	case signed.Before(now.Add(-w.past)):
		return "timestamp is " + age.Round(time.Second).String() + " old, the tolerance is " + w.past.String()
	case signed.After(now.Add(w.future)):
		return "timestamp is " + (-age).Round(time.Second).String() + " ahead, the tolerance is " + w.future.String()
	}
	return ""
}
