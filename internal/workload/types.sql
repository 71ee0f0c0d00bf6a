SELECT jsonb_build_object('OID', t.oid::int8, 'Name', t.typname, 'Kind', t.typtype::text,
    'Element', CASE WHEN t.typcategory = 'A' THEN t.typelem::int8 ELSE 0 END,
    'Base', t.typbasetype::int8, 'BaseTypmod', t.typtypmod,
    'Subtype', coalesce((SELECT r.rngsubtype::int8 FROM pg_range r WHERE r.rngtypid = t.oid), 0),
    -- 13 has no multiranges.
    'Range', coalesce((SELECT r.rngtypid::int8 FROM pg_range r WHERE to_jsonb(r)->>'rngmultitypid' = t.oid::text), 0),
    'Labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
    'Attributes', (SELECT jsonb_agg(jsonb_build_object('Type', a.atttypid::int8, 'Typmod', a.atttypmod) ORDER BY a.attnum)
                   FROM pg_attribute a
                   WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_type t
WHERE t.typtype <> 'p' AND t.typnamespace <> 'pg_toast'::regnamespace
