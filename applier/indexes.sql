-- What can be violated by rows in the wrong order, or identify a row: the unique and
-- exclusion indexes of a target table, the primary key first.
SELECT i.indisprimary,
       i.indisunique,
       i.indimmediate,
       (i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1] AS columns,
       i.indpred IS NULL AND i.indexprs IS NULL AS plain
FROM pg_catalog.pg_index i
WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
ORDER BY NOT i.indisprimary, i.indexrelid
