package carry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/carry"
	"github.com/walferry/walferry/internal/pgtest"
)

// objectsSQL describes every large object but for what the role cannot read.
const objectsSQL = `SELECT coalesce(string_agg(m.oid || ' ' || pg_get_userbyid(lomowner) || ' ' || coalesce(obj_description(m.oid, 'pg_largeobject'), '') || ' '
	|| coalesce((SELECT string_agg(g.grantee::regrole || g.privilege_type || g.is_grantable, ',' ORDER BY 1) FROM aclexplode(lomacl) g WHERE g.grantee NOT IN (0, lomowner)), '')
	|| (SELECT string_agg(g.privilege_type, ',' ORDER BY 1) FROM aclexplode(lomacl) g WHERE g.grantee = 0) IS NOT NULL
	|| ' ' || length(lo_get(m.oid)) || ' ' || md5(lo_get(m.oid)), E'\n' ORDER BY m.oid), '') FROM pg_largeobject_metadata m`

const makeObjects = `
	SELECT lo_from_bytea(70001, 'small'), lo_from_bytea(70002, ''), lo_create(70003);
	SELECT lo_from_bytea(70004, decode(repeat('0a1b2c3d', 700000), 'hex'));
	SELECT lo_from_bytea(3000000000, 'an OID beyond the signed range');
	SELECT lo_create(70005), lo_put(70005, 3000000, 'after a hole');
	COMMENT ON LARGE OBJECT 70001 IS 'it''s \ commented';
	GRANT SELECT ON LARGE OBJECT 70001 TO PUBLIC;
	GRANT SELECT, UPDATE ON LARGE OBJECT 70003 TO walferry_lo_reader WITH GRANT OPTION;
	ALTER LARGE OBJECT 70004 OWNER TO walferry_lo_owner;
	SELECT lo_from_bytea(g::oid, ('object ' || g)::bytea) FROM generate_series(100001, 100700) g`

const makeObjectRoles = `DO $$ BEGIN CREATE ROLE walferry_lo_owner LOGIN; CREATE ROLE walferry_lo_reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$`

// TestLargeObjects moves contents, OIDs, owners, grants and comments, and on a
// second call exactly what has changed since.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, target int }{{13, 18}, {18, 18}} {
		t.Run(fmt.Sprintf("%d to %d", c.source, c.target), func(t *testing.T) {
			t.Parallel()
			for _, major := range []int{c.source, c.target} {
				pgtest.Exec(t, pgtest.Server(t, major).URI("postgres"), makeObjectRoles)
			}
			source := pgtest.Server(t, c.source).Database(t, makeObjects)
			dest := destination(t, c.target, `SELECT lo_from_bytea(60000, 'the target''s own')`)
			o := carry.LargeObjectOptions{Source: connect(t, source), Target: connect(t, dest), Migration: "default"}
			move := func(written, removed int64) {
				t.Helper()
				r, err := carry.LargeObjects(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if r.Written != written || r.Removed != removed || len(r.Warnings) > 0 {
					t.Errorf("%+v, want %d written, %d removed", r, written, removed)
				}
				if want, got := pgtest.Query(t, source, objectsSQL)[0][0], pgtest.Query(t, dest, objectsSQL+" WHERE oid <> 60000")[0][0]; want != got {
					t.Errorf("source\n%.1000s\ntarget\n%.1000s", want, got)
				}
			}
			move(706, 0)
			move(0, 0)
			pgtest.Exec(t, source,
				`SELECT lo_put(70004, 2500000, 'changed')`,
				`SELECT lo_truncate64(lo_open(70001, 393216), 2), lo_truncate64(lo_open(70005, 393216), 1500000)`,
				`SELECT lo_unlink(70002), lo_unlink(100500)`,
				`REVOKE SELECT ON LARGE OBJECT 70001 FROM PUBLIC; COMMENT ON LARGE OBJECT 70001 IS NULL; GRANT UPDATE ON LARGE OBJECT 70004 TO PUBLIC`,
				`REVOKE GRANT OPTION FOR UPDATE ON LARGE OBJECT 70003 FROM walferry_lo_reader`)
			move(3, 2)
			if got := pgtest.Query(t, dest, `SELECT lo_get(60000) = 'the target''s own'`)[0][0]; got != "t" {
				t.Error("an object of the target's own was touched")
			}
		})
	}
}

// TestLargeObjects_ConflictIsRefused leaves an object of the target that has an
// OID of the source's, unless it is to be overwritten.
func TestLargeObjects_ConflictIsRefused(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, `SELECT lo_from_bytea(7, 'theirs')`)
	dest := destination(t, 15, `SELECT lo_from_bytea(7, 'mine')`)
	o := carry.LargeObjectOptions{Source: connect(t, source), Target: connect(t, dest), Migration: "default"}
	if _, err := carry.LargeObjects(t.Context(), o); err == nil || !strings.Contains(err.Error(), "large object 7 exists on the target") {
		t.Errorf("error: %v", err)
	}
	if got := pgtest.Query(t, dest, `SELECT lo_get(7) = 'mine'`)[0][0]; got != "t" {
		t.Error("the target's object was touched")
	}
	o.Overwrite = true
	if _, err := carry.LargeObjects(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Query(t, dest, `SELECT lo_get(7) = 'theirs'`)[0][0]; got != "t" {
		t.Error("the target's object was not overwritten")
	}
}

// TestLargeObjects_FewRights moves, as an ordinary role on both sides, what it may
// read, and names what it may not read or give away.
func TestLargeObjects_FewRights(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 18} {
		pgtest.Exec(t, pgtest.Server(t, major).URI("postgres"), makeObjectRoles)
		source := pgtest.Server(t, major).Database(t, makeObjects)
		dest := destination(t, major, `GRANT CREATE ON DATABASE "`+"postgres"+`" TO walferry_lo_owner`)
		pgtest.Exec(t, dest, `GRANT USAGE ON SCHEMA walferry TO walferry_lo_owner; GRANT ALL ON ALL TABLES IN SCHEMA walferry TO walferry_lo_owner`)
		o := carry.LargeObjectOptions{Source: connect(t, pgtest.As(t, source, "walferry_lo_owner")), Target: connect(t, pgtest.As(t, dest, "walferry_lo_owner")), Migration: "default"}
		r, err := carry.LargeObjects(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(r.Warnings, "\n")
		if r.Objects != 2 || !strings.Contains(got, "and 699 more: may not be read by the source's role") || !strings.Contains(got, "ALTER of large object 70001") {
			t.Errorf("%d: %+v", major, r)
		}
		if got := pgtest.Query(t, dest, `SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_largeobject_metadata`)[0][0]; got != "70001 70004" {
			t.Errorf("%d: moved %s", major, got)
		}
	}
}
