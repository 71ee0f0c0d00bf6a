-- The columns of a target table, in its order.
SELECT a.attname,
       a.attnum,
       pg_catalog.format_type(a.atttypid, -1) AS type,
       a.attnotnull,
       a.attgenerated <> '' AS generated,
       a.attidentity = 'a' AS identity_always,
       coalesce(eq.name, 'OPERATOR(pg_catalog.=)') AS equal,
       coalesce(co.collisdeterministic, true)
           AND (base.typtype = 'e' OR base.oid = ANY ('{bool,bytea,"\"char\"",name,int8,int2,int4,text,oid,varchar,date,time,timestamp,timestamptz,uuid,macaddr,macaddr8,inet,cidr,bit,varbit,pg_lsn,money}'::pg_catalog.regtype[]))
           AS bytewise
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
CROSS JOIN LATERAL (
    WITH RECURSIVE b AS (
        SELECT t.oid, t.typtype, t.typbasetype
        UNION ALL
        SELECT d.oid, d.typtype, d.typbasetype FROM b JOIN pg_catalog.pg_type d ON d.oid = b.typbasetype WHERE b.typtype = 'd'
    )
    SELECT b.oid, b.typtype FROM b WHERE b.typtype <> 'd'
) base
LEFT JOIN LATERAL (
    SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) AS name
    FROM pg_catalog.pg_opclass oc
    JOIN pg_catalog.pg_am am ON am.oid = oc.opcmethod AND am.amname = 'btree'
    JOIN pg_catalog.pg_amop ap ON ap.amopfamily = oc.opcfamily AND ap.amopstrategy = 3
        AND ap.amoplefttype = oc.opcintype AND ap.amoprighttype = oc.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid = ap.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
    WHERE oc.opcdefault AND oc.opcintype = base.oid
) eq ON true
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
