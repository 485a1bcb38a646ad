package verify

import (
	"fmt"
	"hash"
	"slices"
	"strings"
)

// defaultPayload is the default of Vapi's payloadFormat.
const defaultPayload = "{timestamp}.{body}"

// token is a variable part of a payload format.
type token uint8

const (
	literal token = iota
	bodyToken
	timestampToken
	methodToken
	urlToken
	messageIDToken
)

// tokens are the words of Vapi's payloadFormat.
var tokens = []struct {
	text  string
	token token
}{
	{"{body}", bodyToken},
	{"{timestamp}", timestampToken},
	{"{method}", methodToken},
	{"{url}", urlToken},
	{"{svix-id}", messageIDToken},
}

// segment is a token, or literal text.
type segment struct {
	token token
	text  string
}

// payload is a compiled payload format.
type payload []segment

// compilePayload reads a format once. Braces that enclose a known token or a
// part of the format with one in it are literal text; any other word in braces,
// and a brace without its partner, is an error rather than a guess.
func compilePayload(format string) (payload, error) {
	var p payload
	var open []int // for each literal brace that is open, the number of tokens before it
	count := 0
	for rest := format; rest != ""; {
		if t, ok := leadingToken(rest); ok {
			p = append(p, segment{token: t.token})
			count++
			rest = rest[len(t.text):]
			continue
		}
		switch rest[0] {
		case '{':
			open = append(open, count)
		case '}':
			if len(open) == 0 {
				return nil, fmt.Errorf("%q has a } without its {", format)
			}
			if open[len(open)-1] == count {
				return nil, fmt.Errorf("%q has braces without a known token in them; the tokens are %s", format, tokenList())
			}
			open = open[:len(open)-1]
		}
		p = p.appendLiteral(rest[:1])
		rest = rest[1:]
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("%q has a { without its }", format)
	}
	return p, nil
}

func leadingToken(s string) (found struct {
	text  string
	token token
}, ok bool) {
	for _, t := range tokens {
		if strings.HasPrefix(s, t.text) {
			return t, true
		}
	}
	return found, false
}

func tokenList() string {
	var words []string
	for _, t := range tokens {
		words = append(words, t.text)
	}
	return strings.Join(words, " ")
}

func (p payload) appendLiteral(s string) payload {
	if n := len(p); n > 0 && p[n-1].token == literal {
		p[n-1].text += s
		return p
	}
	return append(p, segment{text: s})
}

func (p payload) has(t token) bool {
	return slices.ContainsFunc(p, func(s segment) bool { return s.token == t })
}

// touching finds two variable tokens with nothing between them: bytes could be
// moved from one to the other under the same signature. A token of fixed width
// has a clear border of its own, and so has a method before the URL, which
// begins with the configured PublicURL.
func (p payload) touching(unit TimestampUnit) (pair string, found bool) {
	for i := 1; i < len(p); i++ {
		a, b := p[i-1].token, p[i].token
		if a == literal || b == literal || a == methodToken && b == urlToken {
			continue
		}
		if unit.fixedWidth() && (a == timestampToken || b == timestampToken) {
			continue
		}
		return a.String() + b.String(), true
	}
	return "", false
}

// String is the token as it stands in a format.
func (t token) String() string {
	for _, known := range tokens {
		if known.token == t {
			return known.text
		}
	}
	return "text"
}

// ambiguousID tells whether the text after a message id could be found earlier,
// inside the id, so that a byte could move across the border unnoticed.
func (p payload) ambiguousID(id string) bool {
	for i, s := range p {
		if s.token != messageIDToken || i+1 == len(p) || p[i+1].token != literal {
			continue
		}
		if sep := p[i+1].text; strings.Index(id+sep, sep) != len(id) {
			return true
		}
	}
	return false
}

// values are what one request puts in the place of the tokens.
type values struct {
	body                              []byte
	timestamp, method, url, messageID string
}

// write puts the signed bytes into the hash, in one pass over the format: what a
// value holds is never read as format. scratch is a buffer to copy strings
// through; it is returned for the next use.
func (p payload) write(h hash.Hash, v values, scratch []byte) []byte {
	for _, s := range p {
		text := s.text
		switch s.token {
		case bodyToken:
			h.Write(v.body)
			continue
		case timestampToken:
			text = v.timestamp
		case methodToken:
			text = v.method
		case urlToken:
			text = v.url
		case messageIDToken:
			text = v.messageID
		}
		scratch = append(scratch[:0], text...)
		h.Write(scratch)
	}
	return scratch
}
