package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	plain = "\x1b[0m"
)

// isTerminal tells whether colours make sense (https://no-color.org).
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// printTable prints one line for each request: green for accepted, red for
// refused, and a mark on what was not expected. It returns how many were not.
func printTable(w io.Writer, outcomes []outcome, colour bool) (unexpected int) {
	rows := [][]string{{"ROUTE", "SENT", "MESSAGE", "STATUS", "VERDICT", "REASON"}}
	for _, o := range outcomes {
		verdict, reason := "refused", o.event.Reason
		if o.event.Err == nil {
			verdict = "accepted"
			reason = fmt.Sprintf("%s, key %q", o.event.Scheme, o.event.KeyID)
		}
		if o.event.Err != nil && o.gotStatus == http.StatusOK {
			verdict = "answered" // a copy, without running the handler
		}
		if !o.expected() {
			unexpected++
			reason += fmt.Sprintf("  <-- expected %d %s", o.status, o.reason)
		}
		rows = append(rows, []string{o.route, o.sent, o.message, strconv.Itoa(o.gotStatus), verdict, reason})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			line.WriteString(cell)
			if j < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+2))
			}
		}
		if i > 0 && row[0] != rows[i-1][0] {
			fmt.Fprintln(w) // a blank line before each route
		}
		if colour && i > 0 {
			fmt.Fprintln(w, colourOf(outcomes[i-1])+line.String()+plain)
		} else {
			fmt.Fprintln(w, line.String())
		}
	}
	fmt.Fprintf(w, "\n%d requests, %d as expected, %d not\n", len(outcomes), len(outcomes)-unexpected, unexpected)
	return unexpected
}

func colourOf(o outcome) string {
	if o.event.Err == nil {
		return green
	}
	return red
}

// printCurl prints lines to paste into a shell, one request for each scheme.
func printCurl(w io.Writer, base string, c credentials) {
	fmt.Fprintf(w, `
Try it (paste into another terminal):

# bearer token
curl -i %[1]s/bearer -H 'Authorization: Bearer %[2]s' --data-binary '{"message":{"type":"hang"}}'

# X-Vapi-Secret
curl -i %[1]s/secret -H 'X-Vapi-Secret: %[3]s' --data-binary '{"message":{"type":"hang"}}'

# HMAC
BODY='{"message":{"type":"hang"}}'; TS=$(date +%%s)
SIG=$(printf '%%s.%%s' "$TS" "$BODY" | openssl dgst -sha256 -hmac '%[4]s' | sed 's/^.* //')
curl -i %[1]s/hmac -H "X-Timestamp: $TS" -H "X-Signature: $SIG" --data-binary "$BODY"

# each delivery once: 200, then 409 (other routes: /acknowledge and /repeat)
curl -i %[1]s/once -H "X-Timestamp: $TS" -H "X-Signature: $SIG" --data-binary "$BODY"
curl -i %[1]s/once -H "X-Timestamp: $TS" -H "X-Signature: $SIG" --data-binary "$BODY"

# the migration route takes either
curl -i %[1]s/migrate -H "X-Timestamp: $TS" -H "X-Signature: $SIG" --data-binary "$BODY"
curl -i %[1]s/migrate -H 'X-Vapi-Secret: %[3]s' --data-binary "$BODY"

Serving on %[1]s; end with Ctrl-C.
`, base, c.token, c.secret, c.key)
}
