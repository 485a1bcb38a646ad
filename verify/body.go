package verify

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// trustedLength is how much of a declared Content-Length is believed before any
// of it has arrived, in bytes.
const trustedLength = 128 << 10

// body is the body of one message: read at most once, never past its limit, and
// put back afterwards.
type body struct {
	src    io.Reader // nil: no body
	length int64     // as declared; -1 if unknown
	limit  int64     // in bytes, above 0 once a check has begun
	given  []byte    // the whole body, when src only repeats it

	done  bool
	buf   []byte
	err   *Error
	whole readBody // over buf, for the handler
}

// read fills buf. The typed nil of err never leaves as a non-nil error.
func (b *body) read() error {
	if !b.done {
		b.done = true
		b.err = b.fill()
	}
	if b.err != nil {
		return b.err
	}
	return nil
}

// overDeclared tells whether the declared length alone exceeds the limit.
func (b *body) overDeclared() bool { return b.length > b.limit }

func (b *body) fill() *Error {
	if b.overDeclared() {
		return errTooLarge(nil)
	}
	if b.src == nil {
		return nil
	}
	if b.given != nil {
		b.buf = b.given
		return nil
	}
	b.buf = make([]byte, 0, b.sizeHint())
	for idle := 0; ; {
		if len(b.buf) == cap(b.buf) {
			b.buf = append(b.buf, 0)[:len(b.buf)]
		}
		// One byte past the limit is enough to know that there is more.
		room := min(int64(cap(b.buf)), b.limit+1)
		n, err := b.src.Read(b.buf[len(b.buf):room])
		b.buf = b.buf[:len(b.buf)+n]
		if int64(len(b.buf)) > b.limit {
			return errTooLarge(nil)
		}
		if err == io.EOF {
			return b.complete()
		}
		if err != nil {
			return readError(err)
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle > 100 {
			return readError(io.ErrNoProgress)
		}
	}
}

// sizeHint is a first capacity: the declared length and one byte more, in which
// the end is found without growing.
func (b *body) sizeHint() int64 {
	if b.length < 0 {
		return min(bytes.MinRead, b.limit+1)
	}
	return min(b.length, trustedLength, b.limit) + 1
}

// complete looks for a body that ended cleanly but short. A client cannot do
// that, the server would have reported it; only a reader in front of us can.
func (b *body) complete() *Error {
	if b.length > 0 && int64(len(b.buf)) < b.length {
		return errConsumed(nil)
	}
	return nil
}

func errTooLarge(cause error) *Error {
	return &Error{Attempts: []Attempt{{Scheme: "body", Err: ErrTooLarge, Detail: "over MaxBody", Cause: cause}}}
}

func errConsumed(cause error) *Error {
	return &Error{Attempts: []Attempt{{Scheme: "body", Err: ErrBodyConsumed,
		Detail: "something in front of the verifier read the body and did not put it back", Cause: cause}}}
}

func readError(err error) *Error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge): // a smaller limit in front of ours
		return errTooLarge(err)
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return errConsumed(err)
	}
	return &Error{Attempts: []Attempt{{Scheme: "body", Err: ErrBodyUnreadable, Cause: err}}}
}

// restore gives the body that the handler reads in place of the original: the
// same bytes, as far as they were read, and then whatever was to come. Where
// lift is false it ends in an *http.MaxBytesError past the limit, never in a
// clean end.
func (b *body) restore(original io.ReadCloser, lift bool) io.ReadCloser {
	switch {
	case original == nil || original == http.NoBody:
		return original
	case b.done && b.err == nil:
		b.whole.all = b.buf
		b.whole.Reset(b.buf)
		return &b.whole
	case !b.done && lift:
		return original
	case !b.done:
		return http.MaxBytesReader(nil, original, b.limit)
	case errors.Is(b.err, ErrTooLarge) && lift:
		return &joinedBody{io.MultiReader(bytes.NewReader(b.buf), original), original}
	case errors.Is(b.err, ErrTooLarge):
		return &joinedBody{io.MultiReader(bytes.NewReader(b.buf[:min(int64(len(b.buf)), b.limit)]),
			failing{&http.MaxBytesError{Limit: b.limit}}), original}
	default:
		// What broke the body breaks it for the handler too: the cause is there
		// for every error of a read, and a clean early end has none.
		cause := b.err.Attempts[0].Cause
		if cause == nil {
			cause = io.EOF
		}
		return &joinedBody{io.MultiReader(bytes.NewReader(b.buf), failing{cause}), original}
	}
}

// readBody is a body that has been read: whole, in memory, and an io.Seeker for
// handlers that want it again. Closing it does nothing; the server closes the
// original itself.
type readBody struct {
	bytes.Reader
	all []byte
}

// Close implements io.Closer.
func (*readBody) Close() error { return nil }

// Bytes is the whole body, for adapters of frameworks that cache it.
func (b *readBody) Bytes() []byte { return b.all }

// joinedBody is a body whose beginning was read.
type joinedBody struct {
	io.Reader
	io.Closer
}

// failing is a reader that is broken.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
