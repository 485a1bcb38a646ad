package verifygin

import (
	"bufio"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/webhookauth/webhookauth/adapters/internal/settle"
)

// recorded notes the body and the hijack; the status Gin knows by itself.
type recorded struct {
	gin.ResponseWriter
	rec *settle.Recorder
}

func (w *recorded) Write(p []byte) (int, error) {
	w.rec.Begin(w.Status())
	n, err := w.ResponseWriter.Write(p)
	w.rec.Wrote(p, err)
	return n, err
}

func (w *recorded) WriteString(s string) (int, error) {
	w.rec.Begin(w.Status())
	n, err := w.ResponseWriter.WriteString(s)
	w.rec.Wrote([]byte(s), err)
	return n, err
}

func (w *recorded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.Hijack()
	w.rec.Hijacked(err)
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach the server's writer.
func (w *recorded) Unwrap() http.ResponseWriter { return w.ResponseWriter }
