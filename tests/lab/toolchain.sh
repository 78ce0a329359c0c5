# To be sourced from the repository's root: puts Rust and a C compiler on PATH, and installs what of them is missing.

toolchain_fail() { printf 'toolchain: %s\n' "$*" >&2; exit 1; }

toolchain_apt() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  apt-get -qq update </dev/null || true
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" </dev/null >/dev/null
}

# Debian's rustup where it has one (trixie and newer), else rustup's own installer.
toolchain_rustup() {
  local installer
  if toolchain_apt rustup 2>/dev/null; then
    rustup default stable
    return
  fi
  toolchain_apt curl ca-certificates || return 1
  installer=$(mktemp -d)/rustup-init
  curl --proto '=https' --tlsv1.2 -sSfo "$installer" \
    "https://static.rust-lang.org/rustup/dist/$(uname -m)-unknown-linux-gnu/rustup-init" || return 1
  chmod 700 "$installer"
  "$installer" -y --quiet --no-modify-path || return 1
  rm -r "$(dirname "$installer")"
}

export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
command -v cc >/dev/null || toolchain_apt gcc libc6-dev || toolchain_fail "needs a C compiler: install gcc and libc6-dev"
command -v cargo >/dev/null || toolchain_rustup || toolchain_fail "needs Rust: install it from rustup.rs, then run this again"

toolchain_minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
toolchain_found=$(cargo --version | cut -d' ' -f2)
[ "$(printf '%s\n' "$toolchain_minimum" "$toolchain_found" | sort -V | head -n 1)" = "$toolchain_minimum" ] ||
  toolchain_fail "needs cargo $toolchain_minimum or newer, and this is $toolchain_found: run 'rustup update', then run this again"
