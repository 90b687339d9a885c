#!/usr/bin/env bash
# Compares the CustomResourceDefinitions of the sandbox's Istio with those that Istio publishes in its API module: crds.sh [PROGRAM]
# Everything but the descriptions has to be equal. Without Go or the module: SKIPPED.
set -euo pipefail
program=$(readlink -f "${1:-$(dirname "$0")/../../target/debug/egress-lab}")
command -v go > /dev/null || { echo "SKIPPED istio.io/api: no Go on this machine"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KUBECONFIG
cd "$work"
printf 'module peer\n' > go.mod
folder=$(timeout 120 go mod download -json istio.io/api@v1.30.1 2> /dev/null | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
[ -n "$folder" ] || { echo "SKIPPED istio.io/api: the module cannot be had here"; exit 0; }
python3 -c 'import yaml' 2> /dev/null || { echo "SKIPPED istio.io/api: no YAML module for Python"; exit 0; }
HOME=$work "$program" istioctl manifest generate --set profile=demo > ours.yaml
python3 - "$folder/kubernetes/customresourcedefinitions.gen.yaml" ours.yaml << 'PY'
import json, sys, yaml

def bare(value, key=''):
    if isinstance(value, dict):
        # A property may be called description; the keyword is always a text.
        return {k: bare(v, k) for k, v in value.items() if not (k == 'description' and isinstance(v, str))}
    if isinstance(value, list):
        items = [bare(v) for v in value]
        return sorted(items) if key == 'required' else items
    return ' '.join(value.split()) if isinstance(value, str) else value

def definitions(path):
    found = {}
    for document in yaml.safe_load_all(open(path)):
        if document and document['kind'] == 'CustomResourceDefinition':
            for version in document['spec']['versions']:
                version = dict(version)
                version['schema'] = version['schema']['openAPIV3Schema']
                version['schema'].pop('description', None)
                columns = version.pop('additionalPrinterColumns', [])
                version['columns'] = [(c['name'], c['type'], c['jsonPath']) for c in columns]
                found[document['metadata']['name'], version['name']] = (bare(version), document['spec']['names'])
    return found

def differences(real, ours, at):
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in sorted(set(real) | set(ours)):
            yield from differences(real.get(key), ours.get(key), f'{at}.{key}')
    elif real != ours:
        yield f'{at}: published {json.dumps(real)}, here {json.dumps(ours)}'

real, ours = definitions(sys.argv[1]), definitions(sys.argv[2])
assert len(real) > 30, 'the module holds fewer definitions than expected'
wrong = [f'{name} {version}: only {where}' for where, have, other in (('published', real, ours), ('here', ours, real))
         for name, version in sorted(set(have) - set(other))]
for key in sorted(set(real) & set(ours)):
    wrong += list(differences(*(side[key][0] for side in (real, ours)), ' '.join(key)))
    wrong += list(differences(*(side[key][1] for side in (real, ours)), f'{key[0]} names'))
print('\n'.join(wrong[:40]))
print(f'istio.io/api: {len(real)} definitions compared, {len(wrong)} differences')
sys.exit(bool(wrong))
PY
