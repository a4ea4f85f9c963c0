-- What the repository in v1/ was made from. Loaded into PostgreSQL 15 once; a backup must give back exactly this.
CREATE ROLE format_owner NOLOGIN;
CREATE ROLE format_reader NOLOGIN;
GRANT format_reader TO format_owner;
CREATE TYPE size AS ENUM ('small', 'it''s; large');
CREATE TABLE product (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, size size, net numeric(8, 2),
	gross numeric GENERATED ALWAYS AS (net * 1.19) STORED, tags text[], more jsonb, at timestamptz, bytes bytea
);
INSERT INTO product (name, size, net, tags, more, at, bytes)
	SELECT CASE i % 5 WHEN 0 THEN E'\\.\n\t' || i WHEN 1 THEN 'Käse ☃ ' || i ELSE 'product ' || i END, CASE i % 3 WHEN 0 THEN 'small' WHEN 1 THEN 'it''s; large' END::size,
		i * 1.25, ARRAY['a,b', NULL, i::text], jsonb_build_object('i', i, 'n', NULL), TIMESTAMPTZ '2026-11-20 02:00+00' + i * INTERVAL '1 hour', decode(md5(i::text), 'hex')
	FROM generate_series(1, 40) i;
CREATE TABLE "odd; ""name""
" ("col\umn" text, product int REFERENCES product);
INSERT INTO "odd; ""name""
" VALUES ('', 1), (NULL, 2), (E'\\N', NULL);
CREATE TABLE nothing (id int);
CREATE TABLE visit (day date, visitors int) PARTITION BY RANGE (day);
CREATE TABLE visit_2025 PARTITION OF visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visit_rest PARTITION OF visit DEFAULT;
INSERT INTO visit SELECT DATE '2025-12-20' + i, i FROM generate_series(1, 20) i;
CREATE SEQUENCE invoice START 1000 INCREMENT 7;
SELECT setval('invoice', 5012);
CREATE FUNCTION cheap(limit_ numeric DEFAULT 10) RETURNS SETOF product LANGUAGE sql STABLE AS $$ SELECT * FROM product WHERE net < limit_; $$;
CREATE VIEW names AS SELECT id, upper(name) AS name FROM product;
CREATE INDEX ON product (lower(name));
SELECT lo_from_bytea(4711, decode(repeat('005c2e0a', 1000), 'hex'));
ALTER TABLE product OWNER TO format_owner;
GRANT SELECT ON product TO format_reader;
