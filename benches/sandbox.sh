#!/usr/bin/env bash
# Prints one table of how quick the sandbox is: sandbox.sh [WORD] (bare, objects, watch, exec, memory, beside). About a minute once built.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo bench --quiet --bench sandbox -- "$@"
