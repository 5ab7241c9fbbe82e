-- Accounts of the shop's databases. Run as superuser in database postgres; the passwords come from
-- the environment (\getenv), so that no argument and no file of the platform holds them.
\set ON_ERROR_STOP on
\getenv orders_password SHOP_DB_ORDERS_PASSWORD
\getenv catalog_password SHOP_DB_CATALOG_PASSWORD
\getenv writer_password SHOP_DB_WRITER_PASSWORD
\getenv reporting_password SHOP_DB_REPORTING_PASSWORD

CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_readonly NOLOGIN;
CREATE ROLE shop_orders_app LOGIN PASSWORD :'orders_password' CONNECTION LIMIT 40;
CREATE ROLE shop_catalog_app LOGIN PASSWORD :'catalog_password' NOINHERIT;
CREATE ROLE shop_writer LOGIN PASSWORD :'writer_password' CONNECTION LIMIT 5;
CREATE ROLE reporting LOGIN PASSWORD :'reporting_password' VALID UNTIL '2099-12-31 23:59:59+00';
CREATE ROLE "Ops ""Night"" Team" NOLOGIN CREATEROLE CREATEDB;
COMMENT ON ROLE shop_owner IS 'owns databases and schemas; nobody logs in as it';
COMMENT ON ROLE "Ops ""Night"" Team" IS 'a name that must be quoted everywhere';

GRANT shop_readonly TO reporting;
GRANT shop_owner TO "Ops ""Night"" Team" WITH ADMIN OPTION;

ALTER ROLE reporting SET statement_timeout = '5min';
ALTER ROLE shop_readonly SET default_transaction_read_only = on;

CREATE DATABASE shop_orders OWNER shop_owner;
CREATE DATABASE shop_catalog OWNER shop_owner CONNECTION LIMIT 60;
COMMENT ON DATABASE shop_orders IS 'orders, payments and the papers that belong to them';
REVOKE CONNECT ON DATABASE shop_orders, shop_catalog FROM PUBLIC;
GRANT CONNECT ON DATABASE shop_orders TO shop_orders_app, shop_writer, shop_readonly;
GRANT CONNECT ON DATABASE shop_catalog TO shop_catalog_app, shop_readonly;

ALTER DATABASE shop_orders SET search_path = sales, public;
ALTER DATABASE shop_orders SET lock_timeout = '10s';
ALTER DATABASE shop_catalog SET search_path = catalog, public;
ALTER DATABASE shop_catalog SET default_text_search_config = 'pg_catalog.english';
ALTER ROLE shop_orders_app IN DATABASE shop_orders SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE reporting IN DATABASE shop_orders SET work_mem = '32MB';
