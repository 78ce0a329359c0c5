#!/usr/bin/env bash
# Without argument: clears the labs whose watcher is gone. With the number of a detached lab: ends that lab.
set -u
. "$(dirname "$0")/remains.sh"
[ "$(id -u)" = 0 ] || { echo "lab clean: must run as root" >&2; exit 1; }

if [ $# -eq 0 ]; then
  clear_dead_labs
  exit
fi

folder=$(lab_folder "$1")
[ -d "$folder" ] || exit 0
[ -e "$folder/detached" ] && kill -TERM "$(cat "$folder/watcher.pid")" 2>/dev/null
# The watcher lets go of the lock when it is done; a lab without watcher gives it at once.
exec 9>"$locks/$1.lock"
flock -w 60 9 || { echo "lab clean: lab $1 is still owned by a running program" >&2; exit 1; }
clear_lab "$1"
