package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
)

// Each script but the last changes one record, KEYS[1], if it is as expected. They
// answer like SET with NX and GET: nothing if they wrote, else the record that is
// in the way, "" where there is none. ARGV[1] is what the owner's held record
// begins with, if not said otherwise. All but takeOver run although the server is
// full: what they write takes the place of a held record.
const (
	renewScript = `#!lua flags=allow-oom
local v = redis.call('GET', KEYS[1]) or ''
if string.sub(v, 1, #ARGV[1]) ~= ARGV[1] then return v end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return false`

	// ARGV[2] is the done record. Over the very same one it is written again: then
	// a call that is repeated has something for WAIT to wait for.
	completeScript = `#!lua flags=allow-oom
local v = redis.call('GET', KEYS[1])
if v and v ~= ARGV[2] and string.sub(v, 1, #ARGV[1]) ~= ARGV[1] then return v end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return false`

	// What is left is the count of attempts, less ARGV[3], or nothing if that is 0.
	releaseScript = `#!lua flags=allow-oom
local v = redis.call('GET', KEYS[1]) or ''
if string.sub(v, 1, #ARGV[1]) ~= ARGV[1] then return v end
local attempts = string.sub(v, #ARGV[1] + 1) - ARGV[3]
if attempts < 1 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], 'R' .. attempts, 'PX', ARGV[2])
end
return false`

	// ARGV[1] is the released record that was found, ARGV[2] the held one for its
	// place.
	takeOverScript = `
local v = redis.call('GET', KEYS[1])
if v and v ~= ARGV[1] then return v end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return false`

	// Microseconds since 1970, on the server's clock.
	timeScript = `
local t = redis.call('TIME')
return t[1] * 1000000 + t[2]`
)

// script is what stands before the key to run a script by its digest, and with
// its text.
type script struct{ byDigest, byText []string }

func newScript(text string) script {
	digest := sha1.Sum([]byte(text))
	return script{[]string{"EVALSHA", hex.EncodeToString(digest[:]), "1"}, []string{"EVAL", text, "1"}}
}

// run runs a script; the server is sent its text only where it does not have it.
func (s *Store) run(ctx context.Context, replicas int, sc script, key string, args ...string) (reply any, confirmed bool, err error) {
	reply, confirmed, err = s.send(ctx, replicas, Command{sc.byDigest, key, args})
	if refused, ok := err.(ServerError); ok && refused.code() == "NOSCRIPT" {
		reply, confirmed, err = s.send(ctx, replicas, Command{sc.byText, key, args})
	}
	return reply, confirmed, clean(err)
}
