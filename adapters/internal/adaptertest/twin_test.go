package adaptertest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/webhookauth/webhookauth/adapters/internal/adaptertest"
	"github.com/webhookauth/webhookauth/adapters/internal/respond"
	"github.com/webhookauth/webhookauth/adapters/internal/settle"
	"github.com/webhookauth/webhookauth/verify"
)

// faults lists what can be wrong with a twin, and the subtest that has to find it.
func faults() [][2]string {
	return [][2]string{
		{"goes on after a refusal", "refusals"},
		{"tells the cause", "refusals"},
		{"drops Retry-After", "refusals"},
		{"drops WWW-Authenticate", "refusals"},
		{"keeps one challenge", "refusals"},
		{"keeps the connection", "refusals/too large, declared"},
		{"answers in plain text", "refusals"},
		{"answers 400 for missing", "refusals"},
		{"answers 500 for unavailable", "copies"},
		{"lets copies through", "copies"},
		{"lets everything through without a verifier", "verifiers that refuse everything"},
		{"names the reason", "every 401 is the same"},
		{"checks twice", "observed once"},
		{"enforces under report only", "report only"},
		{"takes the body", "body found"},
		{"writes the body anew", "body found"},
		{"declares no length", "body found"},
		{"hides that the body can be read again", "body found"},
		{"ends a cut body cleanly", "body limit"},
		{"takes a consumed body for a bad signature", "body consumed"},
		{"lets half a body through", "client gone"},
		{"reads before it checks", "100 Continue"},
		{"closes after a refusal", "one connection"},
		{"knows no HTTP/2", "HTTP2"},
		{"no result in the context", "result"},
		{"loses Flusher", "streaming"},
		{"keeps everything back", "streaming/unguarded, Flusher"},
		{"hides the server's writer", "ResponseController"},
		{"keeps the server from its body", "100 Continue/a handler that does not want the body"},
		{"loses Hijacker", "hijacking/unguarded"},
		{"gives a hijacked message back", "hijacking"},
		{"does not settle a panic", "panic/at once"},
		{"completes a panic", "panic/at once"},
		{"swallows a panic", "panic/at once"},
		{"gives back on 200", "settled by status"},
		{"completes on 500", "settled by status"},
		{"never settles", "settled by status/201, reject"},
		{"refuses what has an answer", "answers"},
		{"repeats without a content type", "answers"},
		{"repeats the beginning", "answers"},
		{"repeats what failed", "answers"},
		{"one result for all", "concurrent requests"},
	}
}

// twin is an adapter with one fault, or none.
type twin struct {
	fault string
	once  sync.Once
	first *verify.Result
}

func (a *twin) has(fault string) bool { return a.fault == fault }

func (a *twin) adapter() adaptertest.Adapter {
	table := adaptertest.Adapter{Serve: a.serve, Refusal: adaptertest.Problem}
	if !a.has("none") {
		table.Patience = 2 * time.Second // it is waited for in vain
	}
	return table
}

func (a *twin) serve(v *verify.Verifier, h adaptertest.Handler) http.Handler {
	run := func(w http.ResponseWriter, r *http.Request) {
		res, _ := verify.FromContext(r.Context())
		h(w, r, res)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case a.has("lets everything through without a verifier") && v == nil:
			run(w, r)
			return
		case a.has("knows no HTTP/2") && r.ProtoMajor != 1:
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		case a.has("reads before it checks"):
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
		case a.has("checks twice"):
			_, _ = v.Check(r)
		}
		server, body := r, r.Body
		res, err := v.Check(r)
		if a.has("enforces under report only") && err == nil && res.Refused != nil {
			err = res.Refused
		}
		if err != nil && !a.ignores(err) {
			if a.refuse(v, w, r, verify.Refusal(err)); a.has("goes on after a refusal") {
				run(w, r)
			}
			return
		}
		ctx := r.Context()
		if !a.has("no result in the context") {
			ctx = verify.NewContext(ctx, a.result(res))
		}
		r = r.WithContext(ctx)
		if !a.has("keeps the server from its body") {
			server.Body = body
		}
		a.rebody(r)
		a.settle(v, res, w, r, run)
	})
}

// ignores tells whether a refusal is passed over.
func (a *twin) ignores(err error) bool {
	return a.has("lets half a body through") && errors.Is(err, verify.ErrBodyUnreadable) ||
		a.has("lets copies through") && errors.Is(err, verify.ErrDuplicate)
}

func (a *twin) result(res *verify.Result) *verify.Result {
	if a.has("one result for all") {
		a.once.Do(func() { a.first = res })
		return a.first
	}
	return res
}

func (a *twin) refuse(v *verify.Verifier, w http.ResponseWriter, r *http.Request, refusal *verify.Error) {
	if refusal.Answer != nil && !a.has("refuses what has an answer") {
		if a.has("repeats without a content type") {
			refusal.Answer.ContentType = ""
		}
		respond.Answer(w, refusal.Answer)
		return
	}
	refusal.Answer = nil
	header := w.Header()
	respond.Header(header, v, r, refusal)
	header.Set("Content-Type", "application/problem+json")
	status, body := refusal.StatusCode(), refusal.Problem()
	switch a.fault {
	case "tells the cause":
		body = []byte(refusal.Error())
	case "drops Retry-After":
		header.Del("Retry-After")
	case "drops WWW-Authenticate":
		header.Del("WWW-Authenticate")
	case "keeps one challenge":
		if challenge := header.Get("WWW-Authenticate"); challenge != "" {
			header.Set("WWW-Authenticate", challenge)
		}
	case "keeps the connection":
		header.Del("Connection")
	case "answers in plain text":
		header.Set("Content-Type", "text/plain")
	case "names the reason":
		header.Set("X-Reason", verify.Reason(refusal))
	case "closes after a refusal":
		header.Set("Connection", "close")
	case "answers 400 for missing":
		if errors.Is(refusal, verify.ErrMissing) {
			status = http.StatusBadRequest
		}
	case "answers 500 for unavailable":
		if errors.Is(refusal, verify.ErrUnavailable) {
			status = http.StatusInternalServerError
		}
	case "takes a consumed body for a bad signature":
		if errors.Is(refusal, verify.ErrBodyConsumed) {
			status = http.StatusUnauthorized
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// rebody changes what the handler finds of the body.
func (a *twin) rebody(r *http.Request) {
	switch a.fault {
	case "takes the body":
		_, _ = io.Copy(io.Discard, r.Body)
	case "writes the body anew":
		var v any
		data, _ := io.ReadAll(r.Body)
		if json.Unmarshal(data, &v) == nil {
			data, _ = json.Marshal(v)
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
	case "declares no length":
		r.ContentLength = -1
	case "hides that the body can be read again":
		r.Body = io.NopCloser(struct{ io.Reader }{r.Body})
	case "ends a cut body cleanly":
		r.Body = io.NopCloser(cut{r.Body})
	}
}

// cut ends where its reader fails.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// settle runs the handler and ends its claim.
func (a *twin) settle(v *verify.Verifier, res *verify.Result, w http.ResponseWriter, r *http.Request, run http.HandlerFunc) {
	seen := a.rewrite(w)
	if !v.Settles(res) || a.has("never settles") {
		run(seen, r)
		return
	}
	rec := settle.New(v, res, w.Header())
	wrapped := rec.Wrap(seen)
	switch {
	case a.has("gives back on 200"):
		rec.Begin(http.StatusBadGateway)
	case a.has("completes on 500"):
		rec.Begin(http.StatusOK)
	case a.has("repeats the beginning"):
		wrapped = &beginning{ResponseWriter: seen, rec: rec}
	case a.has("repeats what failed"):
		rec.Begin(http.StatusOK)
	case a.has("gives a hijacked message back"):
		rec.Begin(http.StatusInternalServerError)
		wrapped = seen
	}
	defer func() {
		p := recover()
		switch {
		case p != nil && a.has("does not settle a panic"):
			panic(p)
		case p != nil && a.has("completes a panic"):
			rec.Returned(http.StatusOK)
		}
		rec.Settle(r.Context())
		if p != nil && !a.has("swallows a panic") {
			panic(p)
		}
	}()
	run(wrapped, r)
	rec.Returned(http.StatusOK)
}

// rewrite changes what the handler's writer can do.
func (a *twin) rewrite(w http.ResponseWriter) http.ResponseWriter {
	switch a.fault {
	case "loses Flusher", "loses Hijacker", "hides the server's writer":
		return struct{ http.ResponseWriter }{w}
	case "keeps everything back":
		return kept{w}
	}
	return w
}

// kept is a writer whose Flush does nothing.
type kept struct{ http.ResponseWriter }

func (kept) Flush() {}

// beginning records the first part of an answer alone.
type beginning struct {
	http.ResponseWriter
	rec   *settle.Recorder
	wrote bool
}

func (b *beginning) WriteHeader(status int) {
	b.rec.Begin(status)
	b.ResponseWriter.WriteHeader(status)
}

func (b *beginning) Write(p []byte) (int, error) {
	if !b.wrote {
		b.wrote = true
		_, _ = b.rec.Write(p)
	}
	return b.ResponseWriter.Write(p)
}
