package verify_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// memoryAt is a store in memory by a clock of the test.
func memoryAt(t testing.TB, now func() time.Time, cfg replay.MemoryConfig) *replay.Memory {
	t.Helper()
	cfg.Now = now
	m := replay.NewMemory(cfg)
	if err := m.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

// guarded makes a verifier with a replay guard; its store is in memory, and all
// clocks stand at now, unless the test brings others.
func guarded(t testing.TB, scheme verify.Scheme, r verify.Replay) *verify.Verifier {
	t.Helper()
	if r.Store == nil {
		r.Store = memoryAt(t, clock, replay.MemoryConfig{})
	}
	return configure(t, verify.Config{Accept: scheme, Replay: r})
}

// settle ends an accepted request's claim by a status, without an error.
func settle(t testing.TB, v *verify.Verifier, res *verify.Result, status int) {
	t.Helper()
	if !v.Settles(res) {
		t.Fatalf("no claim to settle: %+v", res)
	}
	if err := v.Settle(context.Background(), res, status); err != nil {
		t.Fatalf("Settle: %v", err)
	}
}

// finish lets a request through to its end.
func finish(t testing.TB, v *verify.Verifier, r *http.Request) *verify.Result {
	t.Helper()
	res := accept(t, v, r)
	settle(t, v, res, http.StatusOK)
	return res
}

// copied expects a request to be refused as a copy that somebody vouches for.
func copied(t testing.TB, v *verify.Verifier, r *http.Request, verdict error) *verify.Error {
	t.Helper()
	e := refuse(t, v, r, verdict, "")
	if e.Result == nil || !e.Result.Duplicate || v.Settles(e.Result) || e.Result.Claim != (replay.Claim{}) {
		t.Fatalf("result of a copy: %+v", e.Result)
	}
	return e
}

// call is one call of a store.
type call struct {
	op     string // Claim, Renew, Complete or Release
	claim  replay.Claim
	answer []byte
}

// spy is a store that notes its calls, and does what a test wants before each.
type spy struct {
	replay.Store
	limits replay.Limits
	// before, if set, may wait or fail; then the store behind is not asked.
	before func(ctx context.Context, op string) error

	mu    sync.Mutex
	calls []call
}

// spyOn is a spy in front of a store in memory whose clock stands still.
func spyOn(t testing.TB) *spy {
	return &spy{Store: memoryAt(t, clock, replay.MemoryConfig{Retention: 24 * time.Hour})}
}

func (s *spy) Limits() replay.Limits { return s.limits }

func (s *spy) note(ctx context.Context, op string, c replay.Claim, answer []byte) error {
	s.mu.Lock()
	s.calls = append(s.calls, call{op, c, slices.Clone(answer)})
	s.mu.Unlock()
	if s.before != nil {
		return s.before(ctx, op)
	}
	return nil
}

func (s *spy) Claim(ctx context.Context, c replay.Claim) (replay.Outcome, error) {
	if err := s.note(ctx, "Claim", c, nil); err != nil {
		return replay.Outcome{}, err
	}
	return s.Store.Claim(ctx, c)
}

func (s *spy) Renew(ctx context.Context, c replay.Claim) error {
	if err := s.note(ctx, "Renew", c, nil); err != nil {
		return err
	}
	return s.Store.Renew(ctx, c)
}

func (s *spy) Complete(ctx context.Context, c replay.Claim, answer []byte) error {
	if err := s.note(ctx, "Complete", c, answer); err != nil {
		return err
	}
	return s.Store.Complete(ctx, c, answer)
}

func (s *spy) Release(ctx context.Context, c replay.Claim) error {
	if err := s.note(ctx, "Release", c, nil); err != nil {
		return err
	}
	return s.Store.Release(ctx, c)
}

// ops are the calls so far, in order; the next time they begin anew.
func (s *spy) ops() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for _, c := range s.calls {
		names = append(names, c.op)
	}
	s.calls = nil
	return names
}

// last is the latest call.
func (s *spy) last(t testing.TB) call {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		t.Fatal("the store was not asked")
	}
	return s.calls[len(s.calls)-1]
}

// exactly expects these calls of the store since the last time.
func (s *spy) exactly(t testing.TB, want ...string) {
	t.Helper()
	if got := s.ops(); !slices.Equal(got, want) {
		t.Errorf("the store was asked to %v, want %v", got, want)
	}
}

// standard is Standard Webhooks' format, which signs an id.
func standard() verify.HMAC {
	return verify.HMAC{
		Keys: verify.Static(hmacKey), SignatureHeader: "webhook-signature", TimestampHeader: "webhook-timestamp",
		MessageIDHeader: "webhook-id", Payload: "{svix-id}.{timestamp}.{body}", MultiSignature: true,
	}
}

// standardPost is a request in that format.
func standardPost(id, timestamp, body string) *http.Request {
	return post(body, "Webhook-Id", id, "Webhook-Timestamp", timestamp,
		"Webhook-Signature", "v1,"+hexMAC(id+"."+timestamp+"."+body))
}

// bodyOnly is GitHub's scheme: the body is signed and nothing else.
func bodyOnly() verify.HMAC {
	return verify.HMAC{Keys: verify.Static(hmacKey), SignatureHeader: "X-Hub-Signature-256", SignaturePrefix: "sha256=",
		InsecureNoTimestamp: true, Payload: "{body}"}
}

func bodyOnlyPost(body string, pairs ...string) *http.Request {
	return post(body, append(pairs, "X-Hub-Signature-256", "sha256="+hexMAC(body))...)
}
