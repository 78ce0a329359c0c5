#!/usr/bin/env bash
# Runs the whole suite as CI does: formatting, lints, then every test, on real engines. Needs root and Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/lab/packages.sh
cargo fmt --check
cargo clippy --quiet --all-targets -- -D warnings
cargo test --quiet --doc
cargo test --lib --bins --tests
