// Package replay lets each delivery through once, and loses none.
//
// A signature with a timestamp lets a captured request in again for minutes. To
// remember what was seen closes that, and opens a worse hole if it is done in one
// step: the handler fails, the sender retries the same signed message, and the
// retry is refused as a replay. So a message is first claimed, for a short lease,
// and marked as done only when its work has succeeded; when it fails it is given
// back.
//
// Package verify does this for webhooks (verify.Config.Replay). On its own the
// package serves queues and jobs as well:
//
//	guard := replay.Guard{Store: replay.NewMemory(replay.MemoryConfig{Retention: time.Hour})}
//	claim := replay.Claim{Key: replay.NewKey("invoices", id), Keep: time.Hour}
//	outcome, err := guard.Do(ctx, claim, func(ctx context.Context) error { … })
//
// # The protocol
//
// A store has one record for each key, in one of four states, and every write
// after the claim compares the owner:
//
//	state       operation                 condition              new state, answer
//	absent      Claim                                            held, Acquired
//	released    Claim                                            held, Acquired, attempt counted
//	held        Claim                     same owner             unchanged, Acquired
//	held        Claim                     other, lease live      unchanged, InFlight
//	held        Claim                     other, lease lapsed    held by the new owner, Acquired
//	held        Renew                     same owner             held, the lease begins anew
//	held        Complete                  same owner             done, for Claim.Keep
//	held        Release                   same owner             released, for Claim.Keep
//	held, done  Renew, Complete, Release  other owner            unchanged, ErrLostLease
//	absent      Complete                  lease had lapsed       done: the work is done
//	done        Claim                     fingerprints agree     unchanged, Duplicate
//	done        Claim                     fingerprints differ    unchanged, Conflict
//
// A claim is safe to repeat: a client that lost the reply and asks again with the
// same owner is told Acquired. With a plain "set if absent" it would be told that
// the key is there already, and a genuine delivery would be dropped.
//
// # What can go wrong
//
//	event                                     the second copy gets         what can be lost
//	first copy finished                       Duplicate, never runs        nothing
//	two copies at once                        one runs, InFlight           nothing
//	handler fails or panics                   runs, at once                nothing
//	sender hangs up during the handler        as its answer would say      nothing
//	handler slower than the lease             InFlight, it is renewed      nothing
//	handler stuck for Guard.MaxHold           runs                         exactly-once; the first's
//	                                                                       Complete says ErrLostLease
//	crash before the effect                   InFlight, then runs          time: one lease at most
//	crash between effect and Complete         InFlight, then runs          exactly-once; sqlstore's
//	                                                                       ClaimTx closes this
//	Complete fails                            InFlight, then runs          exactly-once; Tiered remembers
//	                                                                       in this process
//	store down at the claim                   an error (verify: 503)       time, if the sender retries
//	store down, Tiered.InsecureFailOpen       runs, once in each process   exactly-once, marked Degraded
//	reply of the store lost                   the claim is repeated, then  time: one lease at most
//	                                          an error and a release
//	store full                                an error (verify: 503)       time; nothing is forgotten
//	a primary lost before its replica knew    runs                         exactly-once; see redisstore
//	memory store, process restarted           runs while fresh             exactly-once;
//	                                                                       see verify's RestartGuard
//
// What is guaranteed, then: a message that was completed does not run again while
// its key is kept and the store keeps what it acknowledged; a message that was not
// completed is never refused for good. What is not: that nothing runs twice. After
// a crash between an effect and its mark only a mark in the effect's own
// transaction tells.
//
// # Which store
//
//   - Memory: one process. Nothing to run; forgets at a restart.
//   - redisstore: many processes. A round trip for a claim and one to complete it;
//     a failover may forget the newest claims.
//   - sqlstore: many processes, and the effect is in the same PostgreSQL anyway:
//     ClaimTx is exactly-once. Also for horizons of days.
//   - Tiered: Memory in front of a shared one.
//   - SetIfAbsent: any other client, if losing a delivery is better than running
//     it twice.
//
// Package replaytest checks a store of your own.
//
// # How large
//
// 100,000 webhooks a second over N nodes, the usual window of 5 minutes each way
// and a margin of one: a finished message is remembered for 6 minutes if its
// timestamp is now, for 11 if it is 5 minutes ahead. That is 36 million keys, 66
// at worst. In flight, at 100 ms a handler, are 10,000.
//
//   - Memory on one node: about 1 GB for 36 million; each of N nodes behind a
//     balancer would see only its own, so more than one node needs a shared store.
//   - Redis: 113 bytes a key, 4.1 GB, 7.5 at worst, twice that with a replica, and
//     200,000 commands a second: some 1.5 cores if the client pipelines (rueidis),
//     twice that if not. Six primaries have 33,000 commands and 0.7 GB each. Keys
//     spread evenly over the slots, and each operation has one key.
//   - PostgreSQL row by row: 5,000 to 10,000 webhooks a second on a modest server,
//     so for this rate many of them, or Redis.
//
// A horizon of 24 hours would be 8,600 million keys: not for memory of any kind.
// Remember days only where the rate is small, or the database has the effect.
package replay
