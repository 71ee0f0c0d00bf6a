-- One of nearly everything that pg_dump can write. Works on PostgreSQL 13 to 18.
CREATE SCHEMA app AUTHORIZATION walferry_schema_owner;
CREATE SCHEMA "Mixed Case.dot";
COMMENT ON SCHEMA app IS 'the application''s; with a semicolon';
CREATE EXTENSION citext SCHEMA public;
COMMENT ON EXTENSION citext IS 'changed comment';
CREATE EXTENSION btree_gist SCHEMA public;
CREATE TYPE app.mood AS ENUM ('sad', 'it''s; ok');
CREATE TYPE app.pair AS (a int, "B b" text);
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE TYPE app.span AS RANGE (subtype = date);
CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE FUNCTION app.fake() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  RETURN $q$
--
-- TOC entry 1 (class 1259 OID 1)
-- Name: customer; Type: TABLE; Schema: app; Owner: postgres
--

SET default_tablespace = '';

CREATE TABLE fake (a int);


ALTER TABLE app.fake OWNER TO nobody;

--
-- TOC entry 215 (class 1259 OID 16500)
-- Dependencies: 6
-- Name: fake(); Type: FUNCTION; Schema: app; Owner: postgres
--

\restrict abc
\unrestrict abc
$q$;
END
$body$;
ALTER FUNCTION app.fake() OWNER TO walferry_schema_owner;
COMMENT ON FUNCTION app.fake() IS 'a comment
-- TOC entry 3 (class 1259 OID 1)
-- Name: customer; Type: TABLE; Schema: app; Owner: postgres

ALTER FUNCTION app.fake() OWNER TO nobody;

';
CREATE PROCEDURE app.proc(a int) LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION app.add(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE AGGREGATE app.total(int) (sfunc = app.add, stype = int, initcond = '0');
CREATE OPERATOR app.=== (leftarg = int, rightarg = int, function = app.add);
CREATE FUNCTION app.mood_to_int(app.mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (app.mood AS int) WITH FUNCTION app.mood_to_int(app.mood);
CREATE TEXT SEARCH CONFIGURATION app.search (COPY = pg_catalog.english);

CREATE TABLE app.customer (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 2) PRIMARY KEY,
    email public.citext NOT NULL CONSTRAINT "unique; e-mail" UNIQUE,
    mood app.mood DEFAULT 'it''s; ok',
    qty app.positive,
    nick text COLLATE app.ci,
    twice int GENERATED ALWAYS AS (length(nick) * 2) STORED,
    other bigint,
    CONSTRAINT "nick ""short""" CHECK (length(nick) < 100)
);
ALTER TABLE app.customer OWNER TO walferry_schema_owner;
ALTER TABLE app.customer ALTER nick SET STORAGE EXTERNAL, ALTER nick SET STATISTICS 500;
ALTER TABLE app.customer ADD CONSTRAINT not_yet CHECK (other > 0) NOT VALID;
COMMENT ON TABLE app.customer IS E'tab\there';
COMMENT ON COLUMN app.customer.nick IS 'column''s comment';
COMMENT ON CONSTRAINT "nick ""short""" ON app.customer IS 'constraint comment';
CREATE INDEX customer_lower ON app.customer (lower(nick)) WHERE other > 5;
COMMENT ON INDEX app.customer_lower IS 'index comment';
CREATE INDEX customer_stat ON app.customer ((other + 1));
ALTER INDEX app.customer_stat ALTER COLUMN 1 SET STATISTICS 400;
ALTER TABLE app.customer CLUSTER ON customer_pkey;
CREATE STATISTICS app.customer_stats (dependencies) ON mood, qty FROM app.customer;

CREATE TABLE app.egg (id int PRIMARY KEY, hen int);
CREATE TABLE app.hen (id int PRIMARY KEY, egg int REFERENCES app.egg DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE app.egg ADD FOREIGN KEY (hen) REFERENCES app.hen ON DELETE CASCADE NOT VALID;
CREATE TABLE app.tree (id serial PRIMARY KEY, up int REFERENCES app.tree);

CREATE TABLE "Mixed Case.dot"."Weird ""one"";--
-- Name: x; Type: TABLE; Schema: y; Owner: z" ("a;b" int PRIMARY KEY, "c""d" text DEFAULT ';');
CREATE TABLE "Mixed Case.dot"."SELECT" ("from" int);
ALTER TABLE "Mixed Case.dot"."SELECT" REPLICA IDENTITY FULL;
CREATE TABLE app.by_index (a int NOT NULL, b int);
CREATE UNIQUE INDEX "by Index" ON app.by_index (a);
ALTER TABLE app.by_index REPLICA IDENTITY USING INDEX "by Index";
CREATE TABLE app.nothing ();
CREATE UNLOGGED TABLE app.unlogged (a int);
CREATE TABLE app.base (id int PRIMARY KEY, v text);
CREATE TABLE app.heir (extra text) INHERITS (app.base);
CREATE TABLE app.booking (room int, during daterange, EXCLUDE USING gist (room WITH =, during WITH &&));

CREATE TABLE app.part (at date NOT NULL, n int, note text, PRIMARY KEY (at, n)) PARTITION BY RANGE (at);
CREATE TABLE app.part_2024 PARTITION OF app.part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.part_2025 PARTITION OF app.part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (n);
CREATE TABLE app.part_2025_1 PARTITION OF app.part_2025 FOR VALUES IN (1);
CREATE TABLE app.part_rest PARTITION OF app.part DEFAULT;
CREATE INDEX part_note ON app.part (note);
ALTER TABLE app.part ADD FOREIGN KEY (n) REFERENCES app.tree;

CREATE VIEW app.grouped AS SELECT c.id, c.email, count(*) FROM app.customer c JOIN app.tree t ON t.id = c.id GROUP BY c.id;
CREATE VIEW app.on_grouped AS SELECT id FROM app.grouped;
CREATE VIEW app.simple WITH (security_barrier) AS SELECT id FROM app.customer;
ALTER VIEW app.simple ALTER COLUMN id SET DEFAULT 4;
CREATE MATERIALIZED VIEW app.summary AS SELECT mood, count(*) AS n FROM app.customer GROUP BY mood;
CREATE UNIQUE INDEX summary_key ON app.summary (mood);
CREATE MATERIALIZED VIEW app.summary2 AS SELECT sum(n) FROM app.summary;
CREATE MATERIALIZED VIEW app.not_filled AS SELECT 1 AS a WITH NO DATA;

CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "touch; it" BEFORE UPDATE ON app.customer FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER always AFTER INSERT ON app.customer FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.customer ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER off AFTER INSERT ON app.part FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.part_2024 DISABLE TRIGGER off;
COMMENT ON TRIGGER always ON app.customer IS 'fires always';
CREATE RULE quiet AS ON INSERT TO app.simple DO INSTEAD NOTHING;
CREATE RULE no_delete AS ON DELETE TO app.tree DO INSTEAD NOTHING;
ALTER TABLE app.tree DISABLE RULE no_delete;
CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION app.on_ddl();
ALTER EVENT TRIGGER watch_ddl DISABLE;
ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customer FOR SELECT USING (other > 0);
COMMENT ON POLICY own ON app.customer IS 'policy comment';

CREATE SEQUENCE app."Free Seq" AS smallint INCREMENT BY -5 MINVALUE -100 MAXVALUE 100 START 50 CYCLE;
CREATE SEQUENCE app.owned OWNED BY app.tree.up;
ALTER TABLE app.tree ALTER up SET DEFAULT nextval('app.owned');
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere OPTIONS (host 'example; x');
CREATE USER MAPPING FOR walferry_schema_owner SERVER far;
CREATE FOREIGN TABLE app.remote (a int) SERVER far;
CREATE PUBLICATION downstream FOR TABLE app.tree, app.egg WITH (publish = 'insert');
CREATE PUBLICATION everything FOR ALL TABLES;
GRANT SELECT ON app.customer TO PUBLIC;
GRANT USAGE ON SCHEMA app TO PUBLIC;
GRANT UPDATE (nick) ON app.customer TO walferry_schema_owner;
REVOKE EXECUTE ON FUNCTION app.fake() FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE walferry_schema_owner IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;

-- Names that must be quoted everywhere.
CREATE SCHEMA "a'b\c%d $1 ü–é";
CREATE DOMAIN "a'b\c%d $1 ü–é"."dom'ain;" AS text DEFAULT E'\\''' CHECK (VALUE <> E'\n;');
CREATE TABLE "a'b\c%d $1 ü–é"."table" (
    "table" bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    "an identifier of exactly sixty-three bytes, which is the most it" "a'b\c%d $1 ü–é"."dom'ain;",
    "dot.dot" text COLLATE "C" DEFAULT '-- no comment; /* either */ $$',
    CONSTRAINT "c; --" UNIQUE ("dot.dot")
);
ALTER TABLE "a'b\c%d $1 ü–é"."table" ADD CONSTRAINT "self""" FOREIGN KEY ("table") REFERENCES "a'b\c%d $1 ü–é"."table";
CREATE VIEW "a'b\c%d $1 ü–é"."vi""ew" AS SELECT "dot.dot" AS "x'y" FROM "a'b\c%d $1 ü–é"."table";
CREATE FUNCTION "a'b\c%d $1 ü–é"."f;()"("in'" "a'b\c%d $1 ü–é"."dom'ain;" DEFAULT 'a;b') RETURNS int LANGUAGE sql AS $x$ SELECT 1; -- ; $$ $x$;
CREATE TRIGGER "t;""'" BEFORE DELETE ON "a'b\c%d $1 ü–é"."table" FOR EACH ROW EXECUTE FUNCTION app.touch('a;', E'\\b');
COMMENT ON COLUMN "a'b\c%d $1 ü–é"."table"."dot.dot" IS E'two\nlines \\ and "quotes"';
ALTER TABLE "a'b\c%d $1 ü–é"."table" OWNER TO "walferry ""odd""; role";
ALTER FUNCTION "a'b\c%d $1 ü–é"."f;()"("a'b\c%d $1 ü–é"."dom'ain;") OWNER TO "walferry ""odd""; role";
GRANT SELECT, UPDATE ("dot.dot") ON "a'b\c%d $1 ü–é"."table" TO "walferry ""odd""; role", walferry_schema_owner;
GRANT INSERT ON "a'b\c%d $1 ü–é"."table" TO walferry_schema_owner WITH GRANT OPTION;
CREATE TABLE app.append_only (a int);
ALTER TABLE app.append_only OWNER TO walferry_schema_owner;
REVOKE ALL ON app.append_only FROM walferry_schema_owner;
GRANT SELECT ON app.append_only TO walferry_schema_owner;
