package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// GoRedis lets the store use a client of go-redis v9: a *redis.Client, also one
// of Sentinel, or a *redis.ClusterClient. Its options must have
// ContextTimeoutEnabled; New says so if not. Closing it is the caller's.
func GoRedis(c redis.UniversalClient) Client { return goRedis{c} }

type goRedis struct{ c redis.UniversalClient }

func (g goRedis) Do(ctx context.Context, cmd Command) (any, error) {
	return goReply(g.c.Do(ctx, words(cmd)...))
}

func (g goRedis) DoWait(ctx context.Context, cmd Command, replicas int, limit time.Duration) (any, int64, error) {
	cluster, ok := g.c.(*redis.ClusterClient)
	if !ok {
		return goWait(ctx, g.c, false, cmd, replicas, limit)
	}
	node, err := cluster.MasterForKey(ctx, cmd.Key)
	if err != nil {
		return nil, 0, err
	}
	asking := false
	for turn := 0; ; turn++ {
		reply, confirmed, err := goWait(ctx, node, asking, cmd, replicas, limit)
		addr, ask, redirected := redirection(err)
		if !redirected || turn == maxRedirections {
			return reply, confirmed, err
		}
		if node, err = goNode(ctx, cluster, addr); err != nil {
			return nil, 0, err
		}
		asking = ask
	}
}

// goWait sends the command and WAIT in one pipeline, which has one connection.
func goWait(ctx context.Context, node redis.UniversalClient, asking bool, cmd Command, replicas int, limit time.Duration) (any, int64, error) {
	pipe := node.Pipeline()
	if asking {
		pipe.Do(ctx, "ASKING")
	}
	written := pipe.Do(ctx, words(cmd)...)
	waited := pipe.Do(ctx, "WAIT", strconv.Itoa(replicas), milliseconds(limit))
	_, _ = pipe.Exec(ctx) // each command has its own error
	reply, err := goReply(written)
	if err != nil {
		return nil, 0, err
	}
	confirmed, err := goReply(waited)
	if err != nil {
		return nil, 0, err
	}
	n, _ := confirmed.(int64)
	return reply, n, nil
}

// goNode finds a server of the cluster by its address; on the way the client
// loads the cluster's state anew.
func goNode(ctx context.Context, cluster *redis.ClusterClient, addr string) (*redis.Client, error) {
	var (
		mu   sync.Mutex
		node *redis.Client
	)
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		if c.Options().Addr == addr {
			mu.Lock()
			node = c
			mu.Unlock()
		}
		return nil
	})
	if err == nil && node == nil {
		err = errors.New("the cluster redirects to a server that the client does not know")
	}
	return node, err
}

// Servers also checks the client's options, so that New does.
func (g goRedis) Servers(ctx context.Context) ([]Server, error) {
	switch c := g.c.(type) {
	case *redis.Client:
		switch {
		case c == nil:
			return nil, errNilClient
		case !c.Options().ContextTimeoutEnabled:
			return nil, errors.New("set ContextTimeoutEnabled in redis.Options (or FailoverOptions, UniversalOptions): without it a silent server holds each request for several ReadTimeouts")
		}
		return []Server{goServer(c)}, nil
	case *redis.ClusterClient:
		switch {
		case c == nil:
			return nil, errNilClient
		case !c.Options().ContextTimeoutEnabled:
			return nil, errors.New("set ContextTimeoutEnabled in redis.ClusterOptions (or UniversalOptions): without it a silent server holds each request for several ReadTimeouts")
		}
		var (
			mu      sync.Mutex
			servers []Server
		)
		err := c.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			servers = append(servers, goServer(node))
			mu.Unlock()
			return nil
		})
		return servers, err
	case *redis.Ring:
		return nil, errors.New("a *redis.Ring moves keys to other servers when one fails, and their records are not there: use Sentinel or Cluster")
	case nil:
		return nil, errNilClient
	default:
		return nil, fmt.Errorf("GoRedis takes a *redis.Client or a *redis.ClusterClient, not a %T", c)
	}
}

func goServer(c *redis.Client) Server {
	return func(ctx context.Context, cmd Command) (any, error) { return goReply(c.Do(ctx, words(cmd)...)) }
}

// goReply translates a reply.
func goReply(cmd *redis.Cmd) (any, error) {
	reply, err := cmd.Result()
	var refused redis.Error
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case errors.As(err, &refused):
		return nil, ServerError(refused.Error())
	}
	return reply, err
}

func words(cmd Command) []any {
	all := make([]any, 0, len(cmd.Name)+1+len(cmd.Args))
	for _, word := range cmd.Name {
		all = append(all, word)
	}
	if cmd.Key != "" {
		all = append(all, cmd.Key)
	}
	for _, word := range cmd.Args {
		all = append(all, word)
	}
	return all
}
