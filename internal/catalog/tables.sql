SELECT c.oid
     , n.nspname AS schema
     , c.relname AS name
     , c.relkind::pg_catalog.text AS kind
     , c.relpersistence::pg_catalog.text AS persistence
     , pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text AS owner
     , coalesce(am.amname, '') AS access_method
     , c.relispartition AS is_partition
     , coalesce(pn.nspname, '') AS parent_schema
     , coalesce(pc.relname, '') AS parent_name
     , coalesce(rn.nspname, '') AS root_schema
     , coalesce(rc.relname, '') AS root_name
     , coalesce(rc.oid, 0) AS root_oid
     , c.relhassubclass
       AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children
     , NOT c.relispartition
       AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS inherits
     , c.relreplident::pg_catalog.text AS replica_identity
     , idx.identity_columns
     , idx.primary_key
     , coalesce(idx.primary_key_deferrable, false) AS primary_key_deferrable
     , CASE WHEN c.reltuples > 0 OR c.relpages > 0 OR c.reltuples = 0 AND $2::pg_catalog.bool
            THEN c.reltuples::pg_catalog.int8 ELSE -1 END AS estimated_rows
     , CASE WHEN c.relkind = 'r' AND $3::pg_catalog.bool THEN coalesce(pg_catalog.pg_table_size(c.oid), 0) ELSE 0 END AS bytes
     , c.relrowsecurity AS row_security
     , c.relforcerowsecurity AS force_row_security
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_inherits h ON c.relispartition AND h.inhrelid = c.oid
  LEFT JOIN pg_catalog.pg_class pc ON pc.oid = h.inhparent
  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
  LEFT JOIN pg_catalog.pg_class rc
         ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid
  LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
  LEFT JOIN LATERAL (
        -- The index that names a row in the stream: as RelationGetIndexList chooses it.
        SELECT pg_catalog.max(k.columns) FILTER (
                 WHERE i.indimmediate AND (i.indisvalid OR c.relkind = 'p')
                   AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)
               ) AS identity_columns
             , pg_catalog.max(k.columns) FILTER (WHERE i.indisprimary) AS primary_key
             , pg_catalog.bool_or(NOT i.indimmediate) FILTER (WHERE i.indisprimary) AS primary_key_deferrable
          FROM pg_catalog.pg_index i
         CROSS JOIN LATERAL (
                SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY x.position) AS columns
                  FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS x(attnum, position)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.attnum
                 WHERE x.position <= i.indnkeyatts
               ) k
         WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident)
       ) idx ON true
 WHERE c.oid = ANY ($1::pg_catalog.oid[])
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
