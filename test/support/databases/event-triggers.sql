-- Triggers on the statements that a restore consists of: logging, refusing, on, off, for replicas only.
CREATE TABLE ddl_log (at int GENERATED ALWAYS AS IDENTITY, tag text, object text);
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ddl_log (tag, object) SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands();
END $$;
CREATE FUNCTION log_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ddl_log (tag, object) SELECT TG_TAG, object_identity FROM pg_event_trigger_dropped_objects();
END $$;
CREATE FUNCTION refuse_all() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%; refused', TG_TAG; END $$;
CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION log_ddl();
CREATE EVENT TRIGGER "log; drop" ON sql_drop EXECUTE FUNCTION log_drop();
CREATE TABLE seen (i int PRIMARY KEY);
INSERT INTO seen VALUES (1), (2);
CREATE TABLE dropped ();
DROP TABLE dropped;
ALTER EVENT TRIGGER "log; drop" ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER "log; drop" IS E'what''s\n\\.\ngone;';
CREATE EVENT TRIGGER is_off ON ddl_command_start EXECUTE FUNCTION refuse_all();
ALTER EVENT TRIGGER is_off DISABLE;
CREATE EVENT TRIGGER rewriting ON table_rewrite EXECUTE FUNCTION refuse_all();
ALTER EVENT TRIGGER rewriting ENABLE REPLICA;
CREATE EVENT TRIGGER refuse_some ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'CREATE FUNCTION', 'ALTER TABLE') EXECUTE FUNCTION refuse_all();
