package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sallyport/keys/revoke"
	"sallyport/verify"
)

// Revocation is what /v1/revocations works on.
type Revocation struct {
	Store   *revoke.Store
	Issuers map[string]revoke.Issuer
	Changed func(what string, id verify.RuleID) // a rule was added or deleted
	Failed  func(error)                         // the store has a fault
}

// How many rules a page of the list has.
const (
	defaultPage = 100
	maxPage     = 1000
)

// A problem is the JSON body of every refusal.
type problem struct {
	Status int    `json:"status"`
	Error  string `json:"error"`
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked has gone
}

func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, problem{status, fmt.Sprintf(format, args...)})
}

// api guards what changes trust: there must be a token, and the caller must have it.
func (v *view) api(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(v.opt.Token) == 0:
			refuse(w, http.StatusForbidden, "revocation needs a credential: set token_file in [admin]")
		case !v.authorized(w, r):
			refuse(w, http.StatusUnauthorized, "the bearer token of the admin listener is missing or wrong")
		case v.opt.Revocation == nil:
			refuse(w, http.StatusNotFound, "revocation is off: set file in [revocation]")
		default:
			next(w, r)
		}
	}
}

// notAllowed answers a method that is none of allow.
func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	refuse(w, http.StatusMethodNotAllowed, "the method is none of %s", allow)
}

func (v *view) revocations(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		v.list(w, r)
	case http.MethodPost:
		v.add(w, r)
	default:
		notAllowed(w, "GET, POST")
	}
}

func (v *view) add(w http.ResponseWriter, r *http.Request) {
	// No form of another site's page can send this type (Fetch standard, CORS-safelisted request-header).
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, revoke.MaxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		refuse(w, http.StatusRequestEntityTooLarge, "the body is longer than %d octets", revoke.MaxBody)
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, "the body cannot be read")
		return
	}
	rv := v.opt.Revocation
	rule, err := revoke.Parse(body, rv.Issuers, time.Now().Unix())
	if err == nil {
		err = rv.Store.Add(rule)
	}
	if err != nil {
		rv.fail(w, err)
		return
	}
	rv.Changed("rule added", rule.ID)
	w.Header().Set("Location", "/v1/revocations/"+rule.ID.String())
	reply(w, http.StatusCreated, rule)
}

// fail answers an error of the rule or of the store.
func (rv *Revocation) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.As(err, new(*revoke.BadRule)):
		refuse(w, http.StatusBadRequest, "%v", err)
	case errors.Is(err, revoke.ErrClosed):
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "the store has just been replaced: try again")
	default:
		rv.Failed(err)
		refuse(w, http.StatusInternalServerError, "the store has a fault, and nothing was changed: see the log")
	}
}

// page is one answer of the list. Next is what after must be for the next one.
type page struct {
	Revocations []*revoke.Rule `json:"revocations"`
	Next        string         `json:"next,omitempty"`
}

func (v *view) list(w http.ResponseWriter, r *http.Request) {
	rv := v.opt.Revocation
	after, limit, err := paging(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	rules, more, err := rv.Store.List(after, limit)
	if err != nil {
		rv.fail(w, err)
		return
	}
	p := page{Revocations: append([]*revoke.Rule{}, rules...)} // never null
	if more {
		p.Next = rules[len(rules)-1].ID.String()
	}
	reply(w, http.StatusOK, p)
}

// paging reads the query of a list.
func paging(raw string) (after verify.RuleID, limit int, err error) {
	limit = defaultPage
	query, err := url.ParseQuery(raw)
	if err != nil {
		return after, 0, errors.New("the query cannot be read")
	}
	for name, values := range query {
		ok := len(values) == 1
		switch {
		case name == "after" && ok:
			if after, ok = revoke.ParseID(values[0]); !ok {
				return after, 0, errors.New("after must be a rule's ID")
			}
		case name == "limit" && ok:
			if limit, err = strconv.Atoi(values[0]); err != nil || limit < 1 || limit > maxPage {
				return after, 0, fmt.Errorf("limit must be a number from 1 to %d", maxPage)
			}
		default:
			return after, 0, errors.New("the query may have after and limit, once each")
		}
	}
	return after, limit, nil
}

func (v *view) revocation(w http.ResponseWriter, r *http.Request) {
	rv := v.opt.Revocation
	id, ok := revoke.ParseID(r.PathValue("id"))
	if !ok {
		refuse(w, http.StatusNotFound, "that is no rule's ID")
		return
	}
	const unknown = "there is no such rule; it may have ended"
	switch r.Method {
	case http.MethodGet:
		switch rule, err := rv.Store.Get(id); {
		case err != nil:
			rv.fail(w, err)
		case rule == nil:
			refuse(w, http.StatusNotFound, unknown)
		default:
			reply(w, http.StatusOK, rule)
		}
	case http.MethodDelete:
		switch there, err := rv.Store.Remove(id); {
		case err != nil:
			rv.fail(w, err)
		case !there:
			refuse(w, http.StatusNotFound, unknown)
		default:
			rv.Changed("rule deleted", id)
			w.WriteHeader(http.StatusNoContent)
		}
	default:
		notAllowed(w, "DELETE, GET")
	}
}
