package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Postgres is a PostgreSQL server with a data folder of its own. It does not
// wait for the disk (fsync), so its data survives its own crash but not the
// machine's; the setting fsync=on changes that.
type Postgres struct {
	// DSN connects as the superuser; anybody on this machine may.
	DSN string

	folder   string
	port     int
	settings []string
	run      *syscall.Credential // nil: as ourselves
	process  *Process
}

// StartPostgres initializes and starts a server until the test ends. A setting is
// "name=value". Without PostgreSQL the test skips.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	p := &Postgres{port: FreePort(t), settings: settings}
	p.DSN = fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", p.port)
	p.makeFolder(t)
	init := p.command(postgresBinary(t, "initdb"), "--pgdata", p.data(), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.Start(t)
	return p
}

// Start starts a server that was stopped, on the same port and data, and waits
// until it answers.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	args := []string{"-D", p.data(), "-p", strconv.Itoa(p.port)}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"}, p.settings...) {
		args = append(args, "-c", setting)
	}
	ready := postgresBinary(t, "pg_isready")
	p.process = Start(t, p.command(postgresBinary(t, "postgres"), args...))
	t.Cleanup(func() { p.Stop(t) }) // before the end that testserver.Start arranged
	Eventually(t, 30*time.Second, "the start of PostgreSQL", func() bool {
		if p.process.Ended() {
			t.Fatal("PostgreSQL ended at its start")
		}
		return exec.Command(ready, "-q", "-d", p.DSN).Run() == nil
	})
}

// Stop ends the server and all its connections at once, as a crash would, except
// that it leaves no shared memory behind.
func (p *Postgres) Stop(t testing.TB) {
	t.Helper()
	if p.process == nil || p.process.Ended() {
		return
	}
	if err := p.process.Signal(syscall.SIGQUIT); err != nil {
		t.Logf("ending PostgreSQL: %v", err)
	}
	Eventually(t, 30*time.Second, "the end of PostgreSQL", p.process.Ended)
}

// postgresBinary finds a program in PATH or where Debian keeps it, the newest.
func postgresBinary(t testing.TB, name string) string {
	t.Helper()
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is good
	slices.Reverse(folders)
	return Binary(t, name, "apt-get install postgresql", folders...)
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

// command is one that runs as the server's user, in a folder that this user may
// enter.
func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.folder
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.run}
	return cmd
}

// makeFolder makes the server's folder, owned by the user that it runs as:
// PostgreSQL refuses to run as root, and nobody else may enter t.TempDir of root.
func (p *Postgres) makeFolder(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		p.folder = t.TempDir()
		return
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32) // numbers, on every Unix
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	p.run = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	parent := os.TempDir()
	if !open(parent) {
		parent = "/tmp"
	}
	if p.folder, err = os.MkdirTemp(parent, "postgres-test-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.folder) })
	if err := os.Chown(p.folder, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
}

// open tells whether every user may enter a folder.
func open(folder string) bool {
	for ; ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&1 == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}
