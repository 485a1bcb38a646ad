package verify_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// storeWith is a store that states limits.
func storeWith(limits replay.Limits) replay.Store {
	return &spy{Store: replay.NewMemory(replay.MemoryConfig{}), limits: limits}
}

// broken is a store that says that it is unusable.
type broken struct{ replay.Store }

func (broken) Err() error { return errors.New("never opened") }

// configureReplay is New's verdict about a replay configuration.
func configureReplay(scheme verify.Scheme, r verify.Replay) (*verify.Verifier, error) {
	return verify.New(verify.Config{Accept: scheme, Replay: r, Now: clock})
}

// refuseReplay expects New to refuse it, naming the field.
func refuseReplay(t testing.TB, scheme verify.Scheme, r verify.Replay, field, problem string) {
	t.Helper()
	v, err := configureReplay(scheme, r)
	var e *verify.ConfigError
	if v != nil || !errors.As(err, &e) {
		t.Fatalf("New: %v, %v; want a *verify.ConfigError", v, err)
	}
	if e.Field != field || !strings.Contains(e.Problem, problem) {
		t.Fatalf("New: %v; want field %s and a problem with %q", err, field, problem)
	}
}

func acceptReplay(t testing.TB, scheme verify.Scheme, r verify.Replay) {
	t.Helper()
	if v, err := configureReplay(scheme, r); v == nil || err != nil {
		t.Fatalf("New: %v, %v", v, err)
	}
}

// TestReplayConfigFields: what is wrong whatever the scheme, with a twin that is
// right.
func TestReplayConfigFields(t *testing.T) {
	store := storeWith(replay.Limits{})
	shared := storeWith(replay.Limits{Shared: true})
	skewed := storeWith(replay.Limits{MaxSkew: 30 * time.Second})
	for _, tt := range []struct {
		name           string
		bad            verify.Replay
		field, problem string
		good           verify.Replay
	}{
		{"negative Lease", verify.Replay{Store: store, Lease: -1}, "Lease", "is negative", verify.Replay{Store: store, Lease: time.Second}},
		{"negative MaxHold", verify.Replay{Store: store, MaxHold: -1}, "MaxHold", "is negative", verify.Replay{Store: store, MaxHold: time.Minute}},
		{"negative Timeout", verify.Replay{Store: store, Timeout: -1}, "Timeout", "is negative", verify.Replay{Store: store, Timeout: time.Second}},
		{"negative Margin", verify.Replay{Store: store, Margin: -1}, "Margin", "is negative", verify.Replay{Store: store, Margin: time.Second}},
		{"negative Horizon", verify.Replay{Store: store, Horizon: -1}, "Horizon", "is negative", verify.Replay{Store: store, Horizon: time.Second}},
		{"negative MaxAnswer", verify.Replay{Store: store, MaxAnswer: -1}, "MaxAnswer", "is negative", verify.Replay{Store: store, MaxAnswer: 1}},
		{"negative MaxAttempts", verify.Replay{Store: store, MaxAttempts: -1}, "MaxAttempts", "is negative", verify.Replay{Store: store, MaxAttempts: 1}},
		{"MaxAttempts further than stores count", verify.Replay{Store: store, MaxAttempts: 251}, "MaxAttempts", "is over 250", verify.Replay{Store: store, MaxAttempts: 250}},
		{"unknown Duplicate", verify.Replay{Store: store, Duplicate: 3}, "Duplicate", "is not Reject, Acknowledge or Repeat", verify.Replay{Store: store, Duplicate: verify.Repeat}},
		{"V27 shared without Scope", verify.Replay{Store: shared}, "Scope", "is required, the store is shared", verify.Replay{Store: shared, Scope: "hook"}},
		{"Lease three times Timeout", verify.Replay{Store: store, Lease: 3 * time.Second, Timeout: time.Second}, "Lease",
			"is 3s: it must be more than three times Timeout, 1s", verify.Replay{Store: store, Lease: 3*time.Second + 3, Timeout: time.Second}},
		{"Lease under the default Timeout", verify.Replay{Store: store, Lease: 750 * time.Millisecond}, "Lease",
			"three times Timeout, 250ms", verify.Replay{Store: store, Lease: 751 * time.Millisecond}},
		{"Timeout over the default Lease", verify.Replay{Store: store, Timeout: 10 * time.Second}, "Lease",
			"is 30s: it must be more than three times Timeout, 10s", verify.Replay{Store: store, Timeout: 10*time.Second - 1}},
		{"MaxHold under Lease", verify.Replay{Store: store, Lease: time.Minute, MaxHold: time.Minute - 1}, "MaxHold",
			"less than Lease, 1m0s", verify.Replay{Store: store, Lease: time.Minute, MaxHold: time.Minute}},
		{"Lease over the default MaxHold", verify.Replay{Store: store, Lease: 5*time.Minute + 1}, "MaxHold",
			"is 5m0s, less than Lease", verify.Replay{Store: store, Lease: 5 * time.Minute}},
		{"Margin as small as Timeout", verify.Replay{Store: store, Margin: time.Second, Timeout: time.Second}, "Margin",
			"is 1s: it must be more than Timeout, 1s", verify.Replay{Store: store, Margin: time.Second + 1, Timeout: time.Second}},
		{"K17 Margin under two skews", verify.Replay{Store: skewed, Margin: time.Minute - 1}, "Margin",
			"two clocks that are each 30s off the store's", verify.Replay{Store: skewed, Margin: time.Minute}},
		{"Store that is broken", verify.Replay{Store: broken{store}}, "Store", "never opened", verify.Replay{Store: store}},
		{"Store not made by NewMemory", verify.Replay{Store: new(replay.Memory)}, "Store", "was not made by NewMemory", verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{})}},
		{"Store in memory that is nil", verify.Replay{Store: (*replay.Memory)(nil)}, "Store", "is a nil *replay.Memory", verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{})}},
		{"Store that NewQuota refused to make", verify.Replay{Store: (*replay.Quota)(nil)}, "Store", "is a nil *replay.Quota", verify.Replay{Store: store}},
		{"Horizon without a unit", verify.Replay{Store: store, Horizon: 300}, "Horizon", "is 300ns, under a millisecond", verify.Replay{Store: store, Horizon: time.Millisecond}},
		{"Lease without a unit", verify.Replay{Store: store, Lease: 30, Timeout: 5}, "Lease", "is 30ns, under a millisecond", verify.Replay{Store: store, Lease: 4 * time.Millisecond, Timeout: time.Millisecond}},
		{"Store in memory, badly configured", verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{MaxKeys: -1})}, "Store",
			"MemoryConfig.MaxKeys is negative", verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{MaxKeys: 1})}},
		{"tiers without Local", verify.Replay{Store: replay.Tiered{Shared: shared}, Scope: "hook"}, "Store",
			"Tiered.Local or Tiered.Shared is nil", verify.Replay{Store: replay.Tiered{Local: store, Shared: shared}, Scope: "hook"}},
		{"tiers without Shared", verify.Replay{Store: replay.Tiered{Local: store}}, "Store",
			"Tiered.Local or Tiered.Shared is nil", verify.Replay{Store: replay.Tiered{Local: store, Shared: shared}, Scope: "hook"}},
		{"tiers without Scope", verify.Replay{Store: replay.Tiered{Local: store, Shared: shared}}, "Scope",
			"the store is shared", verify.Replay{Store: replay.Tiered{Local: store, Shared: shared}, Scope: "hook"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuseReplay(t, defaultHMAC(), tt.bad, "Config.Replay."+tt.field, tt.problem)
			acceptReplay(t, defaultHMAC(), tt.good)
		})
	}
}

// Without a store nothing else may be set: a guard that somebody believes in
// would be off.
func TestReplayConfigWithoutStore(t *testing.T) {
	for name, r := range map[string]verify.Replay{
		"Duplicate":    {Duplicate: verify.Repeat},
		"MaxAnswer":    {MaxAnswer: 1},
		"Scope":        {Scope: "hook"},
		"Lease":        {Lease: 1},
		"MaxHold":      {MaxHold: 1},
		"Timeout":      {Timeout: 1},
		"Margin":       {Margin: 1},
		"Horizon":      {Horizon: 1},
		"Key":          {Key: verify.BodyKey},
		"MaxAttempts":  {MaxAttempts: 1},
		"RestartGuard": {RestartGuard: true},
		"OnSettle":     {OnSettle: func(context.Context, verify.Settlement) {}},
	} {
		t.Run(name, func(t *testing.T) {
			refuseReplay(t, defaultHMAC(), r, "Config.Replay.Store", "is nil, but other fields are set")
		})
	}
	t.Run("the zero Replay is off", func(t *testing.T) {
		v := build(t, defaultHMAC())
		for range 2 {
			res := accept(t, v, defaultPost())
			if v.Settles(res) || res.Identity != nil || res.Claim != (replay.Claim{}) || res.Attempt != 0 || res.Duplicate || v.AnswerLimit() != 0 {
				t.Errorf("result %+v", res)
			}
			if err := v.Settle(t.Context(), res, 200); err != nil {
				t.Errorf("Settle: %v", err)
			}
		}
	})
}

// TestReplayConfigWindow: R21. A key that lapses while its message is fresh
// guards nothing.
func TestReplayConfigWindow(t *testing.T) {
	const minute = time.Minute
	for _, tt := range []struct {
		name                 string
		past, future, margin time.Duration
		needed               time.Duration
	}{
		{"R21 defaults", 0, 0, 0, 11 * minute},
		{"R21 a future of its own", 0, minute, 0, 7 * minute},
		{"R21 a future greater than the past", minute, 9 * minute, 0, 11 * minute},
		{"R21 a margin of its own", 0, 0, 3 * minute, 13 * minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scheme := defaultHMAC()
			scheme.Tolerance, scheme.FutureTolerance = tt.past, tt.future
			for name, scheme := range map[string]verify.Scheme{
				"alone": scheme, "AnyOf": verify.AnyOf(standardBriefly(), scheme), "AllOf": verify.AllOf(ipScheme(), scheme),
				"StrictAnyOf": verify.StrictAnyOf(scheme, standardBriefly()),
			} {
				t.Run(name, func(t *testing.T) {
					store := storeWith(replay.Limits{Retention: tt.needed - 1})
					refuseReplay(t, scheme, verify.Replay{Store: store, Margin: tt.margin}, "Config.Replay.Store", "keys would lapse while it is fresh")
					store = storeWith(replay.Limits{Retention: tt.needed})
					acceptReplay(t, scheme, verify.Replay{Store: store, Margin: tt.margin})
				})
			}
		})
	}
	t.Run("R21 a store in memory", func(t *testing.T) {
		refuseReplay(t, defaultHMAC(), verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{Retention: 11*minute - 1})}, "Config.Replay.Store",
			"keeps keys for 10m59.999999999s at most, but a message is accepted for 10m0s and Margin")
		acceptReplay(t, defaultHMAC(), verify.Replay{Store: replay.NewMemory(replay.MemoryConfig{Retention: 11 * minute})})
	})
	t.Run("R21 the stricter tier counts", func(t *testing.T) {
		tiers := replay.Tiered{Local: storeWith(replay.Limits{Retention: 10 * minute}), Shared: storeWith(replay.Limits{Shared: true})}
		refuseReplay(t, defaultHMAC(), verify.Replay{Store: tiers, Scope: "hook"}, "Config.Replay.Store", "keeps keys for 10m0s at most")
	})
	t.Run("R21 Horizon", func(t *testing.T) {
		store := storeWith(replay.Limits{Retention: time.Hour})
		refuseReplay(t, defaultHMAC(), verify.Replay{Store: store, Horizon: time.Hour + 1}, "Config.Replay.Horizon", "but the store keeps keys for 1h0m0s at most")
		acceptReplay(t, defaultHMAC(), verify.Replay{Store: store, Horizon: time.Hour})
		acceptReplay(t, defaultHMAC(), verify.Replay{Store: storeWith(replay.Limits{}), Horizon: 1e6 * time.Hour})
	})
}

// standardBriefly is a scheme with a smaller window than the default.
func standardBriefly() verify.HMAC {
	scheme := standard()
	scheme.Tolerance = time.Second
	return scheme
}

func ipScheme() verify.Scheme {
	return verify.SourceIP{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
}

// TestReplayConfigIdentity: what a scheme signs decides what the guard needs.
func TestReplayConfigIdentity(t *testing.T) {
	timed, untimed, bearer := defaultHMAC(), bodyOnly(), goodBearer()
	foreign := accepting("foreign")
	const nothing, endless = "signs nothing that tells one message from another", "not every message has a signed time"
	for _, tt := range []struct {
		name         string
		scheme       verify.Scheme
		key, horizon bool // needed
		guardable    bool // by RestartGuard
	}{
		{"HMAC", timed, false, false, true},
		{"HMAC with an id", standard(), false, false, true},
		{"HMAC without a time", untimed, false, true, false},
		{"Bearer", bearer, true, true, false},
		{"VapiSecret", verify.VapiSecret(verify.Static(goodToken)), true, true, false},
		{"SourceIP", ipScheme(), true, true, false},
		{"of another package", foreign, true, true, false},
		{"AnyOf two with times", verify.AnyOf(timed, standard()), false, false, true},
		{"AnyOf, the second without a time", verify.AnyOf(timed, untimed), false, true, false},
		{"AnyOf, the first without a time", verify.AnyOf(untimed, timed), false, true, false},
		{"AnyOf, the second Bearer", verify.AnyOf(timed, bearer), true, true, false},
		{"AnyOf, the first Bearer", verify.AnyOf(bearer, timed), true, true, false},
		{"StrictAnyOf, the first Bearer", verify.StrictAnyOf(bearer, timed), true, true, false},
		{"AllOf with SourceIP first", verify.AllOf(ipScheme(), timed), false, false, true},
		{"AllOf with SourceIP last", verify.AllOf(timed, ipScheme()), false, false, true},
		{"AllOf, the first without a time", verify.AllOf(untimed, timed), false, true, false},
		{"AllOf of two that sign nothing", verify.AllOf(ipScheme(), bearer), true, true, false},
		{"AllOf within AnyOf", verify.AnyOf(verify.AllOf(ipScheme(), timed), bearer), true, true, false},
		{"AnyOf within AllOf", verify.AllOf(verify.AnyOf(timed, bearer), timed), false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := verify.Replay{Store: storeWith(replay.Limits{})}
			if tt.key {
				refuseReplay(t, tt.scheme, verify.Replay{Store: r.Store, Horizon: time.Hour}, "Config.Replay.Key", nothing)
				r.Key = verify.BodyKey
			}
			if tt.horizon {
				refuseReplay(t, tt.scheme, r, "Config.Replay.Horizon", endless)
				r.Horizon = time.Hour
			}
			acceptReplay(t, tt.scheme, r)
			r.RestartGuard = true
			if tt.guardable {
				acceptReplay(t, tt.scheme, r)
			} else {
				refuseReplay(t, tt.scheme, r, "Config.Replay.RestartGuard", endless)
			}
		})
	}
	t.Run("a scheme's own error comes first", func(t *testing.T) {
		refuseReplay(t, verify.HMAC{}, verify.Replay{Store: storeWith(replay.Limits{})}, "Config.Accept.HMAC.Keys", "")
	})
}
