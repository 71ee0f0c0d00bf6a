-- What the benchmarks decode: rows of an ordinary table.
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, status text, amount numeric(12,2), created_at timestamptz, payload jsonb, note text);
CREATE PUBLICATION p FOR TABLE orders;
SET timezone = 'UTC';
-- workload
INSERT INTO orders SELECT i, i % 97, 'new', i * 1.25, '2025-01-01 00:00:00+00'::timestamptz + i * interval '1 s', jsonb_build_object('sku', i, 'gift', i % 2 = 0), 'order number ' || i FROM generate_series(1, 200) i;
UPDATE orders SET status = 'paid' WHERE id <= 100;
DELETE FROM orders WHERE id > 150;
