-- Messages of pg_logical_emit_message; those that are not transactional survive a rollback.
CREATE TABLE t (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE t;
-- workload
SELECT pg_logical_emit_message(false, 'outside', 'not transactional');
SELECT pg_logical_emit_message(true, 'alone', '');
BEGIN;
SELECT pg_logical_emit_message(true, 'first', 'before the row');
INSERT INTO t VALUES (1);
SELECT pg_logical_emit_message(true, 'last', '\x00ff'::bytea);
COMMIT;
BEGIN;
INSERT INTO t VALUES (2);
SELECT pg_logical_emit_message(true, 'gone', 'transactional');
SELECT pg_logical_emit_message(false, 'stays', 'not transactional');
ROLLBACK;
INSERT INTO t VALUES (3);
