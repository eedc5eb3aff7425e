package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"sallyport/edge/admin"
	"sallyport/edge/config"
)

const revokeUsage = `usage: each needs -token-file FILE, the [admin] token_file, and takes -admin URL (default http://127.0.0.1:9901)

  sallyport revoke add -issuer ISS -sub SUB [-issued-before now] -until never   refuse these tokens from now on; prints the rule
  sallyport revoke list                                                         print every rule, one JSON line each
  sallyport revoke delete -id ID                                                take a rule back

Instead of -sub: -jti, -sid, -client, -kid, -claim PATH with -value, or -all for every token of the issuer.
`

func runRevoke(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, revokeUsage)
		return 2
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(stdout, revokeUsage)
		return 0
	}
	commands := map[string]func([]string, io.Writer, io.Writer) error{"add": revokeAdd, "list": revokeList, "delete": revokeDelete}
	command := commands[args[0]]
	if command == nil {
		fmt.Fprintf(stderr, "sallyport revoke: unknown command %q\n\n%s", args[0], revokeUsage)
		return 2
	}
	switch err := command(args[1:], stdout, stderr); {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintf(stderr, "sallyport revoke %s: %v\n", args[0], err)
		return 1
	}
}

// A revoker is what the revoke commands have in common.
type revoker struct {
	fs         *flag.FlagSet
	url, token *string
}

func newRevoker(name, synopsis string, stderr io.Writer) *revoker {
	fs := newFlags("revoke "+name, "revoke "+name+" -token-file FILE [-admin URL]"+synopsis, stderr)
	return &revoker{
		fs: fs, url: fs.String("admin", "http://127.0.0.1:9901", "`URL` of the admin listener"),
		token: fs.String("token-file", "", "`FILE` with the admin listener's bearer token"),
	}
}

func (r *revoker) client(args []string, required ...string) (*admin.Client, error) {
	if err := parseToken(r.fs, args, append(required, "token-file")...); err != nil {
		return nil, err
	}
	token, err := config.ReadSecret(*r.token)
	if err != nil {
		return nil, err
	}
	return &admin.Client{URL: *r.url, Token: bytes.TrimSpace(token)}, nil
}

func revokeAdd(args []string, stdout, stderr io.Writer) error {
	r := newRevoker("add", " -issuer ISS (-sub|-jti|-sid|-client|-kid|-claim … -value|-all) [-issued-before T] [-until T]", stderr)
	members := map[string]*string{}
	for name, what := range map[string]string{
		"issuer": "`ISS` of the tokens", "sub": "refuse tokens of this subject", "jti": "refuse the token with this ID",
		"sid": "refuse tokens of this session", "client": "refuse tokens of this client (client_id or azp)",
		"kid": "refuse tokens signed with the key of this ID", "claim": "refuse tokens whose claim at this `PATH` is or holds -value",
		"value": "of -claim", "reason": "`TEXT` that is kept with the rule",
	} {
		members[name] = r.fs.String(name, "", what)
	}
	all := r.fs.Bool("all", false, "refuse every token of the issuer")
	before := r.fs.String("issued-before", "", "refuse only tokens issued until `T`: now, Unix seconds, or a date such as 2026-11-25T12:00:00Z")
	until := r.fs.String("until", "", "the rule ends at `T`, or never; may be left out where -issued-before and the issuer's max_lifetime give it")
	c, err := r.client(args, "issuer")
	if err != nil {
		return err
	}
	rule := map[string]any{}
	r.fs.Visit(func(f *flag.Flag) {
		if m := members[f.Name]; m != nil {
			rule[f.Name] = *m
		}
	})
	if *all {
		rule["all"] = true
	}
	if *before == "now" {
		*before = strconv.FormatInt(time.Now().Unix(), 10)
	}
	for name, at := range map[string]string{"issued_before": *before, "until": *until} {
		if n, err := strconv.ParseInt(at, 10, 64); err == nil {
			rule[name] = n
		} else if at != "" {
			rule[name] = at
		}
	}
	body, err := json.Marshal(rule)
	if err != nil {
		return err
	}
	answer, err := c.Add(context.Background(), body)
	if err != nil {
		return err
	}
	_, err = stdout.Write(answer)
	return err
}

func revokeList(args []string, stdout, stderr io.Writer) error {
	c, err := newRevoker("list", "", stderr).client(args)
	if err != nil {
		return err
	}
	return c.List(context.Background(), func(rule []byte) error {
		_, err := fmt.Fprintf(stdout, "%s\n", rule)
		return err
	})
}

func revokeDelete(args []string, _, stderr io.Writer) error {
	r := newRevoker("delete", " -id ID", stderr)
	id := r.fs.String("id", "", "of the rule")
	c, err := r.client(args, "id")
	if err != nil {
		return err
	}
	return c.Delete(context.Background(), *id)
}
