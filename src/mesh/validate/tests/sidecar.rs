use super::*;

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
