#!/usr/bin/env bash
# Installs what the lab of real engines needs: this Debian's packages by apt, older and newer engines and clients into a
# cache folder. Says nothing when nothing is to be done; a part that is optional and cannot be had is named in one sentence and left out.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
cache=${FLOTILLA_LAB_CACHE:-/var/cache/flotilla-lab}
# Debian's suites that have the engines and clients wanted, whatever suite this machine is.
older=bookworm
newer=forky

say() { printf 'lab packages: %s\n' "$*"; }
fail() { printf 'lab packages: %s\n' "$*" >&2; exit 1; }

# A part is made anew when its number here has changed since it was made.
version() {
  case $1 in
    debian | node) echo 2 ;;
    # The client that Flotilla itself is built with.
    bollard) sed -n 's/^bollard = .*"=\([0-9.]*\)".*/\1/p;T;q' "$here/Cargo.toml" ;;
    *) echo 1 ;;
  esac
}
# A part is done when its stamp holds its version.
done_already() { [ "$(cat "$cache/$1/.version" 2>/dev/null)" = "$(version "$1")" ]; }
stamp() { version "$1" >"$cache/$1/.version"; }

parts=(debian engine-20 cli-20 engine-28 cli-28 plugins python compose-1 suite bollard node busybox)
# The cache can outlive the machine's own packages.
[ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker-registry ] || rm -f "$cache/debian/.version"
missing=()
for part in "${parts[@]}"; do
  done_already "$part" || missing+=("$part")
done
[ ${#missing[@]} -eq 0 ] && exit 0

[ "$(id -u)" = 0 ] || fail "must run as root, since it installs Debian packages"
command -v apt-get >/dev/null || fail "needs apt-get: the lab is made for Debian"
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Dpkg::Use-Pty=0 "$@" </dev/null; }
twice() { "$@" || { sleep 2; "$@"; }; }

# Runs a command and shows what it printed only when it failed.
quietly() {
  local log
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    rm -f "$log"
  else
    tail -n 20 "$log" >&2
    rm -f "$log"
    return 1
  fi
}

# Installs packages without letting them start their services: engines run only in the lab's own namespaces.
install_packages() {
  local policy=/usr/sbin/policy-rc.d made= status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=yes
  fi
  quietly twice apt update || say "apt-get update failed; going on with the package lists at hand"
  quietly twice apt install -y --no-install-recommends "$@" || status=$?
  [ -z "$made" ] || rm -f "$policy"
  return "$status"
}

part_debian() {
  local wanted=(docker.io iproute2 iptables procps util-linux busybox-static docker-registry haproxy curl ca-certificates openssl openssh-client)
  command -v python3 >/dev/null || wanted+=(python3)
  dpkg -s python3-venv >/dev/null 2>&1 || wanted+=(python3-venv)
  command -v node >/dev/null && command -v npm >/dev/null || wanted+=(nodejs npm)
  install_packages "${wanted[@]}" || fail "Debian's packages cannot be installed: ${wanted[*]}"
  [ -x /usr/sbin/dockerd ] || fail "package docker.io brought no /usr/sbin/dockerd"
}

# Tells whether the machine's own engine and client are the older ones.
is_older() { dockerd --version 2>/dev/null | grep -q ' 20\.10\.' && docker --version 2>/dev/null | grep -q ' 20\.10\.'; }

part_engine-20() {
  local root=/usr
  is_older || { unpack "$older" engine-20 docker.io containerd runc && root=$cache/engine-20/tree; } || return 1
  mkdir -p "$cache/engine-20/bin"
  link_programs "$cache/engine-20/bin" "$root" dockerd docker-proxy containerd containerd-shim-runc-v2 runc docker-init
  # A package of its own, which each engine finds by its name.
  link_programs "$cache/engine-20/bin" /usr docker-init
  "$cache/engine-20/bin/dockerd" --version >/dev/null
}

part_cli-20() {
  local root=/usr
  is_older || { unpack "$older" cli-20 docker.io && root=$cache/cli-20/tree; } || return 1
  mkdir -p "$cache/cli-20/bin"
  link_programs "$cache/cli-20/bin" "$root" docker
  "$cache/cli-20/bin/docker" --version >/dev/null
}

# Links the named programs found below a root tree into a folder; those that the tree lacks are passed over.
link_programs() {
  local into=$1 root=$2 name found
  shift 2
  for name in "$@"; do
    for found in "$root"/{sbin,bin,libexec/docker,usr/sbin,usr/bin,usr/libexec/docker}/"$name"; do
      [ -x "$found" ] && ln -sfn "$found" "$into/$name" && break
    done
  done
  return 0
}

# Writes a source list for another suite from the mirror this machine is already set up with.
suite_source() {
  local suite=$1 mirror
  mkdir -p "$cache/.apt/$suite/partial"
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
  [ -n "$mirror" ] || mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | grep debian | grep -v security | head -n 1)
  [ -n "$mirror" ] || return 1
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" \
    >"$cache/.apt/$suite.list"
}

suite_apt() {
  local suite=$1
  shift
  apt -o Dir::Etc::sourcelist="$cache/.apt/$suite.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null \
    -o Dir::State::lists="$cache/.apt/$suite" -o Dir::State::status=/dev/null \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}

declare -A suite_ready

# Unpacks packages of another suite below the folder of a part; nothing of them is installed.
unpack() {
  local suite=$1 part=$2 debs=$cache/.apt/debs
  shift 2
  if [ -z "${suite_ready[$suite]:-}" ]; then
    suite_ready[$suite]=no
    suite_source "$suite" && quietly twice suite_apt "$suite" update && suite_ready[$suite]=yes
  fi
  [ "${suite_ready[$suite]}" = yes ] || return 1
  rm -rf "$debs" "${cache:?}/$part"
  mkdir -p "$debs" "$cache/$part/bin"
  (cd "$debs" && quietly twice suite_apt "$suite" download "$@") || return 1
  local deb
  for deb in "$debs"/*.deb; do
    dpkg -x "$deb" "$cache/$part/tree" || return 1
  done
  rm -rf "$debs"
}

part_engine-28() {
  unpack "$newer" engine-28 docker.io containerd || return 1
  link_programs "$cache/engine-28/bin" "$cache/engine-28/tree" dockerd docker-proxy containerd containerd-shim-runc-v2 docker-init
  # The newer suite's runc wants a newer libc than this machine's.
  link_programs "$cache/engine-28/bin" /usr runc docker-init
  "$cache/engine-28/bin/dockerd" --version >/dev/null
}

part_cli-28() {
  unpack "$newer" cli-28 docker-cli || return 1
  link_programs "$cache/cli-28/bin" "$cache/cli-28/tree" docker
  "$cache/cli-28/bin/docker" --version >/dev/null
}

part_plugins() {
  unpack "$newer" plugins docker-compose docker-buildx || return 1
  local name
  for name in docker-compose docker-buildx; do
    ln -sfn "$(find "$cache/plugins/tree" -type f -name "$name" -perm -u+x | head -n 1)" "$cache/plugins/bin/$name"
    "$cache/plugins/bin/$name" docker-cli-plugin-metadata >/dev/null || return 1
  done
}

part_python() {
  python3 -m venv "$cache/python" || return 1
  quietly twice "$cache/python/bin/pip" install --quiet --disable-pip-version-check 'docker>=7,<8'
}

# compose 1.29 asks for a PyYAML that no longer builds; it works with today's, so its needs are named here.
part_compose-1() {
  local pip=$cache/compose-1/bin/pip
  python3 -m venv "$cache/compose-1" || return 1
  quietly twice "$pip" install --quiet --disable-pip-version-check --no-deps 'docker-compose==1.29.2' || return 1
  quietly twice "$pip" install --quiet --disable-pip-version-check 'PyYAML<7' 'docker<7' 'requests<2.32' 'urllib3<2' \
    'cached-property<2' 'distro<2' 'docopt<1' 'dockerpty<1' 'jsonschema<4' 'python-dotenv<1' 'texttable<2' \
    'websocket-client<1' setuptools || return 1
  "$cache/compose-1/bin/docker-compose" version >/dev/null
}

# docker-py's own tests, which its last source package that has them brings.
part_suite() {
  local folder=$cache/suite
  python3 -m venv "$folder" || return 1
  quietly twice "$folder/bin/pip" install --quiet --disable-pip-version-check 'docker==6.1.3' 'requests<2.32' 'urllib3<2' \
    setuptools pytest pytest-timeout paramiko || return 1
  quietly twice "$folder/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary docker \
    --dest "$folder/source" 'docker==6.1.3' || return 1
  tar -xzf "$folder"/source/docker-6.1.3.tar.gz -C "$folder/source" --strip-components 1
}

# bollard's own tests, which its package brings, built from the packages that its own lock names.
part_bollard() {
  local folder=$cache/bollard source name
  quietly twice cargo fetch --locked --manifest-path "$here/Cargo.toml" || return 1
  source=$(cargo metadata --locked --offline --format-version 1 --manifest-path "$here/Cargo.toml" |
    grep -o '"manifest_path":"[^"]*/bollard-0[^"/]*/Cargo.toml"' | cut -d'"' -f4)
  [ -n "$source" ] || return 1
  rm -rf "$folder"
  cp -r "$(dirname "$source")" "$folder"
  (cd "$folder" && CARGO_PROFILE_DEV_DEBUG=0 quietly twice cargo test --quiet --locked --target-dir target \
    --features test_http,time --test '*' --no-run) || return 1
  mkdir "$folder/bin"
  for name in "$folder"/tests/*.rs; do
    name=$(basename "$name" .rs)
    find "$folder/target/debug/deps" -name "$name-*" -executable -exec mv {} "$folder/bin/$name" ';'
  done
  rm -rf "$folder/target"
}

part_node() {
  mkdir -p "$cache/node"
  quietly twice npm install --prefix "$cache/node" --no-audit --no-fund --silent 'dockerode@^5' 'testcontainers@^10'
}

# Makes the root file system of the lab's one image: static busybox, its applets and the few files programs look for.
part_busybox() {
  local root=$cache/busybox/root applet
  rm -rf "$root"
  mkdir -p "$root"/{bin,sbin,etc,root,tmp,dev,proc,sys,var/{log,run,www},home,usr/{bin,sbin}}
  chmod 1777 "$root/tmp"
  cp "$(dpkg -L busybox-static | grep '/busybox$' | head -n 1)" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$root" -cf "$cache/busybox/busybox.tar" .
  rm -rf "$root"
  pack_image "$cache/busybox"
}

# Makes the archive that "docker load" takes, so that busybox:latest has one ID on every engine of every lab.
pack_image() {
  local folder=$1 image=$1/image layer config
  rm -rf "$image"
  mkdir -p "$image"
  layer=$(sha256sum "$folder/busybox.tar" | cut -d' ' -f1)
  cp "$folder/busybox.tar" "$image/layer.tar"
  printf '{"architecture":"%s","os":"linux","created":"2026-01-01T00:00:00Z","config":{"Env":["PATH=%s"],"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"2026-01-01T00:00:00Z","created_by":"flotilla lab"}]}' \
    "$(dpkg --print-architecture)" /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$layer" >"$image/config"
  config=$(sha256sum "$image/config" | cut -d' ' -f1)
  mv "$image/config" "$image/$config.json"
  printf '[{"Config":"%s.json","RepoTags":["busybox:latest"],"Layers":["layer.tar"]}]' "$config" >"$image/manifest.json"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$image" -cf "$folder/image.tar" manifest.json "$config.json" layer.tar
  rm -rf "$image"
}

optional=" engine-28 cli-28 plugins python compose-1 suite bollard node "
for part in "${missing[@]}"; do
  # Another run may have made it while this one waited for the lock.
  done_already "$part" && continue
  mkdir -p "$cache/$part"
  if "part_$part"; then
    mkdir -p "$cache/$part"
    stamp "$part"
    say "$part is ready"
  elif [[ $optional == *" $part "* ]]; then
    rm -rf "${cache:?}/$part"
    say "$part is skipped: its packages could not be fetched, so the tests that need it do without"
  else
    fail "part $part cannot be made, and the lab needs it"
  fi
done
