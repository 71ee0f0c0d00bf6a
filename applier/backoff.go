package applier

// backoff keeps a table whose rows exchange unique values from being tried as a set
// in vain again and again.
type backoff struct {
	// left is how many segments are still written one by one, length how many the
	// last failure cost.
	left, length int
}

// longestBackoff bounds the segments between two tries.
const longestBackoff = 32

// skips reports whether the next segment is to be written one by one.
func (b *backoff) skips() bool {
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}

func (b *backoff) failed() {
	b.length = min(max(2*b.length, 1), longestBackoff)
	b.left = b.length
}

func (b *backoff) succeeded() { b.length = 0 }
