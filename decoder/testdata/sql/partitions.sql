-- A partitioned table published as itself, and one published by its partitions.
CREATE TABLE by_root (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE by_root_1 PARTITION OF by_root FOR VALUES IN (1);
CREATE TABLE by_root_2 (part int, id int, PRIMARY KEY (id, part));
ALTER TABLE by_root ATTACH PARTITION by_root_2 FOR VALUES IN (2);
CREATE TABLE by_leaf (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE by_leaf_1 PARTITION OF by_leaf FOR VALUES IN (1);
CREATE TABLE by_leaf_2 PARTITION OF by_leaf FOR VALUES IN (2);
CREATE PUBLICATION p FOR TABLE by_root WITH (publish_via_partition_root);
CREATE PUBLICATION "leaf's" FOR TABLE by_leaf;
-- workload
INSERT INTO by_root VALUES (1, 1), (2, 2);
UPDATE by_root SET id = 3 WHERE id = 2;
UPDATE by_root SET part = 2 WHERE id = 1;
TRUNCATE by_root;
INSERT INTO by_leaf VALUES (1, 1), (2, 2);
UPDATE by_leaf SET part = 2 WHERE id = 1;
TRUNCATE by_leaf;
