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
// moved from one to the other under the same signature. A timestamp of fixed
// width has a clear border of its own, but does not separate what stands before
// and behind it, nor end a message id. A method before the URL ends where the
// configured PublicURL begins.
func (p payload) touching(unit TimestampUnit) (pair string, found bool) {
	before := literal
	for _, s := range p {
		if s.token == timestampToken && unit.fixedWidth() && before != messageIDToken {
			continue
		}
		if before != literal && s.token != literal && !(before == methodToken && s.token == urlToken) {
			return before.String() + s.token.String(), true
		}
		before = s.token
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

// ambiguousID tells whether the text after a message id, or before it, could be
// found in the id too, so that a byte could move across the border unnoticed.
func (p payload) ambiguousID(id string) bool {
	for i, s := range p {
		if s.token != messageIDToken {
			continue
		}
		if i+1 < len(p) && p[i+1].token == literal {
			if after := p[i+1].text; strings.Index(id+after, after) != len(id) {
				return true
			}
		}
		if i > 1 && p[i-1].token == literal { // at the very beginning the border is clear
			if before := p[i-1].text; strings.LastIndex(before+id, before) != 0 {
				return true
			}
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
// value holds is never read as format. Everything but the body is copied through
// scratch, which is returned for the next use.
func (p payload) write(h hash.Hash, v *values, scratch []byte) []byte {
	scratch = scratch[:0]
	for _, s := range p {
		switch s.token {
		case literal:
			scratch = append(scratch, s.text...)
		case timestampToken:
			scratch = append(scratch, v.timestamp...)
		case methodToken:
			scratch = append(scratch, v.method...)
		case urlToken:
			scratch = append(scratch, v.url...)
		case messageIDToken:
			scratch = append(scratch, v.messageID...)
		case bodyToken:
			h.Write(scratch)
			h.Write(v.body)
			scratch = scratch[:0]
		}
	}
	if len(scratch) > 0 {
		h.Write(scratch)
	}
	return scratch
}
