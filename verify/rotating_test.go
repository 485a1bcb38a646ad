package verify_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

// rotating holds a list from the beginning.
func rotating(t *testing.T, secrets ...verify.Secret) *verify.Rotating {
	t.Helper()
	var r verify.Rotating
	if err := r.Replace(secrets...); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestRotating(t *testing.T) {
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	old, fresh := verify.NewSecret("2025", "token-of-2025"), verify.NewSecret("2026", "token-of-2026")

	t.Run("empty at New", func(t *testing.T) {
		var empty verify.Rotating
		refuseConfig(t, verify.Bearer{Tokens: &empty}, "Config.Accept.Bearer.Tokens", "call Replace first")
		refuseConfig(t, verify.HMAC{Keys: &empty}, "Config.Accept.HMAC.Keys", "call Replace first")
		if err := empty.Replace(old); err != nil {
			t.Fatal(err)
		}
		build(t, verify.Bearer{Tokens: &empty})
		build(t, verify.HMAC{Keys: &empty})
	})
	t.Run("V25 replaced", func(t *testing.T) {
		tokens := rotating(t, old)
		v, other := build(t, verify.Bearer{Tokens: tokens}), build(t, verify.VapiSecret(tokens))
		accept(t, v, post("{}", bearer("token-of-2025")...))
		refuse(t, v, post("{}", bearer("token-of-2026")...), verify.ErrMismatch, "another token")
		for _, step := range [][]verify.Secret{{fresh, old}, {fresh}} {
			if err := tokens.Replace(step...); err != nil {
				t.Fatal(err)
			}
			if res := accept(t, v, post("{}", bearer("token-of-2026")...)); res.KeyID != "2026" {
				t.Errorf("key id %q", res.KeyID)
			}
			accept(t, other, post("{}", "X-Vapi-Secret", "token-of-2026"))
			if len(step) == 2 {
				accept(t, v, post("{}", bearer("token-of-2025")...))
				continue
			}
			refuse(t, v, post("{}", bearer("token-of-2025")...), verify.ErrMismatch, "another token")
			refuse(t, other, post("{}", "X-Vapi-Secret", "token-of-2025"), verify.ErrMismatch, "another token")
		}
	})
	for name, tt := range badSecrets() {
		t.Run("a bad Replace keeps the old: "+name, func(t *testing.T) {
			tokens := rotating(t, old)
			v := build(t, verify.Bearer{Tokens: tokens})
			err := tokens.Replace(tt.bad...)
			if err == nil || !strings.HasPrefix(err.Error(), "verify: Rotating: ") || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("Replace: %v", err)
			}
			accept(t, v, post("{}", bearer("token-of-2025")...))
			if err := tokens.Replace(tt.twin...); err != nil {
				t.Errorf("twin: %v", err)
			}
			refuse(t, v, post("{}", bearer("token-of-2025")...), verify.ErrMismatch, "another token")
		})
	}
	t.Run("a list that the scheme cannot use", func(t *testing.T) {
		tokens := rotating(t, old)
		v := build(t, verify.Bearer{Tokens: tokens})
		if err := tokens.Replace(fresh, verify.NewSecret("odd", "two words")); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{"token-of-2025", "token-of-2026"} {
			refuse(t, v, post("{}", bearer(token)...), verify.ErrUnavailable, "cannot be loaded")
		}
		if err := tokens.Replace(fresh); err != nil {
			t.Fatal(err)
		}
		accept(t, v, post("{}", bearer("token-of-2026")...))
	})
}

// While the list is replaced, a token that stays in it is always accepted, and
// one that never is never.
func TestRotatingConcurrently(t *testing.T) {
	steady := verify.NewSecret("steady", goodToken)
	tokens := rotating(t, steady)
	v := build(t, verify.Bearer{Tokens: tokens})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				if res, err := v.Check(goodBearerPost()); err != nil || res.KeyID != "steady" {
					t.Errorf("steady token: %v, %v", res, err)
				}
				if res, err := v.Check(post("{}", "Authorization", "Bearer never")); err == nil {
					t.Errorf("unknown token: %v", res)
				}
			}
		})
	}
	all.Go(func() {
		for range 300 {
			for _, list := range [][]verify.Secret{{verify.NewSecret("new", "new-token"), steady}, {steady}} {
				if err := tokens.Replace(list...); err != nil {
					t.Error(err)
				}
				if err := tokens.Replace(verify.NewSecret("bad", "")); err == nil {
					t.Error("an empty secret was taken")
				}
			}
		}
	})
	all.Wait()
}
