use super::*;
use crate::base::yaml;

fn options(settings: &[&str]) -> InstallOptions {
    InstallOptions { settings: settings.iter().map(|s| s.to_string()).collect(), ..InstallOptions::default() }
}

fn names(settings: &[&str], kind: &str) -> Vec<String> {
    let objects = render(&options(settings)).expect("options that render");
    objects.iter().filter(|o| o.kind() == kind).map(|o| o.name().to_string()).collect()
}

fn mesh(options: &InstallOptions) -> serde_json::Value {
    let objects = render(options).expect("options that render");
    let map = objects.iter().find(|o| o.kind() == "ConfigMap" && o.name() == "istio").expect("ConfigMap istio");
    yaml::parse_documents(map.str_at(&["data", "mesh"])).expect("YAML").remove(0)
}

#[test]
fn profiles_have_the_deployments_of_the_facts() {
    let rows: [(&str, &[&str]); 4] = [
        ("demo", &["istiod", "istio-egressgateway", "istio-ingressgateway"]),
        ("default", &["istiod", "istio-ingressgateway"]),
        ("minimal", &["istiod"]),
        ("empty", &[]),
    ];
    for (profile, expected) in rows {
        assert_eq!(names(&[&format!("profile={profile}")], "Deployment"), expected, "{profile}");
    }
    assert_eq!(names(&[], "HorizontalPodAutoscaler"), ["istiod", "istio-ingressgateway"]);
    assert_eq!(names(&["profile=demo"], "HorizontalPodAutoscaler"), Vec::<String>::new());
    assert_eq!(names(&["profile=demo"], "PodDisruptionBudget"), ["istiod", "istio-egressgateway", "istio-ingressgateway"]);
    assert_eq!(
        names(&["profile=demo"], "MutatingWebhookConfiguration"),
        ["istio-sidecar-injector", "istio-revision-tag-default"]
    );
    assert_eq!(
        names(&["profile=demo"], "ValidatingWebhookConfiguration"),
        ["istiod-default-validator", "istio-validator-istio-system"]
    );
}

#[test]
fn the_mesh_text_right_after_a_demo_install() {
    let demo = mesh(&options(&["profile=demo"]));
    let keys: Vec<&String> = demo.as_object().expect("an object").keys().collect();
    let expected = [
        "accessLogFile",
        "defaultConfig",
        "defaultProviders",
        "enablePrometheusMerge",
        "extensionProviders",
        "rootNamespace",
        "trustDomain",
    ];
    assert_eq!(keys, expected);
    assert_eq!(demo["accessLogFile"], "/dev/stdout");
    assert_eq!(demo["extensionProviders"].as_array().map(Vec::len), Some(4));
    assert!(mesh(&options(&[])).get("accessLogFile").is_none(), "only demo logs");
}

#[test]
fn the_three_ways_to_set_the_policy_agree() {
    let wanted = json!({"mode": "REGISTRY_ONLY"});
    let file = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  profile: demo\n  meshConfig:\n    \
                accessLogFile: /dev/stdout\n    outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    let by_file = InstallOptions { files: vec![file.into()], ..InstallOptions::default() };
    let by_set = options(&["profile=demo", "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY"]);
    let by_profile =
        InstallOptions { profile: "demo".into(), ..options(&["meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY"]) };
    assert_eq!(mesh(&by_file)["outboundTrafficPolicy"], wanted);
    assert_eq!(render(&by_file), render(&by_set));
    assert_eq!(render(&by_profile), render(&by_set));
}

#[test]
fn a_component_can_be_switched_by_index_and_by_name() {
    for path in ["components.egressGateways[0].enabled=true", "components.egressGateways[name:istio-egressgateway].enabled=true"]
    {
        assert_eq!(names(&[path], "Deployment"), ["istiod", "istio-egressgateway", "istio-ingressgateway"], "{path}");
    }
}

#[test]
fn services_have_the_ports_of_the_facts() {
    let objects = render(&options(&["profile=demo"])).expect("options that render");
    let ports = |name: &str| {
        let service = objects.iter().find(|o| o.kind() == "Service" && o.name() == name).expect("the service");
        let ports = service.at(&["spec", "ports"]).as_array().expect("ports").clone();
        let list: Vec<String> = ports.iter().map(|p| format!("{} {}", p["name"].as_str().unwrap_or(""), p["port"])).collect();
        format!("{}: {}", service.str_at(&["spec", "type"]), list.join(", "))
    };
    assert_eq!(ports("istio-egressgateway"), "ClusterIP: http2 80, https 443");
    assert_eq!(ports("istio-ingressgateway"), "LoadBalancer: status-port 15021, http2 80, https 443, tcp 31400, tls 15443");
    assert_eq!(ports("istiod"), "ClusterIP: grpc-xds 15010, https-dns 15012, https-webhook 443, http-monitoring 15014");
}

#[test]
fn no_placeholder_is_left_and_every_object_is_owned() {
    for profile in ["demo", "default", "minimal"] {
        for object in render(&options(&[&format!("profile={profile}")])).expect("options that render") {
            if object.kind() == "Namespace" {
                continue;
            }
            assert!(object.label("operator.istio.io/component").is_some(), "{}", object.key());
            let mut rest = object.clone();
            rest.remove(&["data", "config"]);
            assert!(!rest.0.to_string().contains("${"), "{}", object.key());
        }
    }
}

#[test]
fn mistakes_are_named_in_istioctls_words() {
    let rows = [
        ("profile=dmeo", r#"merge inputs: profile "dmeo" not found: open profiles/dmeo.yaml: file does not exist"#),
        ("profil=demo", r#"could not unmarshal: json: unknown field "profil""#),
        ("components.egressGateway[0].enabled=true", r#"could not unmarshal: json: unknown field "egressGateway""#),
        (
            "meshConfig.outboundTrafficPolicy.mode=REGISTER_ONLY",
            r#"could not unmarshal: unknown value "\"REGISTER_ONLY\"" for enum istio.mesh.v1alpha1.MeshConfig.OutboundTrafficPolicy.Mode"#,
        ),
        (
            "meshConfig.outboundTrafficPolicy=REGISTRY_ONLY",
            "could not unmarshal: json: cannot unmarshal string into Go value of type map[string]json.RawMessage",
        ),
        (
            "components.pilot.enabled=maybe",
            "could not unmarshal: json: cannot unmarshal string into Go struct field IstioOperator.spec.components.pilot.enabled of type bool",
        ),
        ("profile=ambient", "not simulated here: profile ambient"),
        ("components.cni.enabled=true", "not simulated here: IstioOperator spec.components.cni.enabled"),
        ("values.global.multiCluster.enabled=true", "not simulated here: IstioOperator spec.values.global.multiCluster"),
        ("revision=canary", "not simulated here: istioctl install --revision"),
        ("profile", "--set profile: expected PATH=VALUE"),
    ];
    for (setting, expected) in rows {
        let error = render(&options(&[setting])).expect_err(setting).to_string();
        assert_eq!(error, expected, "{setting}");
    }
    let two =
        InstallOptions { files: vec!["kind: IstioOperator\n---\nkind: IstioOperator\n".into()], ..InstallOptions::default() };
    assert_eq!(
        render(&two).expect_err("two documents").to_string(),
        "contains multiple IstioOperator CRs, only one per file is supported"
    );
    let old = InstallOptions { version: "1.18".into(), ..InstallOptions::default() };
    assert_eq!(render(&old).expect_err("an old release").to_string(), "not simulated here: Istio 1.18");
}

#[test]
fn a_mode_that_came_later_is_refused_by_the_older_release() {
    let set = ["meshConfig.outboundTrafficPolicy.mode=ALLOW_ANY_DYNAMIC_DNS"];
    assert!(render(&options(&set)).is_ok());
    assert!(render(&InstallOptions { version: "1.26".into(), ..options(&set) }).is_err());
}

#[test]
fn images_carry_hub_and_tag_of_the_release_or_of_the_settings() {
    let image = |o: &InstallOptions| {
        let objects = render(o).expect("options that render");
        let istiod = objects.iter().find(|o| o.kind() == "Deployment").expect("istiod");
        istiod.0["spec"]["template"]["spec"]["containers"][0]["image"].as_str().map(str::to_string)
    };
    assert_eq!(image(&options(&[])).as_deref(), Some("registry.istio.io/release/pilot:1.30.0"));
    let old = InstallOptions { version: "1.26".into(), ..InstallOptions::default() };
    assert_eq!(image(&old).as_deref(), Some("docker.io/istio/pilot:1.26.8"));
    assert_eq!(image(&options(&["hub=mirror/istio", "tag=1.30.2"])).as_deref(), Some("mirror/istio/pilot:1.30.2"));
}
