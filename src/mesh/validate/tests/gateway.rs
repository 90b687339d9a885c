use super::*;

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
