package applier

// changeset is the net effect of a run of changes on one table, written in this
// order: deletes, updates, inserts. Every row of the target is in it at most once,
// and its changes refer to tuples of the batch as any other change does.
type changeset struct {
	deletes []change
	updates []change
	inserts []change
}

func (s *changeset) empty() {
	s.deletes, s.updates, s.inserts = s.deletes[:0], s.updates[:0], s.inserts[:0]
}
