package main

import "testing"

func TestCachedTokensDiffer(t *testing.T) {
	seen := map[cachedToken]int{}
	token := newCachedToken()
	for i := range 70_000 {
		token.set(i)
		if before, ok := seen[*token]; ok {
			t.Fatalf("tokens %d and %d are the same", before, i)
		}
		seen[*token] = i
	}
}

func TestWalkCovers(t *testing.T) {
	const n = 1000
	var seen [n]int
	a, b := &walk{1, n}, &walk{1, n}
	for range 20 * n {
		i := a.next()
		if j := b.next(); i != j {
			t.Fatal("two walks of one seed part")
		}
		seen[i]++
	}
	for i, times := range seen {
		if times == 0 || times > 60 {
			t.Errorf("token %d was met %d times, want about 20", i, times)
		}
	}
}

func TestReadersOfTheCache(t *testing.T) {
	if why := twoCPUs(); why != "" {
		t.Skip(why)
	}
	c, err := fillCache(1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 2} {
		if cost, err := readers(c, threads).Run(); err != nil || cost <= 0 {
			t.Errorf("%d threads: %v ns, %v", threads, cost, err)
		}
	}
}
