// Package sqlstore is the shared replay store on PostgreSQL 12 or later (tested
// with 15), through database/sql and any driver whose errors have the method
// SQLState, as those of pgx and lib/pq have.
//
//	store, err := sqlstore.New(ctx, db, sqlstore.Config{CreateTable: true})
//	go store.PruneEvery(ctx, time.Minute)
//
// # One claim
//
// A claim is one statement, one round trip and one transaction: a copy only reads
// one row, whoever is first inserts one, and Complete, Release and Renew update
// one. All times are the server's; a claim carries this process's clock along and
// is refused with ErrClockSkew while the two are too far apart. A row takes about
// 150 bytes with both indexes, and its answer. Schema shows the table; a key is
// found there by what replay.Key.String gives:
//
//	SELECT * FROM webhook_replay WHERE k = '6f1d...';
//
// # In the transaction of the effect
//
// ClaimTx is the only way to close the gap that every other one has: a process
// that dies after the effect and before Complete has the effect a second time,
// one lease later. In one transaction the effect and its mark are both there or
// neither is, and a copy that comes meanwhile waits for a moment and is in flight:
//
//	tx, err := db.BeginTx(ctx, nil)
//	if err != nil {
//		return err
//	}
//	defer tx.Rollback()
//	out, err := store.ClaimTx(ctx, tx, claim)
//	if err != nil || out.Status != replay.Acquired {
//		return answer(out, err) // and roll back
//	}
//	if _, err := tx.ExecContext(ctx, `UPDATE orders SET paid = true WHERE id = $1`, id); err != nil {
//		return err
//	}
//	return tx.Commit()
//
// It closes the gap for effects in the same database alone. Beneath a guard, give
// it the claim that the guard holds; whoever is not sure that a commit arrived
// asks again, and finds a Duplicate if it did.
//
// # What is lost, and what is not
//
// With synchronous_commit on, what was acknowledged survives a crash of the
// server. With off, no claim waits for the disk, and a crash of the server forgets
// the last moments (up to three times wal_writer_delay): deliveries claimed or done
// within them may run again. ClaimTx stays whole even then: effect and mark
// are forgotten together. An UNLOGGED table is empty after a crash.
//
// A failover to an asynchronous replica forgets what had not reached it, in the
// same way; with synchronous_standby_names set, nothing acknowledged. Every claim
// must go to the primary: on a standby all fail with SQLSTATE 25006.
//
// # Pruning
//
// An expired row counts as absent, but stays until Prune or PruneEvery removes it:
// no claim pays for that. They delete in batches of rows that no claim is at work
// on, from an index by minutes, so they neither lock the table nor slow down with
// its size, and need no partitions; rows go a minute or two and a lease after
// their end. The room is for new rows after the next vacuum, which the table asks
// for when a twentieth of it is dead; it is not given back to the system. Without
// pruning nothing goes wrong but the size.
package sqlstore
