-- A small web shop. Every run makes the same rows: nothing here is random, and nothing asks what time it is.
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'Sample data of the n8n-nodes-backup demo';

CREATE TYPE shop.order_status AS ENUM ('placed', 'paid', 'shipped', 'returned');

CREATE TABLE shop.customers (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL,
	email text NOT NULL UNIQUE CHECK (email LIKE '%@%'),
	city text NOT NULL,
	joined date NOT NULL
);

CREATE TABLE shop.products (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL,
	price numeric(8, 2) NOT NULL CHECK (price > 0),
	attributes jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE shop.orders (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	customer_id integer NOT NULL REFERENCES shop.customers,
	status shop.order_status NOT NULL,
	placed_at timestamptz NOT NULL,
	note text
);
CREATE INDEX orders_by_customer ON shop.orders (customer_id, placed_at);

CREATE TABLE shop.order_lines (
	order_id integer NOT NULL REFERENCES shop.orders ON DELETE CASCADE,
	line smallint NOT NULL,
	product_id integer NOT NULL REFERENCES shop.products,
	quantity integer NOT NULL CHECK (quantity > 0),
	unit_price numeric(8, 2) NOT NULL,
	PRIMARY KEY (order_id, line)
);

INSERT INTO shop.customers (name, email, city, joined)
SELECT first || ' ' || last, lower(first) || '.' || n || '@example.com', city, date '2023-01-01' + n % 900
FROM generate_series(1, 2000) AS n,
	LATERAL (SELECT (ARRAY['Ada', 'Blaise', 'Chiara', 'Dörte', 'Émile', 'Fatima', 'Grace', 'Håkon'])[1 + n % 8] AS first) AS a,
	LATERAL (SELECT (ARRAY['Lovelace', 'Pascal', 'O''Neill', 'Müller', 'Zola', 'Al-Fihri', 'Hopper'])[1 + n % 7] AS last) AS b,
	LATERAL (SELECT (ARRAY['Hamburg', 'Łódź', 'São Paulo', '東京', 'Marseille'])[1 + n % 5] AS city) AS c;

INSERT INTO shop.products (name, price, attributes)
SELECT 'Product ' || n, 1 + (n * 37 % 4999) / 10.0, jsonb_build_object('weight_g', n * 13 % 2500, 'fragile', n % 9 = 0)
FROM generate_series(1, 300) AS n;

INSERT INTO shop.orders (customer_id, status, placed_at, note)
SELECT 1 + n * 7919 % 2000,
	(ARRAY['placed', 'paid', 'shipped', 'shipped', 'shipped', 'returned'])[1 + n % 6]::shop.order_status,
	timestamptz '2025-01-01 00:00:00+00' + n * interval '41 minutes',
	CASE WHEN n % 50 = 0 THEN E'Please ring twice.\nBack door \\ left, "Müller".\t' || n END
FROM generate_series(1, 8000) AS n;

INSERT INTO shop.order_lines (order_id, line, product_id, quantity, unit_price)
SELECT o.id, l, p.id, 1 + (o.id + l) % 4, p.price
FROM shop.orders AS o
	CROSS JOIN LATERAL generate_series(1, 1 + o.id % 4) AS l
	JOIN shop.products AS p ON p.id = 1 + (o.id * 31 + l * 17) % 300;

CREATE VIEW shop.revenue_by_month AS
SELECT date_trunc('month', o.placed_at AT TIME ZONE 'UTC')::date AS month, sum(l.quantity * l.unit_price) AS revenue
FROM shop.orders AS o JOIN shop.order_lines AS l ON l.order_id = o.id
WHERE o.status <> 'returned'
GROUP BY 1;
