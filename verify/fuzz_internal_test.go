package verify

import (
	"bytes"
	"hash"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recorder is a hash that keeps what is written into it.
type recorder struct {
	hash.Hash
	bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) { return r.Buffer.Write(p) }
func (r *recorder) Reset()                      { r.Buffer.Reset() }

// closedGroup is an innermost pair of braces that has a token in it, after every
// token has become a NUL.
var closedGroup = regexp.MustCompile(`\{([^{}]*\x00[^{}]*)\}`)

// formatIsSound is the rule for formats, by rewriting instead of reading: take
// away pairs of braces with a token in them until none is left; a brace that
// remains is an error.
func formatIsSound(format string) bool {
	s := strings.NewReplacer("{body}", "\x00", "{timestamp}", "\x00", "{method}", "\x00", "{url}", "\x00", "{svix-id}", "\x00").Replace(format)
	for {
		smaller := closedGroup.ReplaceAllString(s, "$1")
		if smaller == s {
			return !strings.ContainsAny(s, "{}")
		}
		s = smaller
	}
}

func FuzzPayloadFormat(f *testing.F) {
	for _, format := range []string{
		"", "{timestamp}.{body}", "{svix-id}.{timestamp}.{body}", "v0:{timestamp}:{body}", "{body}{timestamp}",
		"{method}{url}{body}{timestamp}", "{url}{body}", "{url}", "{{body}}", "{a{body}b}", "{{body}{timestamp}}", "{{body}{}}",
		"{foo}", "{", "}", "{body", "body}", "{}", "}{", "{{}{body}}", "{body}}", "{BODY}", "{ body }", "{bo{body}dy}", "%s$&\\1{body}", "é{body}\xff",
	} {
		f.Add(format, `{"a":"{timestamp}"}`, "1767225600", "POST", "https://x/{body}?a=$1", "msg_{url}")
	}
	f.Add("{body}{body}", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, format, body, timestamp, method, url, id string) {
		p, err := compilePayload(format)
		if strings.Contains(format, "\x00") {
			return // the oracle marks tokens with it
		}
		if sound := formatIsSound(format); sound != (err == nil) {
			t.Fatalf("%q: sound %v, compiled with error %v", format, sound, err)
		}
		if err != nil {
			return
		}
		want := strings.NewReplacer("{body}", body, "{timestamp}", timestamp, "{method}", method, "{url}", url, "{svix-id}", id).Replace(format)
		var got recorder
		// A scratch buffer that was in use before must leave no trace.
		p.write(&got, &values{body: []byte(body), timestamp: timestamp, method: method, url: url, messageID: id}, []byte("left over"))
		if got.String() != want {
			t.Fatalf("%q: wrote %q, want %q", format, got.String(), want)
		}
	})
}

var (
	wholeSeconds = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)
	wholeMillis  = regexp.MustCompile(`^[1-9][0-9]{12}$`)
	// Pinned to milliseconds, a shorter number is a time long ago, unless its
	// length is that of seconds.
	pinnedMillis = regexp.MustCompile(`^(0|[1-9][0-9]{0,8}|[1-9][0-9]{10,12})$`)
	internetTime = regexp.MustCompile(`^([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T` +
		`([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$`)
)

// nanoseconds is a second reading of a timestamp: nanoseconds since 1970, or nil
// for one that is not of the unit's form.
func nanoseconds(u TimestampUnit, text string) *big.Int {
	whole := func(scale int64) *big.Int {
		n, _ := new(big.Int).SetString(text, 10)
		return n.Mul(n, big.NewInt(scale))
	}
	switch {
	case u == RFC3339:
		return internetNanoseconds(text)
	case (u == AutoUnit || u == Seconds) && wholeSeconds.MatchString(text):
		return whole(1e9)
	case u == AutoUnit && wholeMillis.MatchString(text), u == Milliseconds && pinnedMillis.MatchString(text):
		return whole(1e6)
	}
	return nil
}

func internetNanoseconds(text string) *big.Int {
	m := internetTime.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	field := func(i int) int64 {
		n, _ := strconv.ParseInt(m[i], 10, 64)
		return n
	}
	year, month, day := field(1), field(2), field(3)
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	lengths := []int64{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	if leap {
		lengths[1] = 29
	}
	if day > lengths[month-1] {
		return nil
	}
	days := year*365 - 719528 + day - 1 // 1970-01-01 is day 719528 of the calendar
	if year > 0 {
		days += (year+3)/4 - (year+99)/100 + (year+399)/400 // leap days of the years before
	}
	for _, length := range lengths[:month-1] {
		days += length
	}
	offset := field(9)*3600 + field(10)*60
	if m[8] == "-" {
		offset = -offset
	}
	n := big.NewInt(days*86400 + field(4)*3600 + field(5)*60 + field(6) - offset)
	fraction, _ := strconv.ParseInt((m[7] + "000000000")[:9], 10, 64)
	return n.Add(n.Mul(n, big.NewInt(1e9)), big.NewInt(fraction))
}

func FuzzTimestamp(f *testing.F) {
	const at = 1767225600
	minutes := int64(5 * time.Minute)
	for unit := range uint8(4) {
		for _, text := range []string{
			"", "0", "00", "1", "01767225600", "1767225600", "1767225300", "1767225299", "1767225900", "1767225901", "9999999999",
			"17672256000", "176722560000", "1767225600000", "1767225300000", "1767225299999", "1767225900000", "1767225900001", "9999999999999",
			"1767225600123456", "1767225600123456789", "9223372036854775807", "9223372036854775808", "18446744075476777216",
			"+1767225600", "-1767225600", " 1767225600", "1767225600 ", "1767225600.0", "1.767e9", "0x6955b900", "1_767_225_600", "１７６７２２５６００",
			"1767225600abc", "NaN", "Infinity", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.12345678912345Z",
			"2026-01-01T00:05:00.000000001Z", "2026-01-01T01:00:00+01:00", "2025-12-31T23:59:59-00:00", "2026-01-01T00:00:00,5Z", "2026-1-01T00:00:00Z",
			"2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01 00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z",
			"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T0:00:00Z", "2026-01-01T00:00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "Thu, 01 Jan 2026 00:00:00 GMT",
		} {
			f.Add(text, unit, int64(at), minutes, minutes)
		}
	}
	f.Add("1767225631", uint8(0), int64(at), minutes, int64(30*time.Second))
	f.Add("2147483648", uint8(1), int64(1<<31), minutes, minutes)
	f.Add("0", uint8(1), int64(0), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, text string, unit uint8, unix, past, future int64) {
		// New admits positive tolerances. A clock lies in the years that a text
		// can name.
		if past < 1 || future < 1 || unix < -62167219200 || unix > 253402300799 {
			t.Skip()
		}
		u := TimestampUnit(unit % 4)
		signed, problem := u.parse(text)
		want := nanoseconds(u, text)
		if (problem == "") != (want != nil) {
			t.Fatalf("%s %q: problem %q, the oracle reads %v", u, text, problem, want)
		}
		if want == nil {
			return
		}
		got := big.NewInt(signed.Unix())
		got.Add(got.Mul(got, big.NewInt(1e9)), big.NewInt(int64(signed.Nanosecond())))
		if got.Cmp(want) != 0 {
			t.Fatalf("%s %q: %v, the oracle reads %v", u, text, got, want)
		}
		clock := new(big.Int).Mul(big.NewInt(unix), big.NewInt(1e9))
		age := new(big.Int).Sub(clock, want)
		inside := age.Cmp(big.NewInt(past)) <= 0 && age.Cmp(new(big.Int).Neg(big.NewInt(future))) >= 0
		problem = window{time.Duration(past), time.Duration(future)}.check(signed, time.Unix(unix, 0))
		if inside != (problem == "") {
			t.Fatalf("%s %q at %d: age %v ns, window -%d to %d: problem %q", u, text, unix, age, future, past, problem)
		}
	})
}
