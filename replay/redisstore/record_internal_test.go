package redisstore

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

func TestRecordRoundTrip(t *testing.T) {
	c := replay.Claim{Owner: replay.NewOwner()}
	for _, attempt := range []int{1, 2, 10, maxAttempts - 1} {
		r, err := parse(heldRecord(c.Owner, attempt))
		if err != nil || r.state != held || r.owner != c.Owner || r.attempts != attempt {
			t.Errorf("held, attempt %d: %+v, %v", attempt, r, err)
		}
		r, err = parse(string(released) + strconv.Itoa(attempt))
		if err != nil || r.state != released || r.attempts != attempt {
			t.Errorf("released, attempt %d: %+v, %v", attempt, r, err)
		}
	}
	for _, owner := range []replay.Owner{{}, {1}, {15: 1}, replay.NewOwner(), replay.Owner(bytes.Repeat([]byte{0xff}, 16))} {
		for _, fingerprint := range []uint64{0, 1, 9999, 10000, 1 << 39, 1<<40 - 1} {
			for _, answer := range [][]byte{nil, {}, []byte("5"), []byte(":"), []byte("a:b"), {0, 0xff}} {
				c := replay.Claim{Owner: owner, Fingerprint: fingerprint}
				text := doneRecord(c, answer)
				r, err := parse(text)
				if err != nil || r.state != done || r.fingerprint() != fingerprint || !r.doneBy(c) ||
					!bytes.Equal(r.answer, answer) || (r.answer == nil) != (answer == nil) {
					t.Errorf("done, owner %v, fingerprint %d, answer %q: %q is read as %+v, %v", owner, fingerprint, answer, text, r, err)
				}
				if n, err := strconv.ParseInt(text, 10, 64); answer == nil && (err != nil || n < 0) {
					t.Errorf("done, owner %v, fingerprint %d: %q is no integer that Redis keeps as such", owner, fingerprint, text)
				}
			}
		}
	}
}

// Owners that differ anywhere differ in the done record, but for one in eight
// million.
func TestRecordTellsOwners(t *testing.T) {
	c := replay.Claim{Owner: replay.NewOwner(), Fingerprint: 7}
	r, err := parse(doneRecord(c, nil))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 128 {
		other := c
		other.Owner[bit/8] ^= 1 << (bit % 8)
		if r.doneBy(other) {
			t.Errorf("bit %d of the owner makes no difference", bit)
		}
	}
}

var foreign = []any{
	"", "x", "H", "R", "A", "-1", "+1", "01", "1 ", "1.0", "1e3", "0x1", "9223372036854775808", "99999999999999999999",
	"Hshort", "H0123456789abcdef", "H0123456789abcdef0", "H0123456789abcdef01", "H0123456789abcdef-1", "H0123456789abcdefx",
	"H0123456789abcdef1000000000", "R0", "R01", "R-1", "Rx", "R1 ", "R99999999999999999999",
	"A1", "A:", "A01:x", "A-1:x", "Ax:x", "h0123456789abcdef1", int64(0), int64(1), 1.5, true, []any{}, []byte("1"),
}

func TestRecordForeign(t *testing.T) {
	for _, reply := range foreign {
		if r, err := parse(reply); !errors.Is(err, errForeign) || r.state != absent {
			t.Errorf("%#v is read as %+v, %v", reply, r, err)
		}
	}
}

// Every value reads as one state at most, and is spelled in one way only.
func FuzzRecord(f *testing.F) {
	for _, reply := range foreign {
		if text, ok := reply.(string); ok {
			f.Add(text)
		}
	}
	f.Add(heldRecord(replay.NewOwner(), 1))
	f.Add("R3")
	f.Add("1234")
	f.Add("A1234:answer")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parse(text)
		if err != nil {
			if r.state != absent || r.attempts != 0 || r.answer != nil {
				t.Errorf("%q: %+v beside an error", text, r)
			}
			return
		}
		again := ""
		switch r.state {
		case held:
			again = heldRecord(r.owner, r.attempts)
		case released:
			again = "R" + strconv.Itoa(r.attempts)
		case done:
			if again = strconv.FormatUint(r.done, 10); r.answer != nil {
				again = "A" + again + ":" + string(r.answer)
			}
		}
		if again != text {
			t.Errorf("%q is read as %+v, which is %q", text, r, again)
		}
	})
}

func TestMillisecondsRoundUp(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Millisecond:                  "1",
		time.Millisecond + 1:              "2",
		2*time.Millisecond - 1:            "2",
		30 * time.Second:                  "30000",
		time.Duration(math.MaxInt64):      "9223372036855",
		time.Duration(math.MaxInt64) - 10: "9223372036855",
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// What the server quotes may be a key or an owner.
func TestCleanQuotesNothing(t *testing.T) {
	const secret = "KEY-OR-OWNER"
	for _, text := range []string{
		"ERR unknown command 'SET', with args beginning with: '" + secret + "' 'x' ",
		"ERR unknown command `SET`, with args beginning with: `" + secret + "`, ",
		"NOPERM No permissions to access the '" + secret + "' key",
		"'" + secret + "'",
		strings.Repeat("x", 200) + secret,
	} {
		if err := clean(ServerError(text)); strings.Contains(err.Error(), secret) || len(err.Error()) > 160 {
			t.Errorf("%q becomes %q", text, err)
		}
	}
	if err := clean(ServerError("OOM command not allowed when used memory > 'maxmemory'.")); !errors.Is(err, replay.ErrFull) {
		t.Errorf("OOM becomes %v, want ErrFull", err)
	}
	if err := clean(ServerError("OOMX")); errors.Is(err, replay.ErrFull) {
		t.Error("OOMX becomes ErrFull")
	}
	if err := clean(nil); err != nil {
		t.Errorf("nil becomes %v", err)
	}
}

func TestRedirection(t *testing.T) {
	for _, row := range []struct {
		err  error
		addr string
		ask  bool
		ok   bool
	}{
		{ServerError("MOVED 3999 127.0.0.1:6381"), "127.0.0.1:6381", false, true},
		{ServerError("ASK 3999 127.0.0.1:6381"), "127.0.0.1:6381", true, true},
		{ServerError("MOVED 3999"), "", false, false},
		{ServerError("ERR MOVED x"), "", false, false},
		{ServerError(""), "", false, false},
		{errors.New("MOVED 3999 127.0.0.1:6381"), "", false, false},
		{nil, "", false, false},
	} {
		if addr, ask, ok := redirection(row.err); addr != row.addr || ask != row.ask || ok != row.ok {
			t.Errorf("%v: %q, %v, %v", row.err, addr, ask, ok)
		}
	}
}
