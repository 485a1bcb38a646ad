package replay_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// The values were computed with Python 3:
//
//	import hashlib, struct
//	def key(scope, *parts):
//	    h = hashlib.sha256()
//	    for p in ("webhookauth replay 1", scope) + parts:
//	        h.update(struct.pack(">Q", len(p.encode())) + p.encode())
//	    return h.digest()[:16].hex()
func TestK23KeyKnownAnswers(t *testing.T) {
	for _, test := range []struct {
		scope string
		parts []string
		want  string
	}{
		{"", nil, "55ea5aee6cce8274e94ef4087d3c7306"},
		{"vapi", []string{"msg_1"}, "507a74d83a1c41085c07e28f71d39fa8"},
		{"scope", []string{"a", "bc"}, "a4708a9c462bfa711fdd1d7e3be326f0"},
		{"scope", []string{"ab", "c"}, "c0824255a95472fea2d5a2980e45f15b"},
		{"ä", []string{"\x00", ""}, "7e51124a1b07c1f84fe4c06a44e93e50"},
	} {
		if got := replay.NewKey(test.scope, test.parts...).String(); got != test.want {
			t.Errorf("NewKey(%q, %q) is %s, want %s", test.scope, test.parts, got, test.want)
		}
	}
}

// Wherever the border between two parts lies, it goes into the key.
func TestK23KeysDiffer(t *testing.T) {
	seen := map[replay.Key][]string{}
	for _, parts := range [][]string{
		{""}, {"", ""}, {"", "", ""},
		{"s"}, {"", "s"}, {"s", ""},
		{"s", "a", "bc"}, {"s", "ab", "c"}, {"s", "abc"}, {"s", "", "abc"}, {"s", "abc", ""},
		{"sa", "bc"}, {"a", "s", "bc"}, {"s", "bc", "a"},
		{"s", "a\x00bc"}, {"s", "a", "BC"},
		{"s", "a\x00\x00\x00\x00\x00\x00\x00\x02bc"}, // as the length itself is written
	} {
		k := replay.NewKey(parts[0], parts[1:]...)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q have the same key", parts, other)
		}
		seen[k] = parts
		if again := replay.NewKey(parts[0], parts[1:]...); again != k {
			t.Errorf("%q gives %v and then %v", parts, k, again)
		}
	}
}

// The caller's slice is not written to: it may be shared.
func TestNewKeyLeavesItsPartsAlone(t *testing.T) {
	parts := make([]string, 1, 4)
	parts[0] = "a"
	replay.NewKey("scope", parts...)
	if got := parts[:2]; got[0] != "a" || got[1] != "" {
		t.Errorf("the parts are %q now", got)
	}
}

// The values are (zlib.crc32(b) << 32 | crc32c(b)) & (1<<40 - 1) from Python 3,
// with CRC-32C written bit by bit (reflected, 0x82F63B78). The check value of
// CRC-32C for "123456789" is E3069283 (RFC 3720, B.4, by its catalogue name
// CRC-32/ISCSI).
func TestFingerprintKnownAnswers(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, test := range []struct {
		content []byte
		want    uint64
	}{
		{nil, 1}, // both sums are 0, which means none
		{[]byte("123456789"), 0x26_e3069283},
		{[]byte(`{"message":{"type":"tool-calls"}}`), 0xe7_b46bfe19},
		{all, 0x73_9c44184b},
	} {
		if got := replay.Fingerprint(test.content); got != test.want {
			t.Errorf("Fingerprint(%.40q) is %#x, want %#x", test.content, got, test.want)
		}
	}
}

func TestFingerprintFitsAClaim(t *testing.T) {
	c := goodClaim()
	for length := range 2000 {
		c.Fingerprint = replay.Fingerprint(bytes.Repeat([]byte{byte(length)}, length))
		if c.Fingerprint == 0 {
			t.Fatalf("%d bytes have the fingerprint 0", length)
		}
		if err := c.Check(); err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
	}
}

// goodClaim is a claim with a key and an owner of its own.
func goodClaim() replay.Claim {
	return replay.Claim{
		Key:   replay.Key(replay.NewOwner()),
		Owner: replay.NewOwner(),
		Lease: 30 * time.Second,
		Keep:  10 * time.Minute,
	}
}

func TestClaimCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*replay.Claim)
		want   string // in the error; "" means none
	}{
		{"good", func(*replay.Claim) {}, ""},
		{"least", func(c *replay.Claim) { c.Lease, c.Keep = time.Millisecond, time.Millisecond }, ""},
		{"largest fingerprint", func(c *replay.Claim) { c.Fingerprint = 1<<40 - 1 }, ""},
		{"no key", func(c *replay.Claim) { c.Key = replay.Key{} }, "Claim.Key"},
		{"no owner", func(c *replay.Claim) { c.Owner = replay.Owner{} }, "Claim.Owner"},
		{"wide fingerprint", func(c *replay.Claim) { c.Fingerprint = 1 << 40 }, "Claim.Fingerprint"},
		{"no lease", func(c *replay.Claim) { c.Lease = 0 }, "Claim.Lease"},
		{"short lease", func(c *replay.Claim) { c.Lease = time.Millisecond - 1 }, "Claim.Lease"},
		{"negative lease", func(c *replay.Claim) { c.Lease = -time.Hour }, "Claim.Lease"},
		{"no keep", func(c *replay.Claim) { c.Keep = 0 }, "Claim.Keep"},
		{"short keep", func(c *replay.Claim) { c.Keep = time.Millisecond - 1 }, "Claim.Keep"},
		{"negative keep", func(c *replay.Claim) { c.Keep = -time.Hour }, "Claim.Keep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := goodClaim()
			test.change(&c)
			switch err := c.Check(); {
			case test.want == "" && err != nil:
				t.Errorf("unexpected: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want+" ")):
				t.Errorf("the error is %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestStatusString(t *testing.T) {
	for status, want := range map[replay.Status]string{
		0: "none", replay.Acquired: "acquired", replay.InFlight: "in_flight",
		replay.Duplicate: "duplicate", replay.Conflict: "conflict", replay.Conflict + 1: "none",
	} {
		if got := status.String(); got != want {
			t.Errorf("Status(%d) is %q, want %q", status, got, want)
		}
	}
}

func TestOwners(t *testing.T) {
	seen := map[replay.Owner]bool{}
	for range 10_000 {
		o := replay.NewOwner()
		if o == (replay.Owner{}) || seen[o] {
			t.Fatalf("owner %v is zero or came twice", o)
		}
		seen[o] = true
	}
	o := replay.Owner{0x01, 0x23, 0xab, 15: 0xef}
	if want := "0123ab000000000000000000000000ef"; o.String() != want || replay.Key(o).String() != want {
		t.Errorf("String gives %q and %q, want %q", o, replay.Key(o), want)
	}
}

// fakeStore writes down its calls and answers as told; by default everything
// succeeds.
type fakeStore struct {
	claim                    func(context.Context) (replay.Outcome, error)
	renew, complete, release func(context.Context) error

	mu    sync.Mutex
	calls []call
}

type call struct {
	op      string
	at      time.Time
	claim   replay.Claim
	answer  string
	ended   error         // of the context
	allowed time.Duration // until the context's deadline
}

func (s *fakeStore) note(ctx context.Context, op string, c replay.Claim, answer []byte) {
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call{op, time.Now(), c, string(answer), ctx.Err(), time.Until(deadline)})
}

func (s *fakeStore) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	s.note(ctx, "Claim", c, nil)
	if s.claim == nil {
		return replay.Outcome{Status: replay.Acquired, Attempt: 1}, nil
	}
	return s.claim(ctx)
}

func (s *fakeStore) Renew(ctx context.Context, c replay.Claim) error {
	return s.write(ctx, "Renew", c, nil, s.renew)
}

func (s *fakeStore) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	return s.write(ctx, "Complete", c, answer, s.complete)
}

func (s *fakeStore) Release(ctx context.Context, c replay.Claim) error {
	return s.write(ctx, "Release", c, nil, s.release)
}

func (s *fakeStore) write(ctx context.Context, op string, c replay.Claim, answer []byte, answerWith func(context.Context) error) error {
	s.note(ctx, op, c, answer)
	if answerWith == nil {
		return nil
	}
	return answerWith(ctx)
}

// ops are the names of the calls so far.
func (s *fakeStore) ops() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, c := range s.calls {
		names = append(names, c.op)
	}
	return strings.Join(names, " ")
}

// call is the nth call so far, from 0.
func (s *fakeStore) call(n int) call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[n]
}

func (s *fakeStore) wantOps(t *testing.T, want string) {
	t.Helper()
	if got := s.ops(); got != want {
		t.Fatalf("the store was asked for %q, want %q", got, want)
	}
}

// untilEnded is a store that never answers.
func untilEnded(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// limited is a store that states limits.
type limited struct {
	replay.Store
	limits replay.Limits
}

func (l limited) Limits() replay.Limits { return l.limits }

func TestLimitsOf(t *testing.T) {
	want := replay.Limits{Shared: true, Retention: time.Hour, MaxSkew: time.Second, NoRelease: true}
	if got := replay.LimitsOf(limited{limits: want}); got != want {
		t.Errorf("LimitsOf gives %+v, want %+v", got, want)
	}
	if got := replay.LimitsOf(&fakeStore{}); got != (replay.Limits{}) {
		t.Errorf("a store without limits has %+v", got)
	}
}
