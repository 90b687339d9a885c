# The proxy views: the real istioctl and ours on the same served world, byte for byte. Sourced by istioctl.sh, which serves.

# One command with both; the error line counts too.
same() {
  local ours theirs
  theirs=$("$peer" "$@" 2> "$work/theirs.err" < /dev/null) && echo 0 > "$work/theirs.rc" || echo 1 > "$work/theirs.rc"
  # Its own log lines, with the moment, go to standard output too.
  theirs=$(printf '%s' "$theirs" | grep -Ev $'^[0-9-]+T[0-9:.]+Z\t(info|warn|error)\t' || true)
  ours=$("$program" istioctl "$@" 2> "$work/ours.err" < /dev/null) && echo 0 > "$work/ours.rc" || echo 1 > "$work/ours.rc"
  compared=$((compared + 1))
  if [ "$ours" != "$theirs" ] || ! cmp -s "$work/ours.rc" "$work/theirs.rc" ||
    ! diff <(grep '^Error' "$work/theirs.err") <(grep '^Error' "$work/ours.err") > "$work/errors"; then
    differ=$((differ + 1))
    echo "istioctl $*: theirs (<) and ours (>)"
    diff <(printf '%s\n' "$theirs") <(printf '%s\n' "$ours") | head -20
    cat "$work/errors" 2> /dev/null
  fi
}

# Everything that shows what a proxy was told.
views() {
  local proxy=$1 part output
  for part in listeners routes clusters endpoints bootstrap secret all eds; do
    for output in short json yaml; do
      same proxy-config "$part" "$proxy" -o "$output"
    done
  done
  same pc bootstrap "$proxy"
  same pc ecds "$proxy"
  same pc listeners "$proxy" --verbose=false
  same pc listeners "$proxy" --port 80
  same pc listeners "$proxy" --type HTTP --address 0.0.0.0 -o json
  same pc routes "$proxy" --name 80 -o json
  same pc routes "$proxy" --verbose=false
  same pc clusters "$proxy" --fqdn wikipedia
  same pc clusters "$proxy" --direction outbound --port 443
  same pc endpoints "$proxy" --cluster 'outbound|443||www.wikipedia.org'
  same pc endpoints "$proxy" --status healthy --port 443
  same pc all "$proxy" --with-headers
}

# Pages that the manifests of a step lead to.
state() {
  echo "-- proxy views: $1"
  shift
  "$program" kubectl delete serviceentries,virtualservices,destinationrules,gateways.networking.istio.io --all -A > /dev/null 2>&1 || true
  for file in "$@"; do
    "$program" kubectl apply -f "$solution/$file.yaml" > /dev/null
  done
  views deploy/sleep
  views deploy/istio-egressgateway.istio-system
  same x describe pod "$sleep"
  same x describe svc sleep
  same x describe pod "$("$program" kubectl get pods -n istio-system -l istio=egressgateway -o name | cut -d/ -f2).istio-system"
}

proxy_views() {
  local solution=$here/../../lessons/egress/control-external-egress/solution sleep
  compared=0 differ=0
  "$program" kubectl label namespace default istio-injection=enabled --overwrite > /dev/null
  "$program" kubectl create deployment sleep --image=curlimages/curl:8.1.2 -- sleep infinity > /dev/null
  "$program" kubectl expose deployment sleep --port 80 > /dev/null
  "$program" kubectl rollout status deploy/sleep --timeout=60s > /dev/null
  sleep=$("$program" kubectl get pods -l app=sleep -o name | cut -d/ -f2)
  state "nothing applied"
  state "a host registered" serviceentry-wikipedia
  state "through the gateway" serviceentry-wikipedia gateway destinationrule vs
  state "a VirtualService without mesh" serviceentry-wikipedia gateway destinationrule vs-without-mesh
  state "no port for HTTPS" serviceentry-http-only gateway destinationrule vs
  state "no DestinationRule" serviceentry-wikipedia gateway vs
  state "two gateways in one file" serviceentry-wikipedia gateway-in-default destinationrule vs-gateway-in-default
  "$program" kubectl exec "$sleep" -c curl -- curl -sS -o /dev/null http://www.wikipedia.org || true
  same pc endpoints deploy/sleep
  same pc endpoints deploy/sleep -o json
  same pc log "$sleep"
  same pc log "$sleep" --level http:debug,rbac:info
  same pc log deploy/sleep --level nosuch:debug
  same pc log deploy/sleep --reset
  same pc listeners deploy/none
  same pc listeners none
  same pc listeners nosuch/none
  same x describe pod none
  same x describe svc none
  same x describe svc istio-egressgateway.istio-system
  echo "proxy views: $compared compared, $differ differ"
  [ "$differ" = 0 ]
}
