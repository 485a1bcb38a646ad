package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/webhookauth/webhookauth/replay"
)

// ErrClockSkew is for claims while this process's clock and the server's differ
// by more than Config.MaxSkew. Nothing was claimed, except where the clock jumped
// during the call. Each claim looks anew, so the first after the clocks agree
// succeeds.
var ErrClockSkew = errors.New("sqlstore: the clocks of this process and of the server differ by more than Config.MaxSkew")

// The SQLSTATEs that change what happens.
const (
	lockNotAvailable     = "55P03"
	serializationFailure = "40001"
	diskFull             = "53100"
)

// hint says what some SQLSTATEs mean here.
func hint(state string) string {
	switch state {
	case "42P01":
		return " (the table does not exist)"
	case "42501":
		return " (a right on the table or its schema is missing)"
	case "25006":
		return " (the server is read-only, perhaps a standby)"
	case "28000", "28P01":
		return " (the server refused the login)"
	case "3D000":
		return " (the database does not exist)"
	}
	return ""
}

// failure is an error of the server or of the driver without its text, which can
// hold values of the statement or parts of the DSN.
type failure struct {
	text, state string
	cause       error
}

func (f *failure) Error() string { return f.text }

// Unwrap gives what is known to hold nothing private: the context's error,
// replay.ErrFull, or an errno.
func (f *failure) Unwrap() error { return f.cause }

// SQLState is the server's code, or "" if the server did not answer.
func (f *failure) SQLState() string { return f.state }

// failed makes an error of one that came from the driver.
func failed(ctx context.Context, op string, err error) error {
	f := &failure{state: sqlState(err)}
	var errno syscall.Errno
	switch {
	case f.state == diskFull:
		f.cause = replay.ErrFull
	case ctx.Err() != nil:
		f.cause = ctx.Err()
	case errors.As(err, &errno):
		f.cause = errno
	}
	f.text = "sqlstore: " + op + ": "
	switch {
	case f.state != "" && f.cause != nil:
		f.text += fmt.Sprintf("SQLSTATE %s: %v", f.state, f.cause)
	case f.state != "":
		f.text += "SQLSTATE " + f.state + hint(f.state)
	case f.cause != nil:
		f.text += f.cause.Error()
	default:
		f.text += fmt.Sprintf("no answer from the server (%T)", innermost(err))
	}
	return f
}

// sqlState is the code in an error of the server, which all drivers give alike.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// repeatable tells whether a claim, which its owner may repeat, is worth to be
// tried again at once: after a failed serialization, and where the connection
// broke, as all idle ones do when the server restarts.
func repeatable(err error) bool {
	if errors.Is(err, ErrClockSkew) {
		return false
	}
	state := sqlState(err)
	return state == "" || state == serializationFailure || strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P")
}
