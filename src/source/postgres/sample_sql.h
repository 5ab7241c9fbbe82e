// source/postgres/sample_sql.h - A database with what is hard to bring back, for the tests.
#pragma once

namespace lifeboat::source {

// Runs once per server, as superuser. Passwords are hashed by the server.
inline constexpr char sample_roles[] = R"(
CREATE ROLE shop_owner LOGIN PASSWORD 'owner-secret' CREATEDB CONNECTION LIMIT 7;
CREATE ROLE "Odd 'Name" NOLOGIN VALID UNTIL '2099-01-01 00:00:00+00';
CREATE ROLE shop_read NOLOGIN NOINHERIT;
CREATE ROLE shop_app LOGIN PASSWORD 'app-secret' IN ROLE shop_read, pg_monitor;
CREATE ROLE no_password LOGIN;
GRANT "Odd 'Name" TO shop_owner WITH ADMIN OPTION;
ALTER ROLE shop_app SET search_path = "$user", shop, public;
ALTER ROLE shop_app SET work_mem = '9MB';
COMMENT ON ROLE shop_app IS 'the application; it''s own';
GRANT SET ON PARAMETER log_min_duration_statement TO shop_owner;
)";

inline constexpr char sample_databases[] = R"(
CREATE DATABASE shop OWNER shop_owner ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'
  TEMPLATE template0 CONNECTION LIMIT 50;
CREATE DATABASE "Second ""db""" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'
)";

inline constexpr char sample_settings[] = R"(
COMMENT ON DATABASE shop IS 'orders, and what''s about them';
REVOKE CONNECT ON DATABASE shop FROM PUBLIC;
GRANT CONNECT ON DATABASE shop TO shop_app;
GRANT CREATE ON DATABASE shop TO shop_owner WITH GRANT OPTION;
ALTER DATABASE shop SET timezone = 'Europe/Berlin';
ALTER DATABASE shop SET search_path = shop, "Mixed Case", public;
ALTER DATABASE shop SET default_transaction_read_only = on;
ALTER DATABASE shop SET shop.greeting = 'it''s "me"';
ALTER ROLE shop_app IN DATABASE shop SET statement_timeout = '7s';
)";

inline constexpr char sample_shop[] = R"sample(
SET default_transaction_read_only = off;
SET SESSION AUTHORIZATION postgres;
CREATE EXTENSION pgcrypto WITH SCHEMA public;
CREATE EXTENSION hstore;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA "Mixed Case";
GRANT USAGE ON SCHEMA shop TO shop_read;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_read;
CREATE TYPE shop.state AS ENUM ('new', 'it''s paid', 'Sent "off"');
CREATE DOMAIN shop.price AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TYPE shop.place AS (street text, number integer);
CREATE FUNCTION shop.tax(amount numeric) RETURNS numeric LANGUAGE sql IMMUTABLE
  BEGIN ATOMIC SELECT CASE WHEN amount > 0 THEN amount * 0.19 ELSE 0 END; END;
CREATE TABLE shop.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL, state shop.state DEFAULT 'new', amount shop.price,
  taxed numeric GENERATED ALWAYS AS (amount * 1.19) STORED,
  tags text[], body jsonb, raw bytea, made timestamptz DEFAULT now(), day date, span interval,
  home shop.place, extra hstore, kind varchar(10) CHECK (kind IN ('a', 'b')));
INSERT INTO shop.orders
  (customer, state, amount, tags, body, raw, made, day, span, home, extra, kind)
SELECT 'Kunde ' || i || E' \\ \t\n "q" ''s'' äöü 日本 \U0001F600', 'it''s paid', i * 1.5,
       ARRAY['a,b', NULL, '{"x"}', '\', i::text], 
       jsonb_build_object('k', i, 'n', NULL, 'u', E'é\u2028'),
       decode(md5(i::text), 'hex') || '\x00ff0a5c'::bytea,
       timestamptz '2020-01-01' + i * interval '1 h',
       CASE i % 3 WHEN 0 THEN 'infinity'::date WHEN 1 THEN '-infinity' ELSE '0044-03-15 BC' END,
       i * interval '1 month -3 days', ROW('Straße, "x"', i::integer)::shop.place,
       hstore('k', NULL), 'a'
  FROM generate_series(1, 3000) i;
INSERT INTO shop.orders (customer) VALUES ('');
CREATE INDEX ON shop.orders (customer text_pattern_ops) WHERE amount > 10;
CREATE INDEX orders_lower ON shop.orders (lower(customer));
CREATE UNIQUE INDEX ON shop.orders (made, id);
CREATE TABLE "Mixed Case"."Table, with.dots/""quotes""" ("A b" serial PRIMARY KEY, "select" text,
  lifeboat_row integer, x double precision, y real);
INSERT INTO "Mixed Case"."Table, with.dots/""quotes""" ("select", lifeboat_row, x, y)
  VALUES (NULL, NULL, 'NaN', '-Infinity'), ('\N', 1, 0.1, 0.1), ('\.', 2, 1e-300, 3.4e38);
CREATE TABLE shop.husband (id integer PRIMARY KEY, wife integer);
CREATE TABLE shop.wife (id integer PRIMARY KEY, husband integer REFERENCES shop.husband);
ALTER TABLE shop.husband ADD FOREIGN KEY (wife) REFERENCES shop.wife DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO shop.husband VALUES (1, 1); INSERT INTO shop.wife VALUES (1, 1); COMMIT;
CREATE TABLE shop.events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2025 PARTITION OF shop.events
  FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.events_rest PARTITION OF shop.events DEFAULT;
CREATE INDEX ON shop.events (at);
INSERT INTO shop.events SELECT date '2025-12-25' + i, 'e' || i FROM generate_series(1, 20) i;
CREATE TABLE shop.parent (id integer);
CREATE TABLE shop.child (more text) INHERITS (shop.parent);
INSERT INTO shop.parent VALUES (1); INSERT INTO shop.child VALUES (2, 'c');
CREATE UNLOGGED TABLE shop.cache (k text, v text);
INSERT INTO shop.cache VALUES ('k', 'v');
CREATE TABLE shop.nothing ();
INSERT INTO shop.nothing DEFAULT VALUES;
CREATE TABLE shop.dropped (a integer, b integer, c integer);
INSERT INTO shop.dropped VALUES (1, 2, 3);
ALTER TABLE shop.dropped DROP COLUMN b;
CREATE TABLE shop.audit (n integer);
CREATE FUNCTION shop.log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = shop AS
$body$ BEGIN INSERT INTO shop.audit VALUES (1); -- a ; inside
RETURN NEW; END $body$;
CREATE TRIGGER orders_log AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.log();
ALTER TABLE shop.orders DISABLE TRIGGER orders_log;
CREATE VIEW shop.big AS SELECT id, customer FROM shop.orders WHERE amount > 100;
CREATE MATERIALIZED VIEW shop.sums AS SELECT state, count(*) AS n FROM shop.orders GROUP BY state;
CREATE UNIQUE INDEX ON shop.sums (state);
CREATE MATERIALIZED VIEW shop.sums_of_sums AS SELECT sum(n) AS n FROM shop.sums;
CREATE MATERIALIZED VIEW shop.never AS SELECT 1 AS one WITH NO DATA;
CREATE SEQUENCE shop.odd INCREMENT BY -3 MAXVALUE 100 START 50 CYCLE;
SELECT nextval('shop.odd'), nextval('shop.odd');
CREATE SEQUENCE shop.fresh START 77;
ALTER TABLE shop.orders OWNER TO shop_owner;
GRANT SELECT (id, customer), UPDATE (customer) ON shop.orders TO shop_app;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO shop_read;
ALTER TABLE shop.audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.audit FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON shop.audit FOR SELECT TO shop_app USING (n > 0);
CREATE RULE no_delete AS ON DELETE TO shop.cache DO INSTEAD NOTHING;
CREATE STATISTICS shop.st ON id, amount FROM shop.orders;
CREATE PUBLICATION pub FOR TABLE shop.orders;
COMMENT ON TABLE shop.orders IS E'line one;\nline ''two''';
COMMENT ON COLUMN shop.orders.amount IS '100 % "net"';
SELECT lo_from_bytea(70001, decode(repeat('00ff5c0a', 3000), 'hex'));
SELECT lo_from_bytea(70002, '');
SELECT lo_create(70003);
SELECT lo_put(70003, 9000, 'sparse');
ALTER LARGE OBJECT 70001 OWNER TO shop_owner;
GRANT SELECT ON LARGE OBJECT 70001 TO shop_read WITH GRANT OPTION;
COMMENT ON LARGE OBJECT 70002 IS 'empty';
)sample";

inline constexpr char sample_second[] = R"(
CREATE TABLE t (id integer PRIMARY KEY, name text);
INSERT INTO t SELECT i, E'Stra\u00dfe ' || i FROM generate_series(1, 100) i;
)";

}  // namespace lifeboat::source
