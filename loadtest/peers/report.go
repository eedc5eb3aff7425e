package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"sallyport/bench/stats"
)

// A Report is all that the Markdown says.
type Report struct {
	Date, Commit, CPU, Kernel, Go string
	CPUs                          int
	Budget                        Budget
	Programs                      []*Program
	Rows                          []*Row
	Outcomes                      []Outcome
}

// writeMarkdown writes r for a reader who has not seen the program.
func (r *Report) writeMarkdown(w io.Writer) error {
	p := &printer{w: w}
	p.line("# sallyport and its peers, side by side\n")
	p.line("Written by `make peers` on %s at commit %s; %s, %d CPUs, Linux %s, %s.", r.Date, r.Commit, r.CPU, r.CPUs, r.Kernel, r.Go)
	if r.Budget.Seconds < fullSeconds {
		p.line("\n**A short run: its figures show that all works, not how fast it is.**")
	}
	r.goals(p)
	for _, cores := range r.cores() {
		if !slices.ContainsFunc(r.Rows, func(row *Row) bool { return row.Cores == cores && row.timed() }) {
			p.line("\n## %s for the proxy\n\nn/a: proxy, clients and upstream need a CPU each, four in all; this machine has %d.", plural(cores, "core"), r.CPUs)
			continue
		}
		for _, group := range r.groups(cores) {
			r.closed(p, cores, group)
		}
	}
	r.open(p)
	r.peers(p)
	p.line("%s", r.method())
	return p.err
}

// A printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// table writes a heading and rows of cells.
func (p *printer) table(head []string, rows [][]string) {
	p.line("\n| %s |", strings.Join(head, " | "))
	p.line("|%s", strings.Repeat("---|", len(head)))
	for _, row := range rows {
		p.line("| %s |", strings.Join(row, " | "))
	}
}

func (r *Report) goals(p *printer) {
	p.line("\n## What it must show\n\nCPU time of one request by that of another, median over the rounds with its 95 %% interval. `noisy`: the interval, widened by")
	p.line("what the control says, straddles the goal.")
	var rows [][]string
	for _, o := range r.Outcomes {
		rows = append(rows, []string{o.Name, o.Bound.String(), o.Ratio.String(), o.Control.String(), string(o.Verdict), cell(o.Note)})
	}
	p.table([]string{"what", "goal", "measured", "control", "verdict", "note"}, rows)
}

// groups returns the first parts of the cases, in their order: plain, rs256, …
func (r *Report) groups(cores int) []string {
	var out []string
	for _, row := range r.Rows {
		if g := group(row); row.Cores == cores && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

func (r *Report) cores() []int {
	var out []int
	for _, row := range r.Rows {
		if !slices.Contains(out, row.Cores) {
			out = append(out, row.Cores)
		}
	}
	return out
}

var titles = map[string]string{plain: "Plain proxying", "rs256": "RS256", "es256": "ES256", "eddsa": "EdDSA"}

func group(row *Row) string {
	g, _, _ := strings.Cut(row.Case, "/")
	return g
}

func (r *Report) closed(p *printer, cores int, name string) {
	var rows [][]string
	var control *Estimate
	for _, row := range r.Rows {
		if row.Cores != cores || group(row) != name {
			continue
		}
		cells := []string{row.Peer, row.Case, na, na, na, na, na, cell(row.State)}
		if row.timed() {
			control = row.Control
			cpu := estimate(row.costs)
			cells = []string{
				row.Peer, row.Case, fmt.Sprintf("%.1f [%.1f, %.1f]", cpu.Value/1000, cpu.Low/1000, cpu.High/1000), row.Ratio.String(),
				fixed(row.perSec(), 0), fixed(100*stats.Median(row.busy), 0) + " %", fixed(row.RSS, 0), cell(row.State),
			}
		}
		rows = append(rows, cells)
	}
	p.line("\n## %s, %s for the proxy\n\nClosed loop of %d connections. Control (one bare fasthttp by another): %s.", titles[name], plural(cores, "core"), conns, control)
	p.table([]string{"peer", "case", "CPU µs a request", "× fasthttp", "requests/s", "core busy", "RSS MiB", "note"}, rows)
}

func (r *Report) open(p *printer) {
	p.line("\n## Latency at fixed rates\n\np50 / p99 in ms, and p99.9 where there are 100 000 samples; counted from when a request was due. One core for the proxy.")
	head := []string{"peer", "case"}
	for _, rate := range offered {
		head = append(head, fmt.Sprintf("%d/s", rate))
	}
	var rows [][]string
	for _, row := range r.Rows {
		if len(row.Loads) == 0 {
			continue
		}
		cells := []string{row.Peer, row.Case}
		for _, l := range row.Loads {
			text := cell(l.State)
			if l.State == "" {
				text = fmt.Sprintf("%.2f / %.2f", l.Latency.P50, l.Latency.P99)
				if l.Latency.P999 > 0 {
					text += fmt.Sprintf(" / %.2f", l.Latency.P999)
				}
			}
			cells = append(cells, text)
		}
		rows = append(rows, cells)
	}
	p.table(head, rows)
}

func (r *Report) peers(p *printer) {
	p.line("\n## Who took part, and how\n\nThe configurations are in `loadtest/peers/templates/`, each with the reason for what is in it.")
	var rows [][]string
	for _, prog := range r.Programs {
		version := cell(prog.Version)
		if prog.Missing != nil {
			version = "not available: " + cell(prog.Missing.Error())
		}
		note := ""
		for _, n := range notes {
			if n.Peer == prog.Name {
				note = n.Note
			}
		}
		rows = append(rows, []string{prog.Name, version, note})
	}
	p.table([]string{"peer", "version", "configuration"}, rows)
}

func (r *Report) method() string {
	return fmt.Sprintf(`
## How it was measured

- Each peer has one worker a core and is tied to its CPU from its first instruction on; clients and upstream share one thread on another
  CPU, which never sleeps, so that no peer pays for waking it. All peers of a table are up at the same time and take turns, in an order that is shuffled
  in each of the %d rounds of about %d ms.
- CPU time is the process's own and its children's, from their CPU clocks. A core that is less than about 95 %% busy was waiting for the clients: its
  requests/s are the clients', its CPU time stands.
- %d different tokens take turns, a day valid, with the claims of RFC 9068 (600 to 900 octets); plain proxying carries them too. "never-seen": nothing is remembered
  (sallyport's cache is off; the others have none or it is off); "cached": every token was seen before the first round.
- Before it is timed each peer must accept a good token and refuse one that another key signed, one whose claims were changed, one with
  alg none, one that has expired, and none at all.
- RSS is of all processes of the peer after the closed loop; pages that they share count for each.
- At a fixed rate a peer that cannot follow is not asked to: it would only show how long the queue was allowed to grow.`,
		r.Budget.Rounds, r.Budget.Run.Milliseconds(), tokens)
}

// cell makes text fit into one cell of a table.
func cell(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.ReplaceAll(text, "|", "\\|")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
