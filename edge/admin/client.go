package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls the revocation API of a running proxy.
type Client struct {
	URL   string // of the admin listener
	Token []byte
}

// maxAnswer bounds what is read of an answer; a full page is smaller.
const maxAnswer = 8 << 20

// direct sends the token to nobody but the listener: no proxy from the environment, no redirect.
var direct = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       30 * time.Second,
}

// Add posts a rule, in JSON, and returns it as it was accepted.
func (c *Client) Add(ctx context.Context, rule []byte) ([]byte, error) {
	return c.call(ctx, http.MethodPost, "/v1/revocations", string(rule), http.StatusCreated)
}

// Delete deletes the rule with the given ID.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.call(ctx, http.MethodDelete, "/v1/revocations/"+url.PathEscape(id), "", http.StatusNoContent)
	return err
}

// List calls each with every rule in JSON, page by page.
func (c *Client) List(ctx context.Context, each func(rule []byte) error) error {
	for after := ""; ; {
		path := fmt.Sprintf("/v1/revocations?limit=%d", maxPage)
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		answer, err := c.call(ctx, http.MethodGet, path, "", http.StatusOK)
		if err != nil {
			return err
		}
		var p struct {
			Revocations []json.RawMessage
			Next        string
		}
		if err := json.Unmarshal(answer, &p); err != nil {
			return fmt.Errorf("admin: cannot read the list: %w", err)
		}
		for _, rule := range p.Revocations {
			if err := each(rule); err != nil {
				return err
			}
		}
		if p.Next == "" || p.Next == after {
			return nil
		}
		after = p.Next
	}
}

func (c *Client) call(ctx context.Context, method, path, body string, want int) ([]byte, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, errors.New("the admin listener's address must be a URL such as http://127.0.0.1:9901")
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+string(c.Token))
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := direct.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		var p problem
		if json.Unmarshal(answer, &p) != nil || p.Error == "" {
			p.Error = "no answer of sallyport's: is this its admin listener?"
		}
		return nil, fmt.Errorf("%d: %s", resp.StatusCode, p.Error)
	}
	return answer, nil
}
