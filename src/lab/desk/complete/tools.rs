//! What completes without asking the cluster: words of the prompt, istioctl's verbs, programs in a pod, URLs of the outside.

use crate::lab::prompt::words;
use crate::outside::Outside;

type Items = Vec<(String, String)>;

/// The words that a line begins with.
pub fn words() -> Items {
    let about = |name: &str| words::ROWS.iter().find(|row| row.name.split(", ").any(|n| n == name)).map_or("", |row| row.summary);
    words::names().into_iter().map(|name| (name.to_string(), about(name).to_string())).collect()
}

fn items(all: &[(&str, &str)]) -> Items {
    all.iter().map(|(word, about)| (word.to_string(), about.to_string())).collect()
}

/// What the word of an istioctl line is.
pub enum Istioctl {
    Words(Items),
    Files,
    Names(&'static str),
}

const VERBS: &[(&str, &str)] = &[
    ("analyze", "looks for mistakes in the configuration"),
    ("install", "installs Istio or changes the installation"),
    ("manifest", "prints the objects of an installation"),
    ("proxy-config", "shows what a proxy was told"),
    ("proxy-status", "shows which proxies have what istiod sent"),
    ("uninstall", "removes Istio"),
    ("version", "prints the versions"),
    ("x", "describe, precheck"),
];

const PROXY_CONFIG: &[(&str, &str)] = &[
    ("all", ""),
    ("bootstrap", ""),
    ("cluster", "upstreams: where requests may go"),
    ("ecds", ""),
    ("endpoint", "addresses behind the clusters"),
    ("listener", "where the proxy takes connections"),
    ("log", ""),
    ("route", "which host goes to which cluster"),
    ("secret", "certificates"),
];

const SETTINGS: &[(&str, &str)] = &[
    ("profile=demo", "istiod, ingress and egress gateway"),
    ("profile=default", "istiod and ingress gateway"),
    ("profile=minimal", "istiod only"),
    ("meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY", "unknown hosts are blocked"),
    ("meshConfig.outboundTrafficPolicy.mode=ALLOW_ANY", "unknown hosts pass"),
    ("meshConfig.accessLogFile=/dev/stdout", "every request is logged"),
    ("components.egressGateways[0].name=istio-egressgateway", ""),
    ("components.egressGateways[0].enabled=true", ""),
];

const FLAGS: &[(&str, &[(&str, &str)])] = &[
    (
        "install",
        &[
            ("--set", "PATH=VALUE"),
            ("--filename", "an IstioOperator file (-f)"),
            ("--skip-confirmation", "do not ask (-y)"),
            ("--dry-run", ""),
            ("--verify", ""),
        ],
    ),
    ("manifest", &[("--set", "PATH=VALUE"), ("--filename", "an IstioOperator file (-f)")]),
    ("uninstall", &[("--purge", "everything"), ("--skip-confirmation", "do not ask (-y)")]),
    (
        "analyze",
        &[
            ("--namespace", "(-n)"),
            ("--all-namespaces", "(-A)"),
            ("--use-kube=false", "files only"),
            ("--output", "log, json, yaml"),
            ("--suppress", "CODE=RESOURCE"),
        ],
    ),
    ("version", &[("--remote=false", ""), ("--output", "json, yaml")]),
    (
        "proxy-config",
        &[("--namespace", "(-n)"), ("--output", "json, yaml, short"), ("--fqdn", ""), ("--port", ""), ("--name", "")],
    ),
    ("proxy-status", &[("--namespace", "(-n)")]),
    ("x", &[("--namespace", "(-n)")]),
];

/// The word at the cursor of an istioctl line.
pub fn istioctl(before: &[String], word: &str) -> Istioctl {
    let plain: Vec<&str> = before.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let none = || Istioctl::Words(Vec::new());
    match before.last().map(String::as_str) {
        Some("-n" | "--namespace" | "-i" | "--istioNamespace") => return Istioctl::Names("namespaces"),
        Some("-f" | "--filename") => return Istioctl::Files,
        Some("-s" | "--set") if plain.first().is_none_or(|verb| *verb != "analyze") => return Istioctl::Words(items(SETTINGS)),
        Some("-o" | "--output") => return Istioctl::Words(items(&[("json", ""), ("yaml", "")])),
        _ => (),
    }
    let verb = match plain.first() {
        Some(&"pc") => "proxy-config",
        Some(&"ps") => "proxy-status",
        Some(&("experimental" | "exp")) => "x",
        Some(&("apply" | "upgrade")) => "install",
        Some(verb) => verb,
        None => return Istioctl::Words(items(VERBS)),
    };
    if word.starts_with('-') {
        return FLAGS.iter().find(|(name, _)| *name == verb).map_or_else(none, |(_, flags)| Istioctl::Words(items(flags)));
    }
    match (verb, plain.len()) {
        ("manifest", 1) => Istioctl::Words(items(&[("generate", "prints the objects"), ("install", "as install")])),
        ("proxy-config", 1) => Istioctl::Words(items(PROXY_CONFIG)),
        ("proxy-config", 2) | ("proxy-status", 1) => Istioctl::Names("pods"),
        ("x", 1) => Istioctl::Words(items(&[
            ("describe", "which Istio objects affect a pod or service"),
            ("precheck", "whether Istio can be installed"),
        ])),
        ("x", 2) if plain[1] == "describe" => Istioctl::Words(items(&[("pod", ""), ("service", "")])),
        ("x", 3) => match plain[2] {
            "pod" => Istioctl::Names("pods"),
            "service" | "svc" => Istioctl::Names("services"),
            _ => none(),
        },
        ("analyze", _) => Istioctl::Files,
        _ => none(),
    }
}

/// What the word of a line that runs in a pod is.
pub enum Inner {
    Words(Items),
    Urls,
    Hosts,
}

/// A line that runs in a pod: its program, then what it takes.
pub fn in_a_pod(inner: &[String]) -> Inner {
    match inner.first().map(String::as_str) {
        None => Inner::Words(items(&[
            ("curl", "sends a request"),
            ("nslookup", "asks for a name"),
            ("sh", "a shell; needs -ti"),
            ("pilot-agent", "in istio-proxy: asks Envoy"),
        ])),
        Some("curl" | "wget") => Inner::Urls,
        Some("nslookup") => Inner::Hosts,
        Some(_) => Inner::Words(Vec::new()),
    }
}

/// The hosts outside the mesh that this lab knows.
pub fn names() -> Items {
    Outside::standard().names().into_iter().map(|(name, _)| (name, String::new())).collect()
}

/// URLs of hosts, each with what is known of it.
pub fn urls(hosts: &[(String, String)]) -> Items {
    let both = |(name, about): &(String, String)| {
        [(format!("http://{name}/"), about.clone()), (format!("https://{name}/"), about.clone())]
    };
    hosts.iter().flat_map(both).collect()
}
