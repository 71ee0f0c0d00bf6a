-- Transactions that outgrow logical_decoding_work_mem by rows of a table that is not published.
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE t (id int PRIMARY KEY, feel mood);
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE first_in_savepoint (id int PRIMARY KEY);
CREATE TABLE filler (id int);
CREATE PUBLICATION p FOR TABLE t, other, first_in_savepoint;
-- workload
INSERT INTO t VALUES (1, 'calm');
BEGIN;
INSERT INTO t VALUES (10, 'wild');
INSERT INTO filler SELECT generate_series(1, 1000);
SELECT pg_logical_emit_message(true, 'streamed', 'of the transaction');
-- session b: another transaction, streamed too and rolled back, and a third that commits meanwhile
BEGIN;
INSERT INTO t VALUES (20, 'calm');
INSERT INTO filler SELECT generate_series(1, 1000);
-- session c
INSERT INTO t VALUES (30, 'calm');
-- session a: subtransactions that are rolled back after they were streamed
SAVEPOINT one;
INSERT INTO t VALUES (11, NULL);
SAVEPOINT two;
INSERT INTO t VALUES (12, NULL);
INSERT INTO first_in_savepoint VALUES (1);
INSERT INTO filler SELECT generate_series(1, 1000);
RELEASE two;
INSERT INTO t VALUES (13, NULL);
INSERT INTO filler SELECT generate_series(1, 1000);
ROLLBACK TO one;
INSERT INTO t VALUES (14, NULL);
INSERT INTO first_in_savepoint VALUES (2);
SAVEPOINT three;
UPDATE t SET feel = 'wild' WHERE id = 14;
RELEASE three;
ALTER TABLE other ADD b text;
INSERT INTO other VALUES (1, 'altered inside');
INSERT INTO filler SELECT generate_series(1, 1000);
DELETE FROM t WHERE id = 10;
TRUNCATE other;
-- session b
ROLLBACK;
-- session a
COMMIT;
INSERT INTO other VALUES (2, 'after');
INSERT INTO first_in_savepoint VALUES (3);
