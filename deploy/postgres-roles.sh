#!/bin/sh
# Makes the two roles and the database on a PostgreSQL of your own; what the roles may do is the migration's business.
# Run by the postgres image on an empty volume, or by hand as a superuser with the two passwords in the environment.
set -eu
psql -v ON_ERROR_STOP=1 -d postgres -v owner="$MOTCUA_OWNER_PASSWORD" -v app="$MOTCUA_APP_PASSWORD" <<'SQL'
CREATE ROLE motcua_owner LOGIN NOSUPERUSER PASSWORD :'owner';
CREATE ROLE motcua_app LOGIN NOSUPERUSER PASSWORD :'app';
CREATE DATABASE motcua OWNER motcua_owner ENCODING 'UTF8' TEMPLATE template0;
SQL
