-- Stored generated columns on request.
CREATE TABLE t (id int PRIMARY KEY, doubled int GENERATED ALWAYS AS (id * 2) STORED, virtual int GENERATED ALWAYS AS (id * 3) VIRTUAL);
CREATE PUBLICATION p FOR TABLE t WITH (publish_generated_columns = stored);
-- workload
INSERT INTO t VALUES (1), (2);
UPDATE t SET id = 3 WHERE id = 1;
DELETE FROM t;
