-- What only a superuser can make.
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE app.stored_elsewhere (a int) USING heap2;
CREATE TABLE app.stored_here (a int);
CREATE OPERATOR FAMILY app.numbers USING btree;
CREATE OPERATOR CLASS app.int_class FOR TYPE int USING btree FAMILY app.numbers AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE TEXT SEARCH TEMPLATE app.simple_template (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE TEXT SEARCH DICTIONARY app.simple_dictionary (TEMPLATE = app.simple_template);
CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
