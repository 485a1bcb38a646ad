package main

import (
	"context"
	"database/sql"
	"errors"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/redisstore"
	"github.com/webhookauth/webhookauth/replay/sqlstore"
)

// withStore runs what needs a replay store: on Redis or PostgreSQL if one is
// named, else in memory.
func withStore(ctx context.Context, redisURL, postgresDSN string, run func(replay.Store) error) error {
	switch {
	case redisURL != "" && postgresDSN != "":
		return errors.New("-redis and -postgres exclude each other")
	case redisURL != "":
		options, err := redis.ParseURL(redisURL)
		if err != nil {
			return err
		}
		options.ContextTimeoutEnabled = true
		client := redis.NewClient(options)
		defer client.Close()
		store, err := redisstore.New(ctx, redisstore.GoRedis(client), redisstore.Config{})
		if err != nil {
			return err
		}
		return run(store)
	case postgresDSN != "":
		db, err := sql.Open("pgx", postgresDSN)
		if err != nil {
			return err
		}
		defer db.Close()
		store, err := sqlstore.New(ctx, db, sqlstore.Config{CreateTable: true})
		if err != nil {
			return err
		}
		return run(store)
	}
	return run(replay.NewMemory(replay.MemoryConfig{}))
}
