#!/bin/sh
# A stand-in for docker, podman, kind, istioctl and df: notes how it was called, keeps a small world of files, and goes wrong where
# WORLD/fault says so (MODE on the first line, the beginning of a command line on the second).
PATH=/usr/bin:/bin
W=@WORLD@
me=$(basename "$0")
line="$me $*"
shown=$line
[ -n "$KIND_EXPERIMENTAL_PROVIDER" ] && shown="KIND_EXPERIMENTAL_PROVIDER=$KIND_EXPERIMENTAL_PROVIDER $shown"
[ -n "$KUBECONFIG" ] && shown="KUBECONFIG=$KUBECONFIG $shown"
echo "$shown" >> "$W/log"
mode=none
if [ -f "$W/fault" ]; then
  begins=$(sed -n 2p "$W/fault")
  case "$line" in "$begins"*) mode=$(sed -n 1p "$W/fault") ;; esac
fi
case $mode in
  fails) echo "stand-in: it went wrong" >&2; exit 1 ;;
  hangs) echo "stand-in: hanging"; sleep 600 & echo $! > "$W/hanging"; wait; exit 1 ;;
  crash-before) kill -9 "$PPID"; exit 1 ;;
esac

flat() { echo "$1" | tr '/:@' '___'; }
last() { for last; do :; done; echo "$last"; }
after() { want=$1; shift; found=; for word; do [ -n "$found" ] && { echo "$word"; return; }; [ "$word" = "$want" ] && found=1; done; }
next_id() { n=$(cat "$W/ids" 2>/dev/null || echo 0); n=$((n + 1)); echo $n > "$W/ids"; echo "id$n"; }
none_such() { echo "Error: No such $1: $2" >&2; exit 1; }
effect() {
  case "$line" in
    "docker info"*) cat "$W/docker-info.json" ;;
    "docker buildx version") echo "github.com/docker/buildx v0.24.0" ;;
    "podman info"*) cat "$W/podman-info.json" ;;
    "kind version") echo "kind v$(cat "$W/kind-version") go1.26.0 linux/amd64" ;;
    "istioctl version"*) echo "client version: $(cat "$W/istio-version")" ;;
    "df -Pk"*) printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 9 9 49283072 9%% /\n' ;;
    *" inspect --type container"*IPAddress*) [ -f "$W/containers/$(last "$@")" ] || none_such container "$(last "$@")"
      echo "172.18.0.$(cut -d' ' -f1 "$W/containers/$(last "$@")" | tr -d id)" ;;
    *" inspect --type container"*) cat "$W/containers/$(last "$@")" 2>/dev/null || none_such container "$(last "$@")" ;;
    *" image inspect"*) [ -f "$W/images/$(flat "$(last "$@")")" ] && echo sha || none_such image "$(last "$@")" ;;
    *" pull "*) [ -f "$W/no-network" ] && { echo "no route to host" >&2; exit 1; }; touch "$W/images/$(flat "$(last "$@")")" ;;
    *" build "*) [ -f "$(last "$@")/Dockerfile" ] || { echo "no Dockerfile" >&2; exit 1; }; touch "$W/images/$(flat "$(after --tag "$@")")" ;;
    "docker tag "*|"podman tag "*) touch "$W/images/$(flat "$(last "$@")")" ;;
    *" save --output"*) file=$3; shift 3; : > "$file"
      for image; do [ -f "$W/images/$(flat "$image")" ] || none_such image "$image"; flat "$image" >> "$file"; done ;;
    *" load --input"*) while read -r image; do touch "$W/images/$image"; done < "$3" ;;
    *" image rm "*) rm "$W/images/$(flat "$(last "$@")")" 2>/dev/null || none_such image "$(last "$@")" ;;
    *" run --detach"*) name=$(after --name "$@"); [ -f "$W/containers/$name" ] && { echo "Conflict: $name is in use" >&2; exit 1; }
      id=$(next_id); echo "$id running kind" > "$W/containers/$name"; echo "$id" ;;
    *" run --rm"*) touch "$W/istio"; echo "Installation complete" ;;
    *" rm --force"*) rm -f "$W/containers/$(last "$@")" ;;
    *" start "*) file="$W/containers/$(last "$@")"; sed 's/exited/running/' "$file" > "$file.new" && mv "$file.new" "$file" ;;
    *" exec "*"get configmap coredns"*jsonpath*) sed 's/\\n/\n/g' "$W/coredns.json" ;;
    *" exec "*"get configmap coredns"*) cat "$W/coredns.json" ;;
    *" exec "*"patch configmap coredns"*) cat > "$W/coredns.json" ;;
    *" exec "*"get deployments"*) [ -f "$W/istio" ] && printf 'istiod=1/1 ' ; : ;;
    *" exec "*) cat > /dev/null ;;
    "kind get clusters") ls "$W/clusters" ;;
    "kind create cluster"*) touch "$W/clusters/egress-lab"; echo "$(next_id) running" > "$W/containers/egress-lab-control-plane"
      echo "creating" >&2; echo config > "$(after --kubeconfig "$@")" ;;
    "kind delete cluster"*) [ -f "$KUBECONFIG" ] && { grep -v '^current-context' "$KUBECONFIG" > "$W/merged"; cat "$W/merged" > "$KUBECONFIG"; }
      rm -f "$W/clusters/egress-lab" "$W/containers/egress-lab-control-plane" "$W/istio" ;;
    "kind load image-archive"*) [ -s "$3" ] || { echo "no archive" >&2; exit 1; } ;;
    "kind get kubeconfig"*) echo "internal config" ;;
    # As kind does it: the whole file is written anew, and the current context goes with the cluster.
    "kind export kubeconfig"*) [ -f "$KUBECONFIG" ] && { grep -v -e '^#' -e '^current-context' "$KUBECONFIG"; echo "current-context: kind-egress-lab"; } > "$W/merged" && cat "$W/merged" > "$KUBECONFIG" ;;
    "istioctl install"*) [ -f "$5" ] || exit 1; touch "$W/istio"; echo "Installation complete" ;;
    *) echo "stand-in: nobody taught me $line" >&2; exit 98 ;;
  esac
}
effect "$@"
case $mode in
  half) echo "stand-in: it went wrong half-way" >&2; exit 1 ;;
  crashes) kill -9 "$PPID" ;;
esac
exit 0
