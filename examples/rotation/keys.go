package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/webhookauth/webhookauth/verify"
)

// follow loads the keys anew at each signal, until ctx ends. A file that is not
// usable leaves the keys that are in force.
func follow(ctx context.Context, signals <-chan os.Signal, keys *verify.Rotating, path string) {
	for {
		select {
		case <-signals:
			if err := load(keys, path); err != nil {
				slog.Error("the keys stay as they are", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// load puts the keys of a file in the place of the old ones, all or none.
func load(keys *verify.Rotating, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	secrets, err := parse(string(data))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := keys.Replace(secrets...); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	slog.Info("keys loaded", "newest_first", secrets) // their ids: a Secret prints nothing else
	return nil
}

// parse reads lines of "id key". Lines that are empty or begin with # do not count.
// Errors give the number of a line, not its text, which may be a key.
func parse(text string) (secrets []verify.Secret, err error) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, key, ok := strings.Cut(line, " ")
		if !ok || id == "" {
			return nil, fmt.Errorf(`line %d is not "id key"`, number)
		}
		secrets = append(secrets, verify.NewSecret(id, key))
	}
	return secrets, nil
}
