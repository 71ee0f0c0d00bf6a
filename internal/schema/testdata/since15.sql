-- What 15 and newer know.
CREATE TABLE app.one_null (a int, UNIQUE NULLS NOT DISTINCT (a));
CREATE VIEW app.invoker WITH (security_invoker) AS SELECT 1 AS a;
CREATE PUBLICATION filtered FOR TABLE app.tree (id) WHERE (id > 5);
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA "Mixed Case.dot";
CREATE FUNCTION app.by_key(k int) RETURNS bigint
    BEGIN ATOMIC SELECT g.id FROM app.customer g WHERE g.id = k GROUP BY g.id HAVING g.email IS NOT NULL; END;
CREATE MATERIALIZED VIEW app.keyed AS SELECT c.id, c.email FROM app.customer c GROUP BY c.id;
COMMENT ON MATERIALIZED VIEW app.keyed IS 'needs a key';
GRANT SELECT ON app.keyed TO PUBLIC;
CREATE INDEX keyed_email ON app.keyed (email);
CREATE TABLE app.placed (a int PRIMARY KEY USING INDEX TABLESPACE walferry_place) TABLESPACE walferry_place;
