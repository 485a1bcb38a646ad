package verify_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// secretPath is a new file with that content.
func secretPath(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// renameOver puts a new file in the place of another, as one step.
func renameOver(t *testing.T, path, content string) {
	t.Helper()
	if err := os.Rename(secretPath(t, content), path); err != nil {
		t.Fatal(err)
	}
}

func TestSecretFileContent(t *testing.T) {
	const token = "token-in-a-file"
	for _, tt := range []struct {
		name, content string
		trim          bool
		problem       string // "": built
	}{
		{"no newline", token, false, ""},
		{"no newline, trim", token, true, ""},
		{"S06 LF", token + "\n", false, "ends in a newline"},
		{"S06 LF, trim", token + "\n", true, ""},
		{"S06 CRLF", token + "\r\n", false, "ends in a newline"},
		{"S06 CRLF, trim", token + "\r\n", true, ""},
		{"S06 two LF, trim", token + "\n\n", true, "begins or ends with whitespace"},
		{"S06 two CRLF, trim", token + "\r\n\r\n", true, "begins or ends with whitespace"},
		{"S06 CR CRLF, trim", token + "\r\r\n", true, "begins or ends with whitespace"},
		{"S06 lone CR", token + "\r", false, "begins or ends with whitespace"},
		{"S06 lone CR, trim", token + "\r", true, "begins or ends with whitespace"},
		{"S06 LF CR, trim", token + "\n\r", true, "begins or ends with whitespace"},
		{"S06 space and LF, trim", token + " \n", true, "begins or ends with whitespace"},
		{"S06 leading LF, trim", "\n" + token, true, "begins or ends with whitespace"},
		{"V01 empty", "", false, "is empty"},
		{"V01 empty, trim", "", true, "is empty"},
		{"V01 only LF, trim", "\n", true, "is empty"},
		{"V01 only CRLF, trim", "\r\n", true, "is empty"},
		{"V01 only spaces", "  ", false, "only whitespace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := &verify.SecretFile{Path: secretPath(t, tt.content), TrimNewline: tt.trim}
			if tt.problem != "" {
				refuseConfig(t, verify.Bearer{Tokens: file}, "Config.Accept.Bearer.Tokens", tt.problem)
				return
			}
			v := build(t, verify.Bearer{Tokens: file})
			if res := accept(t, v, post("{}", "Authorization", "Bearer "+token)); res.KeyID != "file" {
				t.Errorf("key id %q", res.KeyID)
			}
		})
	}
	t.Run("an id of one's own", func(t *testing.T) {
		v := build(t, verify.Bearer{Tokens: &verify.SecretFile{Path: secretPath(t, goodToken), ID: "k8s"}})
		if res := accept(t, v, goodBearerPost()); res.KeyID != "k8s" {
			t.Errorf("key id %q", res.KeyID)
		}
	})
	t.Run("64 KiB and no more", func(t *testing.T) {
		most := strings.Repeat("x", 64<<10)
		build(t, verify.HMAC{Keys: &verify.SecretFile{Path: secretPath(t, most)}})
		refuseConfig(t, verify.HMAC{Keys: &verify.SecretFile{Path: secretPath(t, most+"x")}}, "Config.Accept.HMAC.Keys", "larger than 65536 bytes")
	})
	t.Run("missing at New", func(t *testing.T) {
		path := secretPath(t, goodToken)
		build(t, verify.Bearer{Tokens: &verify.SecretFile{Path: path}})
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		refuseConfig(t, verify.Bearer{Tokens: &verify.SecretFile{Path: path}}, "Config.Accept.Bearer.Tokens", "no such file")
	})
	t.Run("a directory", func(t *testing.T) {
		refuseConfig(t, verify.Bearer{Tokens: &verify.SecretFile{Path: t.TempDir()}}, "Config.Accept.Bearer.Tokens", "secret file")
	})
}

// fileVerifier reads its one token from a file; the clock stands at now.
func fileVerifier(t *testing.T, content string) (v *verify.Verifier, path string, clock *verifytest.Clock) {
	t.Helper()
	path, clock = secretPath(t, content), verifytest.NewClock(now)
	return configure(t, verify.Config{Accept: verify.Bearer{Tokens: &verify.SecretFile{Path: path}}, Now: clock.Now}), path, clock
}

func TestSecretFileChanges(t *testing.T) {
	const before, after = "token-before", "token-behind" // of one length
	for name, change := range map[string]func(t *testing.T, path string){
		"renamed over": func(t *testing.T, path string) { renameOver(t, path, after) },
		"renamed over, same time": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			renameOver(t, path, after)
			if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
		"rewritten in place": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, now); err != nil { // another time, however coarse the file system's clock
				t.Fatal(err)
			}
		},
	} {
		t.Run("V25 "+name, func(t *testing.T) {
			v, path, clock := fileVerifier(t, before)
			withOld := func() error { _, err := v.Check(post("{}", "Authorization", "Bearer "+before)); return err }
			withNew := func() error { _, err := v.Check(post("{}", "Authorization", "Bearer "+after)); return err }
			change(t, path)
			clock.Advance(time.Second - 1)
			if verify.Reason(withOld()) != "ok" || verify.Reason(withNew()) != "mismatch" {
				t.Errorf("before a second is over: old %v, new %v", withOld(), withNew())
			}
			clock.Advance(1)
			if verify.Reason(withOld()) != "mismatch" || verify.Reason(withNew()) != "ok" {
				t.Errorf("a second later: old %v, new %v", withOld(), withNew())
			}
		})
	}
	t.Run("V25 the clock was set back", func(t *testing.T) {
		v, path, clock := fileVerifier(t, before)
		renameOver(t, path, after)
		clock.Advance(-time.Hour)
		accept(t, v, post("{}", "Authorization", "Bearer "+after))
	})
	t.Run("unchanged: the same set", func(t *testing.T) {
		file := &verify.SecretFile{Path: secretPath(t, before)}
		first, err := file.Load(now)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if set, err := file.Load(now.Add(time.Duration(i) * time.Minute)); set != first || err != nil {
				t.Errorf("after %d minutes: %v", i, err)
			}
		}
	})
}

// A file that is lost or spoilt while serving: no outdated secret, no 401, and
// no lasting harm.
func TestSecretFileLost(t *testing.T) {
	for name, tt := range map[string]struct {
		lose  func(path string) error
		cause string
	}{
		"deleted":                       {os.Remove, "no such file"},
		"emptied":                       {func(path string) error { return os.Truncate(path, 0) }, "is empty"},
		"newline added":                 {func(path string) error { return os.WriteFile(path, []byte(goodToken+"\n"), 0o600) }, "ends in a newline"},
		"too large":                     {func(path string) error { return os.Truncate(path, 64<<10+1) }, "larger than 65536 bytes"},
		"replaced by a directory":       {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "is a directory"},
		"replaced by an unusable token": {func(path string) error { return os.WriteFile(path, []byte("two words"), 0o600) }, "holds a space"},
	} {
		t.Run(name, func(t *testing.T) {
			v, path, clock := fileVerifier(t, goodToken)
			accept(t, v, goodBearerPost())
			if err := tt.lose(path); err != nil {
				t.Fatal(err)
			}
			accept(t, v, goodBearerPost()) // within the second
			for range 2 {
				clock.Advance(time.Second)
				e := refuse(t, v, goodBearerPost(), verify.ErrUnavailable, "the secrets cannot be loaded")
				if e.StatusCode() != 503 || e.Retry() != "30" || strings.Contains(e.Error(), path) {
					t.Errorf("status %d, Retry-After %q, %v", e.StatusCode(), e.Retry(), e)
				}
				if cause := e.Attempts[0].Cause; cause == nil || !strings.Contains(cause.Error(), tt.cause) {
					t.Errorf("cause %v, want %q", cause, tt.cause)
				}
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			renameOver(t, path, goodToken)
			refuse(t, v, goodBearerPost(), verify.ErrUnavailable, "cannot be loaded") // within the second
			clock.Advance(time.Second)
			accept(t, v, goodBearerPost())
		})
	}
}

// While the file is renamed over, requests with both tokens find one of them.
func TestSecretFileConcurrently(t *testing.T) {
	v, path, clock := fileVerifier(t, "token-0")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				_, err := v.Check(post("{}", "Authorization", fmt.Sprintf("Bearer token-%d", i%2)))
				if reason := verify.Reason(err); reason != "ok" && reason != "mismatch" {
					t.Errorf("%v", err)
				}
			}
		})
	}
	for i := range 20 {
		renameOver(t, path, fmt.Sprintf("token-%d", i%2))
		clock.Advance(time.Second)
	}
	all.Wait()
	clock.Advance(time.Second)
	accept(t, v, post("{}", "Authorization", "Bearer token-1"))
}
