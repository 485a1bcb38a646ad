// Command rotation takes its HMAC keys from a file and reads it again on SIGHUP,
// while it serves.
//
//	printf '2026-10 %s\n' "$OLD" > keys
//	go run ./examples/rotation -keys keys
//
// To rotate, put the new key above the old one, send SIGHUP, switch the sender over,
// and when the log no longer shows the old id take its line out and send SIGHUP again:
//
//	printf '2026-11 %s\n2026-10 %s\n' "$NEW" "$OLD" > keys
//	kill -HUP $(pidof rotation)
package main

import (
	"context"
	"flag"
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

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	path := flag.String("keys", "keys", `file of keys, newest first, a line each: "id key"`)
	flag.Parse()
	var keys verify.Rotating
	if err := load(&keys, *path); err != nil {
		log.Fatal(err) // no file, or no key in it
	}
	h, err := handler(&keys, webhook)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangups := make(chan os.Signal, 1) // one that comes during a load is kept
	signal.Notify(hangups, syscall.SIGHUP)
	go follow(ctx, hangups, &keys, *path)
	server := &http.Server{Addr: *addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	if err := serve(ctx, server); err != nil {
		log.Fatal(err)
	}
}

// handler verifies with whatever keys holds when a request comes.
func handler(keys *verify.Rotating, h http.HandlerFunc) (http.Handler, error) {
	v, err := verify.New(verify.Config{Accept: verify.HMAC{Keys: keys}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhook", verifyhttp.Middleware(v)(h))
	return mux, nil
}

// webhook runs for genuine requests only. Its log says which key still matches.
func webhook(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // it was read for the signature, and cannot fail again
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
