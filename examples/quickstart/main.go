// Command quickstart serves four protected routes, plays Vapi against itself
// with real message bodies, genuine and forged, and prints what came of each
// request. Then it keeps serving, for the curl lines that it prints.
//
//	go run ./examples/quickstart          # table, curl lines, server
//	go run ./examples/quickstart -once    # table; exit status 0 if all is as expected
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
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on; port 0 picks a free one")
	once := flag.Bool("once", false, "end after the table, with exit status 0 only if every verdict is the expected one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, isTerminal(os.Stdout), *addr, *once); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves, plays and prints; without once it goes on until ctx ends.
func run(ctx context.Context, out io.Writer, colour bool, addr string, once bool) error {
	creds := newCredentials()
	journal := newJournal()
	handler, err := routes(creds, journal.observe)
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
