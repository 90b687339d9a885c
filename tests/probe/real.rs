//! Roles, tokens, custom kinds and queries with a real kubectl, where there is one.

use crate::serve::kubectl::{Lab, lab};

/// Standard output and standard error of a command, and its exit code.
fn run(lab: &Lab, line: &str, stdin: &str) -> (String, String, i32) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = lab.run(&words, stdin);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap_or(-1))
}

fn good(lab: &Lab, line: &str, expected: &str) {
    let (out, err, code) = run(lab, line, "");
    assert_eq!((code, out.trim_end()), (0, expected), "{line}: {err}");
}

fn bad(lab: &Lab, line: &str, expected: &str) {
    let (out, err, code) = run(lab, line, "");
    assert!(code != 0 && err.contains(expected), "{line}: {code} {out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_sees_what_roles_allow() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        good(&lab, "auth can-i create pods", "yes");
        assert_eq!(run(&lab, "auth can-i get pods --as dev", ""), ("no\n".into(), String::new(), 1));
        bad(&lab, "get pods --as dev", "Error from server (Forbidden): pods is forbidden: User \"dev\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"");
        good(&lab, "create role reader --verb=get,list,watch --resource=pods,pods/log", "role.rbac.authorization.k8s.io/reader created");
        good(&lab, "create rolebinding reader --role=reader --user=dev --group=team", "rolebinding.rbac.authorization.k8s.io/reader created");
        good(&lab, "auth can-i list pods --as dev", "yes");
        good(&lab, "auth can-i get pods --subresource=log --as eve --as-group=team", "yes");
        assert_eq!(run(&lab, "auth can-i create pods --subresource=exec --as dev", "").2, 1);
        assert!(run(&lab, "get pods --as dev", "").1.contains("No resources found in default namespace."));
        good(&lab, "run box --image=busybox:1.36 --command -- sleep infinity", "pod/box created");
        good(&lab, "wait --for=condition=Ready pod/box --timeout=20s", "pod/box condition met");
        let denied = "pods \"box\" is forbidden: User \"dev\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"default\"";
        bad(&lab, "exec box --as dev -- ls", denied);
        assert_eq!(run(&lab, "logs box --as dev", "").2, 0);
        bad(&lab, "delete pod box --as dev --now", "pods \"box\" is forbidden: User \"dev\" cannot delete resource \"pods\"");
        bad(&lab, "create role more --verb=* --resource=secrets --as dev", "roles.rbac.authorization.k8s.io is forbidden: User \"dev\" cannot create resource \"roles\"");
        good(&lab, "create rolebinding admin --clusterrole=admin --user=dev", "rolebinding.rbac.authorization.k8s.io/admin created");
        bad(&lab, "create role more --verb=get --resource=nodes --as dev", "is attempting to grant RBAC permissions not currently held:");
        assert_eq!(run(&lab, "exec box --as dev -- echo hi", "").0, "hi\n");
        let (who, _, _) = run(&lab, "auth whoami --as dev --as-group=team", "");
        assert!(who.contains("Username    dev") && who.contains("[team system:authenticated]"), "{who}");
    })
    .await
    .unwrap();
}

/// The recorded rules of everybody, between those of the administrator and the end (golden-k132.txt).
const EVERYBODY: &str = "selfsubjectreviews.authentication.k8s.io [] [] [create]
selfsubjectaccessreviews.authorization.k8s.io [] [] [create]
selfsubjectrulesreviews.authorization.k8s.io [] [] [create]
[/.well-known/*] [] [get]
[/.well-known] [] [get]
[/api/*] [] [get]
[/api] [] [get]
[/apis/*] [] [get]
[/apis] [] [get]
[/healthz] [] [get]
[/healthz] [] [get]
[/livez] [] [get]
[/livez] [] [get]
[/openapi/*] [] [get]
[/openapi] [] [get]
[/readyz] [] [get]
[/readyz] [] [get]
[/version/] [] [get]
[/version/] [] [get]
[/version] [] [get]
[/version] [] [get]";

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_lists_rules_and_uses_tokens() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        let squeezed = |text: &str| -> Vec<String> {
            text.lines().skip(1).map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        let rules = squeezed(&run(&lab, "auth can-i --list", "").0);
        assert_eq!(rules, ["*.* [] [] [*]\n[*] [] [*]\n", EVERYBODY].concat().lines().collect::<Vec<_>>());
        assert_eq!(squeezed(&run(&lab, "auth can-i --list --as nobody", "").0), EVERYBODY.lines().collect::<Vec<_>>());
        good(&lab, "create serviceaccount bot", "serviceaccount/bot created");
        let token = run(&lab, "create token bot --duration=15m", "").0;
        let token = token.trim();
        bad(
            &lab,
            &format!("get pods --token={token}"),
            "User \"system:serviceaccount:default:bot\" cannot list resource \"pods\"",
        );
        good(
            &lab,
            "create clusterrolebinding bot --clusterrole=view --serviceaccount=default:bot",
            "clusterrolebinding.rbac.authorization.k8s.io/bot created",
        );
        assert_eq!(run(&lab, &format!("get pods --token={token}"), "").2, 0);
        bad(&lab, &format!("get secrets --token={token}"), "cannot list resource \"secrets\"");
        bad(
            &lab,
            &format!("get pods --token={token} --as dev"),
            "cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
        );
        bad(&lab, &format!("get pods --token={token}x"), "You must be logged in to the server");
        bad(&lab, "create token bot --duration=1m", "may not specify a duration less than 10 minutes");
        bad(&lab, "get pods --field-selector=spec.bogus=x", "field label not supported: spec.bogus");
        bad(&lab, "get pods -l a=b=c", "found '=', expected: ',' or 'end of string'");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_makes_custom_kinds() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        let mut definition = super::custom::widgets();
        definition["apiVersion"] = "apiextensions.k8s.io/v1".into();
        definition["kind"] = "CustomResourceDefinition".into();
        assert_eq!(
            run(&lab, "apply -f -", &definition.to_string()).0,
            "customresourcedefinition.apiextensions.k8s.io/widgets.example.com created\n"
        );
        good(
            &lab,
            "wait --for=condition=Established crd/widgets.example.com --timeout=10s",
            "customresourcedefinition.apiextensions.k8s.io/widgets.example.com condition met",
        );
        let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {color: red, max: 3}\n";
        assert_eq!(run(&lab, "apply -f -", widget).0, "widget.example.com/a created\n");
        assert_eq!(run(&lab, "apply -f -", widget).0, "widget.example.com/a unchanged\n");
        let table = run(&lab, "get wi", "").0;
        let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[..3], ["a", "S", "3"], "{table}");
        let (_, err, _) = run(&lab, "apply -f -", &widget.replace("color: red", "colour: red"));
        assert!(err.contains("strict decoding error: unknown field \"spec.colour\""), "{err}");
        let (_, err, _) = run(&lab, "apply -f -", &widget.replace("red", "blue"));
        assert!(err.contains("The Widget \"a\" is invalid: spec.color: Invalid value: \"blue\": color is immutable"), "{err}");
        good(&lab, "scale widget/a --replicas=4", "widget.example.com/a scaled");
        good(&lab, "get wi a -ojsonpath={.spec.replicas}/{.metadata.generation}", "4/2");
        good(&lab, "get wi --field-selector=spec.color=red -oname", "widget.example.com/a");
        let (out, err, code) = run(&lab, "delete crd widgets.example.com", "");
        assert!(code == 0 && out.contains("deleted"), "{err}");
        // kubectl remembers the kind for some hours.
        bad(
            &lab,
            "get widgets",
            "Unable to list \"example.com/v1, Resource=widgets\": the server could not find the requested resource",
        );
    })
    .await
    .unwrap();
}
