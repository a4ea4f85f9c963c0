-- 3,000 small tables, some with rows, some with an index.
DO $do$ BEGIN
	FOR i IN 1..3000 LOOP
		EXECUTE format('CREATE TABLE table_%s (id int, value int DEFAULT %s)', i, i);
		IF i % 10 = 0 THEN
			EXECUTE format('INSERT INTO table_%s SELECT generate_series(1, %s)', i, i % 7);
			EXECUTE format('CREATE INDEX ON table_%s (value)', i);
		END IF;
	END LOOP;
END $do$;
