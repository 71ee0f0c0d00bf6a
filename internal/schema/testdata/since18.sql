-- What 18 knows.
CREATE TABLE app.computed (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);
CREATE TABLE app.lax (a int, b int REFERENCES app.tree NOT ENFORCED, CHECK (a > 0) NOT ENFORCED);
ALTER TABLE app.lax ADD CONSTRAINT a_some_day NOT NULL a NOT VALID;
CREATE TABLE app.temporal (room int, during daterange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
CREATE TABLE app.root_of_heap2 (a int) PARTITION BY LIST (a) USING heap2;
CREATE TABLE app.leaf_of_heap2 PARTITION OF app.root_of_heap2 FOR VALUES IN (1);
