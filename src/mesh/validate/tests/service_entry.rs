use super::*;

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
