package main

import "testing"

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range table() {
		if f.Name == "" || seen[f.Name] {
			t.Errorf("figure %q has no name of its own", f.Name)
		}
		seen[f.Name] = true
		kinds := 0
		for _, is := range []bool{f.Ratio != nil, f.Value != nil, f.Count != nil} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("figure %s measures %d things, want 1", f.Name, kinds)
		}
	}
}
