package verify_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// observed collects events.
type observed []verify.Event

func (o *observed) observe(_ context.Context, e verify.Event) { *o = append(*o, e) }

// only is the one event there should be; the next check begins with none.
func (o *observed) only(t *testing.T) verify.Event {
	t.Helper()
	if len(*o) != 1 {
		t.Fatalf("observed %d times: %+v", len(*o), *o)
	}
	e := (*o)[0]
	*o = nil
	return e
}

// silenced keeps the default loggers' output and puts them back afterwards.
func silenced(t *testing.T) *bytes.Buffer {
	t.Helper()
	logger, writer, flags := slog.Default(), log.Writer(), log.Flags()
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(writer) // slog.SetDefault leads package log into slog
		log.SetFlags(flags)
	})
	var out bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	return &out
}

// TestObserve: one event for each decision, and it says what was decided.
func TestObserve(t *testing.T) {
	silenced(t)
	const n = int64(len(hmacBody))
	signed := func(change func(*http.Request)) func() *http.Request {
		return func() *http.Request {
			r := defaultPost()
			change(r)
			return r
		}
	}
	chunked := signed(func(r *http.Request) { r.ContentLength = -1 })
	forged := signed(func(r *http.Request) { r.Header.Set("X-Signature", hexMAC("something else")) })
	unsigned := signed(func(r *http.Request) { r.Header.Del("X-Signature") })
	unruly := schemeFunc(func(context.Context, *verify.Message) (*verify.Result, error) { panic("unruly") })
	for _, tt := range []struct {
		name    string
		scheme  verify.Scheme
		request func() *http.Request
		want    verify.Event // but for Err and LetThrough
		reason  error
	}{
		{"accepted token", goodBearer(), goodBearerPost, verify.Event{Scheme: "bearer", KeyID: "0", Reason: "ok", ContentLength: 2}, nil},
		{"accepted signature", defaultHMAC(), defaultPost, verify.Event{Scheme: "hmac", KeyID: "0", Reason: "ok", BodyBytes: n, ContentLength: n}, nil},
		{"accepted, chunked", defaultHMAC(), chunked, verify.Event{Scheme: "hmac", KeyID: "0", Reason: "ok", BodyBytes: n, ContentLength: -1}, nil},
		{"accepted by the second", verify.AnyOf(defaultHMAC(), goodBearer()), goodBearerPost, verify.Event{Scheme: "bearer", KeyID: "0", Reason: "ok", ContentLength: 2}, nil},
		{"refused before the body", defaultHMAC(), unsigned, verify.Event{Scheme: "hmac", Reason: "missing", Status: 401, ContentLength: n}, verify.ErrMissing},
		{"refused after the body", defaultHMAC(), forged, verify.Event{Scheme: "hmac", Reason: "mismatch", Status: 401, BodyBytes: n, ContentLength: n}, verify.ErrMismatch},
		{"refused by two, the second decides", verify.AnyOf(goodBearer(), defaultHMAC()), forged,
			verify.Event{Scheme: "hmac", Reason: "mismatch", Status: 401, BodyBytes: n, ContentLength: n}, verify.ErrMismatch},
		{"token right, body too large", goodBearer(), func() *http.Request { r := goodBearerPost(); r.ContentLength = 2 << 20; return r },
			verify.Event{Scheme: "body", Reason: "too_large", Status: 413, ContentLength: 2 << 20}, verify.ErrTooLarge},
		{"body consumed", defaultHMAC(), signed(func(r *http.Request) { r.Body = http.NoBody }),
			verify.Event{Scheme: "body", Reason: "body_consumed", Status: 500, ContentLength: n}, verify.ErrBodyConsumed},
		{"panic", unruly, goodBearerPost, verify.Event{Scheme: "verify_test.schemeFunc", Reason: "internal", Status: 500, ContentLength: 2}, verify.ErrInternal},
	} {
		for _, reportOnly := range []bool{false, true} {
			name := tt.name
			if reportOnly {
				name += ", C09 ReportOnly"
			}
			t.Run(name, func(t *testing.T) {
				var events observed
				v := configure(t, verify.Config{Accept: tt.scheme, Observe: events.observe, ReportOnly: reportOnly})
				res, err := v.Check(tt.request())
				e := events.only(t)
				if !errors.Is(e.Err, tt.reason) || e.LetThrough != (reportOnly && tt.reason != nil) {
					t.Errorf("event %+v", e)
				}
				switch {
				case tt.reason == nil:
					if err != nil || res.Refused != nil || res.Scheme != tt.want.Scheme {
						t.Errorf("result %+v, error %v", res, err)
					}
				case reportOnly:
					if err != nil || *res != (verify.Result{Refused: e.Err}) {
						t.Errorf("result %+v, error %v", res, err)
					}
				default:
					if refused(t, res, err, tt.reason, ""); err != e.Err {
						t.Errorf("event has %v, returned %v", e.Err, err)
					}
				}
				e.Err, e.LetThrough = nil, false
				if e != tt.want {
					t.Errorf("event %+v, want %+v", e, tt.want)
				}
			})
		}
	}
	for _, tt := range verdicts {
		t.Run("any refusal: "+tt.reason, func(t *testing.T) {
			var events observed
			v := configure(t, verify.Config{Accept: refusing("some", tt.err), Observe: events.observe})
			refuse(t, v, post(""), tt.err, "")
			if e := events.only(t); e.Scheme != "some" || e.Reason != tt.reason || e.Status != tt.status || e.KeyID != "" {
				t.Errorf("event %+v", e)
			}
		})
	}
	t.Run("messages too", func(t *testing.T) {
		var events observed
		v := configure(t, verify.Config{Accept: goodBearer(), Observe: events.observe})
		if _, err := v.CheckMessage(context.Background(), verify.NewMessage("POST", "/", goodBearerPost().Header, nil)); err != nil {
			t.Error(err)
		}
		if e := events.only(t); e.Reason != "ok" {
			t.Errorf("event %+v", e)
		}
	})
}

func TestObserveElapsedAndContext(t *testing.T) {
	type key struct{}
	clock := verifytest.NewClock(now)
	slow := schemeFunc(func(context.Context, *verify.Message) (*verify.Result, error) {
		clock.Advance(3 * time.Millisecond)
		return &verify.Result{Scheme: "slow"}, nil
	})
	calls := 0
	v := configure(t, verify.Config{Accept: slow, Now: clock.Now, Observe: func(ctx context.Context, e verify.Event) {
		calls++
		if e.Elapsed != 3*time.Millisecond || ctx.Value(key{}) != "of the request" {
			t.Errorf("event %+v, context %v", e, ctx)
		}
	}})
	ctx := context.WithValue(context.Background(), key{}, "of the request")
	accept(t, v, post("").WithContext(ctx))
	m := verify.NewMessage("POST", "/", nil, nil)
	m.ReceivedAt = now.Add(-time.Hour) // the time in a queue is not the verifier's
	if _, err := v.CheckMessage(ctx, m); err != nil || calls != 2 {
		t.Errorf("error %v, %d events", err, calls)
	}
}

func TestEventLog(t *testing.T) {
	var events observed
	v := configure(t, verify.Config{Accept: defaultHMAC(), Observe: events.observe})
	accept(t, v, defaultPost())
	ok := events.only(t)
	refuse(t, v, signedPost(hmacBody, hmacStamp, hexMAC("something else")), verify.ErrMismatch, "")
	bad := events.only(t)
	ok.Elapsed, bad.Elapsed = time.Millisecond, time.Second
	for _, tt := range []struct {
		name  string
		event verify.Event
		want  string
	}{
		{"accepted", ok, `level=INFO msg=m e.scheme=hmac e.key_id=0 e.reason=ok e.elapsed=1ms e.body_bytes=27`},
		{"refused", bad, `level=INFO msg=m e.scheme=hmac e.key_id="" e.reason=mismatch e.elapsed=1s e.body_bytes=27 e.status=401 ` +
			`e.detail="verify: refused: hmac: credential does not match (no signature in X-Signature fits the body of 27 bytes)" e.let_through=false`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "e", tt.event)
			if _, got, _ := strings.Cut(strings.TrimSpace(out.String()), " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestEventLevel(t *testing.T) {
	if got := (verify.Event{}).Level(); got != slog.LevelDebug {
		t.Errorf("accepted: %v", got)
	}
	for _, tt := range verdicts {
		want := slog.LevelInfo
		if slices.Contains([]string{"body_consumed", "unavailable", "misconfigured", "internal"}, tt.reason) {
			want = slog.LevelError
		}
		if tt.reason == "conflict" { // two contents under one signed id: somebody is to look at it
			want = slog.LevelWarn
		}
		var events observed
		v := configure(t, verify.Config{Accept: refusing("some", tt.err), Observe: events.observe})
		refuse(t, v, post(""), tt.err, "")
		if got := events.only(t).Level(); got != want {
			t.Errorf("%s: %v, want %v", tt.reason, got, want)
		}
	}
}

func TestResultLog(t *testing.T) {
	signed := now.UTC()
	for _, tt := range []struct {
		name string
		res  verify.Result
		want string
	}{
		{"only a scheme", verify.Result{Scheme: "source-ip"}, "res.scheme=source-ip"},
		{"everything", verify.Result{Scheme: "hmac", KeyID: "2026", SignedAt: signed, MessageID: "m1"},
			"res.scheme=hmac res.key_id=2026 res.signed_at=2026-01-01T00:00:00.000Z res.message_id=m1"},
		{"let through", verify.Result{Refused: refusal(verify.ErrStale)}, `res.scheme="" res.refused=stale`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "res", &tt.res)
			if _, got, _ := strings.Cut(strings.TrimSpace(out.String()), "msg=m "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestReportOnly(t *testing.T) {
	out := silenced(t)
	build(t, goodBearer())
	if out.Len() != 0 {
		t.Errorf("a log line without ReportOnly: %s", out)
	}
	v := configure(t, verify.Config{Accept: goodBearer(), ReportOnly: true, MaxBody: 64})
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "insecure: Config.ReportOnly") {
		t.Errorf("logged %q", got)
	}
	if _, err := verify.New(verify.Config{ReportOnly: true}); err == nil || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("error %v; a warning about a verifier that there is not: %s", err, out)
	}
	long, broken := strings.Repeat("x", 200), errors.New("cut off")
	for _, tt := range []struct {
		name, token string
		body        func() io.Reader
		declared    int64
		reason      error // nil: accepted
		got         string
		err         error
	}{
		{"C09 accepted", goodToken, func() io.Reader { return strings.NewReader("{}") }, 2, nil, "{}", nil},
		{"C09 wrong token, body unread", "other", func() io.Reader { return strings.NewReader("{}") }, 2, verify.ErrMismatch, "{}", nil},
		{"C09 too large, declared", goodToken, func() io.Reader { return strings.NewReader(long) }, 200, verify.ErrTooLarge, long, nil},
		{"C09 wrong token and too large, declared", "other", func() io.Reader { return strings.NewReader(long) }, 200, verify.ErrMismatch, long, nil},
		{"C09 wrong token and too large, chunked", "other", func() io.Reader { return strings.NewReader(long) }, -1, verify.ErrMismatch, long, nil},
		{"C09 too large, chunked, unread", goodToken, func() io.Reader { return strings.NewReader(long) }, -1, nil, long, nil},
		{"C09 broken", "other", func() io.Reader { return io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken)) }, -1, verify.ErrMismatch, "{", broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post("", "Authorization", "Bearer "+tt.token)
			r.Body, r.ContentLength = io.NopCloser(tt.body()), tt.declared
			res := accept(t, v, r)
			if tt.reason == nil && (res.Scheme != "bearer" || res.Refused != nil) || tt.reason != nil && (!errors.Is(res.Refused, tt.reason) || res.Scheme != "") {
				t.Errorf("result %+v", res)
			}
			if got, err := readRest(r); got != tt.got || !errors.Is(err, tt.err) {
				t.Errorf("the handler reads %d bytes, %v", len(got), err)
			}
		})
	}
	t.Run("C09 messages too", func(t *testing.T) {
		res, err := v.CheckMessage(context.Background(), verify.NewMessage("POST", "/", nil, nil))
		if err != nil || !errors.Is(res.Refused, verify.ErrMissing) {
			t.Errorf("result %+v, error %v", res, err)
		}
	})
}
