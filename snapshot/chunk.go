package snapshot

import (
	"context"
	_ "embed"
	"log/slog"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// The bounds of a chunk's size where Options.ChunkBytes does not give it. Below
// four of the least, a table is copied as a whole.
const (
	leastChunkBytes = 16 << 20
	mostChunkBytes  = 1 << 30
	// chunksPerJob lets jobs that work on one table end at about the same time.
	chunksPerJob = 8
	maxChunks    = 10_000
)

// planTimeout bounds how long the source is asked for a table's size while somebody
// else has it locked.
const planTimeout = "2s"

// chunk is a part of a table that is copied by one COPY.
type chunk struct {
	relation string // quoted; a partition when the table is the root of some
	where    string // "": all of the relation
	// file is the relation's file number in the snapshot: where it has become another, the
	// rows are no longer where they were, or the snapshot does not see them.
	file uint32
}

//go:embed sizes.sql
var sizesSQL string

//go:embed bounds.sql
var boundsSQL string

// holder is a relation that holds rows of a table.
type holder struct {
	Ord      int64  // of the table, from 1 on
	Relation string // quoted
	OID      uint32
	File     uint32
	// Ctid says that ranges of ctid are read without reading the rest.
	Ctid        bool
	Blocks      int64
	Bytes       int64
	Partitioned bool // of the table, not of the relation
	Readable    bool
}

// plan finds out how large the tables are, and divides large ones. Nothing is read
// but catalogs and statistics. The connection is in the snapshot's transaction.
func plan(ctx context.Context, c *pgx.Conn, o *Options, tables []Table) ([]*job, error) {
	jobs := make([]*job, len(tables))
	names := make([]string, len(tables))
	for i := range tables {
		jobs[i] = &job{table: &tables[i]}
		names[i] = tables[i].quoted()
	}
	relations, err := sizes(ctx, c, names)
	if err != nil {
		return nil, errors.Wrap(err, "read the sizes of the source's tables")
	}
	if relations == nil {
		o.Logger.WarnContext(ctx, "tables are copied as a whole: one is locked on the source, and sizes cannot be read")
	}
	of := make(map[int64][]holder, len(tables))
	for _, r := range relations {
		of[r.Ord] = append(of[r.Ord], r)
	}
	for i, j := range jobs {
		parts := of[int64(i+1)]
		if len(parts) > 0 {
			j.table.Bytes = 0
		}
		for _, r := range parts {
			j.table.Bytes += r.Bytes
		}
		if err := j.divide(ctx, c, o, parts); err != nil {
			return nil, errors.Wrapf(err, "divide table %s", j.table)
		}
	}
	return jobs, nil
}

// sizes returns nothing when a table is locked for long.
func sizes(ctx context.Context, c *pgx.Conn, names []string) ([]holder, error) {
	if _, err := c.Exec(ctx, "SET LOCAL lock_timeout = '"+planTimeout+"'"); err != nil {
		return nil, err
	}
	rows, err := c.Query(ctx, sizesSQL, names)
	var relations []holder
	if err == nil {
		relations, err = pgx.CollectRows(rows, pgx.RowToStructByName[holder])
	}
	// The locks go, too.
	if _, backErr := c.Exec(ctx, rollbackToPart); backErr != nil {
		return nil, errors.CombineErrors(err, backErr)
	}
	if stateOf(err) == lockNotAvailable {
		return nil, nil
	}
	return relations, err
}

// divide makes chunks of a table where that is worth it and possible.
func (j *job) divide(ctx context.Context, c *pgx.Conn, o *Options, relations []holder) error {
	size := o.ChunkBytes
	if size == 0 {
		size = min(max(j.table.Bytes/int64(chunksPerJob*o.Jobs), leastChunkBytes), mostChunkBytes)
		if j.table.Bytes < 4*leastChunkBytes {
			return nil
		}
	}
	size = max(size, j.table.Bytes/maxChunks)
	if _, chunks := o.Ledger.(ChunkLedger); !chunks || j.table.Whole || j.table.Bytes <= size {
		return nil
	}
	var chunks []chunk
	for _, r := range relations {
		if !r.Readable || r.Partitioned != j.table.Descendants {
			return nil
		}
		n := int((r.Bytes + size - 1) / size)
		var bounds []string
		column := "ctid"
		var err error
		switch {
		case n < 2:
		case r.Ctid:
			bounds = blockBounds(r.Blocks, n)
		default:
			if column, bounds, err = keyBounds(ctx, c, r.OID, n); err != nil {
				return err
			}
		}
		for _, where := range ranges(column, bounds) {
			chunks = append(chunks, chunk{relation: r.Relation, where: where, file: r.File})
		}
	}
	if len(chunks) > 1 {
		j.chunks = chunks
		o.Logger.LogAttrs(ctx, slog.LevelDebug, "table is copied in chunks", slog.String("table", j.table.String()), slog.Int("chunks", len(chunks)))
	}
	return nil
}

// blockBounds divides a relation of so many blocks into n ranges of ctid.
func blockBounds(blocks int64, n int) (bounds []string) {
	step := max(1, (blocks+int64(n)-1)/int64(n))
	for b := step; b < blocks; b += step {
		bounds = append(bounds, "'("+strconv.FormatInt(b, 10)+",0)'")
	}
	return bounds
}

// keyBounds takes n-1 of the bounds that ANALYZE has found for the first column of
// the primary key, where the rows lie in that order.
func keyBounds(ctx context.Context, c *pgx.Conn, oid uint32, n int) (column string, bounds []string, err error) {
	var all []string
	err = c.QueryRow(ctx, boundsSQL, oid).Scan(&column, &all)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	n = min(n, len(all)-1)
	for i := 1; i < n; i++ {
		if b := all[i*(len(all)-1)/n]; len(bounds) == 0 || b != bounds[len(bounds)-1] {
			bounds = append(bounds, b)
		}
	}
	return column, bounds, nil
}

// ranges returns conditions of which every value satisfies exactly one.
func ranges(column string, bounds []string) []string {
	conditions := make([]string, 0, len(bounds)+1)
	for i := range len(bounds) + 1 {
		var both []string
		if i > 0 {
			both = append(both, column+" >= "+bounds[i-1])
		}
		if i < len(bounds) {
			both = append(both, column+" < "+bounds[i])
		}
		conditions = append(conditions, strings.Join(both, " AND "))
	}
	return conditions
}
