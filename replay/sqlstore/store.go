package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

// The defaults of Config.
const (
	DefaultTable     = "webhook_replay"
	DefaultMaxAnswer = 64 << 10
	DefaultMaxSkew   = 30 * time.Second
	DefaultTxWait    = 150 * time.Millisecond
)

// Config says how a Store works. The zero value is good where the table exists.
type Config struct {
	// Table is the table's name, "name" or "schema.name"; "" means
	// webhook_replay. Each part is letters, digits and underscores, with no digit
	// in front; the name has at most 57 bytes. It is quoted, so case counts.
	Table string
	// CreateTable lets New create the table if there is none. Any number of nodes
	// may do so at once.
	CreateTable bool
	// MaxAnswer is the longest answer that Complete keeps, in bytes; a longer one
	// is not kept at all. 0 means 64 KiB.
	MaxAnswer int
	// MaxSkew is by how much this process's clock may differ from the server's,
	// at least a second; 0 means 30 seconds.
	MaxSkew time.Duration
	// Now is the process's clock, which is only compared with the server's; nil
	// means time.Now.
	Now func() time.Time
	// TxWait is how long a claim waits for a transaction that is at work on the
	// same key, before it answers InFlight; whole milliseconds, 0 means 150.
	TxWait time.Duration
	// PruneFailed gets the error of each round of PruneEvery that failed; the
	// next round tries again. nil means that nobody is told.
	PruneFailed func(error)
}

// Store is a replay.Store on a table of PostgreSQL. It has no goroutine of its
// own and nothing to close; the *sql.DB stays the caller's. Safe for concurrent
// use.
type Store struct {
	db  *sql.DB
	cfg Config // with its defaults filled in

	claimSQL, renewSQL, completeSQL, releaseSQL, forgetSQL, pruneSQL string
}

var (
	_ replay.Store   = (*Store)(nil)
	_ replay.Limited = (*Store)(nil)
)

// New makes a store. It asks the server, and fails unless that is PostgreSQL 12
// or later and can be written to, the table is there, and the clocks agree. The
// error names the field of Config that is wrong; it never holds a DSN.
func New(ctx context.Context, db *sql.DB, cfg Config) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: the *sql.DB is nil")
	}
	cfg = cfg.withDefaults()
	table, err := parseTable(cfg.Table)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.MaxAnswer < 0:
		return nil, errors.New("sqlstore: Config.MaxAnswer is negative")
	case cfg.MaxSkew < time.Second:
		return nil, errors.New("sqlstore: Config.MaxSkew is under a second")
	case cfg.TxWait < time.Millisecond:
		return nil, errors.New("sqlstore: Config.TxWait is under a millisecond")
	}
	s := &Store{
		db:          db,
		cfg:         cfg,
		claimSQL:    table.fill(claimSQL),
		renewSQL:    table.fill(renewSQL),
		completeSQL: table.fill(completeSQL),
		releaseSQL:  table.fill(releaseSQL),
		forgetSQL:   table.fill(forgetSQL),
		pruneSQL:    table.fill(pruneSQL),
	}
	if err := s.checkServer(ctx); err != nil {
		return nil, err
	}
	if cfg.CreateTable {
		if err := table.create(ctx, db); err != nil {
			return nil, err
		}
	}
	return s, table.check(ctx, db)
}

func (c Config) withDefaults() Config {
	if c.Table == "" {
		c.Table = DefaultTable
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = DefaultMaxAnswer
	}
	if c.MaxSkew == 0 {
		c.MaxSkew = DefaultMaxSkew
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TxWait == 0 {
		c.TxWait = DefaultTxWait
	}
	return c
}

// minVersion is the first with AS MATERIALIZED and without the old rule that a
// clause of WITH is always evaluated.
const minVersion = 120000

const serverSQL = `
SELECT version() LIKE 'PostgreSQL %', current_setting('server_version_num')::integer,
	pg_is_in_recovery(), (date_part('epoch', clock_timestamp()) * 1000)::bigint`

// checkServer finds out whether the store can work with the server.
func (s *Store) checkServer(ctx context.Context) error {
	var (
		postgres, standby bool
		version           int
		clock             int64
	)
	sent := s.cfg.Now()
	err := s.db.QueryRowContext(ctx, serverSQL).Scan(&postgres, &version, &standby, &clock)
	came := s.cfg.Now()
	switch {
	case err != nil:
		return failed(ctx, "asking the server (it has to be PostgreSQL)", err)
	case !postgres:
		return errors.New("sqlstore: the server is not PostgreSQL")
	case version < minVersion:
		return fmt.Errorf("sqlstore: the server is PostgreSQL %d; 12 is needed", version/10000)
	case standby:
		return errors.New("sqlstore: the server is a standby, which cannot be written to")
	case s.skewed(sent, came, clock):
		return ErrClockSkew
	}
	return nil
}

// skewed tells whether the server's clock, in milliseconds since 1970, was off
// by more than MaxSkew at every moment between sending and coming back.
func (s *Store) skewed(sent, came time.Time, clock int64) bool {
	server := time.UnixMilli(clock)
	return server.Sub(came) > s.cfg.MaxSkew || sent.Sub(server) > s.cfg.MaxSkew
}

// Limits says that the store is shared, keeps for any time, and looks at clocks.
func (s *Store) Limits() replay.Limits {
	return replay.Limits{Shared: true, MaxSkew: s.cfg.MaxSkew}
}
