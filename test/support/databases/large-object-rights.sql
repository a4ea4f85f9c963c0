-- Large objects with owners, rights and comments of all kinds, and so many alike that pg_dump puts them into groups.
SELECT pg_advisory_xact_lock(20261121);
DO $do$ DECLARE role text; BEGIN
	FOREACH role IN ARRAY ARRAY['awkward "role"; \ ''x''', 'awkward röle ☃'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role); END IF;
	END LOOP;
END $do$;
SELECT lo_create(oid) FROM generate_series(50001, 51600) oid;
SELECT lo_from_bytea(40000 + i, convert_to(repeat(E'\\.\n', i), 'UTF8')) FROM generate_series(1, 20) i;
DO $do$ BEGIN
	FOR i IN 1..10 LOOP EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', 40000 + i, E'it''s; \\.\n number ' || i); END LOOP;
	FOR i IN 5..15 LOOP
		EXECUTE format('ALTER LARGE OBJECT %s OWNER TO %I', 40000 + i, 'awkward "role"; \ ''x''');
		EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I WITH GRANT OPTION', 40000 + i, 'awkward röle ☃');
	END LOOP;
	FOR i IN 50001..51200 LOOP EXECUTE format('GRANT UPDATE ON LARGE OBJECT %s TO %I', i, 'awkward röle ☃'); END LOOP;
END $do$;
REVOKE ALL ON LARGE OBJECT 40020 FROM CURRENT_USER;
GRANT ALL ON LARGE OBJECT 40019 TO PUBLIC;
-- Data beyond its first page only: what is before it reads as zeros.
SELECT lo_put(lo_create(60001), 1000000, '\x5c2e0a');
SELECT lo_put(lo_create(60002), 2047, '\x00ff');
