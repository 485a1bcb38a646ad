// Command nethttp receives webhooks on net/http, for Vapi's default HMAC plan.
//
//	WEBHOOK_KEY=… go run ./examples/nethttp
package main

import (
	"flag"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/webhookauth/webhookauth/adapters/verifyhttp"
	"github.com/webhookauth/webhookauth/verify"
	"github.com/webhookauth/webhookauth/verify/vapi"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	h, err := handler(os.Getenv("WEBHOOK_KEY"))
	if err != nil {
		log.Fatal(err) // an unset key ends here
	}
	server := &http.Server{Addr: *addr, Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func handler(key string) (http.Handler, error) {
	v, err := verify.New(verify.Config{Accept: verify.HMAC{Keys: verify.Static(key)}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhook", verifyhttp.Middleware(v)(http.HandlerFunc(webhook)))
	return mux, nil
}

// webhook runs for genuine requests only.
func webhook(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // it was read for the signature, and cannot fail again
	message, err := vapi.ParseEnvelope(body)
	if err != nil {
		slog.Warn("webhook", "error", err)
	}
	res, _ := verify.FromContext(r.Context())
	slog.Info("webhook", "verified", res, "type", message.Type)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}
