-- Foreign keys in circles: rows that refer to rows that come later, over two schemas and three tables, in every state.
CREATE SCHEMA "left"; CREATE SCHEMA "right";
CREATE TABLE "left".person (id int PRIMARY KEY, boss int, office int, home int);
CREATE TABLE "right".office (id int PRIMARY KEY, owner int NOT NULL, city int);
CREATE TABLE city (id int PRIMARY KEY, mayor int, name text UNIQUE);
INSERT INTO "left".person SELECT i, NULLIF(501 - i, i), 501 - i, 1 + i % 10 FROM generate_series(1, 500) i;
INSERT INTO "right".office SELECT i, 501 - i, 1 + (i * 7) % 10 FROM generate_series(1, 500) i;
INSERT INTO city SELECT i, 50 * i, 'city ' || i FROM generate_series(1, 10) i;
ALTER TABLE "left".person ADD CONSTRAINT "works; in" FOREIGN KEY (office) REFERENCES "right".office,
	ADD FOREIGN KEY (home) REFERENCES city ON UPDATE CASCADE ON DELETE SET NULL, ADD FOREIGN KEY (boss) REFERENCES "left".person DEFERRABLE;
ALTER TABLE "right".office ADD FOREIGN KEY (owner) REFERENCES "left".person ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
	ADD FOREIGN KEY (city) REFERENCES city MATCH FULL;
ALTER TABLE city ADD FOREIGN KEY (mayor) REFERENCES "left".person;

-- A circle of keys with two columns, with a partition in it
CREATE TABLE page (book int, number int, next_book int, next_number int, PRIMARY KEY (book, number)) PARTITION BY LIST (book);
CREATE TABLE page_1 PARTITION OF page FOR VALUES IN (1);
CREATE TABLE page_2 PARTITION OF page FOR VALUES IN (2);
INSERT INTO page SELECT 1 + i % 2, i, 1 + (i + 1) % 2, (i + 1) % 100 FROM generate_series(0, 99) i;
ALTER TABLE page ADD FOREIGN KEY (next_book, next_number) REFERENCES page;

-- A key that its rows do not follow, for they are older
CREATE TABLE early (id int PRIMARY KEY, ref int);
INSERT INTO early VALUES (1, 99), (2, 1);
ALTER TABLE early ADD CONSTRAINT not_checked FOREIGN KEY (ref) REFERENCES early NOT VALID;

-- Views, functions, defaults and checks in circles
CREATE TABLE counted (n int);
CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM public.counted';
ALTER TABLE counted ADD COLUMN before bigint DEFAULT how_many();
INSERT INTO counted (n) VALUES (1);
INSERT INTO counted (n) VALUES (2);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE pairs (p pair, list pair[]);
INSERT INTO pairs VALUES (ROW(1, 'x,"')::pair, ARRAY[ROW(2, NULL)::pair, ROW(3, E'\\')::pair]);
CREATE FUNCTION of_pair(pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
CREATE INDEX ON pairs (of_pair(p));
CREATE VIEW looks AS SELECT 1 AS one, NULL::pairs AS row_of_pairs;
CREATE FUNCTION at_looks() RETURNS SETOF looks LANGUAGE sql AS 'SELECT * FROM looks';
