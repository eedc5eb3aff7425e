package verify_test

import (
	"fmt"
	"testing"

	"sallyport/verify"
)

func TestReasonWords(t *testing.T) {
	seen := map[string]verify.Reason{}
	for r := range verify.NumReasons {
		word := r.String()
		if other, ok := seen[word]; ok || word == "" {
			t.Errorf("Reason %d: word %q is empty or that of %d", r, word, other)
		}
		seen[word] = r
		if got := verify.ReasonOf(fmt.Errorf("wrapped: %w", verify.Err(r))); got != r {
			t.Errorf("ReasonOf(%v) = %v", r, got)
		}
	}
	if verify.ReasonOf(fmt.Errorf("foreign")) != verify.ReasonInternal {
		t.Error("a foreign error is not internal")
	}
}
