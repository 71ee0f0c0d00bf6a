-- Transactions that were replayed from elsewhere, between local ones.
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE filler (id int);
CREATE PUBLICATION p FOR TABLE t;
SELECT pg_replication_origin_create('elsewhere');
-- workload
INSERT INTO t VALUES (1);
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1234', '2020-01-01');
INSERT INTO t VALUES (2);
INSERT INTO filler SELECT generate_series(1, 1000);
COMMIT;
SELECT pg_replication_origin_session_reset();
INSERT INTO t VALUES (3);
SELECT pg_replication_origin_drop('elsewhere');
