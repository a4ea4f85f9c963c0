-- For a database in LATIN1: each of its characters beyond ASCII, in rows, names, strings, bodies and large texts.
CREATE TABLE "ÿþý" (code int PRIMARY KEY, c text, line text);
INSERT INTO "ÿþý" SELECT i, chr(i), 'ä' || chr(i) || E'\\.\t' || chr(i) FROM generate_series(128, 255) i;
INSERT INTO "ÿþý" SELECT 1000 + i, NULL, repeat(chr(i), 100000) FROM generate_series(160, 170) i;
DO $do$ BEGIN
	FOR i IN 160..255 LOOP
		EXECUTE format('CREATE TABLE %I (%I text DEFAULT %L CHECK (%I <> %L))', chr(i), chr(i), chr(i), chr(i), chr(i) || ';''');
		EXECUTE format('COMMENT ON TABLE %I IS %L', chr(i), repeat(chr(i), 10));
		EXECUTE format('INSERT INTO %I VALUES (DEFAULT), (%L)', chr(i), chr(i) || E'\\');
		EXECUTE format('CREATE FUNCTION %I() RETURNS text LANGUAGE sql AS %L', 'f' || chr(i), format('SELECT %L -- %s', chr(i) || '$$', chr(i)));
	END LOOP;
END $do$;
CREATE TYPE "Maß" AS ENUM ('à', 'é', '£', '§', '¼');
CREATE DOMAIN "Länge" AS text CHECK (VALUE ~ '^[à-ÿ]*$');
CREATE VIEW "Überblick" AS SELECT code AS "Schlüssel", c || 'ÿ' AS "Zeichen" FROM "ÿþý";
CREATE INDEX "schnöde" ON "ÿþý" ((c || 'ß'));
