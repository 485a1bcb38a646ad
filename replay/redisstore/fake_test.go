package redisstore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// fake is a client whose server says what the test wants.
type fake struct {
	do   func(ctx context.Context, cmd redisstore.Command) (any, error)
	info func() (any, error)
	time func() (any, error)

	mu     sync.Mutex
	sent   []string // the first word of each command with a key
	checks int
}

const goodInfo = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n"

func (f *fake) Do(ctx context.Context, cmd redisstore.Command) (any, error) {
	f.mu.Lock()
	f.sent = append(f.sent, cmd.Name[0])
	f.mu.Unlock()
	return f.do(ctx, cmd)
}

func (f *fake) DoWait(ctx context.Context, cmd redisstore.Command, _ int, _ time.Duration) (any, int64, error) {
	reply, err := f.Do(ctx, cmd)
	return reply, 0, err
}

func (f *fake) Servers(context.Context) ([]redisstore.Server, error) {
	return []redisstore.Server{func(_ context.Context, cmd redisstore.Command) (any, error) {
		if cmd.Name[0] == "INFO" {
			f.mu.Lock()
			f.checks++
			f.mu.Unlock()
			if f.info != nil {
				return f.info()
			}
			return goodInfo, nil
		}
		if f.time != nil {
			return f.time()
		}
		return time.Now().UnixMicro(), nil
	}}, nil
}

// replies lets a fake answer with one after the other, the last for ever.
func replies(all ...any) func(context.Context, redisstore.Command) (any, error) {
	n := 0
	return func(context.Context, redisstore.Command) (any, error) {
		reply := all[min(n, len(all)-1)]
		n++
		if err, ok := reply.(error); ok {
			return nil, err
		}
		return reply, nil
	}
}

// Whatever else is under the key, nobody gets it.
func TestForeignValues(t *testing.T) {
	for _, value := range []any{
		"", "x", "H", "Hshort", "R", "R0", "Rx", "A", "A1", "-1", "01", "9223372036854775808", "null", "\x00", int64(0), int64(1), 1.5, []any{}, true,
	} {
		s := newStore(t, &fake{do: replies(value)}, redisstore.Config{})
		if out, err := s.Claim(t.Context(), newClaim("foreign")); err == nil || out.Status != 0 {
			t.Errorf("Claim over %#v: %v, %v; want an error", value, out.Status, err)
		}
		if err := s.Complete(t.Context(), newClaim("foreign"), nil); err == nil {
			t.Errorf("Complete over %#v: no error", value)
		}
		for name, op := range map[string]func(context.Context, replay.Claim) error{"Renew": s.Renew, "Release": s.Release} {
			if err := op(t.Context(), newClaim("foreign")); !errors.Is(err, replay.ErrLostLease) {
				t.Errorf("%s over %#v: %v, want ErrLostLease", name, value, err)
			}
		}
	}
}

// The server's own types of values are refused too.
func TestForeignTypes(t *testing.T) {
	s, server := startStore(t, viaGoRedis)
	c := newClaim("list")
	mustClaim(t, s, c, replay.Acquired)
	key := onlyKey(t, server)
	server.Do(t, "DEL", key)
	server.Do(t, "RPUSH", key, "1")
	if out, err := s.Claim(t.Context(), rival(c)); err == nil || out.Status != 0 || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("Claim over a list: %v, %v", out.Status, err)
	}
	for name, err := range map[string]error{
		"Renew": s.Renew(t.Context(), c), "Release": s.Release(t.Context(), c), "Complete": s.Complete(t.Context(), c, nil),
	} {
		if err == nil {
			t.Errorf("%s over a list: no error", name)
		}
	}
	if got := server.Do(t, "TYPE", key); got != "list" {
		t.Errorf("the list is a %v now", got)
	}
}

// After an error that leaves the outcome open, a claim and a completion are
// repeated once, as long as there is time; after a refusal they are not.
func TestUncertainRepeated(t *testing.T) {
	refused := redisstore.ServerError("CLUSTERDOWN The cluster is down")
	for _, row := range []struct {
		name    string
		replies func(c replay.Claim) []any
		sent    int
		wrong   bool
	}{
		{"first taken", func(c replay.Claim) []any { return []any{io.EOF, "H" + string(c.Owner[:]) + "1"} }, 2, false},
		{"first lost", func(replay.Claim) []any { return []any{io.EOF, nil} }, 2, false},
		{"both lost", func(replay.Claim) []any { return []any{io.EOF} }, 2, true},
		{"refused", func(replay.Claim) []any { return []any{refused} }, 1, true},
		{"lost, then refused", func(replay.Claim) []any { return []any{io.EOF, refused} }, 2, true},
	} {
		c := newClaim("uncertain")
		f := &fake{do: replies(row.replies(c)...)}
		s := newStore(t, f, redisstore.Config{})
		out, err := s.Claim(t.Context(), c)
		if (err != nil) != row.wrong || (out.Status == replay.Acquired) == row.wrong {
			t.Errorf("%s: %v, %v", row.name, out.Status, err)
		}
		if len(f.sent) != row.sent {
			t.Errorf("%s: sent %v, want %d commands", row.name, f.sent, row.sent)
		}
		if err != nil && strings.Contains(err.Error(), string(c.Owner[:])) {
			t.Errorf("%s: the error holds the owner", row.name)
		}
		if row.name == "both lost" && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v hides the cause", row.name, err)
		}
	}

	f := &fake{do: replies(io.EOF, nil)}
	s := newStore(t, f, redisstore.Config{})
	mustComplete(t, s, newClaim("complete"), nil)
	if len(f.sent) != 2 {
		t.Errorf("Complete sent %v, want two commands", f.sent)
	}

	ctx, cancel := context.WithCancel(t.Context())
	f = &fake{do: func(context.Context, redisstore.Command) (any, error) { cancel(); return nil, io.EOF }}
	s = newStore(t, f, redisstore.Config{})
	if _, err := s.Claim(ctx, newClaim("late")); err == nil || len(f.sent) != 1 {
		t.Errorf("with a context that ended: %v, sent %v; want one command and an error", err, f.sent)
	}
}

// A released key that others take and release all the time: the claim gives way,
// but never when the last attempt was the one that took it.
func TestReleasedKeyContended(t *testing.T) {
	f := &fake{do: replies("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8")}
	s := newStore(t, f, redisstore.Config{})
	mustClaim(t, s, newClaim("contended"), replay.InFlight)
	if len(f.sent) > 5 {
		t.Errorf("sent %d commands before giving way", len(f.sent))
	}
	for n := 1; n < 8; n++ {
		all := []any{"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"}[:n]
		last, wrote := "", false
		f := &fake{}
		answer := replies(append(append([]any{}, all...), nil)...)
		f.do = func(ctx context.Context, cmd redisstore.Command) (any, error) {
			reply, err := answer(ctx, cmd)
			if wrote = reply == nil; wrote {
				last = cmd.Args[1]
			}
			return reply, err
		}
		s := newStore(t, f, redisstore.Config{})
		c := newClaim("contended")
		out, err := s.Claim(t.Context(), c)
		if err != nil || (out.Status == replay.Acquired) != wrote {
			t.Errorf("after %d others: %v, %v; but the record written is %q", n, out.Status, err, last)
		}
		if out.Status == replay.Acquired && out.Attempt != n+1 {
			t.Errorf("after %d others: attempt %d, want %d", n, out.Attempt, n+1)
		}
	}
}

// An error of the script that takes a released key over is no acquisition.
func TestTakeOverFails(t *testing.T) {
	for _, err := range []error{io.EOF, redisstore.ServerError("READONLY You can't write against a read only replica.")} {
		s := newStore(t, &fake{do: replies("R1", err)}, redisstore.Config{})
		if out, got := s.Claim(t.Context(), newClaim("released")); got == nil || out.Status != 0 {
			t.Errorf("%v: %v, %v; want an error", err, out.Status, got)
		}
	}
}

// The server is sent a script once, and its digest from then on.
func TestScriptsSentOnce(t *testing.T) {
	f := &fake{do: replies(redisstore.ServerError("NOSCRIPT No matching script. Please use EVAL."), nil)}
	s := newStore(t, f, redisstore.Config{})
	for range 3 {
		if err := s.Renew(t.Context(), newClaim("script")); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(f.sent, " "), "EVALSHA EVAL EVALSHA EVALSHA"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// The same after the server has lost its scripts.
func TestScriptsFlushed(t *testing.T) {
	eachDriver(t, func(t *testing.T, d driver) {
		s, server := startStore(t, d)
		c := newClaim("script")
		mustClaim(t, s, c, replay.Acquired)
		for range 3 {
			if err := s.Renew(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			server.Do(t, "SCRIPT", "FLUSH")
		}
		mustComplete(t, s, c, nil)
	})
}
