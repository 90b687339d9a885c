#!/usr/bin/env bash
# A real istioctl and ours analyze the same: analyze.sh [PROGRAM] [--keep]. First files alone (tests/data/analyze, whose kept outputs
# must be the real ones; --keep writes them), then a served sandbox with what those files say and what goes wrong in it. The
# program is any that is called istioctl-VERSION under target/peers (istioctl.sh builds it); without it: SKIPPED.
set -uo pipefail
version=v0.0.0-20260827124520-eed52ebb66ad
here=$(cd "$(dirname "$0")" && pwd)
keep=
[ "${*: -1}" = --keep ] && keep=yes && set -- "${@:1:$#-1}"
program=$(readlink -f "${1:-$here/../../target/debug/egress-lab}")
peer=${EGRESS_LAB_ISTIOCTL:-$here/../../target/peers/istioctl-$version}
[ -x "$peer" ] || { echo "SKIPPED analyze: no real istioctl at $peer (tests/peers/istioctl.sh builds it)"; exit 0; }
[ -x "$program" ] || { echo "analyze: $program is missing; build first"; exit 1; }

work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; }; }
trap 'stop; rm -rf "$work"' EXIT
export HOME=$work/home XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache
mkdir -p "$HOME"
unset KUBECONFIG
failed=0 compared=0 input=/dev/null
same() { # NAME ARGS..: both answer the same on standard output, standard error and with the exit code
  local name=$1
  shift
  "$peer" "$@" < "$input" > "$work/real.out" 2> "$work/real.err"
  echo "exit $?" >> "$work/real.err"
  "$program" istioctl "$@" < "$input" > "$work/ours.out" 2> "$work/ours.err"
  echo "exit $?" >> "$work/ours.err"
  # Log lines with a time of day are the real one's own.
  sed -i -E '/^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*\t(warn|error|info)\t/d' "$work/real.out" "$work/real.err"
  compared=$((compared + 1))
  if ! diff -u "$work/real.out" "$work/ours.out" || ! diff -u "$work/real.err" "$work/ours.err"; then
    echo "analyze: $name: not the same"
    failed=$((failed + 1))
  fi
}

echo "-- files alone"
cd "$here/../data/analyze" || exit 1
for file in *.yaml; do
  for scope in "default -n default" "all -A"; do
    read -r suffix flags <<< "$scope"
    out=${file%.yaml}.$suffix.out
    # shellcheck disable=SC2086
    "$peer" analyze --use-kube=false $flags "$file" > "$work/out" 2> /dev/null
    [ -z "$keep" ] || cp "$work/out" "$out"
    diff -u "$out" "$work/out" || { echo "analyze: $out is not what the real one prints"; failed=$((failed + 1)); }
    # shellcheck disable=SC2086
    same "$file $suffix" analyze --use-kube=false $flags "$file"
  done
  same "$file json" analyze --use-kube=false -A -o json "$file"
  same "$file yaml" analyze --use-kube=false -A -o yaml "$file"
done
same folder analyze --use-kube=false cluster
input=gateways.yaml
same stdin analyze --use-kube=false -
input=/dev/null
same several analyze --use-kube=false nothing.yaml deprecated.yaml --output-threshold error
same missing analyze --use-kube=false nothing.yaml gone.yaml
same threshold analyze --use-kube=false deprecated.yaml --failure-threshold warning
same wrong-threshold analyze --use-kube=false deprecated.yaml --failure-threshold bad
same info analyze --use-kube=false unreachable.yaml --failure-threshold Info --output-threshold Warning
same suppress analyze --use-kube=false gateways.yaml -S "IST0101=VirtualService default/*" -S "IST0999=x"
same bad-suppress analyze --use-kube=false gateways.yaml -S "IST0101"
same analyzer analyze --use-kube=false gateways.yaml --analyzer virtualservice.GatewayAnalyzer
same unknown-analyzer analyze --use-kube=false gateways.yaml --analyzer nothing
same colour analyze --use-kube=false --color=true gateways.yaml unreachable.yaml
same list analyze -L
same recursive analyze -R
same format analyze -o xml
same flag analyze --nothing

echo "-- a served sandbox"
"$program" sandbox --instant > "$work/out" 2> "$work/err" &
server=$!
for _ in $(seq 100); do
  grep -q KUBECACHEDIR "$work/out" && break
  sleep 0.05
done
eval "$(sed -n 1,2p "$work/out")"
export KUBECONFIG KUBECACHEDIR
same empty analyze
same empty-all analyze -A
"$program" istioctl install --set profile=demo -y > /dev/null 2>&1 || { echo "analyze: cannot install"; exit 1; }
same installed analyze -A
for folder in "$here"/../data/analyze/cluster/*/; do
  name=$(basename "$folder")
  "$program" kubectl apply --server-side=false -f "$folder" > "$work/applied" 2>&1 || { cat "$work/applied"; failed=$((failed + 1)); }
  same "$name" analyze
  same "$name -A" analyze -A
  same "$name -n istio-system" analyze -n istio-system
  same "$name json" analyze -A -o json
  same "$name with files" analyze "$here/../data/analyze/gateways.yaml"
  same "$name without namespace" analyze -n gone
  "$program" kubectl delete -f "$folder" > /dev/null 2>&1
done
echo "analyze: $compared compared, $failed failed"
exit "$((failed > 0))"
