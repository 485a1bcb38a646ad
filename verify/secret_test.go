package verify_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

func TestSecretMatches(t *testing.T) {
	s := verify.NewSecret("id", "Open sesame")
	for _, tt := range []struct {
		name      string
		secret    verify.Secret
		presented string
		want      bool
	}{
		{"same", s, "Open sesame", true},
		{"V07 empty", s, "", false},
		{"V07 first byte", s, "O", false},
		{"V07 one short", s, "Open sesam", false},
		{"V07 one long", s, "Open sesame!", false},
		{"V07 doubled", s, "Open sesameOpen sesame", false},
		{"other letter case", s, "open sesame", false},
		{"the id", s, "id", false},
		{"V01 empty secret, empty text", verify.NewSecret("id", ""), "", false},
		{"V01 zero Secret, empty text", verify.Secret{}, "", false},
		{"V01 zero Secret, any text", verify.Secret{ID: "id"}, "id", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.secret.Matches(tt.presented); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if reflect.TypeFor[verify.Secret]().Comparable() {
		t.Error("V06: secrets can be compared with ==")
	}
}

func TestSecretValidAt(t *testing.T) {
	from, to := now, now.Add(time.Hour)
	for _, tt := range []struct {
		name     string
		from, to time.Time
		at       time.Time
		want     bool
	}{
		{"no bounds", time.Time{}, time.Time{}, now, true},
		{"no bounds, zero time", time.Time{}, time.Time{}, time.Time{}, true},
		{"before NotBefore", from, to, from.Add(-1), false},
		{"at NotBefore", from, to, from, true},
		{"at NotBefore, in another zone", from, to, from.In(time.FixedZone("", 3600)), true},
		{"at NotAfter", from, to, to, true},
		{"after NotAfter", from, to, to.Add(1), false},
		{"one moment long", from, from, from, true},
		{"only NotBefore, before", from, time.Time{}, from.Add(-1), false},
		{"only NotBefore, long after", from, time.Time{}, from.AddDate(100, 0, 0), true},
		{"only NotAfter, long before", time.Time{}, to, to.AddDate(-100, 0, 0), true},
		{"only NotAfter, after", time.Time{}, to, to.Add(1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := verify.NewSecret("id", "value")
			s.NotBefore, s.NotAfter = tt.from, tt.to
			if got := s.ValidAt(tt.at); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// badSecrets are lists that nothing takes. Each twin is the same but for the
// fault.
func badSecrets() map[string]struct {
	bad, twin []verify.Secret
	problem   string
} {
	one := func(value string) []verify.Secret { return []verify.Secret{verify.NewSecret("id", value)} }
	bounded := func(from, to time.Time) []verify.Secret {
		s := verify.NewSecret("id", "value")
		s.NotBefore, s.NotAfter = from, to
		return []verify.Secret{s}
	}
	two := func(id, other string) []verify.Secret {
		return []verify.Secret{verify.NewSecret(id, "value"), verify.NewSecret(other, "value-of-the-other")}
	}
	return map[string]struct {
		bad, twin []verify.Secret
		problem   string
	}{
		"V01 none":                   {nil, one("value"), "no secrets"},
		"V01 empty":                  {one(""), one("value"), `secret "id" is empty`},
		"V01 zero Secret":            {[]verify.Secret{{}}, one("value"), `secret "" is empty`},
		"V01 only spaces":            {one(" \t "), one("value"), `secret "id" is only whitespace`},
		"V01 only a newline":         {one("\n"), one("value"), "is only whitespace"},
		"V40 leading space":          {one(" value"), one("value"), "begins or ends with whitespace"},
		"V40 trailing space":         {one("value "), one("value"), "begins or ends with whitespace"},
		"V40 trailing tab":           {one("value\t"), one("value"), "begins or ends with whitespace"},
		"V40 trailing LF":            {one("value\n"), one("value"), "begins or ends with whitespace"},
		"V40 trailing CRLF":          {one("value\r\n"), one("value"), "begins or ends with whitespace"},
		"V40 trailing CR":            {one("value\r"), one("value"), "begins or ends with whitespace"},
		"V40 no-break space":         {one("\u00a0value"), one("value"), "begins or ends with whitespace"},
		"NotAfter before NotBefore":  {bounded(now, now.Add(-1)), bounded(now, now), "NotAfter is before NotBefore"},
		"one id twice":               {two("a", "a"), two("a", "b"), `two secrets have the id "a"`},
		"no id twice":                {two("", ""), two("", "b"), `two secrets have the id ""`},
		"the second of two is empty": {append(one("value"), verify.NewSecret("b", "")), append(one("value"), verify.NewSecret("b", "v")), `secret "b" is empty`},
	}
}

func TestSecretSet(t *testing.T) {
	for name, tt := range badSecrets() {
		t.Run(name, func(t *testing.T) {
			if set, err := verify.NewSecretSet(tt.bad...); set != nil || err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("set %v, error %v", set, err)
			}
			if set, err := verify.NewSecretSet(tt.twin...); err != nil || len(set.All()) != len(tt.twin) {
				t.Errorf("twin: %v", err)
			}
			refuseConfig(t, verify.Bearer{Tokens: verify.Named(tt.bad...), Bare: true}, "Config.Accept.Bearer.Tokens", tt.problem)
			build(t, verify.Bearer{Tokens: verify.Named(tt.twin...), Bare: true})
		})
	}
	t.Run("in order and frozen", func(t *testing.T) {
		list := []verify.Secret{verify.NewSecret("new", "1"), verify.NewSecret("old", "2")}
		set, err := verify.NewSecretSet(list...)
		if err != nil {
			t.Fatal(err)
		}
		list[0] = verify.Secret{}
		set.All()[1] = verify.Secret{}
		if all := set.All(); len(all) != 2 || all[0].ID != "new" || !all[0].Matches("1") || all[1].ID != "old" || !all[1].Matches("2") {
			t.Errorf("got %v", all)
		}
	})
}

func TestStaticIDs(t *testing.T) {
	source := verify.Static("new", "old")
	set, err := source.Load(now)
	if err != nil {
		t.Fatal(err)
	}
	if all := set.All(); len(all) != 2 || all[0].ID != "0" || !all[0].Matches("new") || all[1].ID != "1" || !all[1].Matches("old") {
		t.Errorf("got %v", all)
	}
	if again, err := source.Load(now.AddDate(1, 0, 0)); again != set || err != nil {
		t.Errorf("another set without a change: %v, %v", again, err)
	}
}

// TestSecretIntervals: with no secret valid nobody can say that a request is
// forged. That passes, so the sender is asked to come again.
func TestSecretIntervals(t *testing.T) {
	secret := verify.NewSecret("summer", goodToken)
	secret.NotBefore, secret.NotAfter = now, now.Add(time.Hour)
	clock := verifytest.NewClock(now)
	v := configure(t, verify.Config{Accept: verify.Bearer{Tokens: verify.Named(secret)}, Now: clock.Now})
	for _, tt := range []struct {
		name  string
		at    time.Time
		valid bool
	}{
		{"before NotBefore", now.Add(-1), false},
		{"at NotBefore", now, true},
		{"at NotAfter", now.Add(time.Hour), true},
		{"after NotAfter", now.Add(time.Hour + 1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock.Set(tt.at)
			if tt.valid {
				if res := accept(t, v, goodBearerPost()); res.KeyID != "summer" {
					t.Errorf("key id %q", res.KeyID)
				}
				refuse(t, v, post("{}", "Authorization", "Bearer other"), verify.ErrMismatch, "another token")
				return
			}
			for _, r := range []*http.Request{goodBearerPost(), post("{}", "Authorization", "Bearer other")} {
				e := refuse(t, v, r, verify.ErrUnavailable, "bearer: verification unavailable (no secret is valid now)")
				if e.StatusCode() != http.StatusServiceUnavailable || e.Retry() != "30" {
					t.Errorf("status %d, Retry-After %q", e.StatusCode(), e.Retry())
				}
			}
		})
	}
	t.Run("not valid yet at New", func(t *testing.T) {
		clock.Set(now.AddDate(-1, 0, 0))
		configure(t, verify.Config{Accept: verify.Bearer{Tokens: verify.Named(secret)}, Now: clock.Now})
	})
	t.Run("judged by when the message was received", func(t *testing.T) {
		clock.Set(now.AddDate(1, 0, 0))
		m := verify.NewMessage(http.MethodPost, "/webhook", goodBearerPost().Header, nil)
		res, err := v.CheckMessage(context.Background(), m)
		refused(t, res, err, verify.ErrUnavailable, "no secret is valid now")
		m.ReceivedAt = now.Add(time.Minute)
		if res, err := v.CheckMessage(context.Background(), m); err != nil || res.KeyID != "summer" {
			t.Errorf("result %v, error %v", res, err)
		}
	})
}

// sourceFunc is a Secrets of another package.
type sourceFunc func(time.Time) (*verify.SecretSet, error)

func (f sourceFunc) Load(at time.Time) (*verify.SecretSet, error) { return f(at) }

// TestSecretSource: whatever a source does while serving, a request is accepted
// only by a good secret that it gave.
func TestSecretSource(t *testing.T) {
	good, err := verify.NewSecretSet(verify.NewSecret("vault", goodToken))
	if err != nil {
		t.Fatal(err)
	}
	unusable, err := verify.NewSecretSet(verify.NewSecret("vault", "two words"))
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("the vault is sealed")
	for _, tt := range []struct {
		name    string
		load    sourceFunc
		reason  error
		detail  string
		problem string // at New
		cause   error
	}{
		{"error", func(time.Time) (*verify.SecretSet, error) { return nil, down }, verify.ErrUnavailable, "cannot be loaded", "vault is sealed", down},
		{"error beside a good set", func(time.Time) (*verify.SecretSet, error) { return good, down }, verify.ErrUnavailable, "cannot be loaded", "vault is sealed", down},
		{"nil", func(time.Time) (*verify.SecretSet, error) { return nil, nil }, verify.ErrUnavailable, "cannot be loaded", "no secrets", nil},
		{"V01 zero set", func(time.Time) (*verify.SecretSet, error) { return &verify.SecretSet{}, nil }, verify.ErrUnavailable, "cannot be loaded", "no secrets", nil},
		{"bad set", func(time.Time) (*verify.SecretSet, error) { return unusable, nil }, verify.ErrUnavailable, "cannot be loaded", `secret "vault" holds a space`, nil},
		{"panic", func(time.Time) (*verify.SecretSet, error) { panic(down) }, verify.ErrInternal, "panic of type *errors.errorString", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			load := sourceFunc(func(time.Time) (*verify.SecretSet, error) { return good, nil })
			current := load
			v := build(t, verify.Bearer{Tokens: sourceFunc(func(at time.Time) (*verify.SecretSet, error) { return current(at) })})
			if res := accept(t, v, goodBearerPost()); res.KeyID != "vault" {
				t.Errorf("key id %q", res.KeyID)
			}
			current = tt.load
			e := refuse(t, v, goodBearerPost(), tt.reason, tt.detail)
			if tt.cause != nil && !errors.Is(e, tt.cause) || strings.Contains(e.Error(), down.Error()) {
				t.Errorf("refused with %v", e)
			}
			current = load
			accept(t, v, goodBearerPost())
			if tt.problem != "" {
				refuseConfig(t, verify.Bearer{Tokens: tt.load}, "Config.Accept.Bearer.Tokens", tt.problem)
			}
		})
	}
	t.Run("asked for every request, at its time", func(t *testing.T) {
		var asked []time.Time
		clock := verifytest.NewClock(now)
		v := configure(t, verify.Config{Now: clock.Now, Accept: verify.Bearer{Tokens: sourceFunc(func(at time.Time) (*verify.SecretSet, error) {
			asked = append(asked, at)
			return good, nil
		})}})
		accept(t, v, goodBearerPost())
		clock.Advance(time.Minute)
		accept(t, v, goodBearerPost())
		if want := []time.Time{now, now, now.Add(time.Minute)}; !reflect.DeepEqual(asked, want) {
			t.Errorf("asked at %v, want %v", asked, want)
		}
	})
}
