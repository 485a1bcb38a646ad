package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
)

// The states of a row.
const (
	held     = 1
	released = 2
	done     = 3 // and everything above is done too
	doneInTx = 4 // by ClaimTx: the answer may follow
)

// The order of the columns leaves no gaps: a row without an answer takes 80
// bytes. Eight columns are the most for which that holds.
//
// No index has a column that settling or renewing changes (prune is chosen at the
// claim so that it need not), so those updates stay on the row's page if that has
// room, and it mostly has, because a full page is rid of its dead versions at the
// next visit: a smaller fillfactor was measured, and only costs room. The rows of
// one minute share their entries in the index by prune, which is why it is small.
//
// Pruned rows become room by vacuum, which by default waits until a fifth of the
// table is dead. Giving the room back to the system would lock claims out, and let
// the planner take a table that was just emptied for one worth scanning.
const createTableSQL = `CREATE TABLE IF NOT EXISTS {table} (
	expires timestamptz NOT NULL, -- the end of the lease, or of keeping
	fingerprint bigint NOT NULL, -- of the content; 0 is none
	prune integer NOT NULL, -- minutes since 1970, not before expires
	attempt smallint NOT NULL,
	state smallint NOT NULL, -- {held} held, {released} released, {done} done, {doneInTx} done by ClaimTx
	k uuid PRIMARY KEY, -- replay.Key
	owner uuid NOT NULL, -- replay.Owner
	answer bytea
) WITH (autovacuum_vacuum_scale_factor = 0.05, vacuum_truncate = false)`

const createIndexSQL = `CREATE INDEX IF NOT EXISTS {index} ON {table} (prune)`

const checkTableSQL = `SELECT expires, fingerprint, prune, attempt, state, k, owner, answer FROM {table} WHERE false`

// Schema is the DDL of a table and its index, for those who migrate by
// themselves; the name is as in Config.Table. It changes nothing if both exist.
func Schema(table string) (string, error) {
	t, err := parseTable(table)
	if err != nil {
		return "", err
	}
	return t.fill(createTableSQL) + ";\n" + t.fill(createIndexSQL) + ";\n", nil
}

// indexSuffix makes the index's name, which PostgreSQL would cut at 63 bytes.
const indexSuffix = "_prune"

var tableGrammar = regexp.MustCompile(`^(?:([A-Za-z_][A-Za-z0-9_]{0,62})\.)?([A-Za-z_][A-Za-z0-9_]{0,56})$`)

// table is a checked name in two quoted forms.
type table struct{ quoted, index string }

func parseTable(name string) (table, error) {
	if name == "" {
		name = DefaultTable
	}
	parts := tableGrammar.FindStringSubmatch(name)
	if parts == nil {
		return table{}, errors.New("sqlstore: Config.Table is not a name, or a schema and a name with a dot between, " +
			"of letters, digits and underscores, the name of at most 57 bytes")
	}
	t := table{quoted: `"` + parts[2] + `"`, index: `"` + parts[2] + indexSuffix + `"`}
	if parts[1] != "" {
		t.quoted = `"` + parts[1] + `".` + t.quoted
	}
	return t, nil
}

// fill puts the names and the states into a text.
func (t table) fill(text string) string {
	return strings.NewReplacer("{table}", t.quoted, "{index}", t.index, "{held}", strconv.Itoa(held),
		"{released}", strconv.Itoa(released), "{done}", strconv.Itoa(done), "{doneInTx}", strconv.Itoa(doneInTx)).Replace(text)
}

// create makes the table if there is none. CREATE TABLE IF NOT EXISTS alone
// fails where two run at the same instant, so that one waits for the other; and
// it asks for the right to create even if there is nothing to do.
func (t table) create(ctx context.Context, db *sql.DB) error {
	const op = "creating the table"
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, op, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	lock := fnv.New64a()
	fmt.Fprint(lock, "sqlstore ", t.quoted)
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1::bigint)`, int64(lock.Sum64())); err != nil {
		return failed(ctx, op, err)
	}
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT to_regclass($1::text) IS NOT NULL`, t.quoted).Scan(&exists); err != nil {
		return failed(ctx, op, err)
	}
	if exists {
		return nil
	}
	for _, text := range []string{createTableSQL, createIndexSQL} {
		if _, err := tx.ExecContext(ctx, t.fill(text)); err != nil {
			return failed(ctx, op, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return failed(ctx, op, err)
	}
	return nil
}

// check finds out whether the table is there and has the columns.
func (t table) check(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, t.fill(checkTableSQL))
	switch sqlState(err) {
	case "42P01", "3F000": // undefined_table, invalid_schema_name
		return errors.New("sqlstore: the table does not exist: set Config.CreateTable, or run Schema")
	case "42703": // undefined_column
		return errors.New("sqlstore: the table in Config.Table has other columns than those of Schema")
	}
	if err != nil {
		return failed(ctx, "looking at the table", err)
	}
	return nil
}
