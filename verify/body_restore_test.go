package verify_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/webhookauth/webhookauth/verify"
)

// readRest reads what is left of a request's body.
func readRest(r *http.Request) (string, error) {
	data, err := io.ReadAll(r.Body)
	return string(data), err
}

func TestBodyRestored(t *testing.T) {
	v := build(t, defaultHMAC())
	t.Run("D10 V14 read, sought and read again", func(t *testing.T) {
		r := defaultPost()
		accept(t, v, r)
		if got, err := readRest(r); got != hmacBody || err != nil {
			t.Fatalf("the handler reads %q, %v", got, err)
		}
		for range 3 {
			if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Fatalf("after the end: %d, %v", n, err)
			}
		}
		seeker, ok := r.Body.(io.Seeker)
		if !ok {
			t.Fatalf("%T is no io.Seeker", r.Body)
		}
		if _, err := seeker.Seek(3, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := readRest(r); got != hmacBody[3:] || err != nil {
			t.Errorf("the handler reads %q, %v again", got, err)
		}
		if err := r.Body.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, declared := range []int64{-1, int64(len(hmacBody))} {
		t.Run("D10 V14 ContentLength kept", func(t *testing.T) {
			r, _ := streamed(hmacBody, strings.NewReader(hmacBody), declared)
			accept(t, v, r)
			if got, err := readRest(r); got != hmacBody || err != nil || r.ContentLength != declared {
				t.Errorf("%q, %v, ContentLength %d", got, err, r.ContentLength)
			}
		})
	}
	t.Run("C07 three verifiers in a row", func(t *testing.T) {
		r, m := streamed(hmacBody, strings.NewReader(hmacBody), int64(len(hmacBody)))
		signature := r.Header.Get("X-Signature")
		for range 3 {
			accept(t, v, r)
		}
		if got, err := readRest(r); got != hmacBody || err != nil || m.bytes != len(hmacBody) {
			t.Errorf("%q, %v, %d bytes read of the original", got, err, m.bytes)
		}
		r, _ = streamed(hmacBody, strings.NewReader(hmacBody), -1)
		accept(t, v, r)
		r.Header.Set("X-Signature", hexMAC("something else"))
		refuse(t, v, r, verify.ErrMismatch, "no signature")
		r.Header.Set("X-Signature", signature)
		accept(t, v, r)
	})
	t.Run("C07 the handler read it in between", func(t *testing.T) {
		r := defaultPost()
		accept(t, v, r)
		if _, err := readRest(r); err != nil {
			t.Fatal(err)
		}
		refuse(t, v, r, verify.ErrBodyConsumed, "did not put it back")
	})
	t.Run("D08 no body", func(t *testing.T) {
		for _, body := range []io.ReadCloser{nil, http.NoBody} {
			r := signedPost("", hmacStamp, hexMAC(hmacStamp+"."))
			r.Body, r.ContentLength = body, 0
			accept(t, v, r)
			if r.Body != body {
				t.Errorf("%v has become %v", body, r.Body)
			}
			refuse(t, v, signedPost("", hmacStamp, hexMAC(hmacStamp+".{}")), verify.ErrMismatch, "body of 0 bytes")
		}
	})
}

// TestBodyUnderBearer: a scheme that does not read the body still bounds it.
func TestBodyUnderBearer(t *testing.T) {
	const limit = 64
	v := configure(t, verify.Config{Accept: verify.Bearer{Tokens: verify.Static("token")}, MaxBody: limit})
	request := func(body string, declared int64) (*http.Request, *meter) {
		m := &meter{Reader: strings.NewReader(body)}
		r := post("", "Authorization", "Bearer token")
		r.Body, r.ContentLength = m, declared
		return r, m
	}
	exact := strings.Repeat("x", limit)
	for name, declared := range map[string]int64{"declared": limit, "chunked": -1} {
		t.Run("W06 V12 exactly the limit, "+name, func(t *testing.T) {
			r, m := request(exact, declared)
			accept(t, v, r)
			if m.calls != 0 {
				t.Errorf("%d reads by the verifier", m.calls)
			}
			if got, err := readRest(r); got != exact || err != nil || r.ContentLength != declared {
				t.Errorf("the handler reads %q, %v", got, err)
			}
		})
	}
	t.Run("W06 V12 one over, declared", func(t *testing.T) {
		r, m := request(exact+"x", limit+1)
		refuse(t, v, r, verify.ErrTooLarge, "over MaxBody")
		if m.calls != 0 {
			t.Errorf("%d reads", m.calls)
		}
	})
	for name, body := range map[string]string{"one over": exact + "x", "a hundred times": strings.Repeat(exact, 100)} {
		t.Run("W06 V13 "+name+", chunked", func(t *testing.T) {
			r, m := request(body, -1)
			accept(t, v, r)
			got, err := readRest(r)
			var tooLarge *http.MaxBytesError
			if got != exact || !errors.As(err, &tooLarge) || tooLarge.Limit != limit {
				t.Fatalf("the handler reads %d bytes, %v", len(got), err)
			}
			if n, err := r.Body.Read(make([]byte, 1)); n != 0 || !errors.As(err, &tooLarge) {
				t.Errorf("and then %d, %v", n, err)
			}
			if m.bytes > limit+1 { // one byte more, to know that there is more
				t.Errorf("%d bytes read of the original", m.bytes)
			}
		})
	}
	t.Run("W06 wrong token and too large a body", func(t *testing.T) {
		r, m := request(exact+"x", limit+1)
		r.Header.Set("Authorization", "Bearer other")
		refuse(t, v, r, verify.ErrMismatch, "another token")
		if m.calls != 0 {
			t.Errorf("%d reads", m.calls)
		}
	})
}

// TestBodyAfterRefusal: a handler that is run all the same never takes a part
// for the whole, unless ReportOnly lets everything through.
func TestBodyAfterRefusal(t *testing.T) {
	const limit = 64
	broken := errors.New("the wire broke")
	long := strings.Repeat("x", limit+100)
	var tooLarge *http.MaxBytesError
	for _, tt := range []struct {
		name       string
		body       func() io.Reader
		declared   int64
		reason     error
		unsigned   bool
		got        string // by the handler
		reported   string // by the handler under ReportOnly
		wrong      func(error) bool
		reportedOK bool
	}{
		{"V13 over the limit, declared", func() io.Reader { return strings.NewReader(long) }, limit + 100,
			verify.ErrTooLarge, false, "", long, func(err error) bool { return errors.As(err, &tooLarge) }, true},
		{"V13 over the limit, chunked", func() io.Reader { return strings.NewReader(long) }, -1,
			verify.ErrTooLarge, false, long[:limit], long, func(err error) bool { return errors.As(err, &tooLarge) }, true},
		{"W08 unread and unsigned, the server's own", func() io.Reader { return strings.NewReader(long) }, -1,
			verify.ErrMissing, true, long, long, func(err error) bool { return err == nil }, true},
		{"V14 broken", func() io.Reader { return io.MultiReader(strings.NewReader("xxx"), iotest.ErrReader(broken)) }, limit,
			verify.ErrBodyUnreadable, false, "xxx", "xxx", func(err error) bool { return errors.Is(err, broken) }, false},
		{"V14 mismatch", func() io.Reader { return strings.NewReader("xxx") }, 3,
			verify.ErrMismatch, false, "xxx", "xxx", func(err error) bool { return err == nil }, true},
		{"V14 partly consumed before", func() io.Reader { return strings.NewReader("xxx") }, 7,
			verify.ErrBodyConsumed, false, "xxx", "xxx", func(err error) bool { return err == nil }, true},
	} {
		request := func() (*http.Request, *meter) {
			r, m := streamed("something else", tt.body(), tt.declared)
			if tt.unsigned {
				r.Header.Del("X-Signature")
			}
			return r, m
		}
		t.Run(tt.name, func(t *testing.T) {
			r, _ := request()
			refuse(t, limited(t, limit), r, tt.reason, "")
			if got, err := readRest(r); got != tt.got || !tt.wrong(err) {
				t.Errorf("the body reads %d bytes, %v", len(got), err)
			}
			if err := r.Body.Close(); err != nil {
				t.Error(err)
			}
		})
		t.Run(tt.name+", ReportOnly", func(t *testing.T) {
			r, _ := request()
			v := configure(t, verify.Config{Accept: defaultHMAC(), MaxBody: limit, ReportOnly: true})
			res := accept(t, v, r)
			if !errors.Is(res.Refused, tt.reason) || res.Scheme != "" {
				t.Errorf("result %+v", res)
			}
			if got, err := readRest(r); got != tt.reported || (err == nil) != tt.reportedOK || !tt.reportedOK && !tt.wrong(err) {
				t.Errorf("the handler reads %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestBodyOfMessage: a body in hand is bounded like one that is read.
func TestBodyOfMessage(t *testing.T) {
	message := func(body string) *verify.Message {
		return verify.NewMessage(http.MethodPost, "/webhook", defaultPost().Header, []byte(body))
	}
	n := int64(len(hmacBody))
	res, err := limited(t, n).CheckMessage(context.Background(), message(hmacBody))
	if err != nil || res.KeyID != "0" {
		t.Fatalf("W06 exactly the limit: %v, %v", res, err)
	}
	res, err = limited(t, n-1).CheckMessage(context.Background(), message(hmacBody))
	refused(t, res, err, verify.ErrTooLarge, "over MaxBody")
	res, err = limited(t, n).CheckMessage(context.Background(), message(""))
	refused(t, res, err, verify.ErrMismatch, "body of 0 bytes")
	m := message(hmacBody)
	for range 2 { // a message can be checked again
		if _, err := limited(t, n).CheckMessage(context.Background(), m); err != nil {
			t.Errorf("C07: %v", err)
		}
	}
}
