-- For a database in LATIN1: names, texts and rows beyond ASCII, in all places of a dump.
CREATE SCHEMA "Größe";
CREATE TABLE "Größe"."Straße" ("é" text PRIMARY KEY, "ÿ" text DEFAULT 'ü;ß' CHECK ("ÿ" <> 'Ä'));
INSERT INTO "Größe"."Straße" SELECT 'é' || i, 'þÿ' || chr(160 + i % 90) FROM generate_series(1, 1000) i;
COMMENT ON TABLE "Größe"."Straße" IS 'groß; ''klein'' ÿ';
CREATE TYPE "Größe"."Farbe" AS ENUM ('grün', 'weiß');
CREATE FUNCTION "Größe"."zähle"() RETURNS bigint LANGUAGE sql AS $ä$ SELECT count(*) FROM "Größe"."Straße" WHERE "ÿ" <> 'ö;' $ä$;
