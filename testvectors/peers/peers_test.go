// Package peers_test sets the kit beside the webhook verifiers of others: each
// must accept what it should and refuse what it should not before it is timed.
// It is a module of its own, so that none of them reaches the kit's go.mod.
package peers_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	convoy "github.com/frain-dev/convoy/pkg/verifier"
	playground "github.com/go-playground/webhooks/v6/github"
	"github.com/google/go-github/v90/github"
	githubauth "github.com/jferrl/go-githubauth/webhook"
	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripe "github.com/stripe/stripe-go/v86/webhook"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

const key = "benchmark-secret-of-32-bytes-len"

// delivery is one request as one sender signs it.
type delivery struct {
	body   []byte
	header http.Header
}

// peer is a library, the scheme by which the kit verifies the same sender, and
// the sender.
type peer struct {
	name   string
	scheme verify.HMAC
	send   func(body []byte) delivery
	// verify takes a body in hand.
	verify func(t testing.TB) func(delivery) error
	// serve takes a request whose body is still to be read.
	serve func(t testing.TB) func(*http.Request) error
}

func mac(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func nowText() string { return strconv.FormatInt(time.Now().Unix(), 10) }

func sendGitHub(body []byte) delivery {
	return delivery{body, http.Header{
		"Content-Type":        {"application/json"},
		"X-Github-Event":      {"ping"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac(body))},
	}}
}

var gitHubScheme = verify.HMAC{Keys: verify.Static(key), SignatureHeader: "X-Hub-Signature-256", SignaturePrefix: "sha256=",
	Payload: "{body}", InsecureNoTimestamp: true}

func sendStandard(prefix string) func([]byte) delivery {
	return func(body []byte) delivery {
		ts := nowText()
		sum := mac([]byte("msg_1."+ts+"."), body)
		return delivery{body, http.Header{
			prefix + "Id": {"msg_1"}, prefix + "Timestamp": {ts},
			prefix + "Signature": {"v1," + base64.StdEncoding.EncodeToString(sum)},
		}}
	}
}

func standardScheme(prefix string) verify.HMAC {
	return verify.HMAC{Keys: verify.Static(key), Encoding: verify.Base64, MultiSignature: true,
		SignatureHeader: prefix + "Signature", TimestampHeader: prefix + "Timestamp", MessageIDHeader: prefix + "Id",
		Payload: "{svix-id}.{timestamp}.{body}"}
}

var peers = []peer{
	{
		name: "standard-webhooks", scheme: standardScheme("Webhook-"), send: sendStandard("Webhook-"),
		verify: func(t testing.TB) func(delivery) error {
			w, err := standardwebhooks.NewWebhookRaw([]byte(key))
			check(t, err)
			return func(d delivery) error { return w.Verify(d.body, d.header) }
		},
	},
	{
		name: "svix", scheme: standardScheme("Svix-"), send: sendStandard("Svix-"),
		verify: func(t testing.TB) func(delivery) error {
			w, err := svix.NewWebhookRaw([]byte(key))
			check(t, err)
			return func(d delivery) error { return w.Verify(d.body, d.header) }
		},
	},
	{
		// Stripe's header is a structure, not one value: the kit is given the
		// same signed bytes in headers of their own.
		name: "stripe-go", scheme: verify.HMAC{Keys: verify.Static(key)},
		send: func(body []byte) delivery {
			ts := nowText()
			sum := hex.EncodeToString(mac([]byte(ts+"."), body))
			return delivery{body, http.Header{
				"Stripe-Signature": {"t=" + ts + ",v1=" + sum},
				"X-Timestamp":      {ts}, "X-Signature": {sum},
			}}
		},
		verify: func(testing.TB) func(delivery) error {
			return func(d delivery) error { return stripe.ValidatePayload(d.body, d.header.Get("Stripe-Signature"), key) }
		},
	},
	{
		name: "slack-go",
		scheme: verify.HMAC{Keys: verify.Static(key), SignatureHeader: "X-Slack-Signature", SignaturePrefix: "v0=",
			TimestampHeader: "X-Slack-Request-Timestamp", Payload: "v0:{timestamp}:{body}"},
		send: func(body []byte) delivery {
			ts := nowText()
			return delivery{body, http.Header{
				"X-Slack-Request-Timestamp": {ts},
				"X-Slack-Signature":         {"v0=" + hex.EncodeToString(mac([]byte("v0:"+ts+":"), body))},
			}}
		},
		verify: func(testing.TB) func(delivery) error {
			return func(d delivery) error {
				v, err := slack.NewSecretsVerifier(d.header, key)
				if err != nil {
					return err
				}
				if _, err := v.Write(d.body); err != nil {
					return err
				}
				return v.Ensure()
			}
		},
	},
	{
		name: "go-github", scheme: gitHubScheme, send: sendGitHub,
		verify: func(testing.TB) func(delivery) error {
			return func(d delivery) error {
				return github.ValidateSignature(d.header.Get("X-Hub-Signature-256"), d.body, []byte(key))
			}
		},
		serve: func(testing.TB) func(*http.Request) error {
			return func(r *http.Request) error {
				_, err := github.ValidatePayload(r, []byte(key))
				return err
			}
		},
	},
	{
		name: "go-githubauth", scheme: gitHubScheme, send: sendGitHub,
		verify: func(testing.TB) func(delivery) error {
			return func(d delivery) error {
				return githubauth.Verify([]byte(key), d.body, d.header.Get("X-Hub-Signature-256"))
			}
		},
		serve: func(testing.TB) func(*http.Request) error {
			return answered(githubauth.Middleware([]byte(key)))
		},
	},
	{
		name: "convoy", scheme: verify.HMAC{Keys: verify.Static(key), Payload: "{body}", InsecureNoTimestamp: true},
		send: func(body []byte) delivery {
			return delivery{body, http.Header{"X-Signature": {hex.EncodeToString(mac(body))}}}
		},
		verify: func(testing.TB) func(delivery) error {
			v := convoy.NewHmacVerifier(&convoy.HmacOptions{Header: "X-Signature", Hash: "SHA256", Secret: key, Encoding: "hex"})
			return func(d delivery) error { return v.VerifyRequest(&http.Request{Header: d.header}, d.body) }
		},
	},
	{
		name: "go-playground", scheme: gitHubScheme, send: sendGitHub,
		serve: func(t testing.TB) func(*http.Request) error { // it decodes the JSON besides
			hook, err := playground.New(playground.Options.Secret(key))
			check(t, err)
			return func(r *http.Request) error {
				_, err := hook.Parse(r, playground.PingEvent)
				return err
			}
		},
	},
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kit is the verifier for the peer's sender, with a body in hand and reading one.
func (p peer) kit(t testing.TB) (func(*verify.Message) error, func(*http.Request) error) {
	v, err := verify.New(verify.Config{Accept: p.scheme})
	check(t, err)
	inHand := func(m *verify.Message) error {
		_, err := v.CheckMessage(context.Background(), m)
		return err
	}
	return inHand, answered(verifyhttp.Middleware(v))
}

func (d delivery) message() *verify.Message {
	return verify.NewMessage(http.MethodPost, "/webhook", d.header, d.body)
}

var errRefused = errors.New("refused")

// answered runs a middleware over a handler that answers 204.
func answered(middleware func(http.Handler) http.Handler) func(*http.Request) error {
	h := middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	return func(r *http.Request) error {
		w := &status{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.code != http.StatusNoContent {
			return errRefused
		}
		return nil
	}
}

type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }
func (s *status) WriteHeader(code int)        { s.code = code }

// requests gives the same request again and again, its body unread.
func (d delivery) requests() func() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook", nil)
	r.Header = d.header
	r.ContentLength = int64(len(d.body))
	reader := bytes.NewReader(nil)
	wire := io.NopCloser(struct{ io.Reader }{reader})
	return func() *http.Request {
		reader.Reset(d.body)
		r.Body = wire
		return r
	}
}

// payload is a JSON body of a size.
func payload(size int) []byte {
	const frame = `{"zen":""}`
	return []byte(`{"zen":"` + string(bytes.Repeat([]byte("x"), size-len(frame))) + `"}`)
}

func tampered(d delivery) delivery {
	body := bytes.Clone(d.body)
	body[len(body)/2] ^= 1
	return delivery{body, d.header}
}

// TestAllAccept: each library, and the kit in its place, accepts its sender's
// delivery and refuses it with one bit changed.
func TestAllAccept(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			good := p.send(payload(1 << 10))
			bad := tampered(good)
			inHand, reading := p.kit(t)
			for name, verdicts := range map[string][2]error{
				"kit in hand": {inHand(good.message()), inHand(bad.message())},
				"kit reading": {reading(good.requests()()), reading(bad.requests()())},
			} {
				if verdicts[0] != nil || verdicts[1] == nil {
					t.Errorf("%s: genuine %v, tampered %v", name, verdicts[0], verdicts[1])
				}
			}
			if p.verify != nil {
				f := p.verify(t)
				if err, forged := f(good), f(bad); err != nil || forged == nil {
					t.Errorf("in hand: genuine %v, tampered %v", err, forged)
				}
			}
			if p.serve != nil {
				f := p.serve(t)
				if err, forged := f(good.requests()()), f(bad.requests()()); err != nil || forged == nil {
					t.Errorf("reading: genuine %v, tampered %v", err, forged)
				}
			}
		})
	}
}

// BenchmarkInHand and BenchmarkReading time the kit and a peer in turns within one
// loop. x-peer is the median of the kit's time over the peer's: below 1, the kit
// is faster.
func BenchmarkInHand(b *testing.B) {
	each(b, func(b *testing.B, p peer, d delivery) (func() error, func() error) {
		if p.verify == nil {
			b.Skip("this library always reads the body itself")
		}
		inHand, _ := p.kit(b)
		m, theirs := d.message(), p.verify(b)
		return func() error { return inHand(m) }, func() error { return theirs(d) }
	})
}

func BenchmarkReading(b *testing.B) {
	each(b, func(b *testing.B, p peer, d delivery) (func() error, func() error) {
		if p.serve == nil {
			b.Skip("this library never reads the body itself")
		}
		_, reading := p.kit(b)
		next, theirs := d.requests(), p.serve(b)
		return func() error { return reading(next()) }, func() error { return theirs(next()) }
	})
}

func each(b *testing.B, prepare func(*testing.B, peer, delivery) (kit, theirs func() error)) {
	for _, p := range peers {
		for _, size := range []int{1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%dKiB", p.name, size>>10), func(b *testing.B) {
				kit, theirs := prepare(b, p, p.send(payload(size)))
				batch := 64 << 10 / size
				timed := func(f func() error) time.Duration {
					start := time.Now()
					for range batch {
						if err := f(); err != nil {
							b.Fatal(err)
						}
					}
					return time.Since(start)
				}
				var ratios, times []float64
				for b.Loop() {
					k, t := timed(kit), timed(theirs)
					ratios = append(ratios, float64(k)/float64(t))
					times = append(times, float64(k)/float64(batch))
				}
				slices.Sort(ratios)
				slices.Sort(times)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(times[len(times)/2], "kit-ns")
				b.ReportMetric(ratios[len(ratios)/2], "x-peer")
				b.ReportMetric(testing.AllocsPerRun(10, func() { check(b, kit()) }), "kit-allocs")
				b.ReportMetric(testing.AllocsPerRun(10, func() { check(b, theirs()) }), "peer-allocs")
			})
		}
	}
}
