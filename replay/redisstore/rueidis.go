package redisstore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Rueidis lets the store use a client of rueidis: of one server, of Sentinel or
// of a cluster. Closing it is the caller's.
func Rueidis(c rueidis.Client) Client { return rueidisClient{c} }

type rueidisClient struct{ c rueidis.Client }

func (r rueidisClient) Do(ctx context.Context, cmd Command) (any, error) {
	return rueidisReply(r.c.Do(ctx, built(r.c.B(), cmd)))
}

func (r rueidisClient) DoWait(ctx context.Context, cmd Command, replicas int, limit time.Duration) (any, int64, error) {
	node, asking := r.c, false
	for turn := 0; ; turn++ {
		reply, confirmed, err := rueidisWait(ctx, node, asking, cmd, replicas, limit)
		addr, ask, redirected := redirection(err)
		if !redirected || turn == maxRedirections {
			return reply, confirmed, err
		}
		// The client has begun to load the cluster's state anew; the commands
		// before that are done have to find their way by themselves.
		known := false
		if node, known = r.c.Nodes()[addr]; !known {
			return nil, 0, errors.New("the cluster redirects to a server that the client does not know")
		}
		asking = ask
	}
}

// rueidisWait sends the command and WAIT on a connection that nobody else uses
// meanwhile: WAIT would hold up what stands behind it.
func rueidisWait(ctx context.Context, node rueidis.Client, asking bool, cmd Command, replicas int, limit time.Duration) (reply any, confirmed int64, err error) {
	err = node.Dedicated(func(conn rueidis.DedicatedClient) error {
		commands := make([]rueidis.Completed, 0, 3)
		if asking {
			commands = append(commands, conn.B().Asking().Build())
		}
		commands = append(commands, built(conn.B(), cmd),
			conn.B().Arbitrary("WAIT", strconv.Itoa(replicas), milliseconds(limit)).Blocking())
		results := conn.DoMulti(ctx, commands...)
		written, waited := results[len(results)-2], results[len(results)-1]
		if written.NonRedisError() != nil || waited.NonRedisError() != nil {
			conn.Close() // replies may still be on their way
		}
		if reply, err = rueidisReply(written); err != nil {
			return err
		}
		n, err := rueidisReply(waited)
		if err != nil {
			return err
		}
		confirmed, _ = n.(int64)
		return nil
	})
	return reply, confirmed, err
}

func (r rueidisClient) Servers(context.Context) ([]Server, error) {
	if r.c == nil {
		return nil, errNilClient
	}
	var servers []Server
	for _, node := range r.c.Nodes() {
		servers = append(servers, Rueidis(node).Do)
	}
	return servers, nil
}

func built(b rueidis.Builder, cmd Command) rueidis.Completed {
	c := b.Arbitrary(cmd.Name...)
	if cmd.Key != "" {
		c = c.Keys(cmd.Key)
	}
	return c.Args(cmd.Args...).Build()
}

// rueidisReply translates a reply.
func rueidisReply(result rueidis.RedisResult) (any, error) {
	err := result.Error()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if refused, ok := rueidis.IsRedisErr(err); ok {
		return nil, ServerError(refused.Error())
	}
	if err != nil {
		return nil, err
	}
	return result.ToAny()
}
