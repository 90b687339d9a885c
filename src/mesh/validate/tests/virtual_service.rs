use super::*;

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
