//! Small meshes full of coincidences: few names, hosts and ports, so that things meet.

use crate::k8s::{Key, Object, Snapshot};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// One write.
#[derive(Debug, Clone)]
pub enum Step {
    Put(Value),
    Delete(Key),
}

const NETWORKING: &str = "networking.istio.io/v1";
const NAMESPACES: [&str; 3] = ["default", "foo", "istio-system"];
const HOSTS: [&str; 10] = [
    "a.org",
    "b.org",
    "x.a.org",
    "*.a.org",
    "*.org",
    "c.test",
    "web.default.svc.cluster.local",
    "db.foo.svc.cluster.local",
    "web",
    "*",
];

fn pod(namespace: &str, name: &str, labels: Value, ip: &str, args: Option<&str>) -> Value {
    let mut containers =
        vec![json!({"name": "app", "image": "docker.io/kennethreitz/httpbin", "ports": [{"containerPort": 80}]})];
    containers.extend(args.map(|kind| json!({"name": "istio-proxy", "image": "p", "args": ["proxy", kind]})));
    let mut labels = labels;
    set(&mut labels, "security.istio.io/tlsMode", args.filter(|kind| *kind == "sidecar").map(|_| json!("istio")));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": containers}, "status": {"phase": "Running", "podIP": ip}})
}

/// What is always there: three clients, a gateway and its Service.
pub fn world() -> Snapshot {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "egw", "namespace": "istio-system"},
        "spec": {"clusterIP": "10.96.1.1", "selector": {"istio": "egw"}, "ports": [
            {"name": "http2", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]}});
    let mesh = "accessLogFile: /dev/stdout\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
        "data": {"mesh": mesh}});
    let all = [
        pod("default", "test", json!({"app": "test", "v": "1"}), "10.244.0.1", Some("sidecar")),
        pod("foo", "test", json!({"app": "test", "v": "2"}), "10.244.0.2", Some("sidecar")),
        pod("istio-system", "egw", json!({"istio": "egw"}), "10.244.0.3", Some("router")),
        service,
        map,
    ];
    all.into_iter().map(Object).collect()
}

fn meta(namespace: &str, name: &str, born: u8) -> Value {
    json!({"name": name, "namespace": namespace, "creationTimestamp": format!("2026-01-0{born}T00:00:00Z")})
}

fn host() -> impl Strategy<Value = &'static str> {
    select(&HOSTS[..])
}

fn export() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    option::weighted(0.3, vec(select(&["*", ".", "foo", "default", "~", "istio-system"][..]), 1..3))
}

fn labels() -> impl Strategy<Value = Value> {
    select(&["{}", r#"{"app":"test"}"#, r#"{"v":"1"}"#, r#"{"v":"2"}"#][..]).prop_map(|t| serde_json::from_str(t).expect("JSON"))
}

fn port() -> impl Strategy<Value = (u16, &'static str)> {
    let protocols = ["HTTP", "HTTPS", "TLS", "TCP", "HTTP2", "", "UDP"];
    (select(&[80_u16, 443, 8080, 9000][..]), select(protocols.to_vec()))
}

fn entry() -> impl Strategy<Value = Value> {
    let addresses = vec(select(&["10.96.0.7", "10.0.0.0/8", "10.1.0.0/16", "10.96.0.8"][..]), 0..2);
    let resolution = select(&["DNS", "STATIC", "NONE", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"][..]);
    let endpoints = vec((select(&["10.9.0.1", "10.244.0.3", "b.org"][..]), labels()), 0..3);
    (
        vec(host(), 1..3),
        vec(port(), 1..3),
        addresses,
        resolution,
        endpoints,
        export(),
        option::weighted(0.2, labels()),
        any::<bool>(),
    )
        .prop_map(|(hosts, ports, addresses, resolution, endpoints, export, selector, inside)| {
            let ports: Vec<Value> = ports
                .iter()
                .enumerate()
                .map(|(i, (n, p))| json!({"number": n, "name": format!("p{i}"), "protocol": p}))
                .collect();
            let endpoints: Vec<Value> = endpoints.into_iter().map(|(a, l)| json!({"address": a, "labels": l})).collect();
            let mut spec = json!({"hosts": hosts, "ports": ports, "resolution": resolution});
            set(&mut spec, "addresses", (!addresses.is_empty()).then(|| json!(addresses)));
            set(&mut spec, "exportTo", export.map(|e| json!(e)));
            set(&mut spec, "location", inside.then(|| json!("MESH_INTERNAL")));
            match selector {
                Some(labels) => set(&mut spec, "workloadSelector", Some(json!({"labels": labels}))),
                None => set(&mut spec, "endpoints", (!endpoints.is_empty()).then(|| json!(endpoints))),
            }
            spec
        })
}

fn set(spec: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(value), Some(map)) = (value, spec.as_object_mut()) {
        map.insert(key.into(), value);
    }
}

fn gateways() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    option::weighted(0.5, vec(select(&["mesh", "a", "istio-system/b", "foo/a"][..]), 1..3))
}

fn destination() -> impl Strategy<Value = Value> {
    let hosts = select(
        &["a.org", "b.org", "web.default.svc.cluster.local", "egw.istio-system.svc.cluster.local", "gone.test", "x.a.org"][..],
    );
    (hosts, option::of(select(&[80_u16, 443, 8080][..])), select(&["", "s", "t"][..]), option::of(0_u32..60)).prop_map(
        |(host, port, subset, weight)| {
            let mut to = json!({"host": host});
            set(&mut to, "port", port.map(|n| json!({"number": n})));
            set(&mut to, "subset", (!subset.is_empty()).then(|| json!(subset)));
            let mut route = json!({"destination": to});
            set(&mut route, "weight", weight.map(|w| json!(w)));
            route
        },
    )
}

fn matching() -> impl Strategy<Value = Value> {
    (
        option::weighted(0.3, select(&[80_u16, 443, 8080][..])),
        option::weighted(0.3, gateways()),
        option::weighted(0.2, labels()),
        option::weighted(0.2, select(&NAMESPACES[..])),
    )
        .prop_map(|(port, gateways, labels, namespace)| {
            let mut entry = json!({});
            set(&mut entry, "port", port.map(|n| json!(n)));
            set(&mut entry, "gateways", gateways.flatten().map(|g| json!(g)));
            set(&mut entry, "sourceLabels", labels);
            set(&mut entry, "sourceNamespace", namespace.map(|n| json!(n)));
            entry
        })
}

fn rule() -> impl Strategy<Value = Value> {
    let uri = select(&["", "prefix", "exact", "regex"][..]);
    let http = (
        option::of(vec((matching(), uri), 1..3)),
        vec(destination(), 1..3),
        select(&["", "redirect", "direct", "rewrite", "delegate"][..]),
    );
    let tls = (matching(), vec(host(), 1..3), vec(destination(), 1..2));
    let tcp = (option::of(matching()), vec(destination(), 1..2));
    (vec(host(), 1..4), gateways(), export(), vec(http, 0..3), vec(tls, 0..2), vec(tcp, 0..2)).prop_map(
        |(hosts, gateways, export, http, tls, tcp)| {
            let http: Vec<Value> = http.into_iter().map(|(matches, to, kind)| http_rule(matches, to, kind)).collect();
            let own = |sni: Vec<&str>| if sni[0] == "*" { json!(hosts) } else { json!(sni) };
            let tls: Vec<Value> = tls
                .into_iter()
                .map(|(mut m, sni, to)| {
                    set(&mut m, "sniHosts", Some(own(sni)));
                    json!({"match": [m], "route": to})
                })
                .collect();
            let tcp: Vec<Value> = tcp
                .into_iter()
                .map(|(m, to)| {
                    let mut rule = json!({"route": to});
                    set(&mut rule, "match", m.map(|m| json!([m])));
                    rule
                })
                .collect();
            let mut spec = json!({"hosts": hosts, "http": http, "tls": tls, "tcp": tcp});
            set(&mut spec, "gateways", gateways.map(|g| json!(g)));
            set(&mut spec, "exportTo", export.map(|e| json!(e)));
            spec
        },
    )
}

fn http_rule(matches: Option<Vec<(Value, &'static str)>>, to: Vec<Value>, kind: &str) -> Value {
    let mut rule = json!({});
    set(
        &mut rule,
        "match",
        matches.map(|all| {
            let one = |(mut m, uri): (Value, &str)| {
                set(&mut m, "uri", (!uri.is_empty()).then(|| json!({uri: "/x"})));
                m
            };
            json!(all.into_iter().map(one).collect::<Vec<_>>())
        }),
    );
    match kind {
        "redirect" => set(&mut rule, "redirect", Some(json!({"authority": "b.org"}))),
        "direct" => set(&mut rule, "directResponse", Some(json!({"status": 418}))),
        "delegate" => set(&mut rule, "delegate", Some(json!({"name": "b", "namespace": "default"}))),
        _ => set(&mut rule, "route", Some(json!(to))),
    }
    set(&mut rule, "rewrite", (kind == "rewrite").then(|| json!({"authority": "b.org", "uri": "/y"})));
    rule
}

fn destination_rule() -> impl Strategy<Value = Value> {
    let mode = option::of(select(&["DISABLE", "SIMPLE", "ISTIO_MUTUAL"][..]));
    (host(), mode, vec((select(&["s", "t"][..]), labels()), 0..3), export(), option::weighted(0.2, labels())).prop_map(
        |(host, mode, subsets, export, selector)| {
            let subsets: Vec<Value> = subsets.into_iter().map(|(name, labels)| json!({"name": name, "labels": labels})).collect();
            let mut spec = json!({"host": host, "subsets": subsets});
            set(&mut spec, "trafficPolicy", mode.map(|m| json!({"tls": {"mode": m}})));
            set(&mut spec, "exportTo", export.map(|e| json!(e)));
            set(&mut spec, "workloadSelector", selector.map(|l| json!({"matchLabels": l})));
            spec
        },
    )
}

fn gateway() -> impl Strategy<Value = Value> {
    let kinds = ["HTTP", "HTTPS PASSTHROUGH", "TLS PASSTHROUGH", "HTTPS ISTIO_MUTUAL", "TLS ISTIO_MUTUAL", "TCP", "HTTPS SIMPLE"];
    let server = (
        select(&[80_u16, 443, 8080, 9000][..]),
        select(kinds.to_vec()),
        vec((host(), select(&["", "./", "foo/", "*/"][..])), 1..3),
    );
    (vec(server, 1..3), any::<bool>()).prop_map(|(servers, selects)| {
        let server = |(i, (port, kind, hosts)): (usize, (u16, &str, Vec<(&str, &str)>))| {
            let (protocol, mode) = kind.split_once(' ').unwrap_or((kind, ""));
            let hosts: Vec<String> = hosts.into_iter().map(|(h, ns)| format!("{ns}{h}")).collect();
            let mut server = json!({"port": {"number": port, "name": format!("s{i}"), "protocol": protocol}, "hosts": hosts});
            set(&mut server, "tls", (!mode.is_empty()).then(|| json!({"mode": mode})));
            server
        };
        let selector = if selects { json!({"istio": "egw"}) } else { json!({"istio": "other"}) };
        json!({"selector": selector, "servers": servers.into_iter().enumerate().map(server).collect::<Vec<_>>()})
    })
}

fn sidecar() -> impl Strategy<Value = Value> {
    let hosts = vec((select(&["*", ".", "foo", "~", "istio-system"][..]), host()), 1..4);
    let own = option::weighted(0.2, port());
    (
        option::weighted(0.8, vec((hosts, own), 1..3)),
        option::weighted(0.3, labels()),
        option::weighted(0.3, select(&["ALLOW_ANY", "REGISTRY_ONLY"][..])),
    )
        .prop_map(|(egress, labels, policy)| {
            let listener = |(hosts, port): (Vec<(&str, &str)>, Option<(u16, &str)>)| {
                let mut one = json!({"hosts": hosts.into_iter().map(|(ns, h)| format!("{ns}/{h}")).collect::<Vec<_>>()});
                set(&mut one, "port", port.map(|(n, p)| json!({"number": n, "protocol": p, "name": "own"})));
                one
            };
            let mut spec = json!({});
            set(&mut spec, "egress", egress.map(|all| json!(all.into_iter().map(listener).collect::<Vec<_>>())));
            set(&mut spec, "workloadSelector", labels.map(|l| json!({"labels": l})));
            set(&mut spec, "outboundTrafficPolicy", policy.map(|mode| json!({"mode": mode})));
            spec
        })
}

fn service() -> impl Strategy<Value = Value> {
    let ports = vec((select(&[80_u16, 443, 8080, 9000][..]), select(&["http", "tls", "tcp", "x", "http2"][..])), 1..3);
    (select(&["10.96.0.7", "10.96.0.8", "10.96.0.9", "None", ""][..]), labels(), ports).prop_map(|(ip, selector, ports)| {
        let ports: Vec<Value> = ports
            .iter()
            .enumerate()
            .map(|(i, (n, name))| json!({"port": n, "name": format!("{name}-{i}"), "targetPort": 80}))
            .collect();
        match ip {
            "" => json!({"type": "ExternalName", "externalName": "a.org", "ports": ports}),
            _ => json!({"clusterIP": ip, "selector": selector, "ports": ports}),
        }
    })
}

fn object(
    kind: &'static str,
    api: &'static str,
    names: &'static [&'static str],
    spec: BoxedStrategy<Value>,
) -> BoxedStrategy<Step> {
    let put = (select(&NAMESPACES[..]), select(names), 1_u8..5, spec).prop_map(move |(ns, name, born, spec)| {
        Step::Put(json!({"apiVersion": api, "kind": kind, "metadata": meta(ns, name, born), "spec": spec}))
    });
    let gone = (select(&NAMESPACES[..]), select(names)).prop_map(move |(ns, name)| {
        Step::Delete(Object(json!({"apiVersion": api, "kind": kind, "metadata": meta(ns, name, 1)})).key())
    });
    prop_oneof![4 => put, 1 => gone].boxed()
}

fn slice() -> impl Strategy<Value = Step> {
    (select(&["web", "db", "head"][..]), vec((select(&["10.244.0.2", "10.244.0.9"][..]), any::<bool>()), 0..3), any::<bool>())
        .prop_map(|(service, ends, gone)| {
            let ends: Vec<Value> =
                ends.into_iter().map(|(ip, ready)| json!({"addresses": [ip], "conditions": {"ready": ready}})).collect();
            let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": service, "namespace": "default", "labels": {"kubernetes.io/service-name": service}},
            "ports": [{"name": "http-0", "port": 80}], "endpoints": ends});
            if gone { Step::Delete(Object(slice).key()) } else { Step::Put(slice) }
        })
}

fn other() -> impl Strategy<Value = Step> {
    let modes = ["mode: REGISTRY_ONLY", "mode: ALLOW_ANY", "{}", "mode: ALLOW_ANY_DYNAMIC_DNS"];
    let map = (
        select(modes.to_vec()),
        select(
            &[
                "",
                "defaultServiceExportTo: [\".\"]\n",
                "accessLogFile: /dev/stdout\n",
                "discoverySelectors: [{matchLabels: {on: \"1\"}}]\n",
            ][..],
        ),
    )
        .prop_map(|(mode, more)| {
            Step::Put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": format!("{more}outboundTrafficPolicy: {{{}}}\n", mode.trim_matches(['{', '}']))}}))
        });
    let namespace = (select(&NAMESPACES[..]), any::<bool>())
        .prop_map(|(ns, on)| Step::Put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns, "labels": {"on": if on { "1" } else { "0" }}}})));
    let policy = object("AuthorizationPolicy", SECURITY, &["p"], denial().boxed());
    prop_oneof![2 => map, 1 => namespace, 3 => client(), 1 => policy]
}

/// A write or a deletion of one object.
pub fn change() -> impl Strategy<Value = Step> {
    const NAMES: &[&str] = &["a", "b", "c"];
    prop_oneof![
        5 => object("ServiceEntry", NETWORKING, NAMES, entry().boxed()),
        5 => object("VirtualService", NETWORKING, NAMES, rule().boxed()),
        3 => object("DestinationRule", NETWORKING, NAMES, destination_rule().boxed()),
        3 => object("Gateway", NETWORKING, NAMES, gateway().boxed()),
        2 => object("Sidecar", NETWORKING, NAMES, sidecar().boxed()),
        2 => object("Service", "v1", &["web", "db", "head", "old"], service().boxed()),
        1 => object("WorkloadEntry", NETWORKING, NAMES, (select(&["10.9.0.7", "b.org"][..]), labels()).prop_map(|(a, l)| json!({"address": a, "labels": l})).boxed()),
        2 => slice(),
        3 => other(),
    ]
}

/// [`world`] with a gateway for everything, and with policies that select by the labels that pods have here: others that do so later
/// change nothing about who is told apart.
pub fn narrow_world() -> Snapshot {
    let server = |port: u16, protocol: &str, tls: Option<&str>| {
        let mut server = json!({"port": {"number": port, "name": format!("p{port}"), "protocol": protocol}, "hosts": ["*"]});
        set(&mut server, "tls", tls.map(|mode| json!({"mode": mode})));
        server
    };
    let servers = [server(80, "HTTP", None), server(443, "TLS", Some("PASSTHROUGH")), server(9000, "TCP", None)];
    let gateway = json!({"apiVersion": NETWORKING, "kind": "Gateway", "metadata": meta("istio-system", "b", 1),
        "spec": {"selector": {"istio": "egw"}, "servers": servers}});
    let policy = json!({"apiVersion": SECURITY, "kind": "AuthorizationPolicy", "metadata": meta("default", "none", 1),
        "spec": {"action": "DENY", "selector": {"matchLabels": {"app": "none", "v": "none"}}, "rules": [{}]}});
    let mut world = world();
    [gateway, policy].into_iter().for_each(|object| world.put(std::sync::Arc::new(Object(object))));
    world
}

const SECURITY: &str = "security.istio.io/v1";

/// A write or a deletion of an object that only some hosts, pods or addresses depend on: server names that the hosts cover, for half
/// of the names a host of their own.
pub fn narrow_change() -> impl Strategy<Value = Step> {
    const NAMES: &[&str] = &["a", "d", "e", "f", "g"];
    const POLICIES: &[&str] = &["p", "q"];
    let any = prop_oneof![
        4 => object("ServiceEntry", NETWORKING, NAMES, entry().boxed()),
        4 => object("VirtualService", NETWORKING, NAMES, rule().boxed()),
        2 => object("DestinationRule", NETWORKING, NAMES, destination_rule().boxed()),
        2 => object("Service", "v1", &["web", "db", "head", "egw"], service().boxed()),
        1 => object("AuthorizationPolicy", SECURITY, POLICIES, denial().boxed()),
        1 => object("PeerAuthentication", SECURITY, POLICIES, peers().boxed()),
        1 => slice(),
        2 => client(),
    ];
    any.prop_map(narrowed)
}

fn denial() -> impl Strategy<Value = Value> {
    (select(&["DENY", "ALLOW"][..]), option::of(labels())).prop_map(|(action, labels)| {
        let mut spec = json!({"action": action, "rules": [{"to": [{"operation": {"paths": ["/x"]}}]}]});
        set(&mut spec, "selector", labels.map(|labels| json!({"matchLabels": labels})));
        spec
    })
}

fn peers() -> impl Strategy<Value = Value> {
    (select(&["STRICT", "DISABLE", "PERMISSIVE"][..]), option::weighted(0.3, labels())).prop_map(|(mode, labels)| {
        let mut spec = json!({"mtls": {"mode": mode}});
        set(&mut spec, "selector", labels.map(|labels| json!({"matchLabels": labels})));
        spec
    })
}

/// A pod that comes, goes, or has other labels, another address, a proxy or none.
fn client() -> impl Strategy<Value = Step> {
    let put = (select(&NAMESPACES[..]), labels(), select(&["10.244.0.4", "10.244.0.9"][..]), any::<bool>())
        .prop_map(|(ns, labels, ip, mesh)| Step::Put(pod(ns, "more", labels, ip, mesh.then_some("sidecar"))));
    let gone = select(&NAMESPACES[..]).prop_map(|ns| Step::Delete(Object(pod(ns, "more", json!({}), "", None)).key()));
    prop_oneof![2 => put, 1 => gone]
}

fn narrowed(step: Step) -> Step {
    let Step::Put(mut object) = step else { return step };
    let own = NAMES_OF_OWN.iter().position(|n| Some(*n) == object["metadata"]["name"].as_str());
    let far = NAMESPACES.iter().position(|n| Some(*n) == object["metadata"]["namespace"].as_str()).unwrap_or(0);
    let entry = object["kind"] == "ServiceEntry";
    let spec = &mut object["spec"];
    if let (Some(own), true) = (own, entry) {
        spec["hosts"] = json!([HOSTS[(own * NAMESPACES.len() + far) % 6]]);
    }
    let hosts = spec["hosts"].clone();
    for kind in ["tls", "tcp"] {
        for rule in spec.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
            for entry in rule.get_mut("match").and_then(Value::as_array_mut).into_iter().flatten() {
                if entry.get("sniHosts").is_some() {
                    entry["sniHosts"] = hosts.clone();
                }
            }
        }
    }
    Step::Put(object)
}

const NAMES_OF_OWN: [&str; 4] = ["d", "e", "f", "g"];
