// Command chi receives webhooks on chi: at /webhook under Vapi's default HMAC
// plan, at /legacy under the older X-Vapi-Secret.
//
//	WEBHOOK_KEY=… VAPI_SECRET=… go run ./examples/chi
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

	"github.com/go-chi/chi/v5"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	h, err := router(os.Getenv("WEBHOOK_KEY"), os.Getenv("VAPI_SECRET"), webhook)
	if err != nil {
		log.Fatal(err) // an unset secret ends here
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: *addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	if err := serve(ctx, server); err != nil {
		log.Fatal(err)
	}
}

// router attaches a verifier to each route that receives webhooks.
func router(key, secret string, h http.HandlerFunc) (http.Handler, error) {
	signed, err := verify.New(verify.Config{Accept: verify.HMAC{Keys: verify.Static(key)}})
	if err != nil {
		return nil, fmt.Errorf("WEBHOOK_KEY: %w", err)
	}
	legacy, err := verify.New(verify.Config{Accept: verify.VapiSecret(verify.Static(secret))})
	if err != nil {
		return nil, fmt.Errorf("VAPI_SECRET: %w", err)
	}
	r := chi.NewRouter()
	r.With(verifyhttp.Middleware(signed)).Post("/webhook", h)
	r.With(verifyhttp.Middleware(legacy)).Post("/legacy", h)
	return r, nil
}

// webhook runs for genuine requests only.
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
