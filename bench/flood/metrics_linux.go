package flood

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// A page is what /metrics said.
type page struct {
	values map[string]float64
	hits   histogram
}

// A histogram is the counts of a VictoriaMetrics histogram by its ranges, in seconds; a range does not overlap another.
type histogram map[bounds]uint64

type bounds struct{ low, high float64 }

func (b *Bed) scrape() (page, error) {
	status, body, err := fasthttp.GetTimeout(nil, "http://"+b.admin+"/metrics", 5*time.Second)
	if err != nil || status != fasthttp.StatusOK {
		return page{}, fmt.Errorf("flood: cannot read metrics: status %d, error %v", status, err)
	}
	return readPage(bytes.NewReader(body))
}

const hitBucket = `sallyport_decision_duration_seconds_bucket{cache="hit",vmrange="`

// readPage reads Prometheus text. Of histograms it keeps the one of decisions on hits.
func readPage(r io.Reader) (page, error) {
	p := page{values: map[string]float64{}, hits: histogram{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return page{}, fmt.Errorf("flood: cannot read metric %q: %w", line, err)
		}
		p.values[line[:at]] = value
		rest, ok := strings.CutPrefix(line[:at], hitBucket)
		if !ok {
			continue
		}
		low, high, _ := strings.Cut(strings.TrimSuffix(rest, `"}`), "...")
		var b bounds
		if b.low, err = strconv.ParseFloat(low, 64); err == nil {
			b.high, err = strconv.ParseFloat(high, 64)
		}
		if err != nil {
			return page{}, fmt.Errorf("flood: cannot read metric %q: %w", line, err)
		}
		p.hits[b] = uint64(value)
	}
	return p, lines.Err()
}

// verifications is how many signatures the pool has checked.
func (p *page) verifications() float64 {
	return p.values[`sallyport_pool_verifications_total{how="inline"}`] + p.values[`sallyport_pool_verifications_total{how="queued"}`]
}

func (p *page) rejected() float64 { return p.values["sallyport_pool_rejected_total"] }

// minus returns what came to h since it was old.
func (h histogram) minus(old histogram) histogram {
	out := histogram{}
	for b, n := range h {
		if n -= old[b]; n > 0 {
			out[b] = n
		}
	}
	return out
}

func (h histogram) count() uint64 {
	n := uint64(0)
	for _, c := range h {
		n += c
	}
	return n
}

// quantile returns the value below which the part q lies. A range is 14 % wide; within it the counts are taken for evenly spread
// over the logarithm.
func (h histogram) quantile(q float64) time.Duration {
	ranges := make([]bounds, 0, len(h))
	for b := range h {
		ranges = append(ranges, b)
	}
	slices.SortFunc(ranges, func(a, b bounds) int {
		if a.low < b.low {
			return -1
		}
		return 1
	})
	left := q * float64(h.count())
	for _, b := range ranges {
		n := float64(h[b])
		if left > n {
			left -= n
			continue
		}
		low := max(b.low, 1e-9)
		return time.Duration(low * math.Pow(b.high/low, left/n) * float64(time.Second))
	}
	return 0
}
