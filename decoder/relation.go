package decoder

// ReplicaIdentity says which old values the source publishes for UPDATE and DELETE.
type ReplicaIdentity byte

// The replica identities, as pg_class.relreplident names them.
const (
	IdentityDefault ReplicaIdentity = 'd'
	IdentityNothing ReplicaIdentity = 'n'
	IdentityFull    ReplicaIdentity = 'f'
	IdentityIndex   ReplicaIdentity = 'i'
)

// Column is one published column of a relation.
type Column struct {
	Name         string
	TypeOID      uint32
	TypeModifier int32
	// Key reports that the column belongs to the replica identity; under FULL every column does.
	Key bool
}

// Relation is a table as of one point in the stream. It is immutable: when the
// source sends a different definition, a new Relation takes its place, so equal
// pointers mean equal definitions.
type Relation struct {
	OID             uint32
	Namespace       string
	Name            string
	ReplicaIdentity ReplicaIdentity
	Columns         []Column
}
