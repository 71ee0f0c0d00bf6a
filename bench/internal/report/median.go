package report

import "slices"

// Median returns the median of each measure by itself; the zero Sample for a
// way without samples.
func (w *Way) Median() Sample {
	return Sample{
		Seconds:   w.median(func(s Sample) float64 { return s.Seconds }),
		SourceCPU: w.median(func(s Sample) float64 { return s.SourceCPU }),
		TargetCPU: w.median(func(s Sample) float64 { return s.TargetCPU }),
		ClientCPU: w.median(func(s Sample) float64 { return s.ClientCPU }),
		PeakBytes: int64(w.median(func(s Sample) float64 { return float64(s.PeakBytes) })),
	}
}

func (w *Way) median(measure func(Sample) float64) float64 {
	values := make([]float64, 0, len(w.Samples))
	for _, s := range w.Samples {
		values = append(values, measure(s))
	}
	return Quantile(values, 0.5)
}

// spread returns the least and the largest seconds.
func (w *Way) spread() (least, largest float64) {
	return w.quantile(0), w.quantile(1)
}

func (w *Way) quantile(q float64) float64 {
	values := make([]float64, 0, len(w.Samples))
	for _, s := range w.Samples {
		values = append(values, s.Seconds)
	}
	return Quantile(values, q)
}

// Quantile returns the q-quantile of values, between two of them by linear
// interpolation; 0 for none. It sorts values.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	at := q * float64(len(values)-1)
	below := int(at)
	if below+1 >= len(values) {
		return values[len(values)-1]
	}
	share := at - float64(below)
	return values[below]*(1-share) + values[below+1]*share
}

// ratio returns how many times longer the median of slow is than that of fast;
// 0 when one of them is missing.
func ratio(slow, fast *Way) float64 {
	if slow == nil || fast == nil {
		return 0
	}
	numerator, denominator := slow.Median().Seconds, fast.Median().Seconds
	if denominator == 0 {
		return 0
	}
	return numerator / denominator
}
