package audit

import (
	"testing"
	"time"
)

func TestAppendTime(t *testing.T) {
	zone := time.FixedZone("", -7*3600)
	for _, at := range []time.Time{
		time.Unix(0, 0), time.Date(2026, 11, 25, 3, 4, 5, 6e6, time.UTC), time.Date(2026, 12, 31, 23, 59, 59, 999999999, zone),
		time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 1e6, time.UTC), time.Now(),
	} {
		want := at.UTC().Format("2006-01-02T15:04:05.000Z")
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("appendTime(%v) = %q, want %q", at, got, want)
		}
	}
}
