#!/usr/bin/env bash
# Watches over one lab. Claims a free number, prints it, and waits until its standard input ends, which happens whenever
# the owner ends, even by SIGKILL; then it takes the lab apart. After a line "detach" it waits for SIGTERM instead.
set -u
trap '' INT HUP PIPE TERM
. "$(dirname "$0")/remains.sh"

mkdir -p "$locks"
clear_dead_labs

claimed=
for number in $(seq 1 250); do
  exec 9>"$locks/$number.lock"
  flock -n 9 || continue
  clear_lab "$number"
  ip -4 -o addr | grep -q " 172\.31\.$number\." && continue
  ip -4 route | grep -q "^172\.31\.$number\." && continue
  mkdir -m 711 "$(lab_folder "$number")" || continue
  claimed=yes
  break
done
[ -n "$claimed" ] || { echo "no subnet 172.31.N.0/24 is free for a lab" >&2; exit 1; }
folder=$(lab_folder "$number")
echo "$$" >"$folder/watcher.pid"
echo "$number"
exec 1>>"$folder/watcher.log" 2>&1

# The lock must go with this process, so no child may hold it.
while read -r word; do
  [ "$word" = detach ] || continue
  trap 'down=yes' TERM
  touch "$folder/detached"
  sleep infinity 9>&- </dev/null &
  [ -n "${down:-}" ] || wait $!
  kill $! 2>/dev/null
  trap '' TERM
  break
done
clear_lab "$number"
