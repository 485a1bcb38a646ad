package verify

import (
	"encoding/binary"
	"net/http"
)

// Answer is what the sender of a copy is answered in place of a refusal, and what
// Replay's policy Repeat keeps of a handler's.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// ContentType is the header field, "" for none.
	ContentType string
	// Body is the whole body.
	Body []byte
}

// maxContentType bounds what is kept of that header, in bytes.
const maxContentType = 255

// answerVersion begins an encoded answer, so that a node with another encoding
// does not misread it.
const answerVersion = 1

// kept encodes an answer for the store: a version byte, the status in two, the
// length of the content type in one, the content type, the body. It is nil for
// one that is not to be kept.
func (v *Verifier) kept(a Answer) []byte {
	if limit := v.AnswerLimit(); limit == 0 || len(a.Body) > limit || len(a.ContentType) > maxContentType {
		return nil
	}
	b := make([]byte, 0, 4+len(a.ContentType)+len(a.Body))
	b = append(b, answerVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(a.Status))
	b = append(b, byte(len(a.ContentType)))
	b = append(b, a.ContentType...)
	return append(b, a.Body...)
}

// answer is what a copy of a finished delivery is answered by the policy; nil
// means the refusal's own status.
func (g *guard) answer(kept []byte) (answer *Answer, detail string) {
	switch g.Duplicate {
	case Acknowledge:
		return &Answer{Status: http.StatusOK}, "acknowledged"
	case Repeat:
		if answer := decodeAnswer(kept); answer != nil {
			return answer, "first answer repeated"
		}
		return nil, "no answer was kept"
	}
	return nil, ""
}

// decodeAnswer is nil for what kept did not encode.
func decodeAnswer(b []byte) *Answer {
	if len(b) < 4 || b[0] != answerVersion || len(b) < 4+int(b[3]) {
		return nil
	}
	status := int(binary.BigEndian.Uint16(b[1:]))
	if status/100 != 2 {
		return nil
	}
	body := b[4+int(b[3]):]
	return &Answer{Status: status, ContentType: string(b[4 : 4+int(b[3])]), Body: body}
}
