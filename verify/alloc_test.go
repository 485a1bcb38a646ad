package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// allocations expects a check that passes to stay within a budget.
func allocations(t *testing.T, budget float64, check func() (*verify.Result, error)) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	got := testing.AllocsPerRun(200, func() {
		if res, err := check(); err != nil || res.KeyID != "0" {
			t.Fatalf("result %v, error %v", res, err)
		}
	})
	if got > budget {
		t.Errorf("%v allocations, at most %v", got, budget)
	}
}

func TestHMACAllocations(t *testing.T) {
	v := build(t, verify.HMAC{Keys: verify.Static("allocation key")})
	for _, size := range []int{1 << 10, 64 << 10} {
		t.Run(fmt.Sprintf("%d KiB", size>>10), func(t *testing.T) {
			body := strings.Repeat("x", size)
			timestamp := fmt.Sprint(now.UnixMilli())
			mac := macBytes(sha256.New, "allocation key", timestamp+"."+body)
			m := verify.NewMessage(http.MethodPost, "/webhook",
				http.Header{"X-Signature": {hex.EncodeToString(mac)}, "X-Timestamp": {timestamp}}, []byte(body))
			forged := verify.NewMessage(http.MethodPost, "/webhook", m.Header, []byte(body+"x"))
			res, err := v.CheckMessage(context.Background(), forged)
			refused(t, res, err, verify.ErrMismatch, "fits the body of")
			allocations(t, 2, func() (*verify.Result, error) { return v.CheckMessage(context.Background(), m) })
		})
	}
}

// TestReplayAllocations: a check under a guard, and the end of its claim. On top
// of the check's own come the result and its identity, the hold with its timer,
// the contexts that bound each answer of the store, and the store itself.
func TestReplayAllocations(t *testing.T) {
	timestamp := fmt.Sprint(now.UnixMilli())
	list := verify.HMAC{Keys: verify.Static(hmacKey), MultiSignature: true}
	for _, tt := range []struct {
		name   string
		scheme verify.HMAC
		header func(n int, body string) http.Header
		budget float64
	}{
		{"key of the MAC", defaultHMAC(), func(_ int, body string) http.Header {
			return http.Header{"X-Signature": {hexMAC(timestamp + "." + body)}, "X-Timestamp": {timestamp}}
		}, 22},
		{"key of the id", standard(), func(n int, body string) http.Header {
			return standardPost(fmt.Sprint("msg_", n), timestamp, body).Header
		}, 23},
		{"key of the content", list, func(_ int, body string) http.Header {
			return http.Header{"X-Signature": {"v1," + hexMAC(timestamp+"."+body)}, "X-Timestamp": {timestamp}}
		}, 26},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := guarded(t, tt.scheme, verify.Replay{})
			messages := make([]*verify.Message, 201) // AllocsPerRun runs once more, to warm up
			for n := range messages {
				body := fmt.Sprintf("%8d%s", n, strings.Repeat("x", 1<<10))
				messages[n] = verify.NewMessage(http.MethodPost, "/webhook", tt.header(n, body), []byte(body))
			}
			next := 0
			allocations(t, tt.budget, func() (*verify.Result, error) {
				res, err := v.CheckMessage(context.Background(), messages[next])
				next++
				if err == nil {
					err = v.Settle(context.Background(), res, http.StatusOK)
				}
				return res, err
			})
			res, err := v.CheckMessage(context.Background(), messages[0])
			refused(t, res, err, verify.ErrDuplicate, "")
		})
	}
}

func TestBearerAllocations(t *testing.T) {
	v := build(t, verify.Bearer{Tokens: verify.Static("allocation-token")})
	refuse(t, v, post("{}", "Authorization", "Bearer allocation-tokem"), verify.ErrMismatch, "another token")
	r := post("{}", "Authorization", "Bearer allocation-token")
	original := io.NopCloser(strings.NewReader("{}"))
	allocations(t, 5, func() (*verify.Result, error) {
		r.Body = original
		return v.Check(r)
	})
}
