package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Without -once a replay gets through while its timestamp is fresh, with it only
// the first does.
func TestReplay(t *testing.T) {
	for _, once := range []bool{false, true} {
		u := newUpstream(t)
		base, _ := newServer(t, settings{upstream: u.URL, once: once})
		r := signed(t, base, body)
		again := copied(t, r)
		answer, _ := send(t, r)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		answer, _ = send(t, again)
		if once {
			require.Equal(t, http.StatusConflict, answer.StatusCode)
			require.Equal(t, 1, u.runs())
		} else {
			require.Equal(t, http.StatusOK, answer.StatusCode)
			require.Equal(t, 2, u.runs())
		}
	}
}

// An upstream that fails has the delivery again when the sender retries.
func TestRetry(t *testing.T) {
	u := newUpstream(t, http.StatusInternalServerError, http.StatusFound, http.StatusNotFound, http.StatusNoContent)
	base, _ := newServer(t, settings{upstream: u.URL, once: true})
	r := signed(t, base, body)
	for _, want := range []int{500, 302, 404, 204, 409} {
		answer, err := http.DefaultTransport.RoundTrip(copied(t, r)) // follows no redirect
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, want, answer.StatusCode)
	}
	require.Equal(t, []string{body, body, body, body}, u.bodies)
}

// So has one that was down.
func TestRetryAfterOutage(t *testing.T) {
	u := newUpstream(t)
	address := u.Listener.Addr().String()
	u.Close()
	base, _ := newServer(t, settings{upstream: "http://" + address, once: true})
	r := signed(t, base, body)
	answer, _ := send(t, copied(t, r))
	require.Equal(t, http.StatusBadGateway, answer.StatusCode)

	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	up := httptest.NewUnstartedServer(u)
	up.Listener = l
	up.Start()
	defer up.Close()
	for _, want := range []int{200, 409} {
		answer, _ = send(t, copied(t, r))
		require.Equal(t, want, answer.StatusCode)
	}
	require.Equal(t, 1, u.runs())
}

// An answer that breaks off counts for none.
func TestBrokenAnswer(t *testing.T) {
	var runs atomic.Int32
	u := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if runs.Add(1) == 1 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "the first of 100 bytes")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	defer u.Close()
	base, _ := newServer(t, settings{upstream: u.URL, once: true})
	r := signed(t, base, body)
	_, err := http.DefaultClient.Do(copied(t, r))
	require.ErrorIs(t, err, io.EOF)
	answer, _ := send(t, copied(t, r))
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.EqualValues(t, 2, runs.Load())
}

// A copy that comes while the upstream works is told to come again, and a sender
// that hangs up does not stop the work: its answer counts.
func TestHangUp(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	var runs atomic.Int32
	u := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if runs.Add(1) == 1 {
			arrived <- struct{}{}
			<-finish
		}
	}))
	defer u.Close()
	base, hungUp, _ := newWatchedServer(t, settings{upstream: u.URL, once: true})
	r := signed(t, base, body)
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(copied(t, r).WithContext(ctx))
		ended <- err
	}()
	<-arrived
	hangUp()
	require.ErrorIs(t, <-ended, context.Canceled)
	<-hungUp
	for range 5 { // time for the proxy to give up, if it did
		answer, _ := send(t, copied(t, r))
		require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
		require.NotEmpty(t, answer.Header.Get("Retry-After"))
	}
	close(finish)
	require.Eventually(t, func() bool { // the claim is settled a moment after
		answer, _ := send(t, copied(t, r))
		return answer.StatusCode == http.StatusConflict
	}, 5*time.Second, 5*time.Millisecond)
	require.EqualValues(t, 1, runs.Load())
}

// An upstream that never answers costs a minute, not a connection for good.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		h := patient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			fail(w, r, r.Context().Err())
		}))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", nil))
		require.Equal(t, http.StatusGatewayTimeout, answer.Code)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}
