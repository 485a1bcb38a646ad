package verify_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// answerOf is what the sender of a copy is answered.
func answerOf(t testing.TB, v *verify.Verifier, r *http.Request) *verify.Answer {
	t.Helper()
	e := copied(t, v, r, verify.ErrDuplicate)
	if e.Answer != nil && e.StatusCode() != e.Answer.Status {
		t.Errorf("status %d of %+v", e.StatusCode(), e.Answer)
	}
	return e.Answer
}

func sameAnswer(a, b *verify.Answer) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Status == b.Status && a.ContentType == b.ContentType && bytes.Equal(a.Body, b.Body)
}

// TestR16Policies: what the sender of a copy of a finished delivery is answered.
func TestR16Policies(t *testing.T) {
	first := verify.Answer{Status: 201, ContentType: "application/json", Body: []byte(`{"results":[]}`)}
	for _, tt := range []struct {
		name   string
		policy verify.DuplicatePolicy
		keeps  int // AnswerLimit
		kept   []byte
		answer *verify.Answer
		detail string
	}{
		{"Reject", verify.Reject, 0, nil, nil, "delivery is a duplicate"},
		{"Acknowledge", verify.Acknowledge, 0, nil, &verify.Answer{Status: 200}, "(acknowledged)"},
		{"Repeat", verify.Repeat, 16 << 10, []byte("\x01\x00\xc9\x10application/json" + `{"results":[]}`), &first, "(first answer repeated)"},
	} {
		t.Run("R16 "+tt.name, func(t *testing.T) {
			store := spyOn(t)
			var events observed
			v := configure(t, verify.Config{Accept: defaultHMAC(), Now: clock, Observe: events.observe, Replay: verify.Replay{Store: store, Duplicate: tt.policy}})
			if v.AnswerLimit() != tt.keeps {
				t.Errorf("AnswerLimit %d, want %d", v.AnswerLimit(), tt.keeps)
			}
			if err := v.SettleAnswer(t.Context(), accept(t, v, defaultPost()), first); err != nil {
				t.Fatal(err)
			}
			if got := store.last(t); got.op != "Complete" || !bytes.Equal(got.answer, tt.kept) || (got.answer == nil) != (tt.kept == nil) {
				t.Errorf("%s keeps %q, want %q", got.op, got.answer, tt.kept)
			}
			events.only(t)
			for range 2 {
				e := refuse(t, v, defaultPost(), verify.ErrDuplicate, tt.detail)
				want := http.StatusConflict
				if tt.answer != nil {
					want = tt.answer.Status
				}
				if !sameAnswer(e.Answer, tt.answer) || e.StatusCode() != want || e.Retry() != "" || len(v.Challenge(e)) != 0 {
					t.Errorf("refusal %+v, answer %+v", e, e.Answer)
				}
				if ev := events.only(t); ev.Status != want || ev.Reason != "duplicate" || ev.Level() != slog.LevelInfo {
					t.Errorf("event %+v", ev)
				}
			}
		})
	}
}

// TestR16Repeat: the answer comes back to the byte, or not at all.
func TestR16Repeat(t *testing.T) {
	large := bytes.Repeat([]byte{0, 0xff, '\n'}, 100)
	for _, tt := range []struct {
		name   string
		answer verify.Answer
		kept   bool
	}{
		{"200", verify.Answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: []byte("ok")}, true},
		{"201", verify.Answer{Status: 201, ContentType: "application/json", Body: []byte("{}")}, true},
		{"204", verify.Answer{Status: 204}, true},
		{"299", verify.Answer{Status: 299, Body: []byte{0}}, true},
		{"as large as MaxAnswer", verify.Answer{Status: 200, Body: large}, true},
		{"larger than MaxAnswer", verify.Answer{Status: 200, Body: append(large[:300:300], 0)}, false},
		{"a content type of 255 bytes", verify.Answer{Status: 200, ContentType: strings.Repeat("t", 255), Body: []byte("x")}, true},
		{"a content type of 256 bytes", verify.Answer{Status: 200, ContentType: strings.Repeat("t", 256), Body: []byte("x")}, false},
		{"a content type alone", verify.Answer{Status: 200, ContentType: "text/html"}, true},
	} {
		t.Run("R16 "+tt.name, func(t *testing.T) {
			v := guarded(t, defaultHMAC(), verify.Replay{Duplicate: verify.Repeat, MaxAnswer: len(large)})
			if v.AnswerLimit() != len(large) {
				t.Errorf("AnswerLimit %d", v.AnswerLimit())
			}
			if err := v.SettleAnswer(t.Context(), accept(t, v, defaultPost()), tt.answer); err != nil {
				t.Fatal(err)
			}
			want := &tt.answer
			if !tt.kept {
				want = nil
			}
			got := answerOf(t, v, defaultPost())
			if !sameAnswer(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if got == nil {
				if e := refuse(t, v, defaultPost(), verify.ErrDuplicate, "no answer was kept"); e.StatusCode() != http.StatusConflict {
					t.Errorf("status %d", e.StatusCode())
				}
				return
			}
			clear(got.Body) // it is the caller's
			if again := answerOf(t, v, defaultPost()); !sameAnswer(again, want) {
				t.Errorf("then %+v", again)
			}
		})
	}
	t.Run("R16 the caller's bytes are the caller's", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{Duplicate: verify.Repeat})
		body := []byte("first")
		if err := v.SettleAnswer(t.Context(), accept(t, v, defaultPost()), verify.Answer{Status: 200, Body: body}); err != nil {
			t.Fatal(err)
		}
		copy(body, "OTHER")
		if got := answerOf(t, v, defaultPost()); got == nil || string(got.Body) != "first" {
			t.Errorf("answer %+v", got)
		}
	})
	t.Run("R16 Settle keeps no answer", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{Duplicate: verify.Repeat})
		finish(t, v, defaultPost())
		refuse(t, v, defaultPost(), verify.ErrDuplicate, "no answer was kept")
	})
	t.Run("R24 an answer that is no 2xx gives the message back", func(t *testing.T) {
		v := guarded(t, defaultHMAC(), verify.Replay{Duplicate: verify.Repeat})
		if err := v.SettleAnswer(t.Context(), accept(t, v, defaultPost()), verify.Answer{Status: 500, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if res := accept(t, v, defaultPost()); res.Attempt != 2 {
			t.Errorf("attempt %d", res.Attempt)
		}
	})
	t.Run("R16 a store full of answers still guards", func(t *testing.T) {
		store := memoryAt(t, clock, replay.MemoryConfig{MaxAnswerBytes: 64 + 4 + 1})
		v := guarded(t, defaultHMAC(), verify.Replay{Store: store, Duplicate: verify.Repeat})
		for n, want := range []string{"first answer repeated", "no answer was kept"} {
			r := func() *http.Request { return signedAt(now.Add(time.Duration(n) * time.Second)) }
			if err := v.SettleAnswer(t.Context(), accept(t, v, r()), verify.Answer{Status: 200, Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			refuse(t, v, r(), verify.ErrDuplicate, want)
		}
	})
}
