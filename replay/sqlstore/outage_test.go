package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

// While the server is away a guard says so within its time, be the server gone or
// silent; when it is back the same store works.
func TestK13ServerAway(t *testing.T) {
	server := testserver.StartPostgres(t)
	db := open(t, server.DSN)
	s := newStore(t, db, sqlstore.Config{})
	address := fmt.Sprintf("127.0.0.1:%d", count(t, db, `SHOW port`))
	guard := replay.Guard{Store: s, Timeout: 500 * time.Millisecond}
	before := fresh()
	claim(t, s, before, replay.Acquired)
	complete(t, s, before, nil)

	server.Stop(t)
	for range 3 {
		if hold, out, err := guard.Claim(t.Context(), fresh()); err == nil || hold != nil || out.Status != 0 {
			t.Errorf("Guard.Claim without a server: %v, %v; want an error", out.Status, err)
		}
	}
	silent, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := guard.Claim(t.Context(), fresh()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Guard.Claim with a silent server: %v, want the deadline exceeded", err)
	}
	_ = silent.Close()

	server.Start(t)
	claim(t, s, rival(before), replay.Duplicate)
	claim(t, s, fresh(), replay.Acquired)
}

// Connections that broke while idle, as all do when the server restarts, cost no
// claim.
func TestK13RestartBetweenClaims(t *testing.T) {
	server := testserver.StartPostgres(t)
	s := newStore(t, open(t, server.DSN), sqlstore.Config{})
	claim(t, s, fresh(), replay.Acquired)
	server.Stop(t)
	server.Start(t)
	claim(t, s, fresh(), replay.Acquired)
}

func TestErrors(t *testing.T) {
	each(t, map[string]func(*testing.T, *sql.DB){
		"full":         fullDisk,
		"private":      privateErrors,
		"contexts":     endedContexts,
		"serializable": serializableByDefault,
		"tried again":  triedAgain,
	})
}

// raise lets the server refuse every new row with an SQLSTATE and a text that
// holds the row.
func raise(t *testing.T, db *sql.DB, state string) {
	t.Helper()
	exec(t, db, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'refused %', NEW USING ERRCODE = '`+state+`'; END$$`)
	exec(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON webhook_replay FOR EACH ROW EXECUTE FUNCTION refuse()`)
}

func fullDisk(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	raise(t, db, "53100")
	if _, err := s.Claim(t.Context(), fresh()); !errors.Is(err, replay.ErrFull) {
		t.Errorf("Claim: %v, want ErrFull", err)
	}
	if _, err := s.ClaimTx(t.Context(), begin(t, db, 0), fresh()); !errors.Is(err, replay.ErrFull) {
		t.Errorf("ClaimTx: %v, want ErrFull", err)
	}
	if err := s.Complete(t.Context(), fresh(), nil); !errors.Is(err, replay.ErrFull) {
		t.Errorf("Complete: %v, want ErrFull", err)
	}
}

// No error, nor one that it wraps, shows what the store was given.
func privateErrors(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	raise(t, db, "P0001")
	c := fresh()
	const answer = "private answer"
	_, claimed := s.Claim(t.Context(), c)
	_, claimedTx := s.ClaimTx(t.Context(), begin(t, db, 0), c)
	completed := s.Complete(t.Context(), c, []byte(answer))

	// A login that is refused, a host that is not there, a broken DSN.
	var connecting []error
	for _, dsn := range []string{
		fmt.Sprintf("host=127.0.0.1 port=%d user=privateuser password=privatepass dbname=privatedb sslmode=disable", count(t, db, `SHOW port`)),
		"host=127.0.0.1 port=1 user=privateuser password=privatepass dbname=privatedb sslmode=disable",
		"host=/privatehost user=privateuser password=privatepass dbname=privatedb",
		"postgres://privateuser:privatepass@privatehost.invalid/privatedb?sslmode=disable",
		"postgres://privateuser:privatepass@[privatehost",
	} {
		_, err := sqlstore.New(t.Context(), open(t, dsn), sqlstore.Config{})
		connecting = append(connecting, err)
	}
	for _, err := range append(connecting, claimed, claimedTx, completed) {
		if err == nil {
			t.Error("no error")
		}
		for ; err != nil; err = errors.Unwrap(err) {
			text := strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, err))
			for _, private := range []string{"private", "127.0.0.1", "refused (", c.Key.String()[20:], c.Owner.String()[20:], answer} {
				if strings.Contains(text, private) {
					t.Errorf("the error shows %q: %s", private, text)
				}
			}
		}
	}
	var state interface{ SQLState() string }
	if !errors.As(claimed, &state) || state.SQLState() != "P0001" {
		t.Errorf("Claim: %v, want SQLSTATE P0001", claimed)
	}
}

func endedContexts(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{TxWait: time.Hour})
	c := fresh()
	claimTx(t, s, begin(t, db, 0), c, replay.Acquired) // others wait for it
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Claim(ctx, rival(c)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Claim: %v, want the deadline exceeded", err)
	}
	for name, err := range map[string]error{
		"Complete": s.Complete(ctx, c, nil), "Renew": s.Renew(ctx, c), "Release": s.Release(ctx, c), "Forget": s.Forget(ctx, c.Key),
	} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline exceeded", name, err)
		}
	}
}

// A database whose transactions are serializable unless told otherwise gives the
// same outcomes.
func serializableByDefault(t *testing.T, db *sql.DB) {
	newStore(t, db, sqlstore.Config{})
	strict := open(t, dsnOf(t, db, "postgres")+" default_transaction_isolation=serializable")
	s := newStore(t, strict, sqlstore.Config{})
	for range 20 {
		c := fresh()
		var (
			all      sync.WaitGroup
			acquired atomic.Int32
		)
		for range 16 {
			all.Go(func() {
				mine := rival(c)
				out, err := s.Claim(context.Background(), mine)
				if err == nil && out.Status == replay.Acquired {
					acquired.Add(1)
					err = s.Complete(context.Background(), mine, nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := acquired.Load(); n != 1 {
			t.Errorf("acquired %d times, want 1", n)
		}
	}
}

// What failed because another transaction was quicker is tried again, four times
// in all.
func triedAgain(t *testing.T, db *sql.DB) {
	s := newStore(t, db, sqlstore.Config{})
	exec(t, db, `CREATE SEQUENCE calls`)
	exec(t, db, `CREATE TABLE failing (calls integer)`)
	exec(t, db, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
		IF nextval('calls') <= (SELECT calls FROM failing) THEN RAISE EXCEPTION 'quicker' USING ERRCODE = '40001'; END IF;
		RETURN NEW;
	END$$`)
	exec(t, db, `CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON webhook_replay FOR EACH ROW EXECUTE FUNCTION fail()`)
	fail := func(calls int) {
		exec(t, db, `ALTER SEQUENCE calls RESTART`)
		exec(t, db, `DELETE FROM failing`)
		exec(t, db, `INSERT INTO failing VALUES ($1)`, calls)
	}
	c := fresh()
	for _, call := range []func() error{
		func() error { return acquired(s.Claim(t.Context(), c)) },
		func() error { return s.Renew(t.Context(), c) },
		func() error { return s.Complete(t.Context(), c, nil) },
	} {
		var state interface{ SQLState() string }
		fail(4)
		if err := call(); !errors.As(err, &state) || state.SQLState() != "40001" {
			t.Errorf("after four failures: %v, want SQLSTATE 40001", err)
		}
		fail(3)
		if err := call(); err != nil {
			t.Errorf("after three failures: %v", err)
		}
	}
}
