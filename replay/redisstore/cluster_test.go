package redisstore_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webhookauth/webhookauth/replay"
	"github.com/webhookauth/webhookauth/replay/internal/testserver"
	"github.com/webhookauth/webhookauth/replay/redisstore"
)

// waiting sends every command through DoWait, which finds its way in a cluster by
// itself. No replica is asked for, so that there need be none.
type waiting struct{ redisstore.Client }

func (w waiting) Do(ctx context.Context, cmd redisstore.Command) (any, error) {
	reply, _, err := w.DoWait(ctx, cmd, 0, time.Millisecond)
	return reply, err
}

// Slots move from one server to another, and back, while their keys are claimed,
// completed and forgotten: no new key is refused, and none is acquired twice.
func TestK31SlotsMoveUnderLoad(t *testing.T) {
	nodes := testserver.StartRedisCluster(t, 3)
	var addrs []string
	for _, node := range nodes {
		addrs = append(addrs, node.Addr)
	}
	eachDriver(t, func(t *testing.T, d driver) {
		for name, wrap := range map[string]func(redisstore.Client) redisstore.Client{
			"plain": func(c redisstore.Client) redisstore.Client { return c },
			"wait":  func(c redisstore.Client) redisstore.Client { return waiting{c} },
		} {
			t.Run(name, func(t *testing.T) {
				s := newStore(t, wrap(d.open(t, addrs...)), redisstore.Config{})
				var (
					stop             atomic.Bool
					rounds, failures atomic.Int64
					all              sync.WaitGroup
				)
				for range 8 {
					old := claimsInFirstSlots(8)
					for _, c := range old {
						mustClaim(t, s, c, replay.Acquired)
						mustComplete(t, s, c, nil)
					}
					fresh := claimsInFirstSlots(8)
					all.Go(func() {
						for i := 0; !stop.Load(); i++ {
							err := errors.Join(workOnce(s, rival(fresh[i%8]), &failures),
								expect(s, rival(old[i%8]), replay.Duplicate, &failures))
							if err != nil {
								t.Error(err)
								return
							}
							rounds.Add(1)
						}
					})
				}
				moveSlots(t, nodes, nodes[0], nodes[1])
				moveSlots(t, nodes, nodes[1], nodes[0])
				stop.Store(true)
				all.Wait()
				t.Logf("%d rounds, %d errors on the way", rounds.Load(), failures.Load())
				if rounds.Load() < 100 {
					t.Errorf("only %d rounds while slots moved", rounds.Load())
				}
				if n := failures.Load(); n > 10 {
					t.Errorf("%d errors: redirections are not followed", n)
				}
			})
		}
	})
}

// workOnce takes a key through all its states, with a rival at each.
func workOnce(s *redisstore.Store, c replay.Claim, failures *atomic.Int64) error {
	if err := expect(s, c, replay.Acquired, failures); err != nil {
		return fmt.Errorf("new key: %w", err)
	}
	if err := expect(s, rival(c), replay.InFlight, failures); err != nil {
		return fmt.Errorf("held key: %w", err)
	}
	err := persist(failures, func(ctx context.Context) error { return s.Complete(ctx, c, nil) })
	if err != nil {
		return fmt.Errorf("Complete: %w", err)
	}
	if err := expect(s, rival(c), replay.Duplicate, failures); err != nil {
		return fmt.Errorf("done key: %w", err)
	}
	return persist(failures, func(ctx context.Context) error { return s.Forget(ctx, c.Key) })
}

// expect claims, and repeats a claim that failed as the same owner.
func expect(s *redisstore.Store, c replay.Claim, want replay.Status, failures *atomic.Int64) error {
	return persist(failures, func(ctx context.Context) error {
		out, err := s.Claim(ctx, c)
		if err == nil && out.Status != want {
			return errWrongStatus
		}
		return err
	})
}

var errWrongStatus = errors.New("the claim has another status")

// persist tries up to five times what a moving slot may refuse for a moment.
func persist(failures *atomic.Int64, do func(context.Context) error) (err error) {
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		err = do(ctx)
		cancel()
		if err == nil || errors.Is(err, errWrongStatus) {
			return err
		}
		failures.Add(1)
	}
	return err
}

const movedSlots = 24

// moveSlots moves the first slots, with their keys, as redis-cli --cluster reshard
// does.
func moveSlots(t *testing.T, nodes []*testserver.Redis, from, to *testserver.Redis) {
	t.Helper()
	fromID, toID := from.Do(t, "CLUSTER", "MYID"), to.Do(t, "CLUSTER", "MYID")
	for slot := range movedSlots {
		to.Do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
		from.Do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
		time.Sleep(5 * time.Millisecond) // in which new keys of the slot are sent on by ASK
		for {
			keys, _ := from.Do(t, "CLUSTER", "GETKEYSINSLOT", slot, 100).([]any)
			if len(keys) == 0 {
				break
			}
			from.Do(t, append([]any{"MIGRATE", "127.0.0.1", to.Port, "", 0, 5000, "KEYS"}, keys...)...)
		}
		for _, node := range append([]*testserver.Redis{to, from}, nodes...) {
			node.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", toID)
		}
	}
}

// claimsInFirstSlots are claims to new keys in the slots that move.
func claimsInFirstSlots(n int) (claims []replay.Claim) {
	for len(claims) < n {
		c := newClaim("")
		rand.Read(c.Key[:]) // never fails (crypto/rand)
		if slotOf(redisstore.DefaultPrefix+base64.RawURLEncoding.EncodeToString(c.Key[:])) < movedSlots {
			claims = append(claims, c)
		}
	}
	return claims
}

// slotOf is CRC-16 (XMODEM) modulo the number of slots.
func slotOf(key string) int {
	crc := uint16(0)
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % 16384
}
