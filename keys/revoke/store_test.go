package revoke

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/verify"
)

// childEnv makes the test binary the writer that TestKillLosesNothing kills; its value is the file.
const childEnv = "SALLYPORT_TEST_REVOKE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		write(path)
	}
	os.Exit(m.Run())
}

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newRule(sub string, until int64) *Rule {
	return &Rule{Created: now, Rule: verify.Rule{Kind: verify.RuleSubject, Issuer: "b", Value: sub, IssuedBefore: verify.Always, Until: until}}
}

func add(t testing.TB, s *Store, r *Rule) *Rule {
	t.Helper()
	if err := s.Add(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStoreKeepsRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	s := open(t, path)
	a, b, c := add(t, s, newRule("a", verify.Never)), add(t, s, newRule("b", now+5)), add(t, s, newRule("c", now+6))
	if ok, err := s.Remove(a.ID); !ok || err != nil {
		t.Fatalf("Remove = %v, %v", ok, err)
	}
	if ok, err := s.Remove(a.ID); ok || err != nil {
		t.Fatalf("Remove again = %v, %v", ok, err)
	}
	d := add(t, s, newRule("d", verify.Never))
	s.Close()
	if err := s.Add(newRule("e", verify.Never)); !errors.Is(err, ErrClosed) {
		t.Errorf("Add after Close = %v", err)
	}
	if _, err := s.Get(d.ID); !errors.Is(err, ErrClosed) {
		t.Errorf("Get after Close = %v", err)
	}
	if s.Len() != 3 {
		t.Errorf("a rule that was not kept is in force: %d rules", s.Len())
	}
	s = open(t, path)
	check := func(what string, want ...*Rule) {
		t.Helper()
		list, more, err := s.List(verify.RuleID{}, 10)
		if err != nil || more || len(list) != len(want) || s.Len() != len(want) {
			t.Fatalf("%s: %d rules, %d in force, more %v, %v; want %d", what, len(list), s.Len(), more, err, len(want))
		}
		for _, r := range want {
			got, err := s.Get(r.ID)
			x, _ := json.Marshal(got)
			if y, _ := json.Marshal(r); err != nil || string(x) != string(y) {
				t.Errorf("%s: %s, %v; want %s", what, x, err, y)
			}
		}
	}
	check("opened again", b, c, d)
	if n, err := s.Sweep(now + 4); n != 0 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
	if n, err := s.Sweep(now + 5); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
	check("after b's end", c, d)
	if _, err := s.Sweep(verify.Never - 1); err != nil {
		t.Error(err)
	}
	check("after all ends", d)
	if got, err := s.Get(b.ID); got != nil || err != nil {
		t.Errorf("Get of what has ended = %v, %v", got, err)
	}
}

func TestStoreListsInPages(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "r.db"))
	var wg sync.WaitGroup
	for i := range 25 {
		wg.Go(func() {
			if err := s.Add(newRule(fmt.Sprint(i), verify.Never)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen, pages := map[string]bool{}, 0
	var after verify.RuleID
	for more := true; more; pages++ {
		var list []*Rule
		var err error
		if list, more, err = s.List(after, 10); err != nil || len(list) == 0 || len(list) > 10 {
			t.Fatal(len(list), err)
		}
		for _, r := range list {
			seen[r.Value] = true
		}
		after = list[len(list)-1].ID
	}
	if len(seen) != 25 || pages != 3 {
		t.Errorf("%d rules in %d pages, want 25 in 3", len(seen), pages)
	}
	if n := s.Added(); n != 25 {
		t.Errorf("Added = %d", n)
	}
}

// Sweep takes out more than one transaction's worth.
func TestSweepEndsMany(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "r.db"))
	var wg sync.WaitGroup
	for i := range 2*sweepAtOnce + 100 {
		wg.Go(func() {
			if err := s.Add(newRule(fmt.Sprint(i), now+1+int64(i%2))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := s.Sweep(now + 1); n != sweepAtOnce+50 || err != nil || s.Len() != sweepAtOnce+50 {
		t.Errorf("Sweep = %d, %v; %d left", n, err, s.Len())
	}
	if n, err := s.Sweep(now + 2); n != sweepAtOnce+50 || err != nil || s.Len() != 0 {
		t.Errorf("Sweep = %d, %v; %d left", n, err, s.Len())
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	s := open(t, path)
	for i := range 4 {
		add(t, s, newRule(fmt.Sprint(i), verify.Never))
	}
	check := func(what, path, want string) {
		t.Helper()
		if s, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			if err == nil {
				s.Close()
			}
			t.Errorf("%s: Open = %v, want %q", what, err, want)
		}
	}
	check("in use", path, "another process")
	s.Close()
	check("a folder", dir, "not a file")
	check("no folder", filepath.Join(dir, "no", "r.db"), "no such file")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte, mode os.FileMode) string {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(at, data, 0o600), os.Chmod(at, mode)); err != nil {
			t.Fatal(err)
		}
		return at
	}
	check("others may write", put("mode", data, 0o620), "chmod 600")
	check("another file", put("text", []byte(strings.Repeat("not a database\n", 2000)), 0o600), "cannot open")
	damaged := []byte(strings.ReplaceAll(string(data), `"issuer"`, `"issuer'`))
	check("a damaged rule", put("damaged", damaged, 0o600), "cannot read")
}

// write adds rules from several goroutines, takes some out again, and says on standard output what was acknowledged.
func write(path string) {
	s, err := Open(path)
	if err != nil {
		fmt.Println("fault", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(what string, id verify.RuleID) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, id)
	}
	fmt.Println("ready", s.Len())
	for g := range 4 {
		go func() {
			for i := 0; ; i++ {
				until := int64(verify.Never)
				if i%2 == 0 {
					until = now + 1<<30
				}
				r := newRule(fmt.Sprint(g, i, rand.Uint64()), until)
				if s.Add(r) != nil {
					os.Exit(1)
				}
				say("+", r.ID)
				if i%5 == 4 {
					say("?", r.ID) // from here on nobody knows
					if _, err := s.Remove(r.ID); err != nil {
						os.Exit(1)
					}
					say("-", r.ID)
				}
			}
		}()
	}
	select {}
}

// Killed at any moment, the writer has lost no rule that it acknowledged, and kept none whose removal it did.
func TestKillLosesNothing(t *testing.T) {
	kills := 40
	if testing.Short() {
		kills = 5
	}
	path := filepath.Join(t.TempDir(), "r.db")
	want := map[string]bool{} // false: removed
	total := 0
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "ready") {
			t.Fatalf("the writer said %q", lines.Text())
		}
		for left := rand.IntN(200); lines.Scan(); left-- {
			if left == 0 { // and in the midst of what comes next
				time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
			switch what, id, ok := strings.Cut(lines.Text(), " "); {
			case !ok || len(id) != 32: // cut off
			case what == "?":
				delete(want, id)
			default:
				want[id] = what == "+"
				total++
			}
		}
		_ = cmd.Wait() // killed
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := s.List(verify.RuleID{}, 1<<30)
		if err != nil || len(list) != s.Len() {
			t.Fatalf("%d rules kept, %d in force, %v", len(list), s.Len(), err)
		}
		kept := map[string]bool{}
		for _, r := range list {
			kept[r.ID.String()] = true
		}
		for id, there := range want {
			if kept[id] != there {
				t.Fatalf("rule %s is there: %v, want %v", id, kept[id], there)
			}
		}
		s.Close()
	}
	t.Logf("%d acknowledged writes, %d kills", total, kills)
}

// BenchmarkStoreAdd is what the API can take from 64 callers at once: they share syncs.
func BenchmarkStoreAdd(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "r.db"))
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Add(newRule(fmt.Sprint(rand.Uint64()), now+rand.Int64N(1<<30))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rules/s")
}
