package schema

import (
	"slices"
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

// placement is what becomes of one kind of item.
type placement struct {
	stage Stage
	// pass orders within a stage: grants come after everything that they could
	// hinder, and what acts on statements or reads rows comes after the grants.
	pass int
	// leftOut is the reason why there is no entry; empty for all that is moved.
	leftOut string
	// silent items say nothing about the database.
	silent bool
}

const (
	passMain = iota
	passGrant
	passLast
)

// placements holds every kind that pg_dump 13 to 18 writes when data is not
// asked for. Kinds that are missing here go by their section.
var placements = map[string]placement{
	"ENCODING":   {silent: true},
	"STDSTRINGS": {silent: true},
	"SEARCHPATH": {silent: true},

	"SCHEMA":                    {stage: PreData},
	"EXTENSION":                 {stage: PreData},
	"PROCEDURAL LANGUAGE":       {stage: PreData},
	"ACCESS METHOD":             {stage: PreData},
	"COLLATION":                 {stage: PreData},
	"CONVERSION":                {stage: PreData},
	"SHELL TYPE":                {stage: PreData},
	"TYPE":                      {stage: PreData},
	"DOMAIN":                    {stage: PreData},
	"FUNCTION":                  {stage: PreData},
	"PROCEDURE":                 {stage: PreData},
	"AGGREGATE":                 {stage: PreData},
	"OPERATOR":                  {stage: PreData},
	"OPERATOR CLASS":            {stage: PreData},
	"OPERATOR FAMILY":           {stage: PreData},
	"CAST":                      {stage: PreData},
	"TRANSFORM":                 {stage: PreData},
	"TEXT SEARCH PARSER":        {stage: PreData},
	"TEXT SEARCH DICTIONARY":    {stage: PreData},
	"TEXT SEARCH TEMPLATE":      {stage: PreData},
	"TEXT SEARCH CONFIGURATION": {stage: PreData},
	"FOREIGN DATA WRAPPER":      {stage: PreData},
	"SERVER":                    {stage: PreData},
	"USER MAPPING":              {stage: PreData},
	"FOREIGN TABLE":             {stage: PreData},
	"TABLE":                     {stage: PreData},
	"TABLE ATTACH":              {stage: PreData},
	"SEQUENCE":                  {stage: PreData},
	"SEQUENCE OWNED BY":         {stage: PreData},
	"DEFAULT":                   {stage: PreData},
	"VIEW":                      {stage: PreData},
	"MATERIALIZED VIEW":         {stage: PreData},

	// Of an object of any stage: they follow it.
	"COMMENT":        {stage: PreData},
	"SECURITY LABEL": {stage: PreData},
	"ACL":            {stage: PreData, pass: passGrant},
	"DEFAULT ACL":    {stage: PreData, pass: passGrant},

	"CONSTRAINT":   {stage: Index},
	"INDEX":        {stage: Index},
	"INDEX ATTACH": {stage: Index},
	"STATISTICS":   {stage: Index},

	"CHECK CONSTRAINT":             {stage: Finish},
	"FK CONSTRAINT":                {stage: Finish},
	"RULE":                         {stage: Finish},
	"TRIGGER":                      {stage: Finish},
	"ROW SECURITY":                 {stage: Finish},
	"POLICY":                       {stage: Finish},
	"PUBLICATION":                  {stage: Finish},
	"PUBLICATION TABLE":            {stage: Finish},
	"PUBLICATION TABLES IN SCHEMA": {stage: Finish},
	"EVENT TRIGGER":                {stage: Finish, pass: passLast},
	"MATERIALIZED VIEW DATA":       {stage: Finish, pass: passLast},
	"SUBSCRIPTION":                 {leftOut: "subscriptions are not moved"},
	"SUBSCRIPTION TABLE":           {silent: true}, // of a subscription
	"BLOB":                         {leftOut: "large objects are not part of the schema"},
	"BLOBS":                        {silent: true}, // the contents of BLOB
	"BLOB METADATA":                {leftOut: "large objects are not part of the schema"},
	"TABLE DATA":                   {silent: true}, // rows are copied
	"SEQUENCE SET":                 {silent: true}, // positions are set at the end
	"STATISTICS DATA":              {silent: true}, // of the planner, gathered anew
	"DATABASE":                     {silent: true}, // only with --create
	"DATABASE PROPERTIES":          {silent: true},
}

func place(t item) placement {
	p, known := placements[t.desc]
	switch {
	case !known && t.section == sectionData:
		return placement{leftOut: "this kind of data is not moved"}
	case !known && t.section == sectionPostData:
		return placement{stage: Finish}
	case !known:
		return placement{stage: PreData}
	case p.stage == Index && strings.HasSuffix(strings.TrimRight(t.definition, "\n"), " NOT VALID;"):
		// Rows that break a constraint which was never validated may be copied
		// again after the stage Index.
		p.stage = Finish
	case t.desc == "ACL" && takesFromOwner(t):
		// The role that copies and applies may write as the owner.
		p.stage = Finish
	case t.desc == "RULE" && !strings.HasPrefix(t.definition, "CREATE RULE "):
		// The real text of a view that needs a primary key: PreData made a
		// stand-in with its columns.
		p.stage = Index
	case p.stage == PreData && t.section == sectionPostData && p.pass == passMain:
		// What needs a key in its own text: materialized views, SQL functions.
		p.stage = Index
	}
	return p
}

// arrange turns a dump's items into entries, in the order in which they run.
//
// An entry is in no earlier stage and pass than what it depends on. Where the
// dump lists a dependency after its dependent, pg_dump broke a loop, and the
// dependency does not count.
func arrange(items []item, o Options) ([]Entry, []LeftOut) {
	var leftOut []LeftOut
	placed := make(map[int32]placement, len(items))
	type placedEntry struct {
		Entry
		pass int
	}
	var kept []placedEntry
	excluded := map[int32]bool{}
	for _, t := range items {
		if t.desc == "EXTENSION" && (o.NoExtensions || slices.Contains(o.ExcludeExtensions, t.tag)) {
			excluded[t.id] = true
			leftOut = append(leftOut, LeftOut{Kind: t.desc, Name: t.tag, Reason: "it was asked to be left out"})
			continue
		}
		if t.desc == "COMMENT" && len(t.dependencies) > 0 && excluded[t.dependencies[0]] {
			continue
		}
		p := place(t)
		if isOwn(t) {
			p = placement{leftOut: "its name is of those that walferry gives to its own"}
		}
		for _, id := range t.dependencies {
			d, ok := placed[id]
			switch {
			case !ok:
			case d.stage == "":
				// What belongs to an object that has no entry has none either.
				if !p.silent && p.leftOut == "" {
					p = placement{silent: true}
				}
			case p.stage == "":
			case d.stage.rank() > p.stage.rank():
				p.stage, p.pass = d.stage, max(p.pass, d.pass)
			case d.stage == p.stage:
				p.pass = max(p.pass, d.pass)
			}
		}
		placed[t.id] = p
		if p.stage == "" {
			if !p.silent {
				leftOut = append(leftOut, LeftOut{Kind: t.desc, Schema: t.namespace, Name: t.tag, Reason: p.leftOut})
			}
			continue
		}
		kept = append(kept, placedEntry{newEntry(t, p.stage, o.NoOwner), p.pass})
	}
	slices.SortStableFunc(kept, func(a, b placedEntry) int {
		if d := a.Stage.rank() - b.Stage.rank(); d != 0 {
			return d
		}
		return a.pass - b.pass
	})
	entries := make([]Entry, len(kept))
	for i, k := range kept {
		entries[i] = k.Entry
	}
	return entries, leftOut
}

// takesFromOwner says that an object's grants leave its owner less than all.
func takesFromOwner(t item) bool {
	return slices.ContainsFunc(splitGrants(t.definition), func(sql string) bool {
		return strings.HasPrefix(sql, "REVOKE ") &&
			(strings.HasSuffix(sql, " FROM "+t.owner+";") || strings.HasSuffix(sql, " FROM "+sqltext.Ident(t.owner)+";"))
	})
}

// isOwn says that an item is part of a migration's machinery on the source, not
// of the user's database.
func isOwn(t item) bool {
	return t.desc == "PUBLICATION" && strings.HasPrefix(t.tag, "walferry_")
}
