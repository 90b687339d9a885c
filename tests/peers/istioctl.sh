#!/usr/bin/env bash
# A real istioctl installs Istio into a sandbox, and the lesson's own checks of that stage judge it: istioctl.sh [PROGRAM]
# The peer is built with Go from its module at the version below (several minutes the first time, kept under target/peers).
# Without Go, without the module or without a kubectl: SKIPPED.
set -euo pipefail
version=v0.0.0-20260827124520-eed52ebb66ad
here=$(cd "$(dirname "$0")" && pwd)
program=$(readlink -f "${1:-$here/../../target/debug/egress-lab}")
peers=$here/../../target/peers
peer=$peers/istioctl-$version
[ -x "$program" ] || { echo "istioctl: $program is missing; build first"; exit 1; }

build() {
  local work
  work=$(mktemp -d)
  printf 'module peer\n\ngo 1.26\n' > "$work/go.mod"
  printf '//go:build tools\n\npackage peer\n\nimport _ "istio.io/istio/istioctl/cmd/istioctl"\n' > "$work/tools.go"
  mkdir -p "$peers"
  (cd "$work" && timeout 300 go get "istio.io/istio/istioctl/cmd/istioctl@$version" &&
    timeout 1500 go build -o "$peer.new" istio.io/istio/istioctl/cmd/istioctl) > "$peers/build.log" 2>&1 || return 1
  mv "$peer.new" "$peer"
  rm -rf "$work"
}

if [ ! -x "$peer" ]; then
  command -v go > /dev/null || { echo "SKIPPED istioctl: no Go on this machine"; exit 0; }
  build || { echo "SKIPPED istioctl: its module cannot be had or built here"; tail -3 "$peers/build.log"; exit 0; }
fi

work=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; }
}
trap 'stop; rm -rf "$work"' EXIT
export HOME=$work/home XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache
mkdir -p "$HOME"
unset KUBECONFIG

serve() { # a saved world of that name, served
  stop
  "$program" sandbox --lab --world "$1" > "$work/out" 2> "$work/err" &
  server=$!
  for _ in $(seq 100); do
    grep -q KUBECACHEDIR "$work/out" && break
    sleep 0.05
  done
  eval "$(sed -n 1,2p "$work/out")"
  export KUBECONFIG KUBECACHEDIR
}

judge() { # the checks of the stage that installs
  "$program" check --world "$1" --step install-istio | tee "$work/judged"
  grep -q PASS "$work/judged" || { echo "istioctl: the checks of the stage say something else"; exit 1; }
}

echo "-- istioctl install"
serve installed
"$peer" install --set profile=demo --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY -y < /dev/null
judge installed

echo "-- istioctl install again, with another setting"
"$peer" install --set profile=demo --set meshConfig.outboundTrafficPolicy.mode=ALLOW_ANY -y < /dev/null
if "$program" check --world installed --step install-istio > "$work/judged"; then
  cat "$work/judged"
  echo "istioctl: the checks do not see ALLOW_ANY"
  exit 1
fi

. "$here/views.sh"
echo "-- proxy views"
"$peer" install --set profile=demo --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY -y < /dev/null > /dev/null
proxy_views || { echo "istioctl: our tables are not istioctl's"; exit 1; }

if command -v kubectl > /dev/null; then
  echo "-- istioctl manifest generate | kubectl apply --server-side"
  serve applied
  kubectl create namespace istio-system
  "$peer" manifest generate --set profile=demo --set meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY > "$work/demo.yaml"
  # A second time, as people do when the first apply met kinds before their definitions.
  kubectl apply --server-side -f "$work/demo.yaml" > "$work/applied" 2>&1 || kubectl apply --server-side -f "$work/demo.yaml" > "$work/applied"
  tail -1 "$work/applied"
  kubectl rollout status -n istio-system deploy/istiod deploy/istio-egressgateway --timeout=60s
  judge applied
else
  echo "SKIPPED kubectl: the generated manifest was not applied"
fi
echo "istioctl: $("$peer" version --remote=false 2>/dev/null | head -1) of module $version: all held"
