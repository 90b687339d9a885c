//! One case for each row of the signature table (curriculum 3.0), and for rows of semantics 3.1-3.4 that it sums up.

use super::*;

const EGW: &str = "outbound|80|wikipedia|istio-egressgateway.istio-system.svc.cluster.local";
const EGW443: &str = "outbound|443|wikipedia|istio-egressgateway.istio-system.svc.cluster.local";
const HOST: &str = "outbound|80||www.wikipedia.org";
const HOST443: &str = "outbound|443||www.wikipedia.org";
const REFUSED: &str = "delayed_connect_error:_Connection_refused";

/// `CODE FLAGS DETAILS TRANSPORT UPSTREAM CLUSTER ROUTE` of an HTTP line.
fn http(fields: &str) -> Entry {
    let f: Vec<&str> = fields.split(' ').collect();
    let [code, flags, details, transport, upstream, cluster, route] = f[..] else { panic!("{fields}") };
    line(&format!(
        r#""HEAD / HTTP/1.1" {code} {flags} {details} - "{transport}" 0 0 2 1 "-" "egress-lab/1" "id" "www.wikipedia.org" "{upstream}" {cluster} - 10.0.0.1:80 10.0.0.2:4 - {route}"#
    ))
}

/// `FLAGS DETAILS TERMINATION UPSTREAM CLUSTER` of a connection's line.
fn tcp(fields: &str) -> Entry {
    let f: Vec<&str> = fields.split(' ').collect();
    let [flags, details, ends, upstream, cluster] = f[..] else { panic!("{fields}") };
    line(&format!(
        r#""- - -" 0 {flags} {details} {ends} "-" 517 0 2 - "-" "-" "-" "-" "{upstream}" {cluster} - 10.0.0.1:443 10.0.0.2:4 www.wikipedia.org -"#
    ))
}

fn line(rest: &str) -> Entry {
    Entry::parse(&format!("[2026-11-23T04:17:31.030Z] {rest}")).expect("a line as Istio writes it")
}

/// What the client saw: a status or a curl exit code.
fn client(scheme: Scheme, got: i32) -> Sighting {
    let status = (got >= 100 && got != 125).then_some(got as u16);
    Sighting {
        scheme,
        host: "www.wikipedia.org".into(),
        exit_code: if status.is_some() { 0 } else { got },
        stderr: String::new(),
        status,
        headers: if scheme == Scheme::Http { vec![("server".into(), "envoy".into())] } else { Vec::new() },
        body: String::new(),
        has_sidecar: true,
        sidecar: Vec::new(),
        gateway: Vec::new(),
        gateways: vec!["istio-system/istio-egressgateway".into(), "istio-system/istio-ingressgateway".into()],
    }
}

impl Sighting {
    fn side(mut self, entry: Entry) -> Sighting {
        self.sidecar.push(entry);
        self
    }

    fn gate(mut self, entry: Entry) -> Sighting {
        let (gateway, proxy) = ("istio-system/istio-egressgateway".into(), "istio-system/egw-1".into());
        self.gateway.push(GatewayLine { gateway, proxy, entry });
        self
    }

    fn says(mut self, stderr: &str) -> Sighting {
        self.stderr = stderr.into();
        self
    }

    fn server(mut self, server: &str) -> Sighting {
        self.headers = vec![("server".into(), server.into())];
        self
    }

    fn bare(mut self) -> Sighting {
        self.has_sidecar = false;
        self
    }
}

fn plain(got: i32) -> Sighting {
    client(Scheme::Http, got)
}

fn tls(got: i32) -> Sighting {
    client(Scheme::Https, got)
}

fn told(seen: Sighting) -> String {
    let d = decode(&seen);
    format!("{} | {} | {} | {}{}", d.outcome, d.path, d.tls, d.at, if d.certain { "" } else { " ?" })
}

#[test]
fn every_row_of_the_signature_table() {
    const GATEWAY: &str = "gateway istio-system/istio-egressgateway";
    let via = |code: u16| http(&format!("{code} - via_upstream - 10.1.1.1:8080 {EGW} -"));
    let reset = "upstream_reset_before_response_started{remote_connection_failure|x}";
    let cases = [
        // REGISTRY_ONLY, no gateway.
        (plain(502).side(http("502 - direct_response - - - block_all")), "blocked-registry-only | none | none | sidecar"),
        (tls(35).side(tcp("UH - - - BlackHoleCluster")), "blocked-registry-only | none | client | sidecar"),
        (plain(52).side(tcp("UH - - - BlackHoleCluster")), "blocked-registry-only | none | none | sidecar"),
        (plain(56).side(tcp("UH - - - BlackHoleCluster")), "blocked-registry-only | none | none | sidecar"),
        // No sidecar on the way.
        (plain(301).server("nginx").bare(), "delivered | uncaptured | none | origin"),
        (plain(301).server("nginx"), "delivered | uncaptured | none | origin"),
        (tls(200).bare(), "delivered | uncaptured | client | origin"),
        (plain(7).bare(), "upstream-unavailable | uncaptured | none | network"),
        // ALLOW_ANY.
        (
            plain(301).side(http("301 - via_upstream - 10.9.9.9:80 PassthroughCluster allow_any")),
            "delivered | passthrough | none | origin",
        ),
        (tls(200).side(tcp("- - - 10.9.9.9:443 PassthroughCluster")), "delivered | passthrough | client | origin"),
        (
            plain(503).side(http(&format!("503 UF {reset} {REFUSED} 10.9.9.9:80 PassthroughCluster allow_any"))),
            "upstream-unavailable | passthrough | none | origin",
        ),
        // Registered.
        (
            plain(301).side(http(&format!("301 - via_upstream - 10.9.9.9:80 {HOST} default"))),
            "delivered | direct | none | origin",
        ),
        (
            plain(404).side(http(&format!("404 - via_upstream - 10.9.9.9:80 {HOST} default"))),
            "delivered | direct | none | origin",
        ),
        (tls(200).side(tcp(&format!("- - - 10.9.9.9:443 {HOST443}"))), "delivered | direct | client | origin"),
        (
            plain(200).side(http("200 - via_upstream - 10.9.9.9:80 outbound|80||other.example.com default")),
            "delivered-elsewhere | direct | none | origin",
        ),
        // Through the gateway.
        (
            plain(301).side(via(301)).gate(http(&format!("301 - via_upstream - 10.9.9.9:80 {HOST} -"))),
            &format!("delivered | {GATEWAY} | none | origin"),
        ),
        (
            plain(404).side(via(404)).gate(http("404 NR route_not_found - - - -")),
            &format!("no-route | {GATEWAY} | none | gateway"),
        ),
        (
            plain(503).side(http(&format!("503 URX,UF {reset} {REFUSED} 10.1.1.1:8080 {EGW} -"))),
            &format!("gateway-not-listening | {GATEWAY} | none | gateway"),
        ),
        (plain(503).side(http("503 NC cluster_not_found - - - -")), "no-cluster | none | none | sidecar"),
        (
            plain(503).side(via(503)).gate(http("503 NC cluster_not_found - - - -")),
            &format!("no-cluster | {GATEWAY} | none | gateway"),
        ),
        (
            plain(503).side(http(&format!("503 UH no_healthy_upstream - - {HOST} default"))),
            "no-healthy-upstream | none | none | sidecar",
        ),
        (
            plain(503).side(via(503)).gate(http(&format!("503 UH no_healthy_upstream - - {HOST} -"))),
            &format!("no-healthy-upstream | {GATEWAY} | none | gateway"),
        ),
        (
            tls(35).side(tcp(&format!("- - - 10.1.1.1:8443 {EGW443}"))).gate(tcp("NR filter_chain_not_found - - -")),
            &format!("no-filter-chain | {GATEWAY} | client | gateway"),
        ),
        (
            tls(200).side(tcp(&format!("- - - 10.1.1.1:8443 {EGW443}"))).gate(tcp(&format!("- - - 10.9.9.9:443 {HOST443}"))),
            &format!("delivered | {GATEWAY} | client | origin"),
        ),
        (
            plain(503)
                .side(http(&format!("503 UC upstream_reset {REFUSED} 10.1.1.1:8080 {EGW} -")))
                .gate(tcp("NR filter_chain_not_found - - -")),
            &format!("no-filter-chain | {GATEWAY} | none | gateway"),
        ),
        (
            plain(503).side(via(503)).gate(http(&format!("503 - via_upstream - 10.1.1.1:8080 {EGW} -"))),
            &format!("loop | {GATEWAY} | none | gateway"),
        ),
        // TLS where it does not belong.
        (
            plain(503).side(http(&format!("503 URX,UF x TLS_error:|WRONG_VERSION_NUMBER 10.9.9.9:80 {HOST} default"))),
            "protocol-mismatch | direct | none | origin",
        ),
        (
            tls(35).says("curl: (35) error:0A00010B:SSL routines::wrong version number").bare(),
            "protocol-mismatch | uncaptured | client | origin",
        ),
        (tls(35).side(http("400 DPE http1.codec_error - - - -")), "protocol-mismatch | none | client | sidecar"),
        (
            plain(400).side(http(&format!("400 - via_upstream - 10.9.9.9:443 {HOST443} default"))),
            "protocol-mismatch | direct | none | origin",
        ),
        (
            plain(200).side(http(&format!("200 - via_upstream - 10.9.9.9:443 {HOST} default"))),
            "delivered | direct | sidecar | origin",
        ),
        (
            plain(200).side(via(200)).gate(http(&format!("200 - via_upstream - 10.9.9.9:443 {HOST443} -"))),
            &format!("delivered | {GATEWAY} | gateway | origin"),
        ),
        (
            plain(503).side(http(&format!(
                "503 URX,UF x TLS_error:_CERTIFICATE_VERIFY_FAILED:verify_SAN_list 10.9.9.9:443 {HOST} default"
            ))),
            "tls-failed | direct | none | origin",
        ),
        (plain(426).side(http("426 DPE low_version - - - -")), "protocol-mismatch | none | none | sidecar"),
        // Policy.
        (
            plain(403).side(via(403)).gate(http(&format!("403 - rbac_access_denied_matched_policy[x] - - {HOST} -"))),
            &format!("blocked-policy | {GATEWAY} | none | gateway"),
        ),
        (
            tls(35).side(tcp(&format!("- - - 10.1.1.1:8443 {EGW443}"))).gate(tcp("- - rbac_access_denied_matched_policy[x] - -")),
            &format!("blocked-policy | {GATEWAY} | client | gateway"),
        ),
        // Before or beside the mesh.
        (plain(28).bare(), "timed-out | uncaptured | none | network"),
        (
            plain(28).side(http(&format!("0 DC downstream_remote_disconnect - - {HOST} default"))),
            "timed-out | none | none | sidecar",
        ),
        (
            plain(504).side(http(&format!("504 UT response_timeout - 10.9.9.9:80 {HOST} default"))),
            "timed-out | direct | none | origin",
        ),
        (plain(503).side(http(&format!("503 UO overflow - - {HOST} default"))), "overflow | none | none | sidecar"),
        (plain(301).side(http("301 - direct_response - - - -")), "answered-by-proxy | none | none | sidecar"),
        (plain(6), "dns-failed | none | none | client"),
        (plain(125).says("not simulated here: EnvoyFilter x"), "not-modelled | none | none | client"),
        // A network that does not do what its proxies say: the client's view counts.
        (plain(200).side(http("502 - direct_response - - - block_all")), "delivered | direct | none | origin ?"),
        (
            plain(56).side(http(&format!("301 - via_upstream - 10.9.9.9:80 {HOST} default"))),
            "upstream-unavailable | direct | none | origin ?",
        ),
        (tls(200).side(tcp("UH - - - BlackHoleCluster")), "delivered | direct | client | origin ?"),
        (tls(35).side(tcp(&format!("- - - 10.9.9.9:443 {HOST443}"))), "tls-failed | direct | client | origin"),
        // Access logging off: the answer alone.
        (plain(502), "blocked-registry-only | none | none | sidecar ?"),
        (plain(301), "delivered | direct | none | origin ?"),
    ];
    for (nth, (seen, expected)) in cases.into_iter().enumerate() {
        let shown = format!("row {nth}: {} {:?}", seen.exit_code, seen.sidecar.first().map(|e| &e.line));
        assert_eq!(told(seen), expected, "{shown}");
    }
}

#[test]
fn flags_are_a_set() {
    for flags in ["URX,UF", "UF,URX"] {
        let seen = plain(503).side(http(&format!("503 {flags} x {REFUSED} 10.9.9.9:80 {HOST} default")));
        assert_eq!(told(seen), "upstream-unavailable | direct | none | origin");
    }
}

#[test]
fn clusters_stand_for_hosts() {
    for (cluster, host, same) in [
        ("www.wikipedia.org", "WWW.wikipedia.org.", true),
        ("*.wikipedia.org", "en.wikipedia.org", true),
        ("*.wikipedia.org", "wikipedia.org", false),
        ("echo.lab-control.svc.cluster.local", "echo.lab-control", true),
        ("other.example.com", "www.wikipedia.org", false),
        ("www.wikipedia.org", "10.0.0.1", true),
    ] {
        assert_eq!(same_host(cluster, host), same, "{cluster} {host}");
    }
}
