package catalog

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/sqltext"
)

//go:embed sequences.sql
var sequencesSQL string

// sequencesPerQuery bounds the length of one UNION ALL.
const sequencesPerQuery = 500

// Sequence is a sequence's definition.
type Sequence struct {
	OID uint32
	Name
	Persistence Persistence
	// Type is smallint, integer or bigint.
	Type                       string
	Start, Min, Max, Increment int64
	Cycle                      bool
	// Table and Column are what the sequence is owned by, zero for one that
	// stands alone. Identity says that it is the column's identity sequence.
	Table    Name
	Column   string
	Identity bool
	// Readable says that the connection's role may read the position.
	Readable bool
}

// SequenceValue is a sequence's position: the arguments of setval.
type SequenceValue struct {
	Name
	LastValue int64
	IsCalled  bool
}

// Sequences returns all sequences of user schemas that belong to no extension,
// ordered by schema and name.
func Sequences(ctx context.Context, q Querier) ([]Sequence, error) {
	rows, err := collect[struct {
		OID                            uint32
		Schema, Name, Persistence      string
		Type                           string
		Start, Min, Max, Increment     int64
		Cycle, Identity, Readable      bool
		TableSchema, TableName, Column string
	}](ctx, q, sequencesSQL)
	if err != nil {
		return nil, errors.Wrap(err, "read sequences")
	}
	sequences := make([]Sequence, len(rows))
	for i, r := range rows {
		sequences[i] = Sequence{
			OID: r.OID, Name: Name{r.Schema, r.Name}, Persistence: Persistence(r.Persistence[0]), Type: r.Type,
			Start: r.Start, Min: r.Min, Max: r.Max, Increment: r.Increment, Cycle: r.Cycle,
			Table: Name{r.TableSchema, r.TableName}, Column: r.Column, Identity: r.Identity, Readable: r.Readable,
		}
	}
	return sequences, nil
}

// SequenceValues reads the sequences' positions, in the given order, some
// hundred in one round trip. It needs SELECT on each. Positions belong to no
// transaction: what is read holds at the moment of reading.
func SequenceValues(ctx context.Context, q Querier, sequences []Sequence) ([]SequenceValue, error) {
	values := make([]SequenceValue, 0, len(sequences))
	for chunk := range slices.Chunk(sequences, sequencesPerQuery) {
		var sql strings.Builder
		for i, s := range chunk {
			if i > 0 {
				sql.WriteString("\nUNION ALL ")
			}
			sql.WriteString("SELECT " + sqltext.Literal(s.Schema) + "::pg_catalog.text AS schema, " +
				sqltext.Literal(s.Name.Name) + "::pg_catalog.text AS name, last_value, is_called FROM " + s.Quoted())
		}
		// UNION ALL keeps the order of its branches: they run one after the other.
		rows, err := collect[struct {
			Schema, Name string
			LastValue    int64
			IsCalled     bool
		}](ctx, q, sql.String())
		if err != nil {
			return nil, errors.Wrap(err, "read the values of sequences")
		}
		for _, r := range rows {
			values = append(values, SequenceValue{Name: Name{r.Schema, r.Name}, LastValue: r.LastValue, IsCalled: r.IsCalled})
		}
	}
	return values, nil
}

// SetSequences moves sequences to the given positions, some hundred in one statement,
// which locks them. It needs UPDATE on each. Positions are not undone by a rollback, and a sequence
// that does not exist stops it before or after others were set; setting them
// again is harmless.
func SetSequences(ctx context.Context, q Querier, values []SequenceValue) error {
	for chunk := range slices.Chunk(values, sequencesPerQuery) {
		if err := setSequences(ctx, q, chunk); err != nil {
			return errors.Wrap(err, "set sequences")
		}
	}
	return nil
}

func setSequences(ctx context.Context, q Querier, values []SequenceValue) error {
	names, last, called := make([]string, len(values)), make([]int64, len(values)), make([]bool, len(values))
	for i, v := range values {
		names[i], last[i], called[i] = v.Quoted(), v.LastValue, v.IsCalled
	}
	rows, err := q.Query(ctx, `SELECT pg_catalog.setval(v.name::pg_catalog.regclass, v.last, v.called)
		FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.int8[]),
		                pg_catalog.unnest($3::pg_catalog.bool[])) AS v(name, last, called)`, names, last, called)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}
