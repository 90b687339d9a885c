//! Who may do what: rules, impersonation, escalation, tokens, reviews.

use super::{Lab, lab};
use egress_lab::sandbox::Pace;
use serde_json::{Value, json};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

impl Lab {
    /// A request with a JSON body (`Null`: none) as somebody (header, value); status and body.
    pub async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut all = vec![("Content-Type", kind), ("Accept", "application/json")];
        all.retain(|(name, _)| !given(name));
        all.extend_from_slice(headers);
        let got = self.client.send(method, target, &all, &bytes).await;
        (got.status, got.json())
    }

    pub async fn made(&self, target: &str, body: Value) -> Value {
        let (status, got) = self.ask("POST", target, &[], body).await;
        assert_eq!(status, 201, "{target}: {got}");
        got
    }

    async fn role(&self, name: &str, rules: Value) {
        self.made(&format!("{RBAC}/namespaces/default/roles"), json!({"metadata": {"name": name}, "rules": rules})).await;
    }

    async fn bind(&self, name: &str, role: (&str, &str), subject: Value) {
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1});
        let body = json!({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]});
        self.made(&format!("{RBAC}/namespaces/default/rolebindings"), body).await;
    }
}

pub fn user(name: &str) -> Value {
    json!({"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"})
}

const DEV: &[(&str, &str)] = &[("Impersonate-User", "dev")];

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_bindings_decide() {
    let lab = lab(Pace::Instant).await;
    let pods = "/api/v1/namespaces/default/pods";
    assert_eq!(lab.ask("GET", pods, DEV, Value::Null).await.0, 403);
    lab.role("reader", json!([{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}])).await;
    lab.bind("reader", ("Role", "reader"), user("dev")).await;
    assert_eq!(lab.ask("GET", pods, DEV, Value::Null).await.0, 200);
    assert_eq!(
        lab.ask("GET", "/api/v1/pods", DEV, Value::Null).await.1["message"],
        "pods is forbidden: User \"dev\" cannot list resource \"pods\" in API group \"\" at the cluster scope"
    );
    for (method, target, message) in [
        (
            "POST",
            pods,
            "pods is forbidden: User \"dev\" cannot create resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        (
            "DELETE",
            &format!("{pods}/a"),
            "pods \"a\" is forbidden: User \"dev\" cannot delete resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        (
            "DELETE",
            pods,
            "pods is forbidden: User \"dev\" cannot deletecollection resource \"pods\" in API group \"\" in the namespace \"default\"",
        ),
        (
            "GET",
            &format!("{pods}/a/exec?command=ls"),
            "pods \"a\" is forbidden: User \"dev\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"default\"",
        ),
        ("GET", &format!("{pods}?watch=1&x=y"), ""),
        (
            "GET",
            "/api/v1/namespaces/default/secrets?watch=1",
            "secrets is forbidden: User \"dev\" cannot watch resource \"secrets\" in API group \"\" in the namespace \"default\"",
        ),
        (
            "GET",
            "/api/v1/namespaces/default",
            "namespaces \"default\" is forbidden: User \"dev\" cannot get resource \"namespaces\" in API group \"\" in the namespace \"default\"",
        ),
        ("GET", "/metrics", "forbidden: User \"dev\" cannot get path \"/metrics\""),
    ] {
        let (status, got) = lab.ask(method, target, DEV, json!({})).await;
        match message {
            "" => assert_eq!(status, 200, "{target}"),
            message => assert_eq!((status, got["message"].as_str()), (403, Some(message)), "{target}"),
        }
    }
    for path in ["/api", "/apis", "/version", "/healthz", "/openapi/v3"] {
        assert_eq!(lab.ask("GET", path, DEV, Value::Null).await.0, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_groups_and_missing_roles_count() {
    let lab = lab(Pace::Instant).await;
    lab.role("one", json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["get", "list", "watch", "update"]}])).await;
    lab.bind("team", ("Role", "one"), json!({"kind": "Group", "name": "team", "apiGroup": "rbac.authorization.k8s.io"})).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    for name in ["a", "b"] {
        lab.made(maps, json!({"metadata": {"name": name}})).await;
    }
    let team: &[(&str, &str)] = &[("Impersonate-User", "eve"), ("Impersonate-Group", "other"), ("Impersonate-Group", "team")];
    for (target, status) in [
        ("/a", 200),
        ("/b", 403),
        ("", 403),
        ("?fieldSelector=metadata.name%3Da", 200),
        ("?fieldSelector=metadata.name%3Db", 403),
    ] {
        assert_eq!(lab.ask("GET", &format!("{maps}{target}"), team, Value::Null).await.0, status, "{target}");
    }
    assert_eq!(lab.ask("GET", &format!("{maps}/a"), &[("Impersonate-User", "eve")], Value::Null).await.0, 403);
    lab.bind("lost", ("Role", "nosuch"), user("eve")).await;
    let (_, got) = lab.ask("GET", &format!("{maps}/a"), &[("Impersonate-User", "eve")], Value::Null).await;
    let expected = "configmaps \"a\" is forbidden: User \"eve\" cannot get resource \"configmaps\" in API group \"\" in the namespace \
                    \"default\": RBAC: role.rbac.authorization.k8s.io \"nosuch\" not found";
    assert_eq!(got["message"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bootstrap_roles_are_there_and_aggregate() {
    let lab = lab(Pace::Instant).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let body = || json!({"metadata": {"generateName": "x-"}});
    for (role, reads, writes, secrets, roles) in [
        ("view", 200, 403, 403, 403),
        ("edit", 200, 201, 200, 403),
        ("admin", 200, 201, 200, 200),
        ("cluster-admin", 200, 201, 200, 200),
    ] {
        let who = format!("u-{role}");
        lab.bind(&who, ("ClusterRole", role), user(&who)).await;
        let as_who: &[(&str, &str)] = &[("Impersonate-User", &who)];
        assert_eq!(lab.ask("GET", maps, as_who, Value::Null).await.0, reads, "{role}");
        assert_eq!(lab.ask("POST", maps, as_who, body()).await.0, writes, "{role}");
        assert_eq!(lab.ask("GET", "/api/v1/namespaces/default/secrets", as_who, Value::Null).await.0, secrets, "{role}");
        assert_eq!(lab.ask("GET", &format!("{RBAC}/namespaces/default/roles"), as_who, Value::Null).await.0, roles, "{role}");
        assert_eq!(lab.ask("GET", "/api/v1/nodes", as_who, Value::Null).await.0, 403, "{role}");
    }
    // A role labelled for it becomes part of view, and leaves it again.
    let widgets = json!([{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}]);
    let meta = json!({"name": "widgets", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}});
    lab.made(&format!("{RBAC}/clusterroles"), json!({"metadata": meta, "rules": widgets})).await;
    for name in ["view", "edit", "admin"] {
        let (_, role) = lab.ask("GET", &format!("{RBAC}/clusterroles/{name}"), &[], Value::Null).await;
        assert!(role["rules"].as_array().unwrap().contains(&widgets[0]), "{name}");
    }
    assert_eq!(lab.ask("DELETE", &format!("{RBAC}/clusterroles/widgets"), &[], Value::Null).await.0, 200);
    let (_, role) = lab.ask("GET", &format!("{RBAC}/clusterroles/view"), &[], Value::Null).await;
    assert!(!role["rules"].as_array().unwrap().contains(&widgets[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonation_needs_the_permission_to() {
    let lab = lab(Pace::Instant).await;
    let whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (status, got) = lab
        .ask(
            "POST",
            whoami,
            &[
                ("Impersonate-User", "dev"),
                ("Impersonate-Group", "a"),
                ("Impersonate-Uid", "7"),
                ("Impersonate-Extra-Scopes", "s"),
            ],
            json!({}),
        )
        .await;
    assert_eq!(status, 201);
    assert_eq!(
        got["status"]["userInfo"],
        json!({"username": "dev", "uid": "7", "groups": ["a", "system:authenticated"], "extra": {"scopes": ["s"]}})
    );
    let account = [("Impersonate-User", "system:serviceaccount:default:default")];
    let (_, got) = lab.ask("POST", whoami, &account, json!({})).await;
    assert_eq!(
        got["status"]["userInfo"]["groups"],
        json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"])
    );
    let (status, got) = lab.ask("GET", "/api/v1/pods", &[("Impersonate-Group", "a")], Value::Null).await;
    assert_eq!((status, got["reason"].as_str()), (500, Some("InternalError")));
    let token = token(&lab, "robot").await;
    let robot = lab.client.with_token(&token);
    for (headers, message) in [
        (
            vec![("Impersonate-User", "dev")],
            "users \"dev\" is forbidden: User \"system:serviceaccount:default:robot\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
        ),
        (
            vec![("Impersonate-User", "system:serviceaccount:kube-system:x")],
            "serviceaccounts \"x\" is forbidden: User \"system:serviceaccount:default:robot\" cannot impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"kube-system\"",
        ),
    ] {
        for target in [
            "/api/v1/pods",
            "/api/v1/pods?watch=1",
            "/version",
            "/api/v1/namespaces/default/pods/x/log",
            "/api/v1/namespaces/default/pods/x/exec?command=ls",
        ] {
            let got = robot.send("GET", target, &headers, b"").await;
            assert_eq!((got.status, got.json()["message"].as_str()), (403, Some(message)), "{target}");
        }
    }
}

async fn token(lab: &Lab, name: &str) -> String {
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    lab.made(accounts, json!({"metadata": {"name": name}})).await;
    let got = lab.made(&format!("{accounts}/{name}/token"), json!({"spec": {}})).await;
    assert_eq!(got["spec"]["expirationSeconds"], 3600);
    got["status"]["token"].as_str().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_the_door_until_they_expire() {
    let lab = lab(Pace::Instant).await;
    let token = token(&lab, "robot").await;
    let robot = lab.client.with_token(&token);
    let json_body: &[(&str, &str)] = &[("Content-Type", "application/json")];
    let me = robot.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json_body, b"{}").await;
    assert_eq!(me.json()["status"]["userInfo"]["username"], "system:serviceaccount:default:robot");
    assert_eq!(robot.send("GET", "/api/v1/namespaces/default/pods", &[], b"").await.status, 403);
    lab.bind("robot", ("ClusterRole", "view"), json!({"kind": "ServiceAccount", "name": "robot", "namespace": "default"})).await;
    assert_eq!(robot.send("GET", "/api/v1/namespaces/default/pods", &[], b"").await.status, 200);
    // What only the owner may see or do.
    assert_eq!(robot.send("GET", "/.well-known/egress-lab", &[], b"").await.status, 404);
    assert_eq!(robot.send("POST", "/.well-known/egress-lab/forks", &[], b"").await.status, 403);
    assert_eq!(robot.send("POST", "/.well-known/egress-lab/state", json_body, b"{}").await.status, 403);
    // A bent token, and one whose signature is cut off.
    for bad in [
        format!("{token}x"),
        token.rsplit_once('.').unwrap().0.to_string() + ".",
        "a.b.c".into(),
        String::new(),
        ".".into(),
        "..".into(),
    ] {
        assert_eq!(lab.client.with_token(&bad).send("GET", "/version", &[], b"").await.status, 401, "{bad}");
    }
    let review = |token: &str| json!({"spec": {"token": token}});
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let good = lab.made(reviews, review(&token)).await;
    assert_eq!(
        (good["status"]["authenticated"].as_bool(), good["status"]["user"]["username"].as_str()),
        (Some(true), Some("system:serviceaccount:default:robot"))
    );
    assert_eq!(lab.made(reviews, review("nonsense")).await["status"], json!({"user": {}, "error": "invalid bearer token"}));
    lab.handle.with(|world| world.advance(3_601_000)).await.unwrap();
    assert_eq!(robot.send("GET", "/version", &[], b"").await.status, 401);
    assert_eq!(
        lab.made(reviews, review(&token)).await["status"]["error"],
        "[invalid bearer token, service account token has expired]"
    );
    // With its account a token goes.
    let second =
        lab.made("/api/v1/namespaces/default/serviceaccounts/robot/token", json!({"spec": {"expirationSeconds": 600}})).await;
    let second = lab.client.with_token(second["status"]["token"].as_str().unwrap());
    assert_eq!(second.send("GET", "/version", &[], b"").await.status, 200);
    lab.ask("DELETE", "/api/v1/namespaces/default/serviceaccounts/robot", &[], Value::Null).await;
    assert_eq!(second.send("GET", "/version", &[], b"").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_requests_are_checked() {
    let lab = lab(Pace::Instant).await;
    let target = "/api/v1/namespaces/default/serviceaccounts/default/token";
    for (spec, status, message) in [
        (
            json!({"expirationSeconds": 60}),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes",
        ),
        (json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "no"}}), 404, "pods \"no\" not found"),
        (
            json!({"boundObjectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "no"}}),
            400,
            "cannot bind token to object of type apps/v1, Kind=Deployment",
        ),
    ] {
        let (code, got) = lab.ask("POST", target, &[], json!({"spec": spec})).await;
        assert_eq!((code, got["message"].as_str()), (status, Some(message)));
    }
    let (code, _) = lab.ask("POST", "/api/v1/namespaces/default/serviceaccounts/no/token", &[], json!({"spec": {}})).await;
    assert_eq!(code, 404);
    let other = lab.made(target, json!({"spec": {"audiences": ["vault"]}})).await;
    let other = lab.client.with_token(other["status"]["token"].as_str().unwrap());
    assert_eq!(other.send("GET", "/version", &[], b"").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hands_out_what_they_do_not_hold() {
    let lab = lab(Pace::Instant).await;
    lab.bind("dev", ("ClusterRole", "admin"), user("dev")).await;
    let roles = format!("{RBAC}/namespaces/default/roles");
    let rules = json!([{"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list"]}]);
    let (status, got) = lab.ask("POST", &roles, DEV, json!({"metadata": {"name": "r"}, "rules": rules})).await;
    let message = "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"dev\" (groups=[\"system:authenticated\"]) is attempting to \
                   grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"list\"]}";
    assert_eq!((status, got["message"].as_str()), (403, Some(message)));
    let held = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]);
    let (status, _) = lab.ask("POST", &roles, DEV, json!({"metadata": {"name": "r"}, "rules": held})).await;
    assert_eq!(status, 201);
    assert_eq!(lab.ask("PATCH", &format!("{roles}/r"), DEV, json!({"rules": rules})).await.0, 403);
    assert_eq!(lab.ask("PATCH", &format!("{roles}/r"), DEV, json!({"metadata": {"labels": {"a": "b"}}})).await.0, 200);
    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    let binding = |name: &str, kind: &str, role: &str| json!({"metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}, "subjects": [user("eve")]});
    assert_eq!(lab.ask("POST", &bindings, DEV, binding("a", "Role", "r")).await.0, 201);
    let (status, got) = lab.ask("POST", &bindings, DEV, binding("b", "ClusterRole", "cluster-admin")).await;
    assert_eq!(status, 403);
    assert!(
        got["message"]
            .as_str()
            .unwrap()
            .contains("{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"),
        "{got}"
    );
    assert_eq!(lab.ask("POST", &bindings, DEV, binding("c", "Role", "nosuch")).await.0, 404);
    // With the verb `bind` they may.
    lab.role("binder", json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "resourceNames": ["cluster-admin"], "verbs": ["bind"]}])).await;
    lab.bind("binder", ("Role", "binder"), user("dev")).await;
    assert_eq!(lab.ask("POST", &bindings, DEV, binding("b", "ClusterRole", "cluster-admin")).await.0, 201);
    let (status, got) = lab.ask("PATCH", &format!("{bindings}/a"), &[], json!({"roleRef": {"name": "other"}})).await;
    assert_eq!(status, 422);
    assert!(got["message"].as_str().unwrap().ends_with("cannot change roleRef"), "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_answer_with_reasons() {
    let lab = lab(Pace::Instant).await;
    let group = "/apis/authorization.k8s.io/v1";
    let pods = json!({"namespace": "default", "verb": "list", "resource": "pods"});
    let own = format!("{group}/selfsubjectaccessreviews");
    assert_eq!(lab.made(&own, json!({"spec": {"resourceAttributes": pods}})).await["status"], json!({"allowed": true}));
    let (_, no) = lab.ask("POST", &own, DEV, json!({"spec": {"resourceAttributes": pods}})).await;
    assert_eq!(no["status"], json!({"allowed": false}));
    lab.bind("dev", ("ClusterRole", "view"), user("dev")).await;
    let about = |user: &str| json!({"spec": {"user": user, "resourceAttributes": pods}});
    let reason = "RBAC: allowed by RoleBinding \"dev/default\" of ClusterRole \"view\" to User \"dev\"";
    assert_eq!(
        lab.made(&format!("{group}/subjectaccessreviews"), about("dev")).await["status"],
        json!({"allowed": true, "reason": reason})
    );
    let local = format!("{group}/namespaces/default/localsubjectaccessreviews");
    assert_eq!(lab.made(&local, about("dev")).await["status"]["allowed"], true);
    for (target, body, message) in [
        (
            own.clone(),
            json!({"spec": {}}),
            "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            format!("{group}/subjectaccessreviews"),
            json!({"spec": {"resourceAttributes": pods}}),
            "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or group must be specified",
        ),
        (
            local,
            json!({"spec": {"user": "dev", "resourceAttributes": {"namespace": "x", "verb": "get", "resource": "pods"}}}),
            "LocalSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"x\": must match metadata.namespace",
        ),
    ] {
        let (status, got) = lab.ask("POST", &target, &[], body).await;
        assert_eq!((status, got["message"].as_str()), (422, Some(message)));
    }
    let listed = format!("{group}/selfsubjectrulesreviews");
    let (_, rules) = lab.ask("POST", &listed, DEV, json!({"spec": {"namespace": "default"}})).await;
    let rules = rules["status"]["resourceRules"].as_array().unwrap().clone();
    assert!(rules.iter().any(|rule| rule["resources"] == json!(["namespaces"])), "{rules:?}");
    let all = lab.made(&listed, json!({"spec": {"namespace": "default"}})).await;
    assert_eq!(all["status"]["resourceRules"][0], json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}));
    let (status, _) = lab.ask("POST", &listed, &[], json!({"spec": {}})).await;
    assert_eq!(status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_of_one_seed_do_not_take_each_others_tokens() {
    let (one, other) = (lab(Pace::Instant).await, lab(Pace::Instant).await);
    let token = one.made("/api/v1/namespaces/default/serviceaccounts/default/token", json!({"spec": {}})).await;
    let token = token["status"]["token"].as_str().unwrap().to_string();
    for (lab, status) in [(&one, 200), (&other, 401)] {
        assert_eq!(lab.client.with_token(&token).send("GET", "/version", &[], b"").await.status, status);
    }
}
