#!/usr/bin/env bash
# Prints what the tests did without, from the file that FLOTILLA_SKIPPED named to them.
set -euo pipefail

lines=$(sort -u "$1")
if [ -z "$lines" ]; then
  echo '== nothing was skipped'
else
  echo "== $(wc -l <<<"$lines") skipped"
  printf '%s\n' "$lines"
fi
