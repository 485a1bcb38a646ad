// Command proxy lets only genuine webhooks through to a server in any language. What
// is genuine it learns from a credential of Vapi, as GET /credential/{id} of its API
// returns it; the secret, which that does not return, is in the environment.
//
//	WEBHOOK_SECRET=… go run ./examples/proxy -credential file.json -upstream http://127.0.0.1:3000
//
// With -once each delivery reaches the upstream once: a 2xx of the upstream marks it
// as done, and any other answer lets the sender's retry through.
//
// Method, path, query, body and headers are passed on as they came, the credential's
// among them, with these exceptions. Host is that of -upstream. X-Forwarded-For, -Host
// and -Proto tell the client's address, the host that it asked for and its protocol;
// what it sent under these names is dropped. X-Webhook-Verified-Scheme, -Key-Id and
// -Message-Id say who vouches, and come from nobody but the proxy, as long as the
// upstream cannot be reached in another way. Trailers and upgrades of the protocol,
// which no signature covers, are dropped, and so are the headers between two hops.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var s settings
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	credential := flag.String("credential", "", "file of the credential's JSON (required)")
	flag.StringVar(&s.upstream, "upstream", "", "URL of the server to protect, with a path to put before the request's, if any (required)")
	flag.StringVar(&s.publicURL, "public-url", "", "scheme and host that senders call, for payload formats with {url}")
	flag.Int64Var(&s.maxBody, "max-body", 1<<20, "largest body in bytes")
	flag.BoolVar(&s.once, "once", false, "remember deliveries in memory, and let each through once; for signed credentials")
	flag.Parse()
	h, err := start(s, *credential)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: *addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30*time.Second + patience + 5*time.Second}
	if err := serve(ctx, server); err != nil {
		log.Fatal(err)
	}
}

// start adds to the settings what is in the file and in the environment.
func start(s settings, credential string) (http.Handler, error) {
	if credential == "" {
		return nil, errors.New("-credential is required")
	}
	var err error
	if s.credential, err = os.ReadFile(credential); err != nil {
		return nil, err
	}
	s.secret, s.secretSet = os.LookupEnv("WEBHOOK_SECRET")
	return handler(s)
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
