// Package redisstore keeps the records of a replay guard in Redis, for all nodes
// that serve the same endpoint: one server, Sentinel or Cluster, version 7.0 or
// later, through a client that the program has already.
//
// With go-redis v9:
//
//	client := redis.NewClient(&redis.Options{
//		Addr:                  "redis:6379",
//		ContextTimeoutEnabled: true, // New insists
//	})
//	store, err := redisstore.New(ctx, redisstore.GoRedis(client), redisstore.Config{})
//
// or with rueidis, which puts the commands of many requests into few packets, and
// under load does about twice as many claims a second:
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{
//		InitAddress:      []string{"redis:6379"},
//		ConnWriteTimeout: time.Second, // a silent server is noticed by then
//		DisableCache:     true,
//	})
//	store, err := redisstore.New(ctx, redisstore.Rueidis(client), redisstore.Config{})
//
// Another client takes a Client of your own, which has three methods.
//
// # What it costs
//
// A claim is one command, SET with NX and GET, in one round trip, and a
// completion is one short script in another. A claim to a key that was given back
// takes a second round trip; a claim whose reply was lost is sent once more. Once a
// minute one claim asks all servers for INFO and the time first.
//
// A done key takes about 130 bytes of the server's memory for Claim.Keep, and what
// its answer takes; a held one about 30 more. The server needs room for all keys
// that are kept at a time: at maxmemory it refuses new claims (replay.ErrFull),
// while done keys stay known and work under way is still recorded.
//
// The record of a claim holds its owner. That is why a lost reply is no danger: a
// client that repeats the command, as go-redis does by itself, finds the claim to
// be its own, where a bare SET NX says that the key is there already, and a genuine
// delivery is dropped.
//
// # What a failover loses
//
// Redis confirms a write before its replicas have it. When a primary dies and a
// replica takes its place, the last claims and completions may be unknown there:
// work that was under way or just done can run a second time. These settings
// narrow the gap; none of them closes it.
//
//   - Config.Replicas lets each claim and completion wait until so many replicas
//     have it (WAIT), for Config.ReplicaTimeout. If too few have, the claim is given
//     back and fails with ErrUnconfirmed, so that the sender tries again; a
//     completion stays as it is, and says so. It costs a second trip between the
//     servers, and a connection of its own for each call. WAIT counts, and does not
//     roll back: a replica that has missed the write can still be promoted. With
//     Replicas equal to the number of all replicas none has.
//   - min-replicas-to-write 1 and min-replicas-max-lag 1 let a primary that lost
//     its replicas refuse writes after that many seconds, so that it does not go on
//     beside a promoted one.
//   - appendonly yes with appendfsync always keeps what was confirmed over a restart
//     of the same server; with everysec a crash loses the last second. Without
//     persistence a restart forgets everything that was kept: all that senders
//     repeat within the time for which a message is fresh runs again.
//
// Managed services that replicate asynchronously, as ElastiCache does, lose
// acknowledged writes at a failover in the same way. Where a second run cannot be
// borne, keep the record in the database that has the effect: package sqlstore.
//
// # Settings
//
// New refuses a server whose maxmemory-policy is not noeviction: any other forgets
// live keys under pressure, and replays come through unnoticed. It is read from
// INFO, which managed services leave open where they close CONFIG; the policy itself
// is set in the service's parameters there. A service without INFO needs
// Config.InsecureUnknownEviction.
//
// A user with few rights needs: ~rp:* +set +get +del +pexpire +eval +evalsha +info
// +time, +wait for Config.Replicas, and what its client needs to connect.
//
// The clocks of nodes and servers must agree within Config.MaxSkew, for it is by
// the node's clock that a message is fresh and by the server's that it is kept.
// Leases are measured by the server alone.
//
// With Sentinel, rueidis should have SentinelOption.TopologyRefreshInterval set:
// otherwise it can miss a failover. While rueidis connects anew, a call may wait
// for the attempt of another call, as long as that one's context lasts.
//
// A *redis.Ring is refused: it moves keys to other servers when one fails, where
// their records are not.
package redisstore
