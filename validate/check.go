package validate

import "context"

// check is one question. Its findings carry its id.
type check struct {
	id string
	// severity of the findings that name none themselves.
	severity Severity
	// replication says that a migration that only copies does not need it.
	replication bool
	run         func(ctx context.Context, p *preflight) ([]Finding, error)
}

// checks are all that preflight asks, in the order of its report.
var checks = []check{
	{"source.pooler", Error, false, sourcePooler},
	{"source.version", Error, false, sourceVersion},
	{"source.minor_version", Warning, true, sourceMinorVersion},
	{"source.standby", Error, true, sourceStandby},
	{"source.wal_level", Error, true, walLevel},
	{"source.output_plugin", Error, true, outputPlugin},
	{"source.replication_right", Error, true, replicationRight},
	{"source.replication_connection", Error, true, replicationConnection},
	{"source.slots", Error, true, freeSlots},
	{"source.walsenders", Error, true, freeWalsenders},
	{"source.slot_retention", Warning, true, slotRetention},
	{"source.slot_name", Error, true, slotName},
	{"source.publication_name", Error, true, publicationName},
	{"source.publications", Error, true, publications},
	{"source.old_transactions", Warning, true, oldTransactions},
	{"source.prepared_transactions", Warning, true, preparedTransactions},
	{"source.create_publication", Error, true, createPublication},
	{"source.table_owner", Error, true, tableOwner},
	{"source.select", Error, false, selectRight},
	{"source.row_security", Error, false, rowSecurity},
	{"source.size", Error, false, size},
	{"source.identity", Warning, true, identity},
	{"source.unlogged", Warning, true, unlogged},
	{"source.large_objects", Warning, false, largeObjects},
	{"source.sequences", Info, true, sequences},
	{"source.foreign_tables", Info, false, foreignTables},
	{"source.materialized_views", Info, false, materializedViews},
	{"target.pooler", Error, false, targetPooler},
	{"target.version", Error, false, targetVersion},
	{"target.same_server", Error, false, sameServer},
	{"target.standby", Error, false, targetStandby},
	{"target.read_only", Error, false, targetReadOnly},
	{"target.encoding", Warning, false, targetEncoding},
	{"target.extensions", Error, false, targetExtensions},
	{"target.create", Error, false, createOnTarget},
	{"target.triggers", Info, true, replicaRole},
	{"target.tables", Error, false, targetTables},
	{"target.columns", Error, false, targetColumns},
	{"target.table_rights", Error, false, tableRights},
	{"target.rows", Error, false, targetRows},
}
