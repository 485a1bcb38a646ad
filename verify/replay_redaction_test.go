package verify_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// TestReplayPrintsNothing: V08. A guard keeps more of a request than a verifier
// does, but neither the key nor the MAC, for either is good for another request.
func TestReplayPrintsNothing(t *testing.T) {
	const timestamp, id = hmacStamp, "msg_1"
	mac := func(signed string) []byte { return macBytes(sha256.New, hiddenSecret, signed) }
	plain := verify.HMAC{Keys: verify.Static(hiddenSecret)}
	list := standard()
	list.Keys = verify.Static(hiddenSecret)
	content := plain
	content.MultiSignature = true
	withID := func(body string) (*http.Request, []byte) {
		m := mac(id + "." + timestamp + "." + body)
		return post(body, "Webhook-Id", id, "Webhook-Timestamp", timestamp, "Webhook-Signature", fmt.Sprintf("v1,%x", m)), m
	}
	for name, plan := range map[string]struct {
		scheme  verify.Scheme
		request func(body string) (*http.Request, []byte)
	}{
		"mac": {plain, func(body string) (*http.Request, []byte) {
			m := mac(timestamp + "." + body)
			return signedPost(body, timestamp, fmt.Sprintf("%x", m)), m
		}},
		"content": {content, func(body string) (*http.Request, []byte) {
			m := mac(timestamp + "." + body)
			return signedPost(body, timestamp, fmt.Sprintf("v1,%x", m)), m
		}},
		"id": {list, withID},
	} {
		for _, policy := range []verify.DuplicatePolicy{verify.Reject, verify.Repeat} {
			t.Run(fmt.Sprintf("V08 %s, policy %d", name, policy), func(t *testing.T) {
				var events observed
				var told settlements
				store := &spy{Store: memoryAt(t, clock, replay.MemoryConfig{})}
				v := configure(t, verify.Config{Accept: plan.scheme, Now: clock, Observe: events.observe,
					Replay: verify.Replay{Store: store, Duplicate: policy, MaxAttempts: 1, OnSettle: told.note}})
				r, sum := plan.request(hmacBody)
				quiet := func(what string, value any) {
					t.Helper()
					for how, text := range outputs(value) {
						if found := disclosed(text, hiddenSecret) + disclosed(text, string(sum)); found != "" {
							t.Errorf("%s of the %s gives the %s", how, what, found)
						}
					}
				}
				check := func(what string, reason error) *verify.Result {
					t.Helper()
					r, _ := plan.request(hmacBody)
					res, err := v.Check(r)
					if !errors.Is(err, reason) {
						t.Fatalf("%s: %v", what, err)
					}
					quiet("result of "+what, res)
					quiet("event of "+what, events.only(t))
					if err != nil {
						quiet("refusal of "+what, err)
						quiet("parts of the refusal of "+what, []any{verify.Refusal(err).Attempts, verify.Refusal(err).Result, verify.Refusal(err).Answer})
					}
					return res
				}
				first := check("the first", nil)
				check("a copy in flight", verify.ErrInFlight)
				if err := v.SettleAnswer(context.Background(), first, verify.Answer{Status: 200, Body: []byte("ok")}); err != nil {
					t.Fatal(err)
				}
				quiet("settlement", told.only(t))
				quiet("result that is settled", first)
				check("a copy", verify.ErrDuplicate)
				store.before = func(context.Context, string) error { return errors.New("down") }
				check("what the store does not know", verify.ErrUnavailable)
				store.before = nil
				other, othersSum := plan.request("other")
				if name != "id" { // there it would be a conflict
					settle(t, v, accept(t, v, other), 500)
					quiet("settlement", told.only(t))
					sum = othersSum
					other, _ = plan.request("other")
					_, err := v.Check(other)
					if !errors.Is(err, verify.ErrAttempts) {
						t.Fatal(err)
					}
					quiet("refusal of one attempt more", err)
				}
				quiet("store", store.calls)
				if disclosed(outputs(r.Header)["%v"], string(sum)) == "" && disclosed(outputs(other.Header)["%v"], string(sum)) == "" {
					t.Error("the search does not find the MAC in the request")
				}
			})
		}
	}
}
