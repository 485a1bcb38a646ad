package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

func TestNew(t *testing.T) {
	each(t, map[string]func(*testing.T, *sql.DB){
		"refuses":             newRefuses,
		"table names":         tableNames,
		"at the same instant": newAtTheSameInstant,
		"without rights":      createWithoutTheRight,
		"K17 clock skew":      clockSkew,
	})
}

func newRefuses(t *testing.T, db *sql.DB) {
	exec(t, db, `CREATE TABLE other (k uuid)`)
	for _, test := range []struct {
		name string
		db   *sql.DB
		cfg  sqlstore.Config
		want string
	}{
		{"no database", nil, sqlstore.Config{}, "*sql.DB"},
		{"negative MaxAnswer", db, sqlstore.Config{MaxAnswer: -1}, "MaxAnswer"},
		{"negative MaxSkew", db, sqlstore.Config{MaxSkew: -time.Second}, "MaxSkew"},
		{"MaxSkew that the network exceeds", db, sqlstore.Config{MaxSkew: time.Millisecond}, "MaxSkew"},
		{"TxWait that would be none", db, sqlstore.Config{TxWait: time.Microsecond}, "TxWait"},
		{"no table", db, sqlstore.Config{Table: "nothing"}, "CreateTable"},
		{"no schema", db, sqlstore.Config{Table: "nothing.nothing"}, "CreateTable"},
		{"another table", db, sqlstore.Config{Table: "other"}, "columns"},
		{"not PostgreSQL", fakeServer(t, false, 150000, false), sqlstore.Config{}, "not PostgreSQL"},
		{"too old", fakeServer(t, true, 110022, false), sqlstore.Config{}, "PostgreSQL 11"},
		{"standby", fakeServer(t, true, 150000, true), sqlstore.Config{}, "standby"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := sqlstore.New(t.Context(), test.db, test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want an error about %q", err, test.want)
			}
		})
	}
}

func tableNames(t *testing.T, db *sql.DB) {
	for _, name := range []string{
		`webhook_replay; DROP TABLE users`, `webhook_replay"`, `"webhook_replay"`, `a"."b`, "a'b", "a--", "a/*", `a\`,
		"a b", "a.b.c", ".a", "a.", ".", " a", "a\n", "a\x00", "1a", "ä", "a$1", "{index}", strings.Repeat("a", 58), strings.Repeat("a", 64) + ".a",
	} {
		if ddl, err := sqlstore.Schema(name); err == nil || !strings.Contains(err.Error(), "Config.Table") {
			t.Errorf("Schema(%q): %q, %v; want a refusal that names Config.Table", name, ddl, err)
		}
		// Refused before the server is asked: this one cannot be.
		if _, err := sqlstore.New(t.Context(), sql.OpenDB(nobody{}), sqlstore.Config{Table: name, CreateTable: true}); err == nil ||
			!strings.Contains(err.Error(), "Config.Table") {
			t.Errorf("New with the table %q: %v; want a refusal that names Config.Table", name, err)
		}
	}

	exec(t, db, `CREATE SCHEMA "Hooks"`)
	for _, name := range []string{"", "a", "_A9", "select", "Hooks.Replay", "public." + strings.Repeat("a", 57)} {
		s := newStore(t, db, sqlstore.Config{Table: name})
		c := fresh()
		claim(t, s, c, replay.Acquired)
		complete(t, s, c, nil)
		if err := s.Forget(t.Context(), c.Key); err != nil {
			t.Error(err)
		}
		claim(t, s, rival(c), replay.Acquired)
		if _, err := s.Prune(t.Context(), 1); err != nil {
			t.Error(err)
		}

		// The DDL may be run as often as one likes.
		ddl, err := sqlstore.Schema(name)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, ddl)
	}
	if n := count(t, db, `SELECT count(*) FROM pg_indexes WHERE schemaname IN ('public', 'Hooks')`); n != 12 {
		t.Errorf("%d indexes, want two for each of 6 tables", n)
	}
}

// Nodes that start at the same instant, each on a connection of its own, all
// succeed.
func newAtTheSameInstant(t *testing.T, db *sql.DB) {
	for range 5 {
		exec(t, db, `DROP TABLE IF EXISTS webhook_replay`)
		var all sync.WaitGroup
		instant := make(chan struct{})
		for range 8 {
			all.Go(func() {
				<-instant
				if _, err := sqlstore.New(t.Context(), db, sqlstore.Config{CreateTable: true}); err != nil {
					t.Errorf("New: %v", err)
				}
			})
		}
		close(instant)
		all.Wait()
	}
}

// Where the table is there already, CreateTable asks for no right to create.
func createWithoutTheRight(t *testing.T, db *sql.DB) {
	newStore(t, db, sqlstore.Config{})
	exec(t, db, `CREATE ROLE plain LOGIN`)
	exec(t, db, `GRANT USAGE ON SCHEMA public TO plain`)
	exec(t, db, `GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_replay TO plain`)
	s := newStore(t, open(t, dsnOf(t, db, "plain")), sqlstore.Config{})
	c := fresh()
	claim(t, s, c, replay.Acquired)
	complete(t, s, c, nil)
	prune(t, s, 1, 0)
}

func clockSkew(t *testing.T, db *sql.DB) {
	var off atomic.Int64
	cfg := sqlstore.Config{
		MaxSkew: 10 * time.Second,
		Now:     func() time.Time { return time.Now().Add(time.Duration(off.Load())) },
	}
	s := newStore(t, db, cfg)
	if limits := replay.LimitsOf(s); limits != (replay.Limits{Shared: true, MaxSkew: 10 * time.Second}) {
		t.Errorf("Limits: %+v", limits)
	}
	for _, skew := range []time.Duration{11 * time.Second, -11 * time.Second} {
		off.Store(int64(skew))
		if _, err := sqlstore.New(t.Context(), db, cfg); !errors.Is(err, sqlstore.ErrClockSkew) {
			t.Errorf("New with a clock that is off by %v: %v, want ErrClockSkew", skew, err)
		}
		c, finished := fresh(), fresh()
		complete(t, s, finished, nil)
		for range 3 {
			if out, err := s.Claim(t.Context(), c); !errors.Is(err, sqlstore.ErrClockSkew) {
				t.Errorf("Claim with a clock that is off by %v: %v, %v; want ErrClockSkew", skew, out.Status, err)
			}
			if out, err := s.Claim(t.Context(), rival(finished)); !errors.Is(err, sqlstore.ErrClockSkew) {
				t.Errorf("Claim of a done key with a clock that is off by %v: %v, %v; want ErrClockSkew", skew, out.Status, err)
			}
			if out, err := s.ClaimTx(t.Context(), begin(t, db, 0), c); !errors.Is(err, sqlstore.ErrClockSkew) {
				t.Errorf("ClaimTx with a clock that is off by %v: %v, %v; want ErrClockSkew", skew, out.Status, err)
			}
		}
		off.Store(int64(skew / 11 * 9)) // within the limit
		if out := claim(t, s, rival(c), replay.Acquired); out.Attempt != 1 {
			t.Errorf("attempt %d: a refused claim took the key", out.Attempt)
		}
		off.Store(0)
		claim(t, s, rival(finished), replay.Duplicate)
	}
}

// fakeServer answers New's first question and nothing else.
func fakeServer(t *testing.T, postgres bool, version int64, standby bool) *sql.DB {
	db := sql.OpenDB(fake{postgres, version, standby, time.Now().UnixMilli()})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type fake []driver.Value

func (f fake) Connect(context.Context) (driver.Conn, error) { return f, nil }
func (f fake) Driver() driver.Driver                        { return nil }
func (f fake) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("no statements") }
func (f fake) Begin() (driver.Tx, error)                    { return nil, errors.New("no transactions") }
func (f fake) Close() error                                 { return nil }
func (f fake) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &fakeRow{f}, nil
}

type fakeRow struct{ left fake }

func (r *fakeRow) Columns() []string { return make([]string, 4) }
func (r *fakeRow) Close() error      { return nil }
func (r *fakeRow) Next(to []driver.Value) error {
	if r.left == nil {
		return io.EOF
	}
	copy(to, r.left)
	r.left = nil
	return nil
}

// nobody refuses to connect.
type nobody struct{}

func (nobody) Connect(context.Context) (driver.Conn, error) {
	return nil, errors.New("nobody is there")
}
func (nobody) Driver() driver.Driver { return nil }
