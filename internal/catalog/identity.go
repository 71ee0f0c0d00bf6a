package catalog

import "strconv"

// setIdentityProblems finds the tables whose UPDATE and DELETE would start to
// fail on the source once a publication publishes them.
func setIdentityProblems(tables []Table, versionNum int) {
	byName := make(map[Name]*Table)
	for i := range tables {
		t := &tables[i]
		if t.Kind == KindPartitioned {
			byName[t.Name] = t
			continue
		}
		t.problem = identityProblem(t, versionNum)
	}
	// A statement on a partitioned table needs the identity of every partition
	// that it touches; the identity of the partitioned table itself is not looked at.
	for i := range tables {
		leaf := &tables[i]
		if leaf.Kind == KindPartitioned || leaf.problem == "" {
			continue
		}
		for up := byName[leaf.Parent]; up != nil; up = byName[up.Parent] {
			if up.problem == "" {
				up.problem = "partition " + strconv.Quote(leaf.String()) + ": " + leaf.problem
			}
		}
	}
}

func identityProblem(t *Table, versionNum int) string {
	switch t.ReplicaIdentity {
	case IdentityNothing:
		return "its replica identity is NOTHING"
	case IdentityFull:
		// From 18 on, the old row may not hold a column that is not published.
		if versionNum >= 180000 {
			for _, c := range t.Columns {
				if c.Generated != "" {
					return "its replica identity FULL includes the generated column " + strconv.Quote(c.Name)
				}
			}
		}
		return ""
	case IdentityIndex:
		if t.Identity == nil {
			return "the index of its replica identity does not exist or is not valid"
		}
		return ""
	case IdentityDefault:
		switch {
		case t.Identity != nil:
			return ""
		case t.PrimaryKeyDeferrable:
			return "its primary key is deferrable"
		}
		return "it has no primary key"
	}
	return "its replica identity is unknown"
}
