package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A hostPort is an address in the form in which two that mean the same are equal.
type hostPort struct {
	host string // IP address or name in lower case; "" is every address of the machine
	port int
}

// parseAddress reads host:port. The host is an IP address, IPv6 in brackets, a name, or empty; the port a plain number.
func parseAddress(s string) (hostPort, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return hostPort{}, false
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 || strconv.Itoa(n) != port {
		return hostPort{}, false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip = ip.Unmap(); ip.IsUnspecified() {
			return hostPort{"", n}, true // net.Listen makes no difference between 0.0.0.0, [::] and nothing
		}
		return hostPort{ip.String(), n}, true
	}
	host = strings.ToLower(host)
	if host == "localhost" {
		return hostPort{"127.0.0.1", n}, true // what net.Listen takes first
	}
	return hostPort{host, n}, host == "" || isHostName(host)
}

// overlaps reports whether both could not be listened on at once.
func (a hostPort) overlaps(o hostPort) bool {
	return a.port == o.port && a.port != 0 && (a.host == o.host || a.host == "" || o.host == "")
}

// isLoopback reports whether only this machine can reach a.
func (a hostPort) isLoopback() bool {
	ip, err := netip.ParseAddr(a.host)
	return err == nil && ip.IsLoopback()
}

// isHostName takes what DNS can hold, and "_", which some name services use. A last label of digits is a misspelt IPv4 address.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.ContainsFunc(l, func(c rune) bool { return c > 0x7f || c != '-' && c != '_' && !isAlnum(byte(c)) }) {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

// address checks the address that is listened on at path.
func (v *validator) address(path, address string) (hostPort, bool) {
	a, ok := parseAddress(address)
	if !ok {
		v.fault(path, "%q is not an address (allowed: host:port, such as \"127.0.0.1:8080\" or \"[::1]:8080\")", address)
	}
	return a, ok
}

// addresses finds what could not be listened on at once: two listeners, or one and the admin listener.
func (v *validator) addresses() {
	type taken struct {
		hostPort
		by string
	}
	var all []taken
	check := func(path, address, by string) {
		a, ok := v.address(path, address)
		if !ok {
			return
		}
		if i := slices.IndexFunc(all, func(t taken) bool { return t.overlaps(a) }); i >= 0 {
			v.fault(path, "%q is taken by %s", address, all[i].by)
			return
		}
		all = append(all, taken{a, by})
	}
	// A default has no line, so it comes first: the fault is then at what was written.
	admin := v.cfg.Admin.Address
	written := v.given["admin.address"]
	if !written {
		check("admin.address", admin, "admin.address, which is "+admin+" by default")
	}
	for i := range v.cfg.Listeners {
		at := v.at("listener", i, "address")
		check(at, v.cfg.Listeners[i].Address, fmt.Sprintf("%s, at line %d", at, v.lines.of(at)))
	}
	if written && admin != "" {
		check("admin.address", admin, "")
	}
}

// endpoint checks an upstream's address. RFC 9110, 7.6: a proxy must not forward to itself.
func (v *validator) endpoint(path, address string) (hostPort, bool) {
	a, ok := parseAddress(address)
	if !ok || a.host == "" || a.port == 0 {
		v.fault(path, "%q is not an endpoint (allowed: host:port of a server, such as \"10.0.0.1:8080\")", address)
		return a, false
	}
	for i := range v.cfg.Listeners {
		l, ok := parseAddress(v.cfg.Listeners[i].Address)
		if own := l.host == a.host || (l.host == "" && a.isLoopback()); ok && own && l.port == a.port {
			v.fault(path, "%q is this proxy's own listener, at line %d", address, v.lines.of(v.at("listener", i, "address")))
			return a, false
		}
	}
	return a, true
}
