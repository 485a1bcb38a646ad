package verify_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// everythingSaid sends a request through the net/http adapter and gives every
// byte that leaves the kit: the answer, the error in every format, the log line.
func everythingSaid(t *testing.T, scheme verify.Scheme, r *http.Request) (said string, status int) {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var refusal error
	v := configure(t, verify.Config{Accept: scheme, Observe: func(_ context.Context, e verify.Event) {
		logger.Info("webhook", "event", e)
		fmt.Fprintf(&log, "%+v %#v", e, e)
		refusal = e.Err
	}})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	w := httptest.NewRecorder()
	verifyhttp.Middleware(v)(handler).ServeHTTP(w, r)
	var answer bytes.Buffer
	if err := w.Result().Write(&answer); err != nil {
		t.Fatal(err)
	}
	said = answer.String() + log.String()
	if refusal != nil {
		said += fmt.Sprintf("%v %+v %#v", refusal, refusal, verify.Refusal(refusal).Attempts)
	}
	return said, w.Code
}

// TestHMACSaysNothing: what a refused sender, a log reader or an operator gets to
// see does not help to forge a request.
func TestHMACSaysNothing(t *testing.T) {
	word := regexp.MustCompile(`[A-Za-z0-9+/=]+`)
	for _, p := range hmacPlans() {
		mac := p.mac(hmacStamp + "." + hmacBody)
		unwanted := map[string]string{
			"secret":         hmacKey,
			"MAC as bytes":   string(mac),
			"MAC in decimal": strings.Trim(fmt.Sprint(mac[:4]), "[]"),
			"MAC in hex":     hex.EncodeToString(mac)[:8],
			"MAC in base64":  base64.StdEncoding.EncodeToString(mac)[:8],
		}
		for name, r := range map[string]*http.Request{
			"wrong signature": signedPost(hmacBody, hmacStamp, p.encode(p.mac("something else"))),
			"no signature":    post(hmacBody, "X-Timestamp", hmacStamp),
			"short signature": signedPost(hmacBody, hmacStamp, p.encode(mac[:2])),
			"stale":           signedPost(hmacBody, "1", p.encode(mac)),
		} {
			t.Run("H28 V08 "+name+", "+p.name, func(t *testing.T) {
				said, status := everythingSaid(t, p.scheme, r)
				if status != http.StatusUnauthorized || !strings.Contains(said, "verify: refused: hmac: ") {
					t.Fatalf("status %d, said %s", status, said)
				}
				for what, text := range unwanted {
					if strings.Contains(strings.ToLower(said), strings.ToLower(text)) {
						t.Errorf("the %s is in %s", what, said)
					}
				}
			})
		}
		t.Run("V08 a second request out of the first refusal, "+p.name, func(t *testing.T) {
			said, _ := everythingSaid(t, p.scheme, signedPost(hmacBody, hmacStamp, p.encode(p.mac("something else"))))
			words := word.FindAllString(said, -1)
			if len(words) < 10 {
				t.Fatalf("only %d words in %s", len(words), said)
			}
			v := build(t, p.scheme)
			for _, w := range words {
				if res, err := v.Check(signedPost(hmacBody, hmacStamp, w)); err == nil {
					t.Errorf("%q out of the refusal was accepted: %+v", w, res)
				}
			}
			accept(t, v, signedPost(hmacBody, hmacStamp, p.encode(mac)))
		})
	}
	t.Run("H28 accepted", func(t *testing.T) {
		said, status := everythingSaid(t, defaultHMAC(), defaultPost())
		if status != http.StatusNoContent || !strings.Contains(said, `"reason":"ok"`) {
			t.Fatalf("status %d, said %s", status, said)
		}
		for _, text := range []string{hmacKey, hexMAC(hmacStamp + "." + hmacBody)[:8]} {
			if strings.Contains(said, text) {
				t.Errorf("%s is in %s", text, said)
			}
		}
	})
}
