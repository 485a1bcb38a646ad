package redisstore

import (
	"context"
	"strings"
	"time"
)

// Client is what the store needs of a client of Redis. GoRedis and Rueidis make
// one from a client that the program has already. It must be safe for concurrent
// use, and give up when the context ends.
//
// A reply is nil, a string or an int64. What the server refuses is a ServerError;
// every other error means that the outcome is unknown.
type Client interface {
	// Do sends a command to the server that has its key, and follows the
	// redirections of a cluster.
	Do(context.Context, Command) (reply any, err error)
	// DoWait does the same and then, on the same connection, WAIT: it tells how
	// many replicas confirmed the command within the time.
	DoWait(ctx context.Context, cmd Command, replicas int, limit time.Duration) (reply any, confirmed int64, err error)
	// Servers gives each server that keeps a part of the data. Replicas may be
	// among them.
	Servers(context.Context) ([]Server, error)
}

// Server sends a command without a key to one server.
type Server func(context.Context, Command) (reply any, err error)

// Command is a command with one key, or with none.
type Command struct {
	Name []string // what stands before the key: SET, or EVALSHA, its digest and 1
	Key  string   // empty: the command has none
	Args []string // what stands after it
}

// ServerError is the text of an error reply: the server did not execute the
// command. It may hold the command's arguments; the store shows only a part.
type ServerError string

// Error is the reply's text.
func (e ServerError) Error() string { return string(e) }

// code is the word with which every error reply begins.
func (e ServerError) code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// redirection tells where a server of a cluster sends a command: for good, or
// this once with ASKING before it.
func redirection(err error) (addr string, ask, ok bool) {
	refused, _ := err.(ServerError)
	words := strings.Fields(string(refused))
	if len(words) != 3 || words[0] != "MOVED" && words[0] != "ASK" {
		return "", false, false
	}
	return words[2], words[0] == "ASK", true
}

// maxRedirections is how often a command with WAIT is sent on. Two are usual when
// a slot has just moved.
const maxRedirections = 4
