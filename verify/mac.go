package verify

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

// maxSignatures is how many entries a signature list may have.
const maxSignatures = 32

// maxMAC is the size of the largest MAC, in bytes.
const maxMAC = sha512.Size

// hashFunc gives the hash functions that Vapi's plan knows, nil for any other.
func hashFunc(h crypto.Hash) func() hash.Hash {
	switch h {
	case 0, crypto.SHA256:
		return sha256.New
	case crypto.SHA512:
		return sha512.New
	case crypto.SHA1:
		return sha1.New
	}
	return nil
}

// signatures are the decoded MACs of one header, each of the configured size.
type signatures struct {
	first [maxMAC]byte // room for the usual one, without an allocation
	more  [][maxMAC]byte
	count int
	size  int
}

// parse reads a signature header; problem is "" for a good one. Everything that
// is not the one canonical text of a MAC of the right size is malformed, but for
// the case of hexadecimal digits. In a list, entries of other versions and of
// other forms are passed over.
func (s *signatures) parse(a *hmacAuth, header string) (problem string) {
	s.size = a.size
	if !a.list {
		text, ok := strings.CutPrefix(header, a.prefix)
		if !ok {
			return "does not begin with the configured SignaturePrefix"
		}
		if problem := a.encoding.decode(s.first[:a.size], text); problem != "" {
			return problem
		}
		s.count = 1
		return ""
	}
	versioned := 0
	for n := 0; header != ""; n++ {
		if n == maxSignatures {
			return "more than 32 signatures"
		}
		entry := header
		header = ""
		if i := strings.IndexAny(entry, " \t"); i >= 0 {
			entry, header = entry[:i], strings.TrimLeft(entry[i:], " \t")
		}
		text, ok := strings.CutPrefix(entry, a.prefix)
		if !ok {
			continue
		}
		versioned++
		var mac [maxMAC]byte
		if problem = a.encoding.decode(mac[:a.size], text); problem == "" {
			s.more = append(s.more, mac)
			s.count++
		}
	}
	if versioned > 0 && s.count == 0 {
		return problem
	}
	return ""
}

// any tells whether one of the signatures is the MAC. It looks at all of them,
// so that its time does not tell which.
func (s *signatures) any(mac []byte) bool {
	if s.more == nil {
		return s.count == 1 && equalDigests(s.first[:s.size], mac)
	}
	found := false
	for i := range s.more {
		found = equalDigests(s.more[i][:s.size], mac) || found
	}
	return found
}

// decode fills dst with the bytes of text, or tells why it cannot.
func (e Encoding) decode(dst []byte, text string) (problem string) {
	var n int
	var err error
	if e == Base64 {
		if len(text) != base64.StdEncoding.EncodedLen(len(dst)) {
			return "not the length of a signature in base64"
		}
		var room [maxMAC + 2]byte // the decoder writes whole groups of three
		if n, err = base64.StdEncoding.Strict().Decode(room[:], []byte(text)); err != nil || n != len(dst) {
			return "not canonical base64"
		}
		copy(dst, room[:n])
		return ""
	}
	if len(text) != hex.EncodedLen(len(dst)) {
		return "not the length of a signature in hexadecimal"
	}
	if _, err = hex.Decode(dst, []byte(text)); err != nil {
		return "not hexadecimal"
	}
	return ""
}

// macKey is a key with the hash states it has in use. A state that was used once
// keeps the key's own two blocks hashed, which halves the work on small bodies.
type macKey struct {
	secret Secret
	states sync.Pool
}

type macState struct {
	mac     hash.Hash
	sum     [maxMAC]byte
	scratch []byte
}

// maxScratch bounds the buffer that a pooled state keeps, in bytes.
const maxScratch = 4 << 10

func newMACKey(s Secret, newHash func() hash.Hash, key []byte) *macKey {
	k := &macKey{secret: s}
	k.states.New = func() any { return &macState{mac: hmac.New(newHash, key)} }
	return k
}

// verify computes the MAC over the payload and looks for it among the
// signatures. Where it is there and the message has a replay key, that is made
// of it.
func (k *macKey) verify(p payload, v *values, sigs *signatures, key func(mac []byte)) bool {
	st := k.states.Get().(*macState)
	st.mac.Reset()
	st.scratch = p.write(st.mac, v, st.scratch)
	sum := st.mac.Sum(st.sum[:0])
	ok := sigs.any(sum)
	if ok && key != nil {
		key(sum)
	}
	clear(st.sum[:])
	if cap(st.scratch) <= maxScratch {
		k.states.Put(st)
	}
	return ok
}
