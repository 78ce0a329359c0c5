#!/usr/bin/env bash
# Runs the whole suite as CI does: formatting, lints, then every test, on real engines. Needs root and Debian, and
# installs what else is missing. What could not be had, and which tests did without it, is told at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/lab/toolchain.sh
for component in clippy rustfmt; do
  cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
done
tests/lab/packages.sh
cargo fmt --check
cargo clippy --quiet --all-targets -- -D warnings
cargo test --quiet --doc
FLOTILLA_SKIPPED=$(mktemp)
export FLOTILLA_SKIPPED
trap 'tests/lab/skipped.sh "$FLOTILLA_SKIPPED"; rm -f "$FLOTILLA_SKIPPED"' EXIT
cargo test --lib --bins --tests
