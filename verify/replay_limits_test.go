package verify_test

import (
	"math"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
)

// TestR21ForEver: a tolerance that is to mean "for ever" is not taken for none.
func TestR21ForEver(t *testing.T) {
	const horizon = 10 * time.Minute
	for name, scheme := range map[string]verify.HMAC{
		"past": windowed(math.MaxInt64, time.Minute), "future": windowed(time.Minute, math.MaxInt64), "both": windowed(math.MaxInt64, math.MaxInt64),
	} {
		t.Run("R21 V28 "+name, func(t *testing.T) {
			refuseReplay(t, scheme, verify.Replay{Store: memoryAt(t, clock, replay.MemoryConfig{}), Horizon: horizon}, "Config.Replay.Store", "keys would lapse")
		})
	}
	t.Run("V28 a store without a limit", func(t *testing.T) {
		store := &spy{Store: alwaysInFlight{}}
		v := guarded(t, windowed(math.MaxInt64, 0), verify.Replay{Store: store, Horizon: horizon})
		copied(t, v, signedAt(now), verify.ErrInFlight)
		if keep := store.last(t).claim.Keep; keep != math.MaxInt64 {
			t.Errorf("kept for %v", keep)
		}
	})
}

// TestR21AllOf: every window that an AllOf's identity may have counts.
func TestR21AllOf(t *testing.T) {
	scheme := verify.AllOf(verify.AnyOf(windowed(time.Hour, time.Second), goodBearer()), defaultHMAC())
	needed := time.Hour + time.Second + time.Minute
	refuseReplay(t, scheme, verify.Replay{Store: storeWith(replay.Limits{Retention: needed - 1})}, "Config.Replay.Store", "keys would lapse")
	acceptReplay(t, scheme, verify.Replay{Store: storeWith(replay.Limits{Retention: needed})})
	untimed := verify.AllOf(verify.AnyOf(bodyOnly(), goodBearer()), defaultHMAC())
	refuseReplay(t, untimed, verify.Replay{Store: storeWith(replay.Limits{})}, "Config.Replay.Horizon", "not every message has a signed time")
}
