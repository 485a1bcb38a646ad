package verify

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

// SourceIP accepts requests from a list of networks. An address is no
// credential: put SourceIP beside one with AllOf, for defence in depth. The zero
// value is refused, it allows nothing.
type SourceIP struct {
	// Allow are the networks that requests may come from. Required; 0.0.0.0/0
	// and ::/0 are refused. For Vapi's static addresses use vapi.StaticIPs.
	Allow []netip.Prefix
	// TrustedProxies are the networks of your own proxies. If the peer is one
	// of them, the sender is the last address in X-Forwarded-For that is not.
	// Without them X-Forwarded-For is not looked at.
	TrustedProxies []netip.Prefix
	// Name is Result.Scheme and the label in events; "" means "source-ip".
	Name string
}

// Build implements Scheme.
func (s SourceIP) Build(Env) (Authenticator, error) {
	name, err := checkName(s.Name, "source-ip")
	if err != nil {
		return nil, within("SourceIP", err)
	}
	if len(s.Allow) == 0 {
		return nil, &ConfigError{Field: "SourceIP.Allow", Problem: "is empty"}
	}
	if problem := checkNetworks(s.Allow); problem != "" {
		return nil, &ConfigError{Field: "SourceIP.Allow", Problem: problem}
	}
	if problem := checkNetworks(s.TrustedProxies); problem != "" {
		return nil, &ConfigError{Field: "SourceIP.TrustedProxies", Problem: problem}
	}
	return &sourceIPAuth{name: name, allow: slices.Clone(s.Allow), proxies: slices.Clone(s.TrustedProxies)}, nil
}

func checkNetworks(networks []netip.Prefix) (problem string) {
	for _, n := range networks {
		switch {
		case !n.IsValid():
			return "holds an invalid prefix"
		case n.Bits() == 0:
			return "holds " + n.String() + ", which is everybody"
		case n.Addr().Is4In6():
			return "holds " + n.String() + ": write IPv4 networks as IPv4"
		}
	}
	return ""
}

type sourceIPAuth struct {
	name           string
	allow, proxies []netip.Prefix
}

// String is the scheme's name.
func (a *sourceIPAuth) String() string { return a.name }

// Authenticate implements Authenticator.
func (a *sourceIPAuth) Authenticate(_ context.Context, m *Message) (*Result, error) {
	sender, ok := peerAddr(m.RemoteAddr)
	if !ok {
		return nil, refuse(a.name, ErrMisconfigured, "the message's RemoteAddr is not an IP address")
	}
	if contains(a.proxies, sender) {
		var refused *Error
		if sender, refused = a.forwarded(m); refused != nil {
			return nil, refused
		}
	}
	if !contains(a.allow, sender) {
		return nil, refuse(a.name, ErrMismatch, "the sender's address is not allowed")
	}
	return &Result{Scheme: a.name}, nil
}

// peerAddr reads an address, with or without a port. A Unix socket's peer has
// none.
func peerAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		var withPort netip.AddrPort
		if withPort, err = netip.ParseAddrPort(text); err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// forwarded walks X-Forwarded-For from its end, where the nearest proxy wrote,
// to the first address that is not a proxy of ours.
func (a *sourceIPAuth) forwarded(m *Message) (netip.Addr, *Error) {
	if m.merged["X-Forwarded-For"] {
		return netip.Addr{}, refuse(a.name, ErrMalformed, "X-Forwarded-For came under several spellings, in unknown order")
	}
	list := strings.Join(m.Header["X-Forwarded-For"], ",")
	for list != "" {
		var last string
		if i := strings.LastIndexByte(list, ','); i >= 0 {
			list, last = list[:i], list[i+1:]
		} else {
			list, last = "", list
		}
		sender, ok := peerAddr(strings.TrimSpace(last))
		if !ok {
			return netip.Addr{}, refuse(a.name, ErrMalformed, "X-Forwarded-For holds something else than an address")
		}
		if !contains(a.proxies, sender) {
			return sender, nil
		}
	}
	return netip.Addr{}, refuse(a.name, ErrMissing, "X-Forwarded-For names no sender before the trusted proxies")
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}
