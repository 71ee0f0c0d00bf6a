-- What an earlier migration into this database has left, and what is not moved.
CREATE SCHEMA walferry;
CREATE TABLE walferry.checkpoint (id int PRIMARY KEY);
COMMENT ON SCHEMA walferry IS 'of an earlier migration';
CREATE PUBLICATION walferry_default_x FOR TABLE app.tree;
SELECT pg_catalog.lo_create(4242);
COMMENT ON LARGE OBJECT 4242 IS 'a blob';
CREATE SUBSCRIPTION incoming CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false);
COMMENT ON SUBSCRIPTION incoming IS 'not moved';
