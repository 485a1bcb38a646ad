// Package settle notes what a handler answers and settles its claim by that.
package settle

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"

	"github.com/felixge/httpsnoop"

	"github.com/webhookauth/webhookauth/verify"
)

// Recorder notes the status that a handler answers, and the body up to the
// verifier's limit. One is for one request.
type Recorder struct {
	v           *verify.Verifier
	res         *verify.Result
	header      http.Header
	limit       int // in bytes; 0 keeps no body
	status      int // 0 until it is written
	contentType string
	body        []byte
	unkept      bool // the body exceeds the limit, or broke off
	hijacked    bool
	returned    bool
}

// New makes a recorder for a result that has a claim; header is the answer's.
func New(v *verify.Verifier, res *verify.Result, header http.Header) *Recorder {
	return &Recorder{v: v, res: res, header: header, limit: v.AnswerLimit()}
}

// Returned notes that the handler has returned, and the status that goes out if
// none was written.
func (rec *Recorder) Returned(status int) {
	rec.returned = true
	rec.Begin(status)
}

// Failed notes that the handler has returned an error, which somebody else answers
// with the status if nothing was written. That answer is not seen, and not kept.
func (rec *Recorder) Failed(status int) {
	if rec.status == 0 {
		rec.drop()
	}
	rec.Returned(status)
}

// Settle ends the claim. Defer it: without Returned or Failed the handler
// panicked, and the message is given back. An error is for Replay.OnSettle, the
// sender has its answer.
func (rec *Recorder) Settle(ctx context.Context) {
	switch {
	case !rec.returned:
		_ = rec.v.Settle(ctx, rec.res, 0)
	case rec.hijacked: // what it said itself on the connection is not ours to judge
		_ = rec.v.Settle(ctx, rec.res, http.StatusOK)
	case rec.unkept:
		_ = rec.v.Settle(ctx, rec.res, rec.status)
	default:
		_ = rec.v.SettleAnswer(ctx, rec.res, verify.Answer{Status: rec.status, ContentType: rec.contentType, Body: rec.body})
	}
}

// Begin notes the final status, of which there is one. A body in a content coding
// is not kept, for its copy would go out without the header that names it.
func (rec *Recorder) Begin(status int) {
	if rec.status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	rec.status, rec.contentType = status, rec.header.Get("Content-Type")
	if rec.header.Get("Content-Encoding") != "" {
		rec.drop()
	}
}

// Write keeps a part of the body. It never fails.
func (rec *Recorder) Write(p []byte) (int, error) {
	if len(p) > rec.limit-len(rec.body) {
		rec.drop()
	} else {
		rec.body = append(rec.body, p...)
	}
	return len(p), nil
}

// Wrote keeps a part of the body that was sent. After an error the handler may
// have given up, and half an answer is none.
func (rec *Recorder) Wrote(p []byte, err error) {
	if err != nil {
		rec.drop()
		return
	}
	_, _ = rec.Write(p)
}

func (rec *Recorder) drop() { rec.unkept, rec.body, rec.limit = true, nil, 0 }

// Hijacked notes what came of taking over the connection.
func (rec *Recorder) Hijacked(err error) { rec.hijacked = rec.hijacked || err == nil }

// Wrap gives a writer that is recorded. Every ability of the writer stays:
// Flusher, Hijacker, ReaderFrom and those that http.ResponseController finds, whose
// Flush then tells of no error.
func (rec *Recorder) Wrap(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(status int) {
				rec.Begin(status)
				next(status)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(p []byte) (int, error) {
				rec.Begin(http.StatusOK)
				n, err := next(p)
				rec.Wrote(p, err)
				return n, err
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				if rec.limit > 0 { // without a limit the server may use sendfile
					src = io.TeeReader(src, rec)
				}
				n, err := next(src)
				if n > 0 { // a source that fails or is empty leaves the status open
					rec.Begin(http.StatusOK)
				}
				rec.Wrote(nil, err)
				return n, err
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() {
				rec.Begin(http.StatusOK)
				next()
			}
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) {
				conn, rw, err := next()
				rec.Hijacked(err)
				return conn, rw, err
			}
		},
	})
}
