package testserver

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server on loopback and spoils, on request,
// what passes.
type Proxy struct {
	Addr   string
	target string

	mu       sync.Mutex
	listener net.Listener
	conns    map[*proxied]bool
	cut      []byte // of the command whose reply is cut next; nil is none
	cuts     int
	silent   bool
}

// proxied is one connection through the proxy.
type proxied struct {
	client, server net.Conn
	doomed         bool // its next reply is dropped, and it is closed
}

// StartProxy starts a proxy to an address, until the test ends.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{target: target, conns: make(map[*proxied]bool)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Addr = l.Addr().String()
	p.serve(l)
	t.Cleanup(p.Refuse)
	return p
}

// CutReply lets the next command that contains the text through to the server,
// and closes the connection in place of the reply: the client cannot know what
// became of it.
func (p *Proxy) CutReply(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = []byte(text)
}

// Cuts is how many replies were cut.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Silence lets no more replies through; connections are still accepted.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
}

// Refuse closes all connections and accepts none.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.drop()
}

// Recover ends Silence and Refuse. What was connected meanwhile is closed: its
// replies are lost.
func (p *Proxy) Recover(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	p.silent = false
	p.drop()
	listening := p.listener != nil
	p.mu.Unlock()
	if listening {
		return
	}
	l, err := net.Listen("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	p.serve(l)
}

// drop closes all connections; the caller has the lock.
func (p *Proxy) drop() {
	for c := range p.conns {
		c.close()
	}
	clear(p.conns)
}

func (c *proxied) close() {
	_ = c.client.Close()
	_ = c.server.Close()
}

func (p *Proxy) serve(l net.Listener) {
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", p.target)
			if err != nil {
				_ = client.Close()
				continue
			}
			c := &proxied{client: client, server: server}
			p.mu.Lock()
			if p.listener != l {
				c.close()
			} else {
				p.conns[c] = true
				go p.requests(c)
				go p.replies(c)
			}
			p.mu.Unlock()
		}
	}()
}

// requests carries what the client says.
func (p *Proxy) requests(c *proxied) {
	buf := make([]byte, 64<<10)
	var seen []byte // the end of what came before, for a text in two pieces
	for {
		n, err := c.client.Read(buf)
		if err != nil {
			p.end(c)
			return
		}
		p.mu.Lock()
		seen = append(seen, buf[:n]...)
		if p.cut != nil && bytes.Contains(seen, p.cut) {
			p.cut, c.doomed = nil, true
		}
		seen = append([]byte(nil), seen[max(0, len(seen)-256):]...)
		p.mu.Unlock()
		if _, err := c.server.Write(buf[:n]); err != nil {
			p.end(c)
			return
		}
	}
}

// replies carries what the server says.
func (p *Proxy) replies(c *proxied) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buf)
		if err != nil {
			p.end(c)
			return
		}
		p.mu.Lock()
		silent, doomed := p.silent, c.doomed
		if doomed {
			p.cuts++
		}
		p.mu.Unlock()
		if doomed {
			p.end(c)
			return
		}
		if silent {
			continue
		}
		if _, err := c.client.Write(buf[:n]); err != nil {
			p.end(c)
			return
		}
	}
}

func (p *Proxy) end(c *proxied) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.close()
	delete(p.conns, c)
}
