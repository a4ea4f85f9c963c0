-- Partitions of all kinds and in all states: by range, list, hash and expression, nested, attached late, detached, default.
CREATE TABLE event (id bigint, at timestamptz NOT NULL, kind text, note text DEFAULT 'parent') PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2025-01-01 00:00+00');
CREATE TABLE event_2025 PARTITION OF event (note DEFAULT 'partition', CHECK (id > 0)) FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00')
	PARTITION BY LIST (kind);
CREATE TABLE event_2025_ab PARTITION OF event_2025 FOR VALUES IN ('a', 'b;''') PARTITION BY HASH (id);
CREATE TABLE event_2025_ab_0 PARTITION OF event_2025_ab FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE event_2025_ab_1 PARTITION OF event_2025_ab FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE event_2025_ab_2 PARTITION OF event_2025_ab FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE event_2025_none PARTITION OF event_2025 FOR VALUES IN (NULL);
CREATE TABLE event_2025_rest PARTITION OF event_2025 DEFAULT;
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event (id, at, kind)
	SELECT i, TIMESTAMPTZ '2024-07-01 00:00+00' + i * INTERVAL '1 day', (ARRAY['a', 'b;''', NULL, 'c'])[1 + i % 4] FROM generate_series(1, 900) i;

-- Indexes: of the whole, of single partitions, one that was built alone and attached, one that is not valid yet
CREATE INDEX event_kind ON event (kind, id DESC);
CREATE INDEX own ON event_2024 (note) WHERE note <> '';
CREATE INDEX event_note ON ONLY event (note);
CREATE INDEX event_rest_note ON event_rest (note);
ALTER INDEX event_note ATTACH PARTITION event_rest_note;
ALTER TABLE event ADD CONSTRAINT event_key UNIQUE (id, at, kind);
COMMENT ON INDEX event_kind IS 'it''s of all; partitions';

-- A key that other tables refer to, and a partitioned table that refers
CREATE TABLE part (region int, number int, PRIMARY KEY (region, number)) PARTITION BY LIST (region);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (number int NOT NULL, gone text, region int NOT NULL, CONSTRAINT part_2_key PRIMARY KEY (region, number));
ALTER TABLE part_2 DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
INSERT INTO part SELECT 1 + i % 2, i FROM generate_series(1, 50) i;
CREATE TABLE use (region int, number int, amount int, FOREIGN KEY (region, number) REFERENCES part) PARTITION BY RANGE (abs(amount), (number % 10));
CREATE TABLE use_low PARTITION OF use FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, 5);
CREATE TABLE use_high PARTITION OF use FOR VALUES FROM (10, 5) TO (MAXVALUE, MAXVALUE);
INSERT INTO use SELECT 1 + i % 2, i, i - 25 FROM generate_series(1, 50) i;

-- Triggers of the whole, off in one partition; a partition that was taken out; a table without any
CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER staying AFTER INSERT OR UPDATE ON use FOR EACH ROW EXECUTE FUNCTION stay();
ALTER TABLE use_high DISABLE TRIGGER staying;
ALTER TABLE event DETACH PARTITION event_2024;
CREATE TABLE nobody (i int) PARTITION BY HASH (i);
CREATE TABLE nobody_yet PARTITION OF nobody FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (i);

-- Unlogged and with settings of its own
CREATE UNLOGGED TABLE part_3 PARTITION OF part FOR VALUES IN (3) WITH (fillfactor = 60);
INSERT INTO part VALUES (3, 1);
