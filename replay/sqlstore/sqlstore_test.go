package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/replaytest"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

func TestMain(m *testing.M) {
	if work := os.Getenv(childWork); work != "" {
		child(work)
		return
	}
	os.Exit(m.Run())
}

// open connects until the test ends.
func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// newStore makes a store, with its table unless that is there.
func newStore(t testing.TB, db *sql.DB, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	cfg.CreateTable = true
	s, err := sqlstore.New(t.Context(), db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts a server with a store on it.
func start(t testing.TB, cfg sqlstore.Config) (*sqlstore.Store, *sql.DB) {
	t.Helper()
	db := open(t, testserver.StartPostgres(t).DSN)
	return newStore(t, db, cfg), db
}

// each runs tests one after the other on one server, each in an empty database.
func each(t *testing.T, tests map[string]func(*testing.T, *sql.DB)) {
	db := open(t, testserver.StartPostgres(t).DSN)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			exec(t, db, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
			test(t, db)
		})
	}
}

// dsnOf connects to the server of a database as a user.
func dsnOf(t testing.TB, db *sql.DB, user string) string {
	t.Helper()
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres sslmode=disable", count(t, db, `SHOW port`), user)
}

// fresh is a claim to a key that nobody used, with times that no test outlasts.
func fresh() replay.Claim {
	c := replay.Claim{Owner: replay.NewOwner(), Lease: time.Minute, Keep: time.Hour}
	c.Key = replay.NewKey("test", c.Owner.String())
	return c
}

// rival is another owner's claim to the same key.
func rival(c replay.Claim) replay.Claim {
	c.Owner = replay.NewOwner()
	return c
}

// patience ends a call that hangs.
const patience = 20 * time.Second

// claim claims and expects a status.
func claim(t testing.TB, s *sqlstore.Store, c replay.Claim, want replay.Status) replay.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := s.Claim(ctx, c)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if out.Status != want {
		t.Fatalf("Claim: %v, want %v", out.Status, want)
	}
	return out
}

// complete expects success.
func complete(t testing.TB, s *sqlstore.Store, c replay.Claim, answer []byte) {
	t.Helper()
	if err := s.Complete(context.Background(), c, answer); err != nil {
		t.Fatalf("Complete: %v", err)
	}
}

// exec runs a statement.
func exec(t testing.TB, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// count asks for one number.
func count(t testing.TB, db *sql.DB, text string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(context.Background(), text, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// The suite holds K01, K03, K09 and K10.
func TestConformance(t *testing.T) {
	dsn := testserver.StartPostgres(t).DSN
	one, two := open(t, dsn), open(t, dsn)
	replaytest.Run(t, replaytest.Harness{
		New: func(t *testing.T) replay.Store {
			exec(t, one, `DROP TABLE IF EXISTS webhook_replay`)
			return newStore(t, one, sqlstore.Config{MaxAnswer: 4096})
		},
		Another: func(t *testing.T, _ replay.Store) replay.Store {
			return newStore(t, two, sqlstore.Config{MaxAnswer: 4096})
		},
		Keys:         200,
		Answers:      4096,
		CountsLapsed: true,
	})
}
