-- Large objects of sizes around the borders of their pages, with owners, comments and rights.
SELECT lo_from_bytea(20000 + size, decode(repeat('5c', size), 'hex')) FROM unnest(ARRAY[0, 1, 2047, 2048, 2049, 16384, 3000000]) size;
SELECT lo_from_bytea(oid, int4send(oid)) FROM generate_series(30001, 30500) oid;
COMMENT ON LARGE OBJECT 20001 IS 'it''s; one \ byte';
GRANT SELECT ON LARGE OBJECT 20001 TO PUBLIC;
CREATE TABLE holder (object oid);
INSERT INTO holder VALUES (20001);
