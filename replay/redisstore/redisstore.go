package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webhookauth/webhookauth/replay"
)

const (
	// DefaultPrefix is Config.Prefix's default.
	DefaultPrefix = "rp:"
	// DefaultReplicaTimeout is Config.ReplicaTimeout's default.
	DefaultReplicaTimeout = 50 * time.Millisecond
	// DefaultMaxSkew is Config.MaxSkew's default, half of the default margin for
	// which a done message is kept longer than it can be accepted.
	DefaultMaxSkew = 30 * time.Second
	// DefaultMaxAnswer is Config.MaxAnswer's default, in bytes.
	DefaultMaxAnswer = 64 << 10
)

// Config is how a Store works. The zero Config is a good one.
type Config struct {
	// Prefix stands before every key; "" means "rp:". All that share records must
	// use the same, and nobody else may write there. At most 64 bytes. Braces
	// would put all records on one server of a cluster, so that New refuses them.
	Prefix string
	// Replicas is how many replicas must confirm a claim and a completion (WAIT);
	// 0 asks none. See the package on what a failover loses.
	Replicas int
	// ReplicaTimeout is for how long their confirmation is waited for; 0 means
	// 50 ms. It must be well below Guard.Timeout and the client's ReadTimeout.
	// Whole milliseconds.
	ReplicaTimeout time.Duration
	// MaxSkew is the largest difference between this process's clock and a
	// server's; 0 means 30 seconds. New refuses more, and so does each claim later.
	MaxSkew time.Duration
	// MaxAnswer is the largest answer, in bytes, that is kept beside a done key; 0
	// means 64 KiB, and -1 keeps none. Of a larger one nothing is kept.
	MaxAnswer int
	// InsecureUnknownEviction accepts a server that does not let the client read
	// INFO, or does not tell maxmemory-policy there. If such a server evicts keys,
	// replays come through unnoticed.
	InsecureUnknownEviction bool
	// Now is this process's clock; nil means time.Now. It is compared with the
	// servers', and never measures a lease.
	Now func() time.Time
}

func (cfg Config) withDefaults() (Config, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if cfg.ReplicaTimeout == 0 {
		cfg.ReplicaTimeout = DefaultReplicaTimeout
	}
	if cfg.MaxSkew == 0 {
		cfg.MaxSkew = DefaultMaxSkew
	}
	if cfg.MaxAnswer == 0 {
		cfg.MaxAnswer = DefaultMaxAnswer
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	switch {
	case len(cfg.Prefix) > 64:
		return cfg, errors.New("Config.Prefix has more than 64 bytes")
	case strings.ContainsAny(cfg.Prefix, "{}"):
		return cfg, errors.New("Config.Prefix has a brace: a cluster would keep all records on one server")
	case cfg.Replicas < 0:
		return cfg, errors.New("Config.Replicas is negative")
	case cfg.ReplicaTimeout < time.Millisecond: // WAIT 0 waits for ever
		return cfg, errors.New("Config.ReplicaTimeout is under a millisecond")
	case cfg.MaxSkew < 0:
		return cfg, errors.New("Config.MaxSkew is negative")
	case cfg.MaxAnswer < -1:
		return cfg, errors.New("Config.MaxAnswer is below -1")
	}
	return cfg, nil
}

var (
	// ErrClockSkew: this process's clock and a server's differ by more than
	// Config.MaxSkew. All claims fail with it until a check finds them closer.
	ErrClockSkew = errors.New("redisstore: the clock differs too much from the server's")
	// ErrEviction: a server has a maxmemory-policy that forgets live keys. All
	// claims fail with it until a check finds noeviction.
	ErrEviction = errors.New("redisstore: maxmemory-policy is not noeviction, so that the server may forget live keys")
	// ErrUnconfirmed: fewer than Config.Replicas replicas confirmed in time. A
	// claim has been given back, as far as the server could be reached. A
	// completion has been written all the same, and only a failover can undo it.
	ErrUnconfirmed = errors.New("redisstore: too few replicas confirmed")
	// errNoAnswer marks errors that leave the outcome unknown.
	errNoAnswer  = errors.New("redisstore: no answer from the server")
	errNilClient = errors.New("the client is nil")
)

// Store is a replay.Store in Redis. New makes one. Safe for concurrent use; it
// has no goroutine and nothing to close.
type Store struct {
	client Client
	cfg    Config

	renew, complete, release, takeOver script

	checked  atomic.Pointer[verdict] // of the last check
	checking sync.Mutex              // held by the one caller that checks
}

// New makes a store and checks what it needs: a client that keeps to its
// contexts, and on every server version 7.0 or later,
// maxmemory-policy noeviction, and a clock within Config.MaxSkew of this
// process's. It fails with one error that says what is wrong, and does not wait
// for servers longer than ctx lasts.
func New(ctx context.Context, c Client, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err == nil && c == nil {
		err = errNilClient
	}
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	s := &Store{
		client:   c,
		cfg:      cfg,
		renew:    newScript(renewScript),
		complete: newScript(completeScript),
		release:  newScript(releaseScript),
		takeOver: newScript(takeOverScript),
	}
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	s.checked.Store(&verdict{at: cfg.Now(), pause: checkPause})
	return s, nil
}

// Limits implements replay.Limited.
func (s *Store) Limits() replay.Limits { return replay.Limits{Shared: true, MaxSkew: s.cfg.MaxSkew} }

// Forget removes a key's record, whatever it says, so that the next copy runs: for
// a deliberate redelivery. Work under way goes on, and is recorded when it is done
// unless somebody has claimed the key meanwhile.
func (s *Store) Forget(ctx context.Context, k replay.Key) error {
	_, _, err := s.send(ctx, 0, Command{Name: []string{"DEL"}, Key: s.recordKey(k)})
	return clean(err)
}

// send sends a command; with replicas it also tells whether they confirmed it.
func (s *Store) send(ctx context.Context, replicas int, cmd Command) (reply any, confirmed bool, err error) {
	if replicas == 0 {
		reply, err = s.client.Do(ctx, cmd)
		return reply, true, err
	}
	reply, n, err := s.client.DoWait(ctx, cmd, replicas, s.cfg.ReplicaTimeout)
	return reply, n >= int64(replicas), err
}

// clean makes an error that may be logged.
func clean(err error) error {
	refused, ok := err.(ServerError)
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	case refused.code() == "OOM":
		return fmt.Errorf("redisstore: the server has reached maxmemory: %w", replay.ErrFull)
	}
	// Where an error reply quotes something, that may be a key or an owner.
	text, _, _ := strings.Cut(string(refused), "'")
	text, _, _ = strings.Cut(text, "`")
	return fmt.Errorf("redisstore: the server refused: %.100s", strings.TrimSpace(text))
}
