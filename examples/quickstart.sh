#!/usr/bin/env bash
# From a fresh Debian machine, as root, to a running cluster: three real engines behind one Docker endpoint.
# `examples/quickstart.sh` starts everything and leaves it running; `examples/quickstart.sh --down` ends it.
# FLOTILLA_QUICKSTART_STATE and FLOTILLA_QUICKSTART_PORT choose another folder and port, for both; with FLOTILLA_BIN, a
# flotilla that is there already, none is built.
set -euo pipefail
cd "$(dirname "$0")/.."

state=${FLOTILLA_QUICKSTART_STATE:-/tmp/flotilla-quickstart}
endpoint=tcp://127.0.0.1:${FLOTILLA_QUICKSTART_PORT:-3376}
target=${CARGO_TARGET_DIR:-target}

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# Ends flotilla if the recorded process is still it, then the engines with their containers.
down() {
  local pid
  if [ -s "$state/flotilla.pid" ]; then
    pid=$(cat "$state/flotilla.pid")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = flotilla ]; then
      kill "$pid"
      for _ in $(seq 100); do
        [ -e "/proc/$pid" ] && [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ] || break
        sleep 0.1
      done
      kill -9 "$pid" 2>/dev/null || true
    fi
  fi
  [ ! -s "$state/lab" ] || tests/lab/clean.sh "$(cat "$state/lab")"
  rm -rf "$state"
}

case ${1:-} in
  "") ;;
  --down)
    down
    exit
    ;;
  *) fail "usage: examples/quickstart.sh [--down]" ;;
esac

[ "$(id -u)" = 0 ] || fail "must run as root, since it starts real engines in network namespaces"

say "Rust"
. tests/lab/toolchain.sh
cargo --version

say "Engines and clients (Debian packages)"
tests/lab/packages.sh
cache=${FLOTILLA_LAB_CACHE:-/var/cache/flotilla-lab}
docker=$(command -v docker)
[ ! -x "$cache/cli-28/bin/docker" ] || docker=$cache/cli-28/bin/docker

if [ -n "${FLOTILLA_BIN:-}" ]; then
  flotilla=$(realpath "$FLOTILLA_BIN")
else
  say "Flotilla (cargo build --release)"
  cargo build --release
  flotilla=$(realpath "$target/release/flotilla")
fi
cargo build --example lab

down
mkdir -p "$state"
trap 'printf "quickstart: stopped half-way; examples/quickstart.sh --down clears what runs\n" >&2' ERR

say "Certificates between flotilla and the engines (flotilla certs all)"
# Whatever subnet the engines get: 172.31.N.0/24.
hosts=(172.31.{0..255}.{10,11,12})
"$flotilla" certs all --dir "$state/tls" --host "$(IFS=,; printf %s "${hosts[*]}")" >"$state/certs.log"
ls -d "$state"/tls/*

say "Three real engines"
"$target/debug/examples/lab" --detach "$state/lab" --tls "$state/tls/engine" | tee "$state/engines"
members=$(cut -d' ' -f2 "$state/engines" | paste -sd,)

say "flotilla manage --host $endpoint --engine-tls… nodes://$members"
setsid "$flotilla" manage --host "$endpoint" --engine-tlscacert "$state/tls/server/ca.pem" \
  --engine-tlscert "$state/tls/server/cert.pem" --engine-tlskey "$state/tls/server/key.pem" \
  "nodes://$members" >"$state/flotilla.log" 2>&1 </dev/null &
echo $! >"$state/flotilla.pid"

# Asks flotilla alone, and reads nobody's own docker settings.
export DOCKER_HOST=$endpoint DOCKER_CONFIG=$state/docker-config
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION
mkdir -p "$DOCKER_CONFIG"

healthy=0
for _ in $(seq 150); do
  healthy=$("$docker" info 2>/dev/null | grep -c 'Status: Healthy' || true)
  [ "$healthy" -eq 3 ] && break
  kill -0 "$(cat "$state/flotilla.pid")" 2>/dev/null || fail "flotilla ended: $(tail -n 5 "$state/flotilla.log")"
  sleep 0.2
done
[ "$healthy" -eq 3 ] || fail "only $healthy of 3 nodes are healthy after 30 s; see $state/flotilla.log"
"$docker" info

say "Six containers, spread over the nodes"
for index in 1 2 3 4 5 6; do
  "$docker" run -d --name "web-$index" busybox sleep 86400 >/dev/null
done
"$docker" ps --format '{{.Names}}  on {{.Label "com.docker.swarm.node.name"}}  {{.Image}}  {{.Status}}'

say "It is yours"
cat <<END
export DOCKER_HOST=$endpoint
${FLOTILLA_QUICKSTART_STATE:+FLOTILLA_QUICKSTART_STATE=$state }examples/quickstart.sh --down    # ends flotilla, the containers and the engines
END
