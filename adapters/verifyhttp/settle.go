package verifyhttp

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/felixge/httpsnoop"

	"github.com/webhookauth/webhookauth/verify"
)

// serveAndSettle runs the handler of a request that has a claim and settles it by
// what was answered.
func serveAndSettle(v *verify.Verifier, res *verify.Result, next http.Handler, w http.ResponseWriter, r *http.Request) {
	rec := &recorder{w: w, limit: v.AnswerLimit()}
	returned := false
	// Deferred, and without recover: a panic settles and goes on as it was.
	defer func() {
		// An error is for Replay.OnSettle: the sender has its answer.
		switch {
		case !returned:
			_ = v.Settle(r.Context(), res, 0)
		case rec.hijacked:
			_ = v.Settle(r.Context(), res, http.StatusOK)
		case rec.over:
			_ = v.Settle(r.Context(), res, rec.status)
		default:
			rec.begin(http.StatusOK) // a handler that writes nothing answers 200
			_ = v.SettleAnswer(r.Context(), res, verify.Answer{Status: rec.status, ContentType: rec.contentType, Body: rec.body})
		}
	}()
	next.ServeHTTP(httpsnoop.Wrap(w, rec.hooks()), r)
	returned = true
}

// recorder notes what a handler answers, and its body up to the limit.
type recorder struct {
	w           http.ResponseWriter
	limit       int // in bytes; 0 keeps no body
	status      int // 0 until it is written
	contentType string
	body        []byte
	over        bool // the body exceeds the limit
	hijacked    bool
}

// begin notes the final status, of which there is one.
func (rec *recorder) begin(status int) {
	if rec.status == 0 && status >= 200 {
		rec.status, rec.contentType = status, rec.w.Header().Get("Content-Type")
	}
}

// Write keeps a part of the body.
func (rec *recorder) Write(p []byte) (int, error) {
	if room := rec.limit - len(rec.body); len(p) > room {
		rec.over, rec.body, rec.limit = true, nil, 0
	} else {
		rec.body = append(rec.body, p...)
	}
	return len(p), nil
}

// hooks leave every ability of the writer as it is: Flusher, Hijacker, ReaderFrom
// and those that http.ResponseController finds.
func (rec *recorder) hooks() httpsnoop.Hooks {
	return httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(status int) {
				rec.begin(status)
				next(status)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(p []byte) (int, error) {
				rec.begin(http.StatusOK)
				n, err := next(p)
				_, _ = rec.Write(p[:n])
				return n, err
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				rec.begin(http.StatusOK)
				if rec.limit == 0 {
					return next(src) // the server may use sendfile
				}
				return next(io.TeeReader(src, rec))
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() {
				rec.begin(http.StatusOK)
				next()
			}
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) {
				conn, rw, err := next()
				rec.hijacked = rec.hijacked || err == nil
				return conn, rw, err
			}
		},
	}
}
