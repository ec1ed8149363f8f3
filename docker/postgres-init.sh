#!/usr/bin/env bash
# Makes the two databases, each with a user of its own, when the server starts on an empty volume.
set -euo pipefail

psql --no-psqlrc --set ON_ERROR_STOP=1 \
  --set airflow_password="${AIRFLOW_DB_PASSWORD:?}" \
  --set store_password="${STORE_DB_PASSWORD:?}" \
  --username "${POSTGRES_USER:?}" --dbname postgres <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;

CREATE ROLE sentinelone LOGIN PASSWORD :'store_password';
CREATE DATABASE sentinelone OWNER sentinelone;
REVOKE CONNECT ON DATABASE sentinelone FROM PUBLIC;
SQL
