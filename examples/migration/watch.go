package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/webhookauth/webhookauth/verify"
)

// watch remembers when each credential was last the one that vouched.
type watch struct {
	quiet time.Duration
	now   func() time.Time
	since time.Time

	mu   sync.Mutex
	last map[string]time.Time // by the scheme's name
}

func newWatch(quiet time.Duration, now func() time.Time) *watch {
	return &watch{quiet: quiet, now: now, since: now(), last: map[string]time.Time{}}
}

// observe is for verify.Config.Observe. A request with both credentials counts for
// the new one, which AnyOf asks first: it would get in without the old one too.
// Refused requests count for none, or a stranger could keep the old one alive.
func (w *watch) observe(ctx context.Context, e verify.Event) {
	slog.Log(ctx, e.Level(), "verdict", "event", e)
	if e.Err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[e.Scheme] = w.now()
}

// report says in the log how far the migration is. The old credential can go if the
// new one was heard after it had been silent for long enough: that nobody sends
// anything proves nothing.
func (w *watch) report() {
	w.mu.Lock()
	defer w.mu.Unlock()
	silentSince := w.since
	if last, heard := w.last[oldName]; heard {
		silentSince = last
	}
	message, level := "keep the old credential", slog.LevelInfo
	if w.last[newName].Sub(silentSince) >= w.quiet {
		message, level = "remove the old credential, it has fallen silent", slog.LevelWarn
	}
	slog.Log(context.Background(), level, message, "silent_for", w.now().Sub(silentSince).Round(time.Second),
		"old_seen", seen(w.last, oldName), "new_seen", seen(w.last, newName))
}

// follow reports at an interval until ctx ends.
func (w *watch) follow(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.report()
		case <-ctx.Done():
			return
		}
	}
}

func seen(last map[string]time.Time, name string) string {
	if t, ok := last[name]; ok {
		return t.UTC().Format(time.RFC3339)
	}
	return "never"
}
