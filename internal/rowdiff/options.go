package rowdiff

// Options say what to compare. The zero value compares the rows of every
// permanent ordinary table of the source.
type Options struct {
	// Skip names tables to leave out, as schema.table without quotes.
	Skip []string
	// Sequences also compares last_value and is_called of every sequence.
	Sequences bool
	// Unlogged also compares unlogged tables, which no stream carries.
	Unlogged bool
	// Examples bounds the rows that are shown per table. Default: 5.
	Examples int
}

// Result is what was compared, and what was found.
type Result struct {
	Tables    int
	Rows      int64 // of the source
	Sequences int
	// Differences has one text for each table or sequence that differs, with
	// some of the rows; none means that both sides are equal.
	Differences []string
}
