-- Row filters and column lists: an update that enters a filter comes as an insert,
-- whose untouched TOAST value does not come at all.
CREATE TABLE t (id int PRIMARY KEY, big text, shown bool, hidden int);
ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
ALTER TABLE t REPLICA IDENTITY FULL;
ALTER TABLE t REPLICA IDENTITY DEFAULT;
CREATE TABLE filtered (id int, shown int, big text, PRIMARY KEY (id, shown));
ALTER TABLE filtered ALTER big SET STORAGE EXTERNAL;
CREATE PUBLICATION p FOR TABLE t (id, big), filtered WHERE (shown > 0);
-- workload
INSERT INTO t VALUES (1, 'a', true, 7);
UPDATE t SET hidden = 8;
INSERT INTO filtered VALUES (1, 0, repeat('0123456789', 210)), (2, 1, 'visible');
UPDATE filtered SET shown = 1 WHERE id = 1;
UPDATE filtered SET big = 'still visible' WHERE id = 2;
UPDATE filtered SET shown = 0 WHERE id = 2;
ALTER PUBLICATION p SET TABLE t, filtered;
UPDATE t SET hidden = 9;
