-- One row of 20 MB between small ones: half of it text, half of it bytes, which are twice as long in a dump.
CREATE TABLE big (id int, words text, bytes bytea);
INSERT INTO big VALUES (1, 'small', '\x00'), (2, repeat(E'ten bytes\n', 1000000), decode(repeat('005c0a2e27', 2000000), 'hex')), (3, NULL, NULL);
