CREATE SCHEMA app;
CREATE SCHEMA "Mixed Case";
CREATE SCHEMA walferry;
CREATE SCHEMA empty_one;
CREATE EXTENSION citext SCHEMA public;
CREATE TYPE app.mood AS ENUM ('sad', 'ok');
CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE app.customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email public.citext NOT NULL UNIQUE,
    mood app.mood DEFAULT 'ok',
    price numeric(10,2)[],
    gone int,
    twice int GENERATED ALWAYS AS (length(nick) * 2) STORED,
    nick text COLLATE app.ci
);
ALTER TABLE app.customer DROP COLUMN gone;
CREATE TABLE "Mixed Case"."Order ""1""" (a int, "B c" text, PRIMARY KEY ("B c", a));
CREATE TABLE app.part (at date NOT NULL, n int) PARTITION BY RANGE (at);
CREATE TABLE app.part_2024 PARTITION OF app.part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.part_sub PARTITION OF app.part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (n);
CREATE TABLE empty_one.part_sub_1 PARTITION OF app.part_sub FOR VALUES IN (1);
ALTER TABLE app.part_2024 ADD PRIMARY KEY (at);
CREATE TABLE app.nokey (a int);
CREATE TABLE app.whole (a int);
ALTER TABLE app.whole REPLICA IDENTITY FULL;
CREATE TABLE app.whole_generated (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
ALTER TABLE app.whole_generated REPLICA IDENTITY FULL;
CREATE TABLE app.silent (a int PRIMARY KEY);
ALTER TABLE app.silent REPLICA IDENTITY NOTHING;
CREATE TABLE app.late (a int PRIMARY KEY DEFERRABLE);
CREATE TABLE app.by_index (a int NOT NULL, b int NOT NULL, c int);
CREATE UNIQUE INDEX by_index_key ON app.by_index (b, a) INCLUDE (c);
ALTER TABLE app.by_index REPLICA IDENTITY USING INDEX by_index_key;
CREATE TABLE app.base (id int PRIMARY KEY);
CREATE TABLE app.heir (extra text) INHERITS (app.base);
CREATE UNLOGGED TABLE app.unlogged (id int PRIMARY KEY);
CREATE TABLE walferry.checkpoint (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW app.summary AS SELECT count(*) FROM app.customer;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE app.remote (a int) SERVER far;
CREATE SEQUENCE app."Free Seq" AS smallint INCREMENT BY -5 MINVALUE -100 MAXVALUE 100 START 50 CYCLE;
CREATE TABLE app.serial (id serial);
