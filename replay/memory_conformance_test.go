package replay_test

import (
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/replaytest"
)

// TestMemoryConformance has K01, K03, K09 and K10 among its subtests.
func TestMemoryConformance(t *testing.T) {
	const retention = 15 * time.Minute
	replaytest.Run(t, replaytest.Harness{
		New: func(t *testing.T) replay.Store {
			return replay.NewMemory(replay.MemoryConfig{Retention: retention})
		},
		Synctest:     true,
		Answers:      64 << 10,
		CountsLapsed: true,
		Slack:        retention / 16,
	})
}
