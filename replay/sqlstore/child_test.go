package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

// The environment of a child, which is this test binary again.
const (
	childWork = "SQLSTORE_TEST_CHILD"
	childDSN  = "SQLSTORE_TEST_DSN"
)

// child does a piece of work in a process of its own, tells of it by lines on
// its output, and waits at the points where it may be killed.
func child(work string) {
	works := map[string]func(*worker) error{
		"claim many":     (*worker).claimMany,
		"claim and hang": (*worker).claimAndHang,
		"transaction":    (*worker).transaction,
		"plain":          (*worker).plain,
	}
	w := &worker{in: bufio.NewScanner(os.Stdin)}
	err := w.connect()
	if err == nil {
		err = works[work](w)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// worker is what a child works with.
type worker struct {
	db    *sql.DB
	store *sqlstore.Store
	in    *bufio.Scanner
}

func (w *worker) connect() (err error) {
	if w.db, err = sql.Open("pgx", os.Getenv(childDSN)); err != nil {
		return err
	}
	w.store, err = sqlstore.New(context.Background(), w.db, sqlstore.Config{})
	return err
}

// wait tells and waits until the parent says a line, or for ever.
func (w *worker) wait(told string) {
	fmt.Println(told)
	w.in.Scan()
}

// shared is a claim that parent and child know of; only the owners differ.
func shared(name string, lease time.Duration) replay.Claim {
	return replay.Claim{Key: replay.NewKey("shared", name), Owner: replay.NewOwner(), Lease: lease, Keep: time.Hour}
}

// process is a child as its parent sees it.
type process struct {
	cmd *osexec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

func spawn(t *testing.T, work, dsn string) *process {
	t.Helper()
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childWork+"="+work, childDSN+"="+dsn)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, in, bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

// line is the child's next line.
func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatal("the child ended")
	}
	if line := p.out.Text(); !strings.HasPrefix(line, "error:") {
		return line
	}
	t.Fatal(p.out.Text())
	return ""
}

// expect wants the child's next line to be this.
func (p *process) expect(t *testing.T, want string) {
	t.Helper()
	if got := p.line(t); got != want {
		t.Fatalf("the child says %q, want %q", got, want)
	}
}

func (p *process) say(t *testing.T) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in); err != nil {
		t.Fatal(err)
	}
}

// kill is SIGKILL: the child can settle nothing.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
