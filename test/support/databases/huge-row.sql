-- One row of 100 MB in a dump: 60 MB of text (with the escapes), and 20 MB of bytes, which are twice as long as hexadecimal digits.
CREATE TABLE huge (id int, words text, bytes bytea);
INSERT INTO huge VALUES (1, repeat(E'eight 8\n', 6666666), decode(repeat('005c0a2e27', 4000000), 'hex'));
