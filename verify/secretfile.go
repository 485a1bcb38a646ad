package verify

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// maxSecretFile bounds how much of a secret file is read, in bytes.
const maxSecretFile = 64 << 10

// SecretFile is a source of one secret that lives in a file, such as a mounted
// Kubernetes or Docker secret. The file is read again when it has changed, with
// no goroutine: a request finds the change at most a second after it was made.
//
// Nothing is trimmed silently. A file that ends in a newline is refused unless
// TrimNewline is set. A file that becomes unreadable or unusable while serving
// gives ErrUnavailable (503), not an outdated secret; replace it by renaming a
// new file over it, so that no half-written one is ever seen. For two secrets
// during a rotation use a Rotating.
//
// Safe for concurrent use; must not be copied after first use. The zero value
// refuses: it has no path.
type SecretFile struct {
	// Path of the file. Required.
	Path string
	// ID for Result.KeyID; "" means "file".
	ID string
	// TrimNewline removes one final LF or CRLF, which editors and shells add.
	TrimNewline bool

	mu      sync.Mutex
	checked time.Time
	info    fs.FileInfo
	set     *SecretSet
	err     error
}

// Load returns the file's secret, reading it again if the file has changed.
func (f *SecretFile) Load(now time.Time) (*SecretSet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since := now.Sub(f.checked); !f.checked.IsZero() && since >= 0 && since < time.Second {
		return f.set, f.err
	}
	f.checked = now
	info, err := os.Stat(f.Path)
	if err != nil {
		f.info, f.set, f.err = nil, nil, fmt.Errorf("secret file: %w", err)
		return f.set, f.err
	}
	if f.err != nil || f.info == nil || !os.SameFile(f.info, info) || !f.info.ModTime().Equal(info.ModTime()) || f.info.Size() != info.Size() {
		f.info = info
		f.set, f.err = f.read()
	}
	return f.set, f.err
}

func (f *SecretFile) read() (*SecretSet, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	if len(data) > maxSecretFile {
		return nil, fmt.Errorf("secret file %s: larger than %d bytes", f.Path, maxSecretFile)
	}
	value := string(data)
	if f.TrimNewline {
		if line, ended := strings.CutSuffix(value, "\n"); ended {
			value = strings.TrimSuffix(line, "\r")
		}
	} else if strings.HasSuffix(value, "\n") {
		return nil, errors.New("secret file " + f.Path + ": ends in a newline: write it without one, or set TrimNewline")
	}
	id := f.ID
	if id == "" {
		id = "file"
	}
	set, err := NewSecretSet(NewSecret(id, value))
	if err != nil {
		return nil, fmt.Errorf("secret file %s: %w", f.Path, err)
	}
	return set, nil
}
