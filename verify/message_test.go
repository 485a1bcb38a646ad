package verify_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

// seen is what a scheme sees of a request.
func seen(t *testing.T, r *http.Request) (m verify.Message) {
	t.Helper()
	accept(t, build(t, schemeFunc(func(_ context.Context, got *verify.Message) (*verify.Result, error) {
		m = verify.Message{Method: got.Method, Target: got.Target, Header: got.Header, RemoteAddr: got.RemoteAddr, ReceivedAt: got.ReceivedAt}
		return &verify.Result{Scheme: "seen"}, nil
	})), r)
	return m
}

func TestNewMessage(t *testing.T) {
	header := http.Header{
		"authorization": {" Bearer " + goodToken + "\t "},
		"X-TWICE":       {"a"},
		"x-twice":       {" b"},
		"X-Empty":       {" "},
		"X-None":        nil,
	}
	before := header.Clone()
	m := verify.NewMessage("PUT", "/hook?a=1", header, []byte("{}"))
	if !reflect.DeepEqual(header, before) {
		t.Errorf("the caller's header was changed: %v", header)
	}
	slices.Sort(m.Header["X-Twice"]) // a map has no order
	want := http.Header{"Authorization": {"Bearer " + goodToken}, "X-Twice": {"a", "b"}, "X-Empty": {""}}
	if !reflect.DeepEqual(m.Header, want) || m.Method != "PUT" || m.Target != "/hook?a=1" || m.RemoteAddr != "" || !m.ReceivedAt.IsZero() {
		t.Errorf("message %+v", m)
	}
	if res, err := build(t, goodBearer()).CheckMessage(context.Background(), m); err != nil || res.Scheme != "bearer" {
		t.Errorf("result %v, error %v", res, err)
	}
	t.Run("V23 one header under two spellings", func(t *testing.T) {
		header := http.Header{"Authorization": {"Bearer " + goodToken}, "authorization": {"Bearer " + goodToken}}
		res, err := build(t, goodBearer()).CheckMessage(context.Background(), verify.NewMessage("POST", "/", header, nil))
		refused(t, res, err, verify.ErrMalformed, "more than once")
	})
	t.Run("nil header", func(t *testing.T) {
		res, err := build(t, goodBearer()).CheckMessage(context.Background(), verify.NewMessage("POST", "/", nil, nil))
		refused(t, res, err, verify.ErrMissing, "Authorization is absent")
	})
	t.Run("B02 B14 white space alone", func(t *testing.T) {
		v := build(t, verify.Bearer{Tokens: verify.Static(goodToken), Header: "X-Empty"})
		res, err := v.CheckMessage(context.Background(), m)
		refused(t, res, err, verify.ErrMissing, "X-Empty is empty")
	})
}

func TestMessageOfRequest(t *testing.T) {
	r := post("{}", "X-Some", "value")
	r.RequestURI = "/hook/%2e?b=2&a=1"
	got := seen(t, r)
	want := verify.Message{Method: "POST", Target: "/hook/%2e?b=2&a=1", Header: http.Header{"X-Some": {"value"}}, RemoteAddr: "192.0.2.1:1234"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("message %+v, want %+v", got, want)
	}
	t.Run("made by hand", func(t *testing.T) {
		got := seen(t, &http.Request{URL: &url.URL{Path: "/a b", RawQuery: "c=d"}})
		if got.Method != "GET" || got.Target != "/a%20b?c=d" {
			t.Errorf("message %+v", got)
		}
		if got := seen(t, &http.Request{Method: "POST"}); got.Target != "" || got.Method != "POST" {
			t.Errorf("message %+v", got)
		}
	})
}

func TestMessageBody(t *testing.T) {
	const body = "the very bytes\x00\xff"
	read := func(bodies *[]string) schemeFunc {
		return func(_ context.Context, m *verify.Message) (*verify.Result, error) {
			for range 2 {
				data, err := m.Body()
				if err != nil {
					return nil, err
				}
				*bodies = append(*bodies, string(data))
			}
			return &verify.Result{Scheme: "reading"}, nil
		}
	}
	t.Run("D07 the same bytes every time", func(t *testing.T) {
		var bodies []string
		v := build(t, verify.AllOf(read(&bodies), read(&bodies)))
		accept(t, v, post(body))
		if _, err := v.CheckMessage(context.Background(), verify.NewMessage("POST", "/", nil, []byte(body))); err != nil {
			t.Error(err)
		}
		if want := slices.Repeat([]string{body}, 8); !slices.Equal(bodies, want) {
			t.Errorf("bodies %q", bodies)
		}
	})
	t.Run("D08 none", func(t *testing.T) {
		for name, m := range map[string]*verify.Message{
			"nil": verify.NewMessage("POST", "/", nil, nil), "empty": verify.NewMessage("POST", "/", nil, []byte{}), "by hand": {Method: "POST"},
		} {
			var bodies []string
			if _, err := build(t, read(&bodies)).CheckMessage(context.Background(), m); err != nil || !slices.Equal(bodies, []string{"", ""}) {
				t.Errorf("%s: bodies %q, error %v", name, bodies, err)
			}
		}
	})
	t.Run("W06 over MaxBody", func(t *testing.T) {
		var bodies []string
		for name, scheme := range map[string]verify.Scheme{"reading": read(&bodies), "not reading": accepting("blind")} {
			v := configure(t, verify.Config{Accept: scheme, MaxBody: int64(len(body))})
			message := func(extra string) *verify.Message {
				return verify.NewMessage("POST", "/", nil, []byte(body+extra))
			}
			if _, err := v.CheckMessage(context.Background(), message("")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			res, err := v.CheckMessage(context.Background(), message("x"))
			if e := refused(t, res, err, verify.ErrTooLarge, "body: body too large (over MaxBody)"); e.StatusCode() != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: status %d", name, e.StatusCode())
			}
		}
	})
	t.Run("checked again by another verifier", func(t *testing.T) {
		var bodies []string
		small := configure(t, verify.Config{Accept: read(&bodies), MaxBody: 3})
		large := configure(t, verify.Config{Accept: read(&bodies), MaxBody: 1 << 20})
		m := verify.NewMessage("POST", "/", nil, []byte(body))
		for range 2 {
			if _, err := large.CheckMessage(context.Background(), m); err != nil {
				t.Errorf("within its limit: %v", err)
			}
			res, err := small.CheckMessage(context.Background(), m)
			refused(t, res, err, verify.ErrTooLarge, "over MaxBody")
		}
	})
}

// TestReceivedAt: a message out of a queue is judged by when it arrived.
func TestReceivedAt(t *testing.T) {
	clock := verifytest.NewClock(now)
	v := configure(t, verify.Config{Accept: defaultHMAC(), Now: clock.Now})
	message := func(received time.Time) *verify.Message {
		m := verify.NewMessage("POST", "/", defaultPost().Header, []byte(hmacBody))
		m.ReceivedAt = received
		return m
	}
	for _, tt := range []struct {
		name     string
		clock    time.Time
		received time.Time
		reason   error // nil: accepted
		detail   string
	}{
		{"R01 now", now, time.Time{}, nil, ""},
		{"R02 a day later, not told when it arrived", now.AddDate(0, 0, 1), time.Time{}, verify.ErrStale, "24h0m0s old"},
		{"R01 a day later, received in time", now.AddDate(0, 0, 1), now.Add(5 * time.Minute), nil, ""},
		{"R02 a day later, received too late", now.AddDate(0, 0, 1), now.Add(5*time.Minute + 1), verify.ErrStale, "old"},
		{"R02 a clock that is right, received too late", now, now.Add(time.Hour), verify.ErrStale, "1h0m0s old"},
		{"R02 received before it was signed", now, now.Add(-5*time.Minute - 1), verify.ErrStale, "ahead"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock.Set(tt.clock)
			res, err := v.CheckMessage(context.Background(), message(tt.received))
			if tt.reason != nil {
				refused(t, res, err, tt.reason, tt.detail)
			} else if err != nil || !res.SignedAt.Equal(now) {
				t.Errorf("result %v, error %v", res, err)
			}
		})
	}
}

// One check has one time, however long it takes, and the next one another.
func TestMessageTime(t *testing.T) {
	clock := verifytest.NewClock(now)
	var times []time.Time
	slow := schemeFunc(func(_ context.Context, m *verify.Message) (*verify.Result, error) {
		times = append(times, m.Time())
		clock.Advance(time.Minute)
		return &verify.Result{Scheme: "slow"}, nil
	})
	v := configure(t, verify.Config{Accept: verify.AllOf(slow, slow), Now: clock.Now})
	m := verify.NewMessage("POST", "/", nil, nil)
	for range 2 {
		if _, err := v.CheckMessage(context.Background(), m); err != nil {
			t.Error(err)
		}
	}
	if want := []time.Time{now, now, now.Add(2 * time.Minute), now.Add(2 * time.Minute)}; !slices.Equal(times, want) {
		t.Errorf("times %v, want %v", times, want)
	}
}

func TestCheckMessageNil(t *testing.T) {
	v := build(t, accepting("any"))
	if _, err := v.CheckMessage(context.Background(), verify.NewMessage("", "", nil, nil)); err != nil {
		t.Error(err)
	}
	for name, cfg := range map[string]verify.Config{"nil message": {}, "C09 nil message, ReportOnly": {ReportOnly: true}} {
		t.Run(name, func(t *testing.T) {
			silenced(t)
			var events observed
			cfg.Accept, cfg.Observe = accepting("any"), events.observe
			res, err := configure(t, cfg).CheckMessage(context.Background(), nil)
			refused(t, res, err, verify.ErrMisconfigured, "message is nil")
			if e := events.only(t); e.Reason != "misconfigured" || e.Status != 500 || e.LetThrough {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// An error that a scheme passes on is the one that Message.Body gave.
func TestMessageBodyError(t *testing.T) {
	var given error
	v := configure(t, verify.Config{MaxBody: 1, Accept: schemeFunc(func(_ context.Context, m *verify.Message) (*verify.Result, error) {
		_, given = m.Body()
		_, again := m.Body()
		if given == nil || again != given {
			t.Errorf("errors %v and %v", given, again)
		}
		return nil, given
	})})
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("xx"))
	r.ContentLength = -1
	if e := refuse(t, v, r, verify.ErrTooLarge, "body: body too large"); !errors.Is(given, verify.ErrTooLarge) || error(e) != given {
		t.Errorf("given %v", given)
	}
}
