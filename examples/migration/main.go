// Command migration accepts a new HMAC credential beside the old X-Vapi-Secret, and
// says in its log when the old one has fallen silent and can be removed.
//
//	WEBHOOK_KEY=… VAPI_SECRET=… go run ./examples/migration -quiet 168h
//
// What it saw is in this process: after a restart the wait begins anew, and of
// several nodes each must have fallen silent.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

// The names of the two credentials in results, events and the log.
const (
	newName = "hmac"
	oldName = "vapi-secret"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	quiet := flag.Duration("quiet", 7*24*time.Hour, "for how long the old credential must be silent; longer than the rarest of its webhooks takes to come again")
	every := flag.Duration("every", time.Hour, "interval between two lines of the log")
	flag.Parse()
	if *quiet <= 0 || *every <= 0 {
		log.Fatal("-quiet and -every must be more than 0")
	}
	watch := newWatch(*quiet, time.Now)
	h, err := handler(os.Getenv("WEBHOOK_KEY"), os.Getenv("VAPI_SECRET"), watch, webhook)
	if err != nil {
		log.Fatal(err) // an unset secret ends here
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go watch.follow(ctx, *every)
	server := &http.Server{Addr: *addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	if err := serve(ctx, server); err != nil {
		log.Fatal(err)
	}
}

// handler accepts both credentials. The endpoint is as strong as the weaker one,
// which is why the old one has to go.
func handler(key, secret string, watch *watch, h http.HandlerFunc) (http.Handler, error) {
	current := verify.HMAC{Keys: verify.Static(key), Name: newName}
	old := verify.VapiSecret(verify.Static(secret))
	old.Name = oldName
	v, err := verify.New(verify.Config{Accept: verify.AnyOf(current, old), Observe: watch.observe, Now: watch.now})
	if err != nil {
		return nil, fmt.Errorf("WEBHOOK_KEY or VAPI_SECRET: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhook", verifyhttp.Middleware(v)(h))
	return mux, nil
}

// webhook runs for genuine requests only, whichever credential they carry.
func webhook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // under X-Vapi-Secret it was not read before
		http.Error(w, "body unreadable", http.StatusBadRequest)
		return
	}
	who, _ := verify.FromContext(r.Context())
	slog.Info("webhook", "verified", who, "bytes", len(body))
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

// serve serves until ctx ends, and then finishes what it has begun.
func serve(ctx context.Context, server *http.Server) error {
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(grace)
}
