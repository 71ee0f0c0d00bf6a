-- Rows for ugly.sql; the setting workload.scale multiplies them.
INSERT INTO app.customers (name, email, mood, moods, home, referrer)
SELECT 'customer ' || i, CASE WHEN i % 7 > 0 THEN 'c' || i || '@example.com' END,
       (enum_range(NULL::app.mood))[i % 5], ARRAY['ok', 'sad']::app.mood[],
       ROW('street ' || i, i::text, nullif(i % 9, 0))::app.address, nullif(i / 2, 0)
FROM generate_series(1, 1000 * current_setting('workload.scale')::int) i;

INSERT INTO app.orders (customer_id, amount, quantity, tags, ship_to, notes)
SELECT 1 + i % 1000, i / 7.0, 1 + i % 9, ARRAY['t' || i % 3, NULL, 'a,"b"'], ROW(NULL, '', i)::app.address, repeat(E'n\t', i % 40)
FROM generate_series(1, 3000 * current_setting('workload.scale')::int) i;

INSERT INTO app.order_items (order_id, quantity, product_no, price)
SELECT 1 + i % 3000, 1 + i % 4, i / 3000, i / 3.0
FROM generate_series(1, 6000 * current_setting('workload.scale')::int) i;

INSERT INTO app.shipments (order_id, product_no, weight)
SELECT order_id, product_no, product_no * 0.1 FROM app.order_items WHERE order_id % 5 = 0;

INSERT INTO app.documents (title, body, raw, meta)
SELECT 'document ' || i,
       (SELECT string_agg(md5(i || '.' || j), '') FROM generate_series(1, 100 + i % 700) j),
       decode((SELECT string_agg(md5(j || ':' || i), '') FROM generate_series(1, 300) j), 'hex'),
       jsonb_build_object('i', i, 'long', repeat(md5(i::text), i % 100))
FROM generate_series(1, 150 * current_setting('workload.scale')::int) i;

INSERT INTO app.events
SELECT i, date '2023-06-01' + i % 1200, 'kind ' || i % 5, jsonb_build_object('i', i)
FROM generate_series(1, 2000 * current_setting('workload.scale')::int) i;

INSERT INTO app.stock
SELECT (ARRAY['north', 'south', 'arctic', 'west'])[1 + i % 4], i, i * 3, md5(i::text)
FROM generate_series(1, 1000 * current_setting('workload.scale')::int) i;

INSERT INTO app.departments SELECT i, 'department ' || i FROM generate_series(1, 20) i;
INSERT INTO app.employees SELECT i, 1 + i % 20, 'employee ' || i FROM generate_series(1, 200) i;
UPDATE app.departments SET head = id * 3;

INSERT INTO app.seats SELECT i, i * 10, CASE WHEN i % 3 > 0 THEN 'guest ' || i END FROM generate_series(1, 300) i;
INSERT INTO app.places SELECT i, 1000 - i FROM generate_series(1, 300) i;
INSERT INTO app.ranks SELECT i, i FROM generate_series(1, 300) i;
INSERT INTO app.rates SELECT i / 4.0, md5(i::text) FROM generate_series(1, 200) i;
INSERT INTO app.codes SELECT 'c' || i, md5(i::text) FROM generate_series(1, 200) i;
INSERT INTO app.measures SELECT i / 3.0, md5(i::text) FROM generate_series(1, 200) i;
INSERT INTO app.measures VALUES ('NaN'), ('Infinity'), ('-Infinity'), ('-0');
INSERT INTO app.duplicates
SELECT i % 10, nullif('b' || i % 3, 'b0'), 0.1, 'NaN', '{"a": 1}', '{x,NULL}' FROM generate_series(1, 300) i;
INSERT INTO app.full_with_key
SELECT i, (SELECT string_agg(md5(i || '.' || j), '') FROM generate_series(1, 100) j), 'small'
FROM generate_series(1, 200) i;
INSERT INTO app.by_index SELECT md5(i::text), 'code ' || i % 10, i, i FROM generate_series(1, 300) i;
INSERT INTO app.nothing SELECT FROM generate_series(1, 7);
INSERT INTO app.log_lines (line) SELECT E'line\n\\.\n' || i FROM generate_series(1, 500) i;
INSERT INTO app.settings SELECT 'key ' || i, repeat('v', i) FROM generate_series(1, 200) i;
INSERT INTO app.all_types (b, i2, n, f4, f8, t, ba, ts, tstz, iv, jb, i4r, ia)
SELECT i % 2 = 0, i, 'NaN', '-Infinity', 'NaN', '', '\x00ff', '-infinity', '2024-02-29 12:00+05:30',
       '1 mon -3 days 04:05:06.789', '[1, null, "x"]', 'empty', '[0:1]={1,2}'
FROM generate_series(1, 300) i;
INSERT INTO app.holes SELECT i, 'stays ' || i FROM generate_series(1, 100) i;
INSERT INTO app.animals SELECT i, 'animal ' || i FROM generate_series(1, 50) i;
INSERT INTO app.dogs SELECT i, 'dog ' || i, 'breed' FROM generate_series(1001, 1050) i;
INSERT INTO app.session_cache SELECT i, md5(i::text) FROM generate_series(1, 100) i;
INSERT INTO "Sales Dept"."Order Lines" SELECT i, 'größe', NULL, '"' FROM generate_series(1, 200) i;
INSERT INTO "select"."table" SELECT i, 'from', 'user' FROM generate_series(1, 200) i;
INSERT INTO "Ünïcode"."表" ("données", "a b") SELECT '値' || i, i FROM generate_series(1, 200) i;
SELECT nextval('app.invoice_no') FROM generate_series(1, 12);
REFRESH MATERIALIZED VIEW app.sales;
