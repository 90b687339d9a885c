#!/usr/bin/env bash
# Istio's own validation judges the cases of tests/data/validation again: validation.sh [--keep] [CASES.yaml]
# The judge is a small Go program beside this script, built from Istio's module (a minute the first time, kept under target/peers).
# The kept answers must be the judge's; a test compares ours with them. --keep writes them anew. Answers that depend on the order of a
# Go map do not belong there. Without Go or without the module: SKIPPED.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$here/../data/validation
peers=$here/../../target/peers
keep=
[ "${1:-}" != --keep ] || { keep=yes && shift; }
cases=${1:-$data/cases.yaml}
command -v go > /dev/null || { echo "SKIPPED validation: no Go on this machine"; exit 0; }
mkdir -p "$peers"
(cd "$here/validate" && timeout 1500 go build -o "$peers/validate" .) > "$peers/validate.log" 2>&1 ||
  { echo "SKIPPED validation: Istio's module cannot be had or built here"; tail -3 "$peers/validate.log"; exit 0; }
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
"$peers/validate" "$cases" 2> /dev/null | grep '^{' > "$answers"
[ -z "$keep" ] || cp "$answers" "$data/answers.jsonl"
if [ -n "${1:-}" ]; then
  cat "$answers"
elif diff -q "$data/answers.jsonl" "$answers" > /dev/null; then
  echo "validation: $(wc -l < "$answers") cases, the kept answers are Istio's"
else
  diff "$data/answers.jsonl" "$answers" | head -20
  echo "validation: the kept answers are not Istio's"
  exit 1
fi
