#!/bin/sh
# Makes what compose.growth.yaml, compose.scale.yaml and compose.lake.yaml take as secrets, in
# docker/secrets: passwords of Redis, Grafana and PostgreSQL, and the keys of nodes and of
# Prometheus. What is there stays as it is. Needs the image: docker compose -f docker/compose.growth.yaml build
# COMPOSE=podman-compose for another program than docker compose.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
# Containers read single files of it as users of their own; on this machine its owner alone does.
chmod 700 secrets

random() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

if [ ! -s secrets/redis-url ]; then
  password=$(random)
  {
    echo "requirepass $password"
    echo 'maxmemory 256mb'
    echo 'maxmemory-policy allkeys-lru'
    echo 'save ""'
  } >secrets/redis.conf
  printf 'redis://:%s@redis:6379' "$password" >secrets/redis-url
fi

[ -s secrets/grafana-password ] || random >secrets/grafana-password

if [ ! -s secrets/store-address ]; then
  password=$(random)
  printf '%s' "$password" >secrets/postgres-password
  printf 'ducklake:postgres:host=postgres dbname=rankstream user=rankstream password=%s' \
    "$password" >secrets/store-address
fi

# A key's name and scopes. Podman-compose says more than the key.
key() {
  [ -s "secrets/$1-key" ] && return
  ${COMPOSE:-docker compose} -f compose.growth.yaml --profile tools run --rm -T keys \
    create "$1" --scope "$2" | grep '^rsk_' >"secrets/$1-key.new"
  mv "secrets/$1-key.new" "secrets/$1-key"
}

key node ingest,read,admin
key metrics read
chmod 644 secrets/*
