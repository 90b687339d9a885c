use super::*;
use crate::base::yaml;
use crate::mesh::{capture, install};

fn written(text: &str) -> Vec<Written> {
    let documents = yaml::documents(text).unwrap();
    documents.into_iter().map(|d| Written { object: Object(d.value), at: format!("f.yaml:{}", d.line) }).collect()
}

fn drafted(text: &str, suppose: &Suppose) -> Draft {
    draft(written(text), suppose).unwrap()
}

const APP: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  selector: {matchLabels: {app: \
                   web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: nginx}]}\n";

fn namespace(labels: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{labels}}}}}\n---\n{APP}")
}

#[test]
fn a_workload_gets_a_pod_with_the_sidecar_that_its_namespace_asks_for() {
    for (text, sidecar, said) in [
        (APP.to_string(), true, "no Namespace object says otherwise"),
        (namespace("istio-injection: enabled"), true, "webhooks of a standard installation"),
        (namespace("istio.io/rev: canary"), true, "webhooks of a standard installation"),
        (namespace("istio-injection: disabled"), false, ""),
        (namespace("a: b"), false, ""),
        (namespace("istio.io/dataplane-mode: ambient"), false, ""),
        (APP.replace("{app: web}}\n    spec", "{app: web, sidecar.istio.io/inject: 'false'}}\n    spec"), false, ""),
        (APP.replace("shop", "kube-system"), false, ""),
    ] {
        let draft = drafted(&text, &Suppose::default());
        let pod = draft.snapshot.list("", "Pod").next().expect(&text);
        assert_eq!(pod.name(), "web");
        assert_eq!(capture::has_sidecar(pod), sidecar, "{text}");
        assert!(draft.assumptions.iter().any(|a| a.contains(said)), "{said}: {:?}", draft.assumptions);
    }
}

#[test]
fn what_is_scaled_to_nothing_or_made_by_another_gets_no_pod() {
    for text in [
        APP.replace("spec:\n  sel", "spec:\n  replicas: 0\n  sel"),
        APP.replace("namespace: shop", "ownerReferences: [{kind: X, name: x}]"),
    ] {
        assert_eq!(drafted(&text, &Suppose::default()).snapshot.count("", "Pod"), 0, "{text}");
    }
}

#[test]
fn services_get_stable_addresses_and_an_endpoint_only_where_nothing_is_known() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n";
    let alone = drafted(service, &Suppose::default());
    let ip = |d: &Draft| d.snapshot.find("", "Service", "shop", "web").unwrap().str_at(&["spec", "clusterIP"]).to_string();
    assert!(ip(&alone).starts_with("10.96."));
    assert_eq!(alone.snapshot.count("discovery.k8s.io", "EndpointSlice"), 1);
    let other = drafted(&format!("{service}---\n{}", APP.replace("app: web", "app: wbe")), &Suppose::default());
    assert_eq!(ip(&alone), ip(&other));
    assert_eq!(other.snapshot.count("discovery.k8s.io", "EndpointSlice"), 0, "a selector that fits nothing stays that");
}

#[test]
fn an_installation_file_sets_the_mode_and_brings_its_gateways() {
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  profile: demo\n  meshConfig: \
                    {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n";
    let values = "meshConfig: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n";
    for (text, gateway) in [(operator, true), (values, false)] {
        let draft = drafted(text, &Suppose::default());
        let map = draft.snapshot.find("", "ConfigMap", "istio-system", "istio").expect(text);
        assert!(map.str_at(&["data", "mesh"]).contains("REGISTRY_ONLY"));
        assert_eq!(draft.snapshot.find("", "Pod", "istio-system", "istio-egressgateway").is_some(), gateway, "{text}");
    }
    let wrong = draft(written(&operator.replace("demo", "dmeo")), &Suppose::default()).unwrap_err();
    assert!(wrong.contains("f.yaml:1") && wrong.contains("dmeo"), "{wrong}");
}

#[test]
fn the_demo_installation_fills_in_and_never_replaces() {
    let own =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'accessLogFile: x'}\n";
    let suppose = Suppose { demo: Some("REGISTRY_ONLY".into()), ..Suppose::default() };
    let draft = drafted(own, &suppose);
    assert_eq!(
        draft.snapshot.find("", "ConfigMap", "istio-system", "istio").unwrap().str_at(&["data", "mesh"]),
        "accessLogFile: x"
    );
    assert!(draft.assumptions.iter().any(|a| a.contains("is not used")), "{:?}", draft.assumptions);
    let gateway = draft.snapshot.find("", "Pod", "istio-system", "istio-egressgateway").expect("a gateway's pod");
    assert!(capture::is_gateway(gateway));
    let plain = drafted("", &suppose);
    assert!(
        plain
            .snapshot
            .find("", "ConfigMap", "istio-system", "istio")
            .unwrap()
            .str_at(&["data", "mesh"])
            .contains("REGISTRY_ONLY")
    );
    let wrong = Suppose { demo: Some("SOMETIMES".into()), ..Suppose::default() };
    assert!(draft_error(&wrong).contains("SOMETIMES"));
}

fn draft_error(suppose: &Suppose) -> String {
    draft(Vec::new(), suppose).unwrap_err()
}

#[test]
fn a_client_that_is_not_written_is_stood_for() {
    let stand = |name: &str, labels: &[(&str, &str)], when: When| {
        let client = Client { namespace: "shop".into(), name: name.into() };
        let labels = labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Suppose { clients: vec![Stand { client, labels, when }], ..Suppose::default() }
    };
    let suppose = stand("test", &[("app", "x")], When::Always);
    let draft = drafted(APP, &suppose);
    let pod = draft.snapshot.find("", "Pod", "shop", "test").unwrap();
    assert!(capture::has_sidecar(pod) && pod.label("app") == Some("x"));
    assert!(draft.assumptions.iter().any(|a| a.contains("with labels app=x stands for the client shop/test")));
    let cases = [("web", When::Always, 1), ("wbe", When::Uninhabited, 1), ("wbe", When::Alone, 1), ("wbe", When::Always, 2)];
    for (name, when, pods) in cases {
        assert_eq!(drafted(APP, &stand(name, &[], when)).snapshot.count("", "Pod"), pods, "{name} {when:?}");
    }
}

#[test]
fn what_does_not_matter_and_what_is_refused_is_told_and_left_out() {
    let text = "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n---\na: 1\n---\nkind: Rollout\napiVersion: \
                argoproj.io/v1\nmetadata: {name: x}\n---\n- 1\n---\nkind: ServiceEntry\napiVersion: networking.istio.io/v1\nmetadata: \
                {name: x}\nspec: {ports: [{number: 80, name: http, protocol: HTTP}]}\n";
    let draft = drafted(text, &Suppose::default());
    assert_eq!((draft.ignored.len(), draft.refused.len()), (4, 1), "{:?} {:?}", draft.ignored, draft.refused);
    assert!(draft.refused[0].starts_with("ServiceEntry default/x (f.yaml:"), "{}", draft.refused[0]);
    assert!(draft.snapshot.is_empty());
}

#[test]
fn order_is_that_of_the_files_and_the_last_of_two_counts() {
    let two = "kind: Service\napiVersion: v1\nmetadata: {name: b}\nspec: {clusterIP: None, n: 1}\n---\nkind: Service\napiVersion: \
               v1\nmetadata: {name: a}\nspec: {clusterIP: None}\n---\nkind: Service\napiVersion: v1\nmetadata: {name: b}\nspec: {clusterIP: None, n: 2}\n";
    let draft = drafted(two, &Suppose { namespace: "mine".into(), ..Suppose::default() });
    let time =
        |n: &str| draft.snapshot.find("", "Service", "mine", n).unwrap().str_at(&["metadata", "creationTimestamp"]).to_string();
    assert!(time("a") < time("b"), "{} {}", time("a"), time("b"));
    assert_eq!(draft.snapshot.find("", "Service", "mine", "b").unwrap().at(&["spec", "n"]), 2);
    assert!(draft.assumptions.iter().any(|a| a.contains("counts, not the one of f.yaml:1")), "{:?}", draft.assumptions);
}

#[test]
fn gateways_of_the_chart_are_gateways() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: gw, namespace: edge}\nspec:\n  selector: {matchLabels: {a: b}}\n  \
                template:\n    metadata: {labels: {a: b, sidecar.istio.io/inject: 'true'}, annotations: {inject.istio.io/templates: \
                gateway}}\n    spec: {containers: [{name: istio-proxy, image: auto}]}\n";
    let draft = drafted(text, &Suppose::default());
    assert!(capture::is_gateway(draft.snapshot.find("", "Pod", "edge", "gw").unwrap()));
}

#[test]
fn a_template_of_somebodys_own_is_taken_as_the_standard_one_and_told() {
    let text =
        APP.replace("{app: web}}\n    spec", "{app: web}, annotations: {inject.istio.io/templates: 'sidecar,mine'}}\n    spec");
    let draft = drafted(&text, &Suppose::default());
    assert!(capture::has_sidecar(draft.snapshot.find("", "Pod", "shop", "web").unwrap()));
    assert!(draft.assumptions.iter().any(|a| a.contains("template sidecar,mine")), "{:?}", draft.assumptions);
}

#[test]
fn workings_are_the_installation_without_its_kinds() {
    let options = install::InstallOptions { profile: "demo".into(), ..Default::default() };
    let all = install::render(&options).unwrap();
    let without: Vec<_> = all.into_iter().filter(|o| o.kind() != "CustomResourceDefinition").collect();
    assert_eq!(install::workings(&options).unwrap(), without);
}
