package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

func ExampleNew() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, err := sql.Open("pgx", "postgres://app@db.internal/app")
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := sqlstore.New(ctx, db, sqlstore.Config{
		CreateTable: true,
		PruneFailed: func(err error) { fmt.Println("pruning:", err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go store.PruneEvery(ctx, time.Minute)

	guard := replay.Guard{Store: store}
	claim := replay.Claim{Key: replay.NewKey("orders", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"), Keep: 24 * time.Hour}
	out, err := guard.Do(ctx, claim, func(context.Context) error {
		fmt.Println("this runs once")
		return nil
	})
	fmt.Println(out.Status, err)
}

// The effect and the mark that it was done commit together.
func ExampleStore_ClaimTx() {
	pay := func(ctx context.Context, db *sql.DB, store *sqlstore.Store, claim replay.Claim, order string) (replay.Status, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		out, err := store.ClaimTx(ctx, tx, claim)
		if err != nil || out.Status != replay.Acquired {
			return out.Status, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET paid = true WHERE id = $1`, order); err != nil {
			return 0, err
		}
		return out.Status, tx.Commit()
	}
	_ = pay
}
