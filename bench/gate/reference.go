package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"time"
)

// A reference does work of the same kind on the same octets with nothing but the standard library: it takes the head apart, copies
// it, decodes, hashes and parses the token and, where the path does, checks its signature. A slow machine slows both.
type reference struct {
	requests [][]byte
	public   any // nil: signatures are not checked
	next     int
	fields   map[string]int
	out, buf []byte
}

var (
	crlf   = []byte("\r\n")
	colon  = []byte(": ")
	bearer = []byte("Bearer ")
	dot    = []byte(".")
)

func newReference(requests [][]byte, public any) *reference {
	return &reference{requests: requests, public: public, fields: map[string]int{"Host": 0, "User-Agent": 0, "Accept": 0, "Authorization": 0}}
}

// run does n requests.
func (r *reference) run(n int) error {
	for range n {
		if !r.one(r.requests[r.next]) {
			return errors.New("gate: the reference finds a request that is not right")
		}
		if r.next++; r.next == len(r.requests) {
			r.next = 0
		}
	}
	return nil
}

func (r *reference) one(rest []byte) bool {
	r.out = append(r.out[:0], time.Now().Format("")...)
	good := false
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, crlf)
		name, value, _ := bytes.Cut(line, colon)
		if _, known := r.fields[string(name)]; known {
			r.fields[string(name)]++
		}
		r.out = append(append(r.out, line...), crlf...)
		if token, ok := bytes.CutPrefix(value, bearer); ok {
			good = r.token(token)
		}
	}
	return good
}

func (r *reference) token(token []byte) bool {
	end := bytes.LastIndexByte(token, '.')
	digest := sha256.Sum256(token[:end])
	header, payload, _ := bytes.Cut(token[:end], dot)
	for _, segment := range [...][]byte{header, payload} {
		if text, ok := r.decode(segment); !ok || !json.Valid(text) {
			return false
		}
	}
	sig, ok := r.decode(token[end+1:])
	switch key := r.public.(type) {
	case *rsa.PublicKey:
		return ok && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig) == nil
	case *ecdsa.PublicKey:
		return ok && ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	case ed25519.PublicKey:
		return ok && ed25519.Verify(key, token[:end], sig)
	}
	return ok
}

// decode returns what segment says, until the next call.
func (r *reference) decode(segment []byte) ([]byte, bool) {
	var err error
	r.buf, err = base64.RawURLEncoding.AppendDecode(r.buf[:0], segment)
	return r.buf, err == nil
}
