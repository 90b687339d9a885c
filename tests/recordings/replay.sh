#!/usr/bin/env bash
# Replays recorded kubectl commands against a new sandbox with a real kubectl: replay.sh k132|k137 [PROGRAM]
# Fails when a command differs that known-failures.txt does not list. Without a fitting kubectl: SKIPPED.
set -euo pipefail
dialect=$1
here=$(cd "$(dirname "$0")" && pwd)
program=${2:-$here/../../target/debug/egress-lab}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

kubectl=$(bash "$here/../peers/kubectl.sh" "$dialect")
if [ -z "$kubectl" ]; then
  echo "SKIPPED kubectl ($dialect): no kubectl of that dialect on this machine"
  exit 0
fi
[ -x "$program" ] || { echo "replay: $program is missing; build first"; exit 1; }

"$program" sandbox --instant --seed 1 > "$work/out" 2> "$work/err" &
server=$!
for _ in $(seq 100); do
  grep -q KUBECONFIG "$work/out" && break
  sleep 0.05
done
eval "$(sed -n 1p "$work/out")"
export KUBECONFIG

python3 "$here/kubectl/replay.py" "$here/kubectl/golden-$dialect.txt" --kubectl "$kubectl" --show 6 > "$work/report" || true
tail -1 "$work/report"
grep -q '^replay: [1-9]' "$work/report" || { cat "$work/report"; echo "replay: nothing was replayed"; exit 1; }
sed -n 's/^FAIL \$ //p' "$work/report" | sort -u > "$work/failed"
grep -v '^#' "$here/kubectl/known-failures.txt" | sed '/^$/d' | sort -u > "$work/known"
comm -23 "$work/failed" "$work/known" > "$work/new"
comm -13 "$work/failed" "$work/known" | sed 's/^/no longer differs: /'
if [ -s "$work/new" ]; then
  echo "replay: these differ and are not known to:"
  while read -r line; do grep -F -A12 "FAIL \$ $line" "$work/report" | head -14; done < "$work/new"
  exit 1
fi
echo "replay $dialect with $($kubectl version --client 2>/dev/null | head -1): $(wc -l < "$work/failed") differ as known"
