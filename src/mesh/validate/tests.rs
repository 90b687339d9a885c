use super::*;
use serde_json::json;

fn check(kind: &str, spec: Value) -> Validation {
    let object = Object(json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": {"name": "x", "namespace": "default"}, "spec": spec}));
    validate(&object, &Snapshot::default())
}

/// Rows: number in the facts' section 5, spec, errors, warnings.
type Row = (u8, Value, &'static [&'static str], &'static [&'static str]);

fn table(kind: &str, rows: Vec<Row>) {
    for (row, spec, errors, warnings) in rows {
        let found = check(kind, spec.clone());
        assert_eq!(found.errors, errors, "row {row}, errors: {spec}");
        assert_eq!(found.warnings, warnings, "row {row}, warnings: {spec}");
    }
}

#[test]
fn service_entries() {
    let port = |number: u32, name: &str, protocol: &str| json!({"number": number, "name": name, "protocol": protocol});
    let http = || json!([port(80, "http", "HTTP")]);
    let se = |resolution: &str, host: &str| json!({"hosts": [host], "resolution": resolution, "ports": http()});
    let with = |mut spec: Value, key: &str, value: Value| {
        spec[key] = value;
        spec
    };
    let rows: Vec<Row> = vec![
        (1, json!({"resolution": "DNS"}), &["service entry must have at least one host"], &[]),
        (2, se("NONE", "*"), &["invalid host *"], &[]),
        (3, se("NONE", "a_b.com"), &[r#"domain name "a_b.com" invalid (label "a_b" invalid)"#], &[]),
        (3, se("NONE", "www.a_b.com"), &[r#"domain name "a_b.com" invalid (label "a_b" invalid)"#], &[]),
        (3, se("NONE", "1.2.3.4"), &[r#"domain name "2.3.4" invalid (top level domain "4" cannot be all-numeric)"#], &[]),
        (4, se("NONE", "*foo.com"), &[], &[r#"partial wildcard "*foo.com" not allowed"#]),
        (5, se("NONE", "https://x.com"), &[r#"domain name "https://x.com" invalid (label "https://x" invalid)"#], &[]),
        (5, se("NONE", "x.com:80"), &[r#"domain name "com:80" invalid (label "com:80" invalid)"#], &[]),
        (6, with(se("NONE", "a.com"), "addresses", json!(["10.0.0"])), &["10.0.0 is not a valid IP"], &[]),
        (6, with(se("NONE", "a.com"), "addresses", json!(["10.0.0.0/99"])), &["10.0.0.0/99 is not a valid CIDR block"], &[]),
        (
            7,
            with(se("DNS", "a.com"), "addresses", json!(["10.0.0.0/8"])),
            &["CIDR addresses are allowed only for NONE/STATIC resolution types"],
            &[],
        ),
        (
            8,
            with(se("DNS", "a.com"), "ports", json!([port(70000, "http", "HTTP")])),
            &["port number 70000 must be in the range 1..65535"],
            &[],
        ),
        (9, with(se("DNS", "a.com"), "ports", json!([port(80, "my_http", "HTTP")])), &["invalid port name: my_http"], &[]),
        (
            9,
            with(se("DNS", "a.com"), "ports", json!([port(80, "http", "HTTP"), port(81, "http", "HTTP")])),
            &[r#"service entry port name "http" already defined"#],
            &[],
        ),
        (
            10,
            with(se("DNS", "a.com"), "ports", json!([port(80, "a", "HTTP"), port(80, "b", "HTTP")])),
            &["service entry port 80 already defined"],
            &[],
        ),
        (11, with(se("DNS", "a.com"), "ports", json!([port(80, "http", "HTPP")])), &["unsupported protocol: HTPP"], &[]),
        (11, with(se("DNS", "a.com"), "ports", json!([port(80, "http", "http2")])), &[], &[]),
        (
            12,
            json!({"hosts": ["a.com"], "ports": [{"number": 27017, "name": "db"}]}),
            &[],
            &["addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled"],
        ),
        (12, json!({"hosts": ["a.com"], "resolution": "DNS", "ports": [{"number": 27017, "name": "db"}]}), &[], &[]),
        (
            13,
            with(se("NONE", "a.com"), "endpoints", json!([{"address": "1.1.1.1"}])),
            &["no endpoints should be provided for resolution type none"],
            &[],
        ),
        (
            14,
            with(
                with(se("STATIC", "a.com"), "endpoints", json!([{"address": "1.1.1.1"}])),
                "workloadSelector",
                json!({"labels": {"a": "b"}}),
            ),
            &["only one of WorkloadSelector or Endpoints is allowed in Service Entry"],
            &[],
        ),
        (
            15,
            with(se("NONE", "a.com"), "workloadSelector", json!({"labels": {"a": "b"}})),
            &[],
            &["workloadSelector should not be set when resolution mode is NONE"],
        ),
        (
            16,
            with(se("STATIC", "a.com"), "endpoints", json!([{"address": "b.com"}])),
            &[r#"endpoint address "b.com" is not a valid IP address"#],
            &[],
        ),
        (
            17,
            with(se("DNS", "a.com"), "endpoints", json!([{"address": "b_c.com"}])),
            &[r#"endpoint address "b_c.com" is not a valid FQDN or an IP address"#],
            &[],
        ),
        (
            18,
            se("DNS", "*.x.org"),
            &[
                r#"hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode DNS, domain name "*.x.org" invalid (label "*" invalid)"#,
            ],
            &[],
        ),
        (18, with(se("DNS", "*.x.org"), "endpoints", json!([{"address": "www.x.org"}])), &[], &[]),
        (
            19,
            with(se("DNS_ROUND_ROBIN", "a.com"), "endpoints", json!([{"address": "b.com"}, {"address": "c.com"}])),
            &["there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN"],
            &[],
        ),
        (
            20,
            json!({"hosts": ["a.com", "b.com"], "resolution": "DNS", "ports": [port(5432, "db", "TCP")]}),
            &["multiple hosts provided with non-HTTP, non-TLS ports"],
            &[],
        ),
        (20, json!({"hosts": ["a.com", "b.com"], "resolution": "DNS", "ports": [port(443, "tls", "TLS")]}), &[], &[]),
        (
            21,
            with(se("DNS", "a.com"), "endpoints", json!([{"address": "b.com", "ports": {"https": 443}}])),
            &["endpoint port https is not defined by the service entry"],
            &[],
        ),
        (
            22,
            with(se("DNS", "a.com"), "exportTo", json!(["a.b"])),
            &["only .,*, or a valid DNS 1123 label is allowed as exportTo entry"],
            &[],
        ),
        (22, with(se("DNS", "a.com"), "exportTo", json!(["ns", "ns"])), &["duplicate entries in exportTo for entry ns"], &[]),
        (
            22,
            with(se("DNS", "a.com"), "exportTo", json!(["default", "."])),
            &["duplicate entries in exportTo: . and current namespace default"],
            &[],
        ),
        (
            22,
            with(se("DNS", "a.com"), "exportTo", json!(["*", "."])),
            &["cannot have both public (*) and non-public exportTo values for a resource"],
            &[],
        ),
        (
            22,
            with(se("DNS", "a.com"), "exportTo", json!(["~", "ns"])),
            &["cannot export service entry to no one (~) and someone"],
            &[],
        ),
        (22, with(se("DNS", "a.com"), "exportTo", json!(["~"])), &[], &[]),
        (23, se("DYNAMIC_DNS", "a.com"), &["host must be wildcarded for resolution mode DYNAMIC_DNS"], &[]),
        (
            23,
            json!({"hosts": ["*.a.com"], "resolution": "DYNAMIC_DNS", "ports": [port(443, "x", "HTTPS")], "addresses": ["1.1.1.1"],
                "endpoints": [{"address": "b.com"}]}),
            &[
                "addresses cannot be set for resolution mode DYNAMIC_DNS",
                "endpoints cannot be set for resolution mode DYNAMIC_DNS",
                "only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution mode DYNAMIC_DNS",
            ],
            &[],
        ),
        (25, json!({"hosts": ["a.com"], "resolution": "STATIC"}), &[], &[]),
    ];
    table("ServiceEntry", rows);
}

#[test]
fn virtual_services() {
    let to = |host: &str| json!({"destination": {"host": host}});
    let rule = |mut rule: Value| {
        rule["route"] = json!([to("b.com")]);
        json!({"hosts": ["a.com"], "http": [rule]})
    };
    let only = |rule: Value| json!({"hosts": ["a.com"], "http": [rule]});
    let tls = |hosts: &[&str], sni: &[&str]| json!({"hosts": hosts, "tls": [{"match": [{"port": 443, "sniHosts": sni}], "route": [to("b.com")]}]});
    let with = |mut spec: Value, key: &str, value: Value| {
        spec[key] = value;
        spec
    };
    let plain = || rule(json!({}));
    let weights = |a: i64, b: i64| {
        only(json!({"route": [{"destination": {"host": "b"}, "weight": a}, {"destination": {"host": "c"}, "weight": b}]}))
    };
    let rows: Vec<Row> = vec![
        (26, json!({"hosts": ["a.com"]}), &["http, tcp or tls must be provided in virtual service"], &[]),
        (
            27,
            with(plain(), "hosts", json!(["*"])),
            &["wildcard host * is not allowed for virtual services bound to the mesh gateway"],
            &[],
        ),
        (27, with(with(plain(), "hosts", json!(["*"])), "gateways", json!(["ns/gw"])), &[], &[]),
        (
            28,
            with(plain(), "hosts", json!(["*.a.com", "x.a.com"])),
            &["duplicate hosts in virtual service: *.a.com & x.a.com"],
            &[],
        ),
        (29, with(plain(), "hosts", json!(["a_b.com"])), &[r#"domain name "a_b.com" invalid (label "a_b" invalid)"#], &[]),
        (29, with(plain(), "hosts", json!(["1.2.3.4"])), &[], &[]),
        (
            30,
            with(plain(), "gateways", json!(["ns/"])),
            &["config namespace and gateway name cannot be empty", r#"invalid value for gateway name: """#],
            &[],
        ),
        (30, with(plain(), "gateways", json!(["n_s/gw"])), &[r#"invalid value for namespace: "n_s""#], &[]),
        (
            30,
            with(plain(), "gateways", json!(["gw.ns.svc.cluster.local"])),
            &[],
            &[r#"using legacy gatewayName format "gw.ns.svc.cluster.local"; prefer the <namespace>/<name> format: "ns/gw""#],
        ),
        (31, only(json!({})), &["HTTP route, redirect or direct_response is required"], &[]),
        (32, rule(json!({"redirect": {"uri": "/x"}})), &["HTTP route cannot contain both route and redirect"], &[]),
        (
            32,
            only(json!({"redirect": {"uri": "/x"}, "fault": {"abort": {"httpStatus": 500}}, "rewrite": {"uri": "/y"}})),
            &["HTTP route cannot contain both fault and redirect", "HTTP route rule cannot contain both rewrite and redirect"],
            &[],
        ),
        (
            32,
            rule(json!({"directResponse": {"status": 503}})),
            &["HTTP route cannot contain both route and direct_response"],
            &[],
        ),
        (33, only(json!({"route": [to("*")]})), &["invalid destination host *"], &[]),
        (33, only(json!({"route": [to("b_c.com")]})), &[r#"domain name "b_c.com" invalid (label "b_c" invalid)"#], &[]),
        (34, only(json!({"route": [{"destination": {"host": "b", "subset": "v_1"}}]})), &["subset name is invalid: v_1"], &[]),
        (
            35,
            only(json!({"route": [{"destination": {"host": "b", "port": {"number": 0}}}]})),
            &["port number 0 must be in the range 1..65535"],
            &[],
        ),
        (36, weights(0, 0), &["total destination weight = 0"], &[]),
        (36, weights(-1, 5), &["weight -1 < 0"], &[]),
        (36, weights(30, 30), &[], &[]),
        (37, rule(json!({"match": [{"port": 70000}]})), &["port number 70000 must be in the range 1..65535"], &[]),
        (37, rule(json!({"match": [{"sourceNamespace": "a.b"}]})), &["sourceNamespace match a.b is invalid"], &[]),
        (
            38,
            rule(json!({"match": [{"headers": {"x": {"regex": "(a"}}}]})),
            &[
                r#""headers": error parsing regexp: missing closing ): `(a`; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)"#,
            ],
            &[],
        ),
        (
            38,
            rule(json!({"match": [{"method": {"prefix": ""}}]})),
            &[r#""method": prefix string match should not be empty"#],
            &[],
        ),
        (38, rule(json!({"match": [{"uri": {"prefix": ""}}]})), &[], &[]),
        (
            39,
            rule(json!({"match": [{"headers": {"a b": {"exact": "x"}}}]})),
            &["header name a b is not a valid header name"],
            &[],
        ),
        (
            39,
            rule(json!({"headers": {"response": {"set": {"host": "x"}}}})),
            &[r#"invalid header "host": cannot set Host header"#],
            &[],
        ),
        (
            39,
            rule(json!({"headers": {"request": {"remove": [":path"]}}})),
            &[r#"invalid header ":path": header cannot have ":" prefix"#],
            &[],
        ),
        (39, rule(json!({"headers": {"request": {"set": {"Host": "x"}}}})), &[], &[]),
        (
            40,
            rule(json!({"rewrite": {"authority": "a"}, "headers": {"request": {"set": {"host": "b"}}}})),
            &[r#"authority header cannot be set multiple times: have "a", attempting to set "b""#],
            &[],
        ),
        (41, rule(json!({"timeout": "0s"})), &["duration must be greater than 1ms"], &[]),
        (41, rule(json!({"timeout": "1.0005s"})), &["only durations to ms precision are supported"], &[]),
        (42, rule(json!({"retries": {"attempts": -1}})), &["attempts cannot be negative"], &[]),
        (
            42,
            rule(json!({"retries": {"attempts": 0, "retryOn": "5xx"}})),
            &["http retry policy configured when attempts are set to 0 (disabled)"],
            &[],
        ),
        (
            42,
            rule(json!({"retries": {"attempts": 2, "retryOn": "5xx,503,often"}})),
            &[r#""often" is not a valid retryOn policy"#],
            &[],
        ),
        (43, rule(json!({"fault": {}})), &["HTTP fault injection must have an abort and/or a delay"], &[]),
        (43, rule(json!({"fault": {"abort": {"httpStatus": 700}}})), &["HTTP status 700 is not in range 200-599"], &[]),
        (
            43,
            rule(json!({"fault": {"abort": {"httpStatus": 500, "percentage": {"value": 101}}}})),
            &["percentage 101 is neither 0.0, nor in range [0.0001, 100.0]"],
            &[],
        ),
        (44, only(json!({"redirect": {}})), &["redirect must specify URI, authority, scheme, or port"], &[]),
        (
            44,
            only(json!({"redirect": {"uri": "/x", "redirectCode": 200}})),
            &["200 is not a valid redirect code, must be 3xx"],
            &[],
        ),
        (44, only(json!({"redirect": {"scheme": "ftp"}})), &[r#"invalid redirect scheme, must be "http" or "https""#], &[]),
        (
            45,
            rule(json!({"rewrite": {"uri": "/a", "uriRegexRewrite": {"match": "a"}}})),
            &["rewrite may only contain one of URI or UriRegexRewrite"],
            &[],
        ),
        (
            46,
            rule(json!({"mirror": {"host": "c"}, "mirrors": [to("d")]})),
            &["HTTP route cannot contain both mirror and mirrors"],
            &[],
        ),
        (46, rule(json!({"mirrors": [{}]})), &["destination is required for mirrors"], &[]),
        (
            47,
            json!({"hosts": ["a.com"], "tls": [{"route": [to("b.com")]}]}),
            &["TLS route must have at least one match condition"],
            &[],
        ),
        (47, json!({"hosts": ["a.com"], "tls": [{"match": [{"sniHosts": ["a.com"]}]}]}), &["TLS route is required"], &[]),
        (48, tls(&["a.com"], &[]), &["TLS match must have at least one SNI host"], &[]),
        (
            48,
            tls(&["a.com", "b.com"], &["c.com"]),
            &[r#"SNI host "c.com" is not a compatible subset of any of the virtual service hosts: [a.com, b.com]"#],
            &[],
        ),
        (48, tls(&["*.a.com"], &["x.a.com"]), &[], &[]),
        (49, json!({"hosts": ["a.com"], "tcp": [{}]}), &["TCP route is required"], &[]),
        (
            50,
            json!({"gateways": ["ns/gw"], "http": [{"route": [to("b.com")]}], "tcp": [{"route": [to("b.com")]}]}),
            &[
                "delegate virtual service must have no gateways specified",
                "delegate virtual service must have no tcp route specified",
            ],
            &[],
        ),
        (50, json!({"http": [{"delegate": {"name": "x"}}]}), &["delegate HTTP route cannot contain delegate"], &[]),
        (50, rule(json!({"name": "r", "delegate": {"name": "x"}})), &["root HTTP route r must not specify route"], &[]),
        (
            51,
            json!({"hosts": ["a.com"], "http": [{"route": [to("b")]}, {"match": [{"uri": {"prefix": "/x"}}], "route": [to("b")]}]}),
            &[],
            &["virtualService rule #1 not used (route without matches defined before)"],
        ),
        (
            51,
            json!({"hosts": ["a.com"], "http": [{"route": [to("b")]}, {"route": [to("b")]}]}),
            &[],
            &["virtualService rule #1 not used (only the last rule can have no matches)"],
        ),
        (
            51,
            json!({"hosts": ["a.com"], "http": [{"match": [{"port": 80}], "route": [to("b")]}, {"match": [{"port": 80}], "route": [to("c")]}]}),
            &[],
            &[
                "virtualService rule #1 match #0 is not used (duplicate/overlapping match in rule #0)",
                "virtualService rule #1 not used (all matches used by prior rules)",
            ],
        ),
        (
            52,
            rule(json!({"match": [{"headers": {"@request.auth.claims.sub": {"exact": "x"}}}]})),
            &["JWT claim based routing (key: @request.auth.claims.sub) is only supported for gateway, found no gateways: [mesh]"],
            &[],
        ),
    ];
    table("VirtualService", rows);
}

#[test]
fn gateways() {
    let port = |number: u32, name: &str, protocol: &str| json!({"number": number, "name": name, "protocol": protocol});
    let server = |host: &str, port: Value| json!({"port": port, "hosts": [host]});
    let one = |server: Value| json!({"selector": {"istio": "egressgateway"}, "servers": [server]});
    let tls = |tls: Value| {
        let mut server = server("a.com", port(443, "tls", "TLS"));
        server["tls"] = tls;
        one(server)
    };
    let http = |host: &str| one(server(host, port(80, "http", "HTTP")));
    let with = |mut spec: Value, key: &str, value: Value| {
        spec["servers"][0][key] = value;
        spec
    };
    let rows: Vec<Row> = vec![
        (54, json!({"selector": {}}), &["gateway must have at least one server"], &[]),
        (55, with(http("a.com"), "hosts", json!([])), &["server config must contain at least one host"], &[]),
        (55, http("wikipedia"), &["short names (non FQDN) are not allowed"], &[]),
        (55, http("*foo.com"), &[r#"partial wildcard "*foo.com" not allowed"#], &[]),
        (55, http("n_s/a.com"), &[r#"invalid namespace value "n_s" in gateway"#], &[]),
        (55, http("ns/"), &["config namespace and dnsName in host entry cannot be empty"], &[]),
        (55, http("*"), &[], &[]),
        (55, http("*/a.com"), &[], &[]),
        (
            56,
            one(server("a.com", port(80, "http", "HTPP"))),
            &[r#"invalid protocol "HTPP", supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP"#],
            &[],
        ),
        (
            56,
            one(server("a.com", json!({"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}))),
            &["targetPort has no impact on Gateways"],
            &[],
        ),
        (
            57,
            json!({"servers": [server("a.com", port(80, "http", "HTTP")), server("b.com", port(81, "http", "HTTP"))]}),
            &["port names in servers must be unique: duplicate name http"],
            &[],
        ),
        (58, one(server("a.com", port(443, "https", "HTTPS"))), &["server must have TLS settings for HTTPS/TLS protocols"], &[]),
        (
            59,
            with(http("a.com"), "tls", json!({"mode": "PASSTHROUGH"})),
            &["server cannot have TLS settings for plain text HTTP ports"],
            &[],
        ),
        (59, with(http("a.com"), "tls", json!({"httpsRedirect": true})), &[], &[]),
        (
            59,
            with(one(server("a.com", port(27017, "db", "MONGO"))), "tls", json!({"mode": "PASSTHROUGH"})),
            &["server cannot have TLS settings for non HTTPS/TLS ports"],
            &[],
        ),
        (
            60,
            tls(json!({"mode": "SIMPLE"})),
            &["SIMPLE TLS requires a server certificate", "SIMPLE TLS requires a private key"],
            &[],
        ),
        (
            60,
            tls(json!({"mode": "MUTUAL", "serverCertificate": "a", "privateKey": "b"})),
            &["MUTUAL TLS requires a client CA bundle"],
            &[],
        ),
        (60, tls(json!({"mode": "MUTUAL", "credentialName": "x"})), &[], &[]),
        (60, tls(json!({})), &[], &[]),
        (
            61,
            tls(
                json!({"mode": "ISTIO_MUTUAL", "serverCertificate": "a", "privateKey": "b", "caCertificates": "c", "credentialName": "d"}),
            ),
            &[
                "ISTIO_MUTUAL TLS cannot have associated server certificate",
                "ISTIO_MUTUAL TLS cannot have associated private key",
                "ISTIO_MUTUAL TLS cannot have associated CA bundle",
                "ISTIO_MUTUAL TLS cannot have associated credentialName",
            ],
            &[],
        ),
        (
            62,
            tls(json!({"mode": "PASSTHROUGH", "credentialName": "x"})),
            &[],
            &["PASSTHROUGH mode does not use certificates, they will be ignored"],
        ),
        (
            63,
            tls(json!({"mode": "SIMPLE", "credentialName": "x", "privateKey": "y"})),
            &[
                "only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be specified",
            ],
            &[],
        ),
        (64, tls(json!({"httpsRedirect": true})), &[], &["tls.httpsRedirect should only be used with http servers"]),
        (65, with(http("a.com"), "bind", json!("here")), &["here is not a valid IP"], &[]),
        (66, json!({"servers": [server("a.com", port(80, "http", "HTTP"))]}), &[], &[]),
    ];
    table("Gateway", rows);
    let dotted = Object(
        json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "a.b"}, "spec": http("a.com")}),
    );
    assert_eq!(validate(&dotted, &Snapshot::default()).errors, [r#"invalid gateway name: "a.b""#], "row 53");
}

#[test]
fn destination_rules() {
    let policy = |policy: Value| json!({"host": "a.com", "trafficPolicy": policy});
    let rows: Vec<Row> = vec![
        (67, json!({"host": ""}), &["empty domain name not allowed"], &[]),
        (67, json!({"host": "a_b"}), &[r#"domain name "a_b" invalid (label "a_b" invalid)"#], &[]),
        (68, json!({"host": "a", "subsets": [{"name": "v1"}, {"name": "v1"}]}), &["duplicate subset names: v1"], &[]),
        (68, json!({"host": "a", "subsets": [{"name": "v_1"}]}), &["subset name is invalid: v_1"], &[]),
        (68, json!({"host": "a", "subsets": [null]}), &["subset may not be null"], &[]),
        (69, policy(json!({})), &["traffic policy must have at least one field"], &[]),
        (69, policy(json!({"connectionPool": {}})), &["connection pool must have at least one field"], &[]),
        (
            69,
            policy(json!({"portLevelSettings": [{}]})),
            &["portTrafficPolicy must have valid port", "port traffic policy must have at least one field"],
            &[],
        ),
        (
            70,
            policy(json!({"tls": {"mode": "MUTUAL"}})),
            &["client certificate required for mutual tls", "private key required for mutual tls"],
            &[],
        ),
        (
            71,
            policy(json!({"tls": {"mode": "SIMPLE", "credentialName": "x", "caCertificates": "y"}})),
            &["cannot specify client certificates or CA certificate or CA CRL If credentialName is set"],
            &[],
        ),
        (
            72,
            policy(json!({"tls": {"mode": "SIMPLE", "insecureSkipVerify": true, "subjectAltNames": ["x"]}})),
            &["cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true"],
            &[],
        ),
        (73, json!({"host": "a", "exportTo": ["~"]}), &["exportTo ~ (none) is not allowed for Istio configuration objects"], &[]),
        (
            73,
            json!({"host": "a", "workloadSelector": {"matchLabels": {"a": "b"}}, "exportTo": ["*"]}),
            &["destination rule with workload selector cannot have exportTo beyond current namespace"],
            &[],
        ),
        (
            75,
            policy(json!({"tunnel": {"protocol": "GET", "targetHost": "b.com", "targetPort": 443}})),
            &[r#"tunnel protocol must be "CONNECT" or "POST""#],
            &[],
        ),
        (
            75,
            policy(json!({"tunnel": {"targetHost": "b_c", "targetPort": 443}})),
            &[r#"tunnel target host must be valid FQDN or IP address: domain name "b_c" invalid (label "b_c" invalid)"#],
            &[],
        ),
        (76, policy(json!({"outlierDetection": {"maxEjectionPercent": 101}})), &["percentage 101 is not in range 0..100"], &[]),
        (
            76,
            policy(json!({"outlierDetection": {"consecutiveErrors": 5}})),
            &[],
            &["outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead"],
        ),
        (76, policy(json!({"tls": {"mode": "ISTIO_MUTUAL", "clientCertificate": "x"}})), &[], &[]),
        (76, policy(json!({"tls": {"mode": "SIMPLE"}})), &[], &[]),
    ];
    table("DestinationRule", rows);
}

#[test]
fn sidecars() {
    let hosts = |hosts: &[&str]| json!({"egress": [{"hosts": hosts}]});
    let rows: Vec<Row> = vec![
        (77, json!({}), &["sidecar: empty configuration provided"], &[]),
        (78, hosts(&[]), &["sidecar: egress listener must contain at least one host"], &[]),
        (78, hosts(&["a.com"]), &["host must be of form namespace/dnsName"], &[]),
        (78, hosts(&["./a"]), &["short names (non FQDN) are not allowed"], &[]),
        (78, hosts(&["n_s/a.com"]), &[r#"invalid namespace value "n_s" in sidecar"#], &[]),
        (78, hosts(&["./*a.com"]), &[r#"partial wildcard "*a.com" not allowed"#], &[]),
        (78, hosts(&["./*", "istio-system/*", "~/*"]), &[], &[]),
        (
            79,
            json!({"egress": [{"hosts": ["./*"]}, {"hosts": ["./*"], "port": {"number": 80, "protocol": "HTTP", "name": "http"}}]}),
            &["sidecar: the egress listener with empty port should be the last listener in the list"],
            &[],
        ),
        (
            79,
            json!({"egress": [{"hosts": ["./*"]}, {"hosts": ["./*"]}]}),
            &[
                "sidecar: the egress listener with empty port should be the last listener in the list",
                "sidecar: egress can have only one listener with empty port",
            ],
            &[],
        ),
        (
            79,
            json!({"egress": [{"hosts": ["./*"], "port": {"number": 80}}, {"hosts": ["./*"], "port": {"number": 80}}]}),
            &["sidecar: ports on IP bound listeners must be unique"],
            &[],
        ),
        (
            80,
            json!({"outboundTrafficPolicy": {"mode": "ALLOW_ANY_DYNAMIC_DNS"}}),
            &["sidecar: ALLOW_ANY_DYNAMIC_DNS mode is only supported in MeshConfig, not in Sidecar resource"],
            &[],
        ),
        (
            80,
            json!({"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY", "egressProxy": {"host": "a.com"}}}),
            &["sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode"],
            &[],
        ),
        (
            80,
            json!({"outboundTrafficPolicy": {"mode": "ALLOW_ANY", "egressProxy": {"host": "a.com"}}}),
            &["sidecar: egress_proxy port must be non-nil"],
            &[],
        ),
        (80, json!({"outboundTrafficPolicy": {}}), &[], &[]),
        (81, hosts(&["./a.com", "./a.com"]), &[], &["duplicated egress host: ./a.com"]),
        (81, hosts(&["*/*", "./a.com"]), &[], &["`*/*` host select all resources, no other hosts can be added"]),
        (
            82,
            json!({"workloadSelector": {}, "outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}),
            &[],
            &["sidecar: workload selector specified without labels, will be applied to all services in namespace"],
        ),
    ];
    table("Sidecar", rows);
}

#[test]
fn what_the_lesson_applies_is_valid() {
    let egress = "istio-egressgateway.istio-system.svc.cluster.local";
    let rows = [
        (
            "ServiceEntry",
            json!({"hosts": ["www.wikipedia.org"], "resolution": "DNS",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "https", "protocol": "TLS"}]}),
        ),
        (
            "Gateway",
            json!({"selector": {"istio": "egressgateway"},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["www.wikipedia.org"]}]}),
        ),
        ("DestinationRule", json!({"host": egress, "subsets": [{"name": "wikipedia"}]})),
        (
            "VirtualService",
            json!({"hosts": ["www.wikipedia.org"], "gateways": ["istio-system/istio-egressgateway", "mesh"], "http": [
            {"match": [{"gateways": ["mesh"], "port": 80}],
             "route": [{"destination": {"host": egress, "subset": "wikipedia", "port": {"number": 80}}}]},
            {"match": [{"gateways": ["istio-system/istio-egressgateway"], "port": 80}],
             "route": [{"destination": {"host": "www.wikipedia.org", "port": {"number": 80}}}]}]}),
        ),
    ];
    for (kind, spec) in rows {
        assert_eq!(check(kind, spec), Validation::default(), "{kind}");
    }
}

#[test]
fn several_errors_are_joined_as_a_list() {
    let found =
        check("ServiceEntry", json!({"hosts": ["*", "a_b.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}));
    assert_eq!(
        found.joined(),
        "2 errors occurred:\n\t* invalid host *\n\t* domain name \"a_b.com\" invalid (label \"a_b\" invalid)\n\n"
    );
    assert_eq!(check("Sidecar", json!({})).joined(), "sidecar: empty configuration provided");
}

#[test]
fn odd_values_do_no_harm() {
    for kind in ["ServiceEntry", "VirtualService", "Gateway", "DestinationRule", "Sidecar"] {
        for spec in [
            Value::Null,
            json!(1),
            json!([]),
            json!({"hosts": 1, "http": [1], "tls": ["x"], "servers": [null], "egress": [null],
            "ports": [[]], "subsets": ["x"], "host": 7, "trafficPolicy": "x", "outboundTrafficPolicy": []}),
        ] {
            check(kind, spec);
        }
    }
}
