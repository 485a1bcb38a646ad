package verifygin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/verifytest"
)

const key = "gin-test-key"

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode) // its debug mode prints every route
	os.Exit(m.Run())
}

// now is the moment at which all tests take place.
var now = time.Unix(1767225600, 0)

func clock() time.Time { return now }

// outcome is what the verifier's observers were told.
type outcome struct {
	reasons  []string
	settled  []bool // completed
	verifier *verify.Verifier
}

// watch makes a verifier; a policy below 0 goes without a replay guard.
func watch(t testing.TB, policy int, scheme verify.Scheme) *outcome {
	t.Helper()
	o := &outcome{}
	cfg := verify.Config{Accept: scheme, Now: clock}
	cfg.Observe = func(_ context.Context, e verify.Event) { o.reasons = append(o.reasons, e.Reason) }
	if policy >= 0 {
		cfg.Replay = verify.Replay{
			Store:     replay.NewMemory(replay.MemoryConfig{Now: clock}),
			Duplicate: verify.DuplicatePolicy(policy),
			OnSettle:  func(_ context.Context, s verify.Settlement) { o.settled = append(o.settled, s.Completed) },
		}
	}
	var err error
	if o.verifier, err = verify.New(cfg); err != nil {
		t.Fatal(err)
	}
	return o
}

// unguarded and rejecting verify HMAC.
func unguarded(t testing.TB) *outcome { return watch(t, -1, verify.HMAC{Keys: verify.Static(key)}) }
func rejecting(t testing.TB) *outcome {
	return watch(t, int(verify.Reject), verify.HMAC{Keys: verify.Static(key)})
}

// limited is unguarded with a limit for the body, in bytes.
func limited(t testing.TB, maxBody int64) *outcome {
	t.Helper()
	o := &outcome{}
	v, err := verify.New(verify.Config{
		Accept: verify.HMAC{Keys: verify.Static(key)}, Now: clock, MaxBody: maxBody,
		Observe: func(_ context.Context, e verify.Event) { o.reasons = append(o.reasons, e.Reason) },
	})
	if err != nil {
		t.Fatal(err)
	}
	o.verifier = v
	return o
}

// unsigned is a request that nobody vouches for.
func unsigned(target, body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
}

// signed is a genuine request; equal bodies make equal requests.
func signed(t testing.TB, target, body string) *http.Request {
	t.Helper()
	r := unsigned(target, body)
	if err := (verifytest.HMAC{SecretKey: key, Now: clock}).Sign(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve gives what the server answers.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(closeNotifier{w}, r)
	return w
}

// closeNotifier is a recorder that can be given to c.Stream.
type closeNotifier struct{ *httptest.ResponseRecorder }

func (closeNotifier) CloseNotify() <-chan bool { return nil }

// never is a handler that must not run.
func never(t *testing.T) gin.HandlerFunc {
	return func(*gin.Context) { t.Error("the handler ran") }
}

func ok(c *gin.Context) { c.String(http.StatusOK, "done") }
