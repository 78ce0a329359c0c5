# Functions that take a lab apart, for watch.sh and clean.sh. A lab is number N: folder /tmp/flotilla-lab-N, bridge
# flab-N, links flab-N-M, namespaces and cgroups flotilla-lab-N-NAME. The watcher holds the lab's lock for as long as
# anything of it exists, so whoever gets the lock may clear what is left.
# shellcheck shell=bash

locks=/run/flotilla-lab

lab_folder() { printf '/tmp/flotilla-lab-%s' "$1"; }

# Prints the processes of a lab: those in its namespaces, in its containers' cgroups, and the registry.
lab_processes() {
  local number=$1 space process
  for space in /run/netns/flotilla-lab-"$number"-*; do
    [ -e "$space" ] && ip netns pids "${space##*/}" 2>/dev/null
  done
  lab_cgroups "$number" | while read -r group; do cat "$group/cgroup.procs" 2>/dev/null; done
  grep -lazs -- "$(lab_folder "$number")/" /proc/[0-9]*/cmdline | while IFS=/ read -r _ _ process _; do
    case $(cat "/proc/$process/comm" 2>/dev/null) in
      dockerd | containerd | containerd-shim | docker-proxy | docker-registry | runc) echo "$process" ;;
    esac
  done
}

# Prints the cgroups of a lab's containers, the deepest first.
lab_cgroups() {
  find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "flotilla-lab-$1" \
    -exec find {} -depth -type d \; 2>/dev/null
}

# Kills every process of a lab; a container in the freezer must thaw before it can die.
kill_lab() {
  local number=$1 processes try
  for try in $(seq 200); do
    mapfile -t processes < <(lab_processes "$number" | sort -un)
    [ ${#processes[@]} -eq 0 ] && return 0
    kill -9 "${processes[@]}" 2>/dev/null
    lab_cgroups "$number" | while read -r group; do
      [ -e "$group/freezer.state" ] && echo THAWED >"$group/freezer.state"
    done 2>/dev/null
    sleep 0.05
  done
  echo "lab $number: still running after try $try: ${processes[*]}" >&2
  return 1
}

# Removes everything a lab left: processes, mounts, links, namespaces, cgroups, its folder.
clear_lab() {
  local number=$1 folder link space
  folder=$(lab_folder "$number")
  [ -e "$folder" ] || [ -e "/sys/class/net/flab-$number" ] || return 0
  kill_lab "$number"
  awk -v at="$folder/" 'index($2, at) == 1 {print $2}' /proc/self/mounts | sort -r | while read -r at; do
    umount -l "$at" 2>/dev/null
  done
  for link in /sys/class/net/flab-"$number" /sys/class/net/flab-"$number"-*; do
    [ -e "$link" ] && ip link delete "${link##*/}" 2>/dev/null
  done
  for space in /run/netns/flotilla-lab-"$number"-*; do
    [ -e "$space" ] && ip netns delete "${space##*/}" 2>/dev/null
  done
  lab_cgroups "$number" | while read -r group; do rmdir "$group" 2>/dev/null; done
  rm -rf --one-file-system "$folder" || { sleep 0.2; rm -rf --one-file-system "$folder"; }
}

# Clears the labs whose watcher is gone.
clear_dead_labs() {
  local folder number
  for folder in /tmp/flotilla-lab-*/; do
    [ -d "$folder" ] || continue
    number=${folder%/}
    number=${number##*-}
    mkdir -p "$locks"
    (flock -n 8 && clear_lab "$number") 8>"$locks/$number.lock"
  done
  return 0
}
