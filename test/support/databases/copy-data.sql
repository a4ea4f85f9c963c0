-- Rows that look like the end of rows, like nulls, like statements, like commands of psql, or like nothing.
CREATE TABLE texts (a text, b text, c text);
INSERT INTO texts SELECT a, b, c FROM unnest(ARRAY[NULL, '', '\.', '\N', E'\n', E'\n\\.\n', E'\\\\.', E'\r', E'\r\n\\.\r\n', E'\t', '\', E'x\\']) a,
	unnest(ARRAY[NULL, '', E'\\.', E'\\\n']) b, unnest(ARRAY[NULL, '', E'\\.\n']) c;
CREATE TABLE one (a text);
INSERT INTO one SELECT a FROM unnest(ARRAY[NULL, '', '\.', E'\\.\n', ' ', E'\\.\r', '\\.', '.', '\', 'COPY one FROM stdin;', '\restrict x', '\unrestrict', '\! id', '--', ';', '$$', '''', '"']) a;
CREATE TABLE nothing ();
INSERT INTO nothing SELECT FROM generate_series(1, 1000);
CREATE TABLE every_character (code int, alone text, between text);
INSERT INTO every_character SELECT i, chr(i), 'x' || chr(i) || 'y' FROM generate_series(1, 1023) i;
INSERT INTO every_character SELECT i, chr(i), repeat(chr(i), 5000) FROM unnest(ARRAY[8, 9, 10, 11, 12, 13, 27, 34, 39, 92, 127, 128, 8232, 65279, 65533, 128512, 1114109]) i;
CREATE TABLE bytes (b bytea, bits bit varying, arrays text[], json json, composite_null int4range);
INSERT INTO bytes SELECT decode(lpad(to_hex(i), 2, '0'), 'hex'), NULL, ARRAY[chr(1 + i), NULL, 'NULL', '', '{}', E'\\.', E'a\nb'],
	to_json(E'\\.\n\t"' || chr(1 + i)), 'empty' FROM generate_series(0, 255) i;
INSERT INTO bytes VALUES ('', '', '{}', 'null', NULL), (NULL, B'101', NULL, NULL, '(,)');
CREATE TABLE wide ();
DO $do$ BEGIN
	EXECUTE (SELECT 'ALTER TABLE wide ' || string_agg(format('ADD "column; %s" text', i), ', ') FROM generate_series(1, 1200) i);
	EXECUTE (SELECT 'INSERT INTO wide SELECT ' || string_agg(CASE i % 4 WHEN 0 THEN 'NULL' WHEN 1 THEN '''''' WHEN 2 THEN '''\.''' ELSE 'n::text' END, ', ') ||
		' FROM generate_series(1, 20) n' FROM generate_series(1, 1200) i);
END $do$;
CREATE TABLE long_lines (i int, t text);
INSERT INTO long_lines SELECT i, repeat(E'\\.\n', i) FROM unnest(ARRAY[1, 10, 8191, 8192, 21845, 21846, 300000]) i;
CREATE TABLE many (i int);
INSERT INTO many SELECT generate_series(1, 200000);
