package verify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// Every benchmark here runs its floor beside it, in turns within one loop, so
// that a machine that slows down slows both. What counts is the ratio, the
// median of all turns.

const benchKey = "benchmark-secret-of-32-bytes-len"

var benchSizes = []int{1 << 10, 64 << 10}

// turns runs floor and subject in alternating batches and gives the medians of
// their times for one call, and of the ratio.
func turns(b *testing.B, batch int, floor, subject func()) (floorTime, subjectTime time.Duration, ratio float64) {
	timed := func(f func()) time.Duration {
		start := time.Now()
		for range batch {
			f()
		}
		return time.Since(start)
	}
	var floors, subjects []time.Duration
	var ratios []float64
	for b.Loop() {
		var f, s time.Duration
		if len(ratios)%2 == 0 {
			f, s = timed(floor), timed(subject)
		} else {
			s, f = timed(subject), timed(floor)
		}
		floors, subjects = append(floors, f), append(subjects, s)
		ratios = append(ratios, float64(s)/float64(f))
	}
	slices.Sort(floors)
	slices.Sort(subjects)
	slices.Sort(ratios)
	middle := len(ratios) / 2
	return floors[middle] / time.Duration(batch), subjects[middle] / time.Duration(batch), ratios[middle]
}

func report(b *testing.B, batch int, floor, subject func()) {
	f, s, ratio := turns(b, batch, floor, subject)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(f.Nanoseconds()), "floor-ns")
	b.ReportMetric(float64(s.Nanoseconds()), "check-ns")
	b.ReportMetric(ratio, "x-floor")
	b.ReportMetric(testing.AllocsPerRun(100, subject), "allocs/check")
}

// delivery is one signed request, and the floor for it: one fresh crypto/hmac
// over the same bytes, the decoding of the signature and the comparison.
func delivery(size int) (body []byte, header http.Header, floor func() bool) {
	body = bytes.Repeat([]byte("x"), size)
	timestamp := fmt.Sprint(time.Now().UnixMilli()) // the real clock: reading it is part of the cost
	key, prefix := []byte(benchKey), []byte(timestamp+".")
	mac := hmac.New(sha256.New, key)
	mac.Write(append(bytes.Clone(prefix), body...))
	signature := hex.EncodeToString(mac.Sum(nil))
	header = http.Header{"X-Signature": {signature}, "X-Timestamp": {timestamp}}
	return body, header, func() bool {
		mac := hmac.New(sha256.New, key)
		mac.Write(prefix)
		mac.Write(body)
		want, err := hex.DecodeString(signature)
		return err == nil && hmac.Equal(mac.Sum(nil), want)
	}
}

func benchVerifier(b *testing.B) *verify.Verifier {
	return configure(b, verify.Config{Accept: verify.HMAC{Keys: verify.Static(benchKey)}, Now: time.Now})
}

func must(b *testing.B, ok bool) {
	if !ok {
		b.Fatal("wrong verdict")
	}
}

// BenchmarkHMAC: the body is in hand. Goal: at most 0.65 and 1.02 of the floor,
// and 2 allocations.
func BenchmarkHMAC(b *testing.B) {
	v := benchVerifier(b)
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			body, header, floor := delivery(size)
			m := verify.NewMessage(http.MethodPost, "/webhook", header, body)
			bad := verify.NewMessage(http.MethodPost, "/webhook", header, append([]byte("y"), body[1:]...))
			_, err := v.CheckMessage(context.Background(), bad)
			must(b, err != nil)
			report(b, 64<<10/size, func() { must(b, floor()) }, func() {
				res, err := v.CheckMessage(context.Background(), m)
				must(b, err == nil && res.KeyID == "0")
			})
		})
	}
}

// BenchmarkCheck: the body is read from the request. Goal: at most 1.10 and 2.30
// of the same floor, which does not read.
func BenchmarkCheck(b *testing.B) {
	v := benchVerifier(b)
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			body, header, floor := delivery(size)
			r := httptest.NewRequest(http.MethodPost, "/webhook", nil)
			r.Header = header
			r.ContentLength = int64(size)
			reader := bytes.NewReader(nil)
			wire := io.NopCloser(struct{ io.Reader }{reader})
			report(b, 64<<10/size, func() { must(b, floor()) }, func() {
				reader.Reset(body)
				r.Body = wire
				res, err := v.Check(r)
				must(b, err == nil && res.KeyID == "0")
			})
		})
	}
}

// BenchmarkBearer: through the net/http adapter, over the bare handler. Goal: at
// most 600 ns and 6 allocations more.
func BenchmarkBearer(b *testing.B) {
	v := configure(b, verify.Config{Accept: verify.Bearer{Tokens: verify.Static(benchKey)}, Now: time.Now})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	protected := verifyhttp.Middleware(v)(handler)
	r := httptest.NewRequest(http.MethodPost, "/webhook", nil)
	r.Header.Set("Authorization", "Bearer "+benchKey)
	original := io.NopCloser(bytes.NewReader([]byte("{}")))
	r.ContentLength = 2
	w := &status{header: http.Header{}}
	serve := func(h http.Handler) func() {
		return func() {
			r.Body = original
			w.code = 0
			h.ServeHTTP(w, r)
			must(b, w.code == http.StatusNoContent)
		}
	}
	bare, check := serve(handler), serve(protected)
	f, s, _ := turns(b, 64, bare, check)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64((s - f).Nanoseconds()), "ns-over-bare")
	b.ReportMetric(testing.AllocsPerRun(100, check)-testing.AllocsPerRun(100, bare), "allocs-over-bare")
}

// status is a response writer that keeps the status and nothing else.
type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }
func (s *status) WriteHeader(code int)        { s.code = code }
