package edge

import (
	"os"
	"strings"
	"testing"

	"sallyport/verify"
)

func TestAnswersAreTotal(t *testing.T) {
	for r := range verify.NumReasons {
		a := answerFor(r)
		if a.status == 0 || a.verdict == "" {
			t.Errorf("%v has no answer", r)
		}
		allowing := r == verify.ReasonOK || r == verify.ReasonPublic
		if (a.verdict == verdictAllow) != allowing || (a.status < 400) != allowing {
			t.Errorf("%v: status %d, verdict %s", r, a.status, a.verdict)
		}
		if !allowing && a.text == "" {
			t.Errorf("%v has no text", r)
		}
		// RFC 9110, 15.5.2: a 401 must have a challenge. RFC 6750, 3.1: which code goes with which status.
		if a.status == 401 && !a.challenge {
			t.Errorf("%v: 401 without a challenge", r)
		}
		if want := map[string]int{codeInvalidRequest: 400, codeInvalidToken: 401, codeInsufficientScope: 403}[a.code]; a.code != "" && a.status != want {
			t.Errorf("%v: code %s with status %d", r, a.code, a.status)
		}
		if a.status == 503 && a.retryAfter == 0 {
			t.Errorf("%v: 503 without Retry-After", r)
		}
	}
	if answerFor(verify.NumReasons).status != 500 || answerFor(255).verdict != verdictError {
		t.Error("a reason outside the table is not an internal error")
	}
}

func TestHintsAreTotal(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for r := range verify.NumReasons {
		if Hint(r) == "" {
			t.Errorf("%v has no hint", r)
		}
		if r != verify.ReasonInvalid && !strings.Contains(string(readme), "`"+r.String()+"`") {
			t.Errorf("the README's troubleshooting lacks `%v`", r)
		}
	}
}

func TestChallengeQuotes(t *testing.T) {
	got := string(appendChallenge(nil, answerFor(verify.ReasonScope), "a\"b\\c\r\n", "read"))
	want := `Bearer realm="a\"b\\c??", error="insufficient_scope", error_description="a required scope is missing", scope="read"`
	if got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
}
