use super::*;

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
