package verify_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/webhookauth/webhookauth/verify"
)

func networks(prefixes ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range prefixes {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// from is a request of that peer with X-Forwarded-For lines.
func from(peer string, forwarded ...string) *http.Request {
	r := post("{}")
	r.RemoteAddr = peer
	if len(forwarded) > 0 {
		r.Header["X-Forwarded-For"] = forwarded
	}
	return r
}

func TestSourceIP(t *testing.T) {
	v := build(t, verify.SourceIP{Allow: networks("192.0.2.0/25", "198.51.100.7/32", "2001:db8::/48", "fe80::1/128")})
	for _, tt := range []struct {
		name, peer string
		allowed    bool
	}{
		{"first address", "192.0.2.0:1234", true},
		{"last address", "192.0.2.127:1234", true},
		{"one further", "192.0.2.128:1234", false},
		{"one before", "192.0.1.255:1234", false},
		{"second network", "198.51.100.7:1", true},
		{"beside the second network", "198.51.100.6:1", false},
		{"without a port", "192.0.2.1", true},
		{"without a port, not allowed", "192.0.2.200", false},
		{"IPv6", "[2001:db8::1]:1234", true},
		{"IPv6, not allowed", "[2001:db8:1::1]:1234", false},
		{"IPv6 without a port", "2001:db8::1", true},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:1234", true},
		{"IPv4 in IPv6, without a port", "::ffff:192.0.2.1", true},
		{"IPv4 in IPv6, not allowed", "[::ffff:192.0.2.200]:1234", false},
		{"IPv4 behind another prefix", "[::192.0.2.1]:1234", false},
		{"zone", "[fe80::1%eth0]:1234", true},
		{"zone, without a port", "fe80::1%eth0", true},
		{"zone, not allowed", "[fe80::2%eth0]:1234", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.allowed {
				refuse(t, v, from(tt.peer), verify.ErrMismatch, "the sender's address is not allowed")
				return
			}
			if res := accept(t, v, from(tt.peer)); *res != (verify.Result{Scheme: "source-ip"}) {
				t.Errorf("result %+v", res)
			}
		})
	}
	for name, peer := range map[string]string{
		"no peer": "", "Unix socket": "@", "a name": "localhost:1234", "port of a name": "192.0.2.1:http", "two ports": "192.0.2.1:1:2", "no brackets": "2001:db8::1:99999",
	} {
		t.Run("misconfigured: "+name, func(t *testing.T) {
			refuse(t, v, from(peer), verify.ErrMisconfigured, "RemoteAddr is not an IP address")
		})
	}
	t.Run("message without a peer", func(t *testing.T) {
		m := verify.NewMessage(http.MethodPost, "/webhook", nil, nil)
		res, err := v.CheckMessage(context.Background(), m)
		refused(t, res, err, verify.ErrMisconfigured, "RemoteAddr is not an IP address")
		m.RemoteAddr = "192.0.2.1"
		if res, err := v.CheckMessage(context.Background(), m); err != nil || res.Scheme != "source-ip" {
			t.Errorf("result %v, error %v", res, err)
		}
	})
}

// TestSourceIPProxies: the peer is a proxy of ours, and the sender is who the
// last of our proxies says it is.
func TestSourceIPProxies(t *testing.T) {
	const proxy, sender, stranger = "10.0.0.1:1234", "192.0.2.7", "203.0.113.9"
	allow := networks("192.0.2.0/24", "2001:db8::/48")
	v := build(t, verify.SourceIP{Allow: allow, TrustedProxies: networks("10.0.0.0/8", "fd00::/8")})
	for _, tt := range []struct {
		name      string
		peer      string
		forwarded []string
		reason    error
		detail    string
	}{
		{"V37 one proxy", proxy, []string{sender}, nil, ""},
		{"V37 two proxies", proxy, []string{sender + ", 10.0.0.2"}, nil, ""},
		{"V37 two proxies, two lines", proxy, []string{sender, "10.0.0.2"}, nil, ""},
		{"V37 no spaces", proxy, []string{sender + ",10.0.0.2,10.0.0.3"}, nil, ""},
		{"V37 IPv6", proxy, []string{"2001:db8::7, fd00::2"}, nil, ""},
		{"V37 IPv4 in IPv6", proxy, []string{"::ffff:" + sender + ", ::ffff:10.0.0.2"}, nil, ""},
		{"V37 peer as IPv4 in IPv6", "[::ffff:10.0.0.1]:1234", []string{sender}, nil, ""},
		{"V37 zone", proxy, []string{"2001:db8::7%eth0"}, nil, ""},
		{"V37 stranger", proxy, []string{stranger}, verify.ErrMismatch, "not allowed"},
		{"V37 allowed address spoofed before the stranger", proxy, []string{sender + ", " + stranger}, verify.ErrMismatch, "not allowed"},
		{"V37 spoofed before the stranger and a proxy", proxy, []string{sender + ", " + stranger + ", 10.0.0.2"}, verify.ErrMismatch, "not allowed"},
		{"V37 spoofed in a line before", proxy, []string{sender, stranger}, verify.ErrMismatch, "not allowed"},
		{"V37 stranger's own list before the sender", proxy, []string{stranger + ", " + sender}, nil, ""},
		{"V37 garbage before the sender", proxy, []string{"unknown, " + sender}, nil, ""},
		{"V37 garbage after the sender", proxy, []string{sender + ", unknown"}, verify.ErrMalformed, "something else than an address"},
		{"V37 garbage between proxies", proxy, []string{sender + ", _hidden, 10.0.0.2"}, verify.ErrMalformed, "something else than an address"},
		{"V37 empty entry", proxy, []string{sender + ", , 10.0.0.2"}, verify.ErrMalformed, "something else than an address"},
		{"V37 comma at the end", proxy, []string{sender + ","}, verify.ErrMalformed, "something else than an address"},
		{"V37 port", proxy, []string{sender + ":4711"}, nil, ""},
		{"V37 port, IPv6", proxy, []string{"[2001:db8::7]:4711"}, nil, ""},
		{"V37 stranger with a port", proxy, []string{sender + ", " + stranger + ":4711"}, verify.ErrMismatch, "not allowed"},
		{"V37 quoted", proxy, []string{`"` + sender + `"`}, verify.ErrMalformed, "something else than an address"},
		{"V37 leading zero", proxy, []string{"192.0.2.07"}, verify.ErrMalformed, "something else than an address"},
		{"V37 only proxies", proxy, []string{"10.0.0.3, 10.0.0.2"}, verify.ErrMissing, "names no sender before the trusted proxies"},
		{"V37 no header", proxy, nil, verify.ErrMissing, "names no sender before the trusted proxies"},
		{"V37 empty header", proxy, []string{""}, verify.ErrMissing, "names no sender before the trusted proxies"},
		{"V37 untrusted peer", stranger + ":1234", []string{sender}, verify.ErrMismatch, "not allowed"},
		{"V37 untrusted peer that names a proxy", stranger + ":1234", []string{sender + ", 10.0.0.2"}, verify.ErrMismatch, "not allowed"},
		{"V37 allowed peer, whatever it forwards", sender + ":1234", []string{stranger}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := from(tt.peer, tt.forwarded...)
			if tt.reason != nil {
				refuse(t, v, r, tt.reason, tt.detail)
			} else {
				accept(t, v, r)
			}
		})
	}
	t.Run("V37 no proxies configured", func(t *testing.T) {
		v := build(t, verify.SourceIP{Allow: allow})
		accept(t, v, from(sender+":1"))
		refuse(t, v, from(proxy, sender), verify.ErrMismatch, "not allowed")
	})
	t.Run("V37 other forwarded headers", func(t *testing.T) {
		r := from(proxy)
		for _, name := range []string{"X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip"} {
			r.Header.Set(name, sender)
		}
		refuse(t, v, r, verify.ErrMissing, "names no sender")
	})
}

func TestSourceIPConfig(t *testing.T) {
	good := networks("192.0.2.0/24", "::1/128")
	build(t, verify.SourceIP{Allow: good, TrustedProxies: good})
	for _, tt := range []struct {
		name     string
		networks []netip.Prefix
		problem  string
	}{
		{"all of IPv4", networks("192.0.2.0/24", "0.0.0.0/0"), "0.0.0.0/0, which is everybody"},
		{"all of IPv4, by any address", networks("192.0.2.1/0"), "which is everybody"},
		{"all of IPv6", networks("::/0"), "::/0, which is everybody"},
		{"zero prefix", append(networks("192.0.2.0/24"), netip.Prefix{}), "invalid prefix"},
		{"too long", []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("192.0.2.0"), 33)}, "invalid prefix"},
		{"IPv4 in IPv6", networks("::ffff:192.0.2.0/120"), "write IPv4 networks as IPv4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuseConfig(t, verify.SourceIP{Allow: tt.networks}, "Config.Accept.SourceIP.Allow", tt.problem)
			refuseConfig(t, verify.SourceIP{Allow: good, TrustedProxies: tt.networks}, "Config.Accept.SourceIP.TrustedProxies", tt.problem)
		})
	}
	refuseConfig(t, verify.SourceIP{TrustedProxies: good}, "Config.Accept.SourceIP.Allow", "is empty")
	refuseConfig(t, verify.SourceIP{Allow: good, Name: "source ip"}, "Config.Accept.SourceIP.Name", "letters, digits")
}

// Defence in depth: neither the address nor the signature alone is enough.
func TestSourceIPBesideHMAC(t *testing.T) {
	v := build(t, verify.AllOf(verify.SourceIP{Allow: networks("192.0.2.0/24"), Name: "vapi-net"}, defaultHMAC()))
	res := accept(t, v, defaultPost())
	if res.Scheme != "vapi-net+hmac" || res.KeyID != "0" || !res.SignedAt.Equal(now) {
		t.Errorf("result %+v", res)
	}
	other := defaultPost()
	other.RemoteAddr = "203.0.113.9:1234"
	e := refuse(t, v, other, verify.ErrMismatch, "vapi-net: credential does not match (the sender's address is not allowed)")
	if strings.Contains(e.Error(), other.RemoteAddr) || len(e.Attempts) != 1 {
		t.Errorf("refused with %v", e)
	}
	forged := defaultPost()
	forged.Header.Set("X-Signature", hexMAC("something else"))
	refuse(t, v, forged, verify.ErrMismatch, "hmac: credential does not match")
}
