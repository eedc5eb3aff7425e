package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"sallyport/bench/corpus"
)

// check reports what the arm at address does wrong: it must accept a good token and, unless it proxies only, refuse one that another
// key signed, one whose claims were changed, one that is signed by nobody, one that has expired, and no token.
func (a *arm) check(address string, made *corpus.Corpus, forged string) error {
	good := made.Tokens[0]
	header, rest, _ := strings.Cut(good, ".")
	_, signature, _ := strings.Cut(rest, ".")
	other := strings.Split(made.Tokens[1], ".")
	const none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0" // {"alg":"none","typ":"at+jwt"}
	expired, err := expire(made)
	if err != nil {
		return err
	}
	if err := a.accepts(address, "a good token", good); err != nil {
		return err
	}
	bad := []struct{ name, token string }{
		{"a token of another key", forged},
		{"a token with changed claims", header + "." + other[1] + "." + signature},
		{"a token of alg none", none + "." + other[1] + "."},
		{"an expired token", expired},
		{"no token", ""},
	}
	statuses, errs := make([]int, len(bad)), make([]error, len(bad))
	a.while(func() {
		var wg sync.WaitGroup
		for i := range bad { // all at once: vmauth lets each wait for seconds
			wg.Go(func() { statuses[i], errs[i] = exchange(address, corpus.Request(bad[i].token)) })
		}
		wg.Wait()
	})
	for i, status := range statuses {
		switch {
		case errs[i] != nil:
			return fmt.Errorf("%s: %w", bad[i].name, errs[i])
		case a.entry.Case == "" && status != 200, a.entry.Case != "" && (status < 400 || status >= 500):
			return fmt.Errorf("%s is answered with %d", bad[i].name, status)
		}
	}
	return a.accepts(address, "a good token after bad ones", good)
}

// expire returns the first token as it would be if it had been made two days ago.
func expire(made *corpus.Corpus) (string, error) {
	parts := strings.Split(made.Tokens[0], ".")
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return "", err
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	claims := map[string]json.RawMessage{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", err
	}
	now := time.Now()
	claims["iat"] = strconv.AppendInt(nil, now.Add(-48*time.Hour).Unix(), 10)
	claims["exp"] = strconv.AppendInt(nil, now.Add(-24*time.Hour).Unix(), 10)
	if payload, err = json.Marshal(claims); err != nil {
		return "", err
	}
	return made.Signer.SignRaw(header, payload)
}

func (a *arm) accepts(address, name, token string) (err error) {
	status := 0
	a.while(func() { status, err = exchange(address, corpus.Request(token)) })
	if err == nil && status != 200 {
		err = fmt.Errorf("it is answered with %d", status)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// while calls f and serves as the upstream until it returns.
func (a *arm) while(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	up := a.load
	if a.up != nil {
		up = a.up
	}
	for {
		select {
		case <-done:
			return
		default:
			_, _ = up.Offer(time.Millisecond) // what is wrong with it shows in the exchange
		}
	}
}

func exchange(address string, request []byte) (status int, err error) {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return 0, err
	}
	return parseStatus(line)
}

// parseStatus reads a status line (RFC 9112, 4).
func parseStatus(line string) (int, error) {
	fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
	if len(fields) < 2 || fields[0] != "HTTP/1.1" {
		return 0, errors.New("no HTTP/1.1 response: " + strconv.Quote(line))
	}
	return strconv.Atoi(fields[1])
}
