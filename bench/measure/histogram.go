// Package measure is what the load generators measure with: latencies, CPU time and memory of processes.
package measure

import "math/bits"

// Histogram counts nanoseconds in buckets of at most 1.6 % width: 64 for each power of two.
type Histogram struct {
	counts [64 * 64]uint64
	total  uint64
	max    int64
}

// Add counts a time.
func (h *Histogram) Add(ns int64) {
	if ns < 0 {
		ns = 0
	}
	if ns > h.max {
		h.max = ns
	}
	h.total++
	h.counts[bucketOf(uint64(ns))]++
}

func bucketOf(v uint64) int {
	if v < 128 {
		return int(v)
	}
	shift := bits.Len64(v) - 7
	return shift*64 + int(v>>uint(shift))
}

func valueOf(bucket int) int64 {
	if bucket < 128 {
		return int64(bucket)
	}
	shift := bucket/64 - 1
	return int64(bucket-shift*64)<<uint(shift) + int64(1)<<uint(shift)/2
}

// Merge adds all that another one counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	if other.max > h.max {
		h.max = other.max
	}
}

// at answers the value below which the given share of all values lies.
func (h *Histogram) at(share float64) int64 {
	if h.total == 0 {
		return 0
	}
	want := uint64(share*float64(h.total-1)) + 1
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen >= want {
			return min(valueOf(i), h.max)
		}
	}
	return h.max
}

// Percentiles are in milliseconds.
type Percentiles struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50Ms"`
	P90   float64 `json:"p90Ms"`
	P99   float64 `json:"p99Ms"`
	P999  float64 `json:"p999Ms"`
	Max   float64 `json:"maxMs"`
}

// Percentiles of all that was counted.
func (h *Histogram) Percentiles() Percentiles {
	ms := func(ns int64) float64 { return float64(ns) / 1e6 }
	return Percentiles{h.total, ms(h.at(0.5)), ms(h.at(0.9)), ms(h.at(0.99)), ms(h.at(0.999)), ms(h.max)}
}
