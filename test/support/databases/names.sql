-- Names that hold what SQL is made of, for every kind of object that has a name, and for roles. Runs as one transaction.
SELECT pg_advisory_xact_lock(20261121);
DO $do$ DECLARE role text; BEGIN
	FOREACH role IN ARRAY ARRAY['awkward "role"; \ ''x''', 'awkward röle ☃', 'awkward $$ -- /*', 'Awkward Public'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role); END IF;
	END LOOP;
END $do$;
CREATE TABLE name_parts (part text PRIMARY KEY);
INSERT INTO name_parts VALUES ('quote '' here'), ('double " quote'), ('back\slash'), (E'new\nline'), (E'carriage\rreturn'), (E'\n\\.\n'), ('; DROP'),
	('$$'), ('$_$ dollar'), ('-- comment'), ('/* comment'), ('*/'), ('(open'), ('tab	here'), (' leading'), ('trailing '), ('snow☃man'), ('Ünïcödé'),
	('日本語の名前'), (E'e\u0301 combining'), (E'\u202Eright to left'), ('😀 astral'), ('select'), ('COPY t FROM stdin;'), ('\restrict x'), ('%s %I'), (E'\\N'),
	('UPPER and lower'), ('.'), ('a.b'), ('*'), ('?'), ('&'), ('E''x'), (repeat('x', 63)), (repeat('ß', 31));
DO $do$ DECLARE part text; i int := 0; name text; BEGIN
	FOR part IN SELECT p.part FROM name_parts p ORDER BY p.part COLLATE "C" LOOP
		i := i + 1;
		name := part;
		EXECUTE format('CREATE SCHEMA %I', name);
		EXECUTE format('CREATE TYPE %I.%I AS ENUM (%L, %L)', name, left(name, 55) || 'enum', left(name, 55) || 'a', left(name, 55) || 'b');
		EXECUTE format('CREATE TABLE %I.%I (%I int GENERATED ALWAYS AS IDENTITY, %I text DEFAULT %L, %I %I.%I, CONSTRAINT %I CHECK (%I <> %L))',
			name, name, name, left(name, 55) || 'text', name, left(name, 55) || 'of', name, left(name, 55) || 'enum',
			left(name, 55) || 'check', left(name, 55) || 'text', name || 'never');
		EXECUTE format('INSERT INTO %I.%I (%I, %I) VALUES (%L, %L), (NULL, NULL)',
			name, name, left(name, 55) || 'text', left(name, 55) || 'of', name, left(name, 55) || 'b');
		EXECUTE format('CREATE INDEX %I ON %I.%I (%I)', left(name, 55) || 'index', name, name, left(name, 55) || 'text');
		EXECUTE format('CREATE VIEW %I.%I AS SELECT %I AS %I, %L::text AS %I FROM %I.%I', name, left(name, 55) || 'view', name,
			left(name, 55) || 'v', name, left(name, 55) || 'w', name, name);
		EXECUTE format('CREATE FUNCTION %I.%I(%I text DEFAULT %L) RETURNS text LANGUAGE sql AS %L', name, left(name, 55) || 'function', name, name,
			format('SELECT %L || %I -- %s', name, name, translate(name, E'\n\r', '')));
		EXECUTE format('CREATE SEQUENCE %I.%I START %s', name, left(name, 55) || 'sequence', i);
		EXECUTE format('CREATE FUNCTION %I.%I() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN RETURN NEW; END $x$', name, left(name, 55) || 'does');
		EXECUTE format('CREATE TRIGGER %I BEFORE INSERT ON %I.%I FOR EACH ROW EXECUTE FUNCTION %I.%I(%L)', left(name, 55) || 'fires', name, name, name,
			left(name, 55) || 'does', name);
		EXECUTE format('CREATE POLICY %I ON %I.%I USING (%I = %L)', left(name, 55) || 'policy', name, name, left(name, 55) || 'text', name);
		EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', name, name, name, name);
		EXECUTE format('COMMENT ON SCHEMA %I IS %L', name, name);
		EXECUTE format('CREATE PUBLICATION %I FOR TABLE %I.%I', left(name, 55) || 'pub', name, name);
		EXECUTE format('GRANT SELECT (%I) ON %I.%I TO %I', name, name, name,
			(ARRAY['awkward "role"; \ ''x''', 'awkward röle ☃', 'awkward $$ -- /*', 'Awkward Public'])[1 + i % 4]);
	END LOOP;
END $do$;
ALTER TABLE "select"."select" OWNER TO "awkward ""role""; \ 'x'";
ALTER SCHEMA "." OWNER TO "awkward röle ☃";
ALTER DEFAULT PRIVILEGES FOR ROLE "awkward $$ -- /*" IN SCHEMA "select" GRANT SELECT ON TABLES TO "Awkward Public";
