// Command quickstart serves protected routes, plays Vapi against itself with real
// message bodies, genuine, forged and replayed, and prints what came of each
// request. Then it keeps serving, for the curl lines that it prints.
//
//	go run ./examples/quickstart          # table, curl lines, server
//	go run ./examples/quickstart -once    # table; exit status 0 if all is as expected
//
// Replays are remembered in memory, or by a server that several nodes share:
//
//	go run ./examples/quickstart -redis redis://127.0.0.1:6379/0
//	go run ./examples/quickstart -postgres postgres://user@127.0.0.1/db
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on; port 0 picks a free one")
	once := flag.Bool("once", false, "end after the table, with exit status 0 only if every verdict is the expected one")
	redisURL := flag.String("redis", "", "URL of a Redis or Valkey that remembers deliveries, in place of memory")
	postgres := flag.String("postgres", "", "DSN of a PostgreSQL that remembers deliveries, in place of memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := withStore(ctx, *redisURL, *postgres, func(store replay.Store) error {
		return run(ctx, os.Stdout, isTerminal(os.Stdout), store, *addr, *once)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves, plays and prints; without once it goes on until ctx ends.
func run(ctx context.Context, out io.Writer, colour bool, store replay.Store, addr string, once bool) error {
	creds := newCredentials()
	journal := newJournal()
	handler, err := routes(creds, store, journal)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w (choose another address with -addr)", err)
	}
	server := &http.Server{Handler: journal.label(handler), ReadTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	base := "http://" + listener.Addr().String()
	outcomes, err := play(ctx, base, script(creds), journal)
	if err != nil {
		return err
	}
	unexpected := printTable(out, outcomes, colour)
	if unexpected > 0 {
		return fmt.Errorf("%d of %d verdicts were not the expected ones", unexpected, len(outcomes))
	}
	if once {
		return nil
	}
	journal.follow(slog.New(slog.NewTextHandler(out, nil)))
	printCurl(out, base, creds)
	select {
	case err = <-served:
	case <-ctx.Done():
		shutdown, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = server.Shutdown(shutdown)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
