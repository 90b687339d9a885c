//! CustomResourceDefinitions and their objects; configurations of webhooks.

use super::{Lab, lab};
use egress_lab::sandbox::Pace;
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";

fn schema() -> Value {
    json!({"type": "object", "properties": {
        "spec": {"type": "object",
            "x-kubernetes-validations": [
                {"rule": "!has(oldSelf.size) || has(self.size)", "message": "size cannot be taken away"},
                {"rule": "self.min <= self.max", "message": "min must not exceed max"}],
            "properties": {
                "size": {"type": "string", "enum": ["S", "L"], "default": "S"},
                "color": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "color is immutable"}]},
                "min": {"type": "integer", "default": 1}, "max": {"type": "integer", "default": 5, "maximum": 9},
                "note": {"type": "string", "nullable": true},
                "weight": {"type": "number"}, "on": {"type": "boolean"}, "since": {"type": "string", "format": "date-time"},
                "replicas": {"type": "integer"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "port": {"x-kubernetes-int-or-string": true}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "phase": {"type": "string"}}}}})
}

pub fn widgets() -> Value {
    let column = |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    let columns = json!([
        column("Size", "string", ".spec.size"),
        column("Max", "integer", ".spec.max"),
        column("Weight", "number", ".spec.weight"),
        column("On", "boolean", ".spec.on"),
        column("Since", "date", ".spec.since"),
        column("Free", "string", ".spec.free"),
        column("None", "string", ".spec.none")
    ]);
    let subresources =
        json!({"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}});
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": schema()},
        "subresources": subresources, "additionalPrinterColumns": columns, "selectableFields": [{"jsonPath": ".spec.color"}]})
    };
    json!({"metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wi"]}, "versions": [version("v1", true), version("v1beta1", false)]}})
}

fn widget(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

fn condition<'a>(definition: &'a Value, kind: &str) -> &'a Value {
    definition["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == kind).unwrap()
}

async fn message(lab: &Lab, method: &str, target: &str, body: Value, code: u16) -> String {
    let (status, got) = lab.ask(method, target, &[], body).await;
    assert_eq!(status, code, "{method} {target}: {got}");
    got["message"].as_str().unwrap_or("").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_lives_and_dies() {
    let lab = lab(Pace::Instant).await;
    let made = lab.made(DEFINITIONS, widgets()).await;
    assert_eq!(made["spec"]["names"]["singular"], "widget");
    let one = format!("{DEFINITIONS}/widgets.example.com");
    let (_, got) = lab.ask("GET", &one, &[], Value::Null).await;
    assert_eq!(
        (condition(&got, "NamesAccepted")["reason"].as_str(), condition(&got, "Established")["reason"].as_str()),
        (Some("NoConflicts"), Some("InitialNamesAccepted"))
    );
    assert_eq!(
        (&got["status"]["storedVersions"], &got["status"]["acceptedNames"]["listKind"]),
        (&json!(["v1"]), &json!("WidgetList"))
    );
    lab.made(WIDGETS, widget("a", json!({}))).await;
    // Another storage version; the old one has to stay.
    let mut next = got.clone();
    next["spec"]["versions"][0]["storage"] = json!(false);
    next["spec"]["versions"][1]["storage"] = json!(true);
    assert_eq!(lab.ask("PUT", &one, &[], next.clone()).await.0, 200);
    let (_, got) = lab.ask("GET", &one, &[], Value::Null).await;
    assert_eq!(got["status"]["storedVersions"], json!(["v1", "v1beta1"]));
    let (_, beta) = lab.ask("GET", "/apis/example.com/v1beta1/namespaces/default/widgets/a", &[], Value::Null).await;
    assert_eq!(beta["apiVersion"], "example.com/v1beta1");
    let mut gone = got.clone();
    gone["spec"]["versions"].as_array_mut().unwrap().remove(0);
    let text = message(&lab, "PUT", &one, gone, 422).await;
    assert!(
        text.contains(
            "status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage version"
        ),
        "{text}"
    );
    for (field, value) in [("scope", json!("Cluster")), ("group", json!("other.com"))] {
        let mut other = got.clone();
        other["spec"][field] = value;
        let text = message(&lab, "PUT", &one, other, 422).await;
        assert!(text.contains(&format!("spec.{field}: Invalid value: ")) && text.contains("field is immutable"), "{text}");
    }
    // A version that is served no more.
    let mut unserved = got.clone();
    unserved["spec"]["versions"][0]["served"] = json!(false);
    assert_eq!(lab.ask("PUT", &one, &[], unserved).await.0, 200);
    let text = lab.client.send("GET", WIDGETS, &[], b"").await;
    assert_eq!((text.status, text.body.as_str()), (404, "404 page not found\n"));
    // With the definition its objects go, and who watches them is told.
    let watch = async { lab.client.wait("GET", "/apis/example.com/v1beta1/widgets?watch=1").await };
    let delete = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        lab.ask("DELETE", &one, &[], Value::Null).await
    };
    let (watched, _) = tokio::join!(watch, delete);
    let kinds: Vec<Value> = watched.body.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["type"].clone()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&json!("ADDED")), Some(&json!("DELETED"))), "{}", watched.body);
    assert_eq!(lab.ask("GET", &one, &[], Value::Null).await.0, 404);
    assert_eq!(lab.client.send("GET", "/apis/example.com/v1beta1/widgets", &[], b"").await.body, "404 page not found\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_another_definition_has_are_not_accepted() {
    let lab = lab(Pace::Instant).await;
    lab.made(DEFINITIONS, widgets()).await;
    let mut other = widgets();
    other["metadata"]["name"] = json!("gadgets.example.com");
    other["spec"]["names"] = json!({"kind": "Widget", "plural": "gadgets", "shortNames": ["wi"]});
    lab.made(DEFINITIONS, other).await;
    let one = format!("{DEFINITIONS}/gadgets.example.com");
    let (_, got) = lab.ask("GET", &one, &[], Value::Null).await;
    let accepted = condition(&got, "NamesAccepted");
    assert_eq!(
        (accepted["status"].as_str(), accepted["message"].as_str()),
        (Some("False"), Some("\"WidgetList\" is already in use"))
    );
    assert_eq!(condition(&got, "Established")["reason"], "NotAccepted");
    assert_eq!(lab.client.send("GET", "/apis/example.com/v1/gadgets", &[], b"").await.status, 404);
    // As soon as the names are free they are taken.
    lab.ask("DELETE", &format!("{DEFINITIONS}/widgets.example.com"), &[], Value::Null).await;
    let (_, got) = lab.ask("GET", &one, &[], Value::Null).await;
    assert_eq!(
        (condition(&got, "NamesAccepted")["status"].as_str(), condition(&got, "Established")["status"].as_str()),
        (Some("True"), Some("True"))
    );
    assert_eq!(lab.client.send("GET", "/apis/example.com/v1/gadgets", &[], b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_follow_their_schema() {
    let lab = lab(Pace::Instant).await;
    lab.made(DEFINITIONS, widgets()).await;
    let spec = json!({"color": "red", "size": null, "note": null, "bogus": 1, "free": {"any": {"thing": [1]}}, "port": "http"});
    let made = lab.made(WIDGETS, widget("a", spec)).await;
    assert_eq!(
        made["spec"],
        json!({"color": "red", "size": "S", "note": null, "min": 1, "max": 5, "free": {"any": {"thing": [1]}}, "port": "http"})
    );
    assert_eq!((&made["metadata"]["generation"], made["status"].is_null()), (&json!(1), true));
    for (spec, text) in [
        (
            json!({"size": "M"}),
            "Widget.example.com \"b\" is invalid: [spec.size: Unsupported value: \"M\": supported values: \"S\", \"L\", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]",
        ),
        (json!({"min": 7}), "Widget.example.com \"b\" is invalid: spec: Invalid value: min must not exceed max"),
        (json!({"max": 10}), "spec.max: Invalid value: 10: spec.max in body should be less than or equal to 9"),
        (json!({"on": "yes"}), "spec.on: Invalid value: \"string\": spec.on in body must be of type boolean: \"string\""),
        (
            json!({"port": true}),
            "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
        ),
    ] {
        let got = message(&lab, "POST", WIDGETS, widget("b", spec), 422).await;
        assert!(got.contains(text), "{got}");
    }
    let one = format!("{WIDGETS}/a");
    let text = message(&lab, "PATCH", &one, json!({"spec": {"color": "blue"}}), 422).await;
    assert_eq!(text, "Widget.example.com \"a\" is invalid: spec.color: Invalid value: \"blue\": color is immutable");
    let strict = message(
        &lab,
        "POST",
        &format!("{WIDGETS}?fieldValidation=Strict"),
        widget("b", json!({"bogus": 1, "free": {"x": 1}})),
        400,
    )
    .await;
    assert_eq!(
        strict,
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.bogus\""
    );
    let body = widget("w", json!({"bogus": 1})).to_string();
    let warned = lab.client.send("POST", WIDGETS, &[("Content-Type", "application/json")], body.as_bytes()).await;
    assert_eq!(warned.header("warning"), ["299 - \"unknown field \\\"spec.bogus\\\"\""]);
    // Generation, status and scale.
    let (_, got) = lab.ask("PATCH", &one, &[], json!({"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Up"}})).await;
    assert_eq!((&got["metadata"]["generation"], got["status"].is_null()), (&json!(1), true));
    let (_, got) = lab
        .ask("PATCH", &format!("{one}/status"), &[], json!({"spec": {"size": "L"}, "status": {"phase": "Up", "replicas": 2}}))
        .await;
    assert_eq!(
        (&got["metadata"]["generation"], &got["spec"]["size"], &got["status"]["phase"]),
        (&json!(1), &json!("S"), &json!("Up"))
    );
    let (_, got) = lab.ask("PATCH", &format!("{one}/scale"), &[], json!({"spec": {"replicas": 3}})).await;
    assert_eq!(
        (&got["kind"], &got["spec"], &got["status"]["replicas"]),
        (&json!("Scale"), &json!({"replicas": 3}), &json!(2)),
        "{got}"
    );
    let (_, got) = lab.ask("GET", &one, &[], Value::Null).await;
    assert_eq!((&got["metadata"]["generation"], &got["spec"]["replicas"]), (&json!(2), &json!(3)));
    let (_, list) = lab.ask("GET", &format!("{WIDGETS}?fieldSelector=spec.color%3Dred"), &[], Value::Null).await;
    assert_eq!((list["items"].as_array().map(Vec::len), &list["items"][0]["kind"]), (Some(1), &json!("Widget")));
    assert_eq!(
        message(&lab, "GET", &format!("{WIDGETS}?fieldSelector=spec.size%3DS"), Value::Null, 400).await,
        "field label not supported: spec.size"
    );
    let strategic = lab.client.send("PATCH", &one, &[("Content-Type", "application/strategic-merge-patch+json")], b"{}").await;
    assert_eq!(strategic.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_schema_is_in_force_at_once() {
    let lab = lab(Pace::Instant).await;
    lab.made(DEFINITIONS, widgets()).await;
    assert!(lab.made(WIDGETS, widget("a", json!({"extra": 1}))).await["spec"]["extra"].is_null());
    let one = format!("{DEFINITIONS}/widgets.example.com");
    let (_, mut definition) = lab.ask("GET", &one, &[], Value::Null).await;
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["extra"] =
        json!({"type": "integer"});
    assert_eq!(lab.ask("PUT", &one, &[], definition).await.0, 200);
    assert_eq!(lab.made(WIDGETS, widget("b", json!({"extra": 1}))).await["spec"]["extra"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_every_type_are_shown() {
    let lab = lab(Pace::Instant).await;
    lab.made(DEFINITIONS, widgets()).await;
    lab.made(WIDGETS, widget("a", json!({"weight": 1.5, "on": true, "since": "2025-12-31T09:00:00Z", "free": {"x": [1]}}))).await;
    let (_, table) = lab.ask("GET", WIDGETS, &[("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")], Value::Null).await;
    assert_eq!(table["rows"][0]["cells"], json!(["a", "S", 5, 1.5, true, "24h", "{\"x\":[1]}", null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_make_no_sense_are_refused() {
    let lab = lab(Pace::Instant).await;
    let set = |pointer: &str, value: Value| {
        let mut definition = widgets();
        *definition.pointer_mut(pointer).unwrap() = value;
        definition
    };
    for (definition, text) in [
        (
            set("/metadata/name", json!("x.example.com")),
            "metadata.name: Invalid value: \"x.example.com\": must be spec.names.plural+\".\"+spec.group",
        ),
        (
            set("/spec/scope", json!("World")),
            "spec.scope: Unsupported value: \"World\": supported values: \"Cluster\", \"Namespaced\"",
        ),
        (set("/spec/versions/0/storage", json!(false)), "must have exactly one version marked as storage version"),
        (set("/spec/versions/1/name", json!("v1")), "spec.versions[1].name: Duplicate value: \"v1\""),
        (
            set("/spec/versions/0/schema", json!({})),
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            set("/spec/versions/0/schema/openAPIV3Schema/properties/spec", json!({"properties": {}})),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields",
        ),
        (
            set("/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations/1/rule", json!("self.min <=")),
            "properties[spec].x-kubernetes-validations[1].rule: Invalid value: {\"message\":\"min must not exceed max\",\"rule\":\"self.min <=\"}: compilation failed: ",
        ),
        (
            set("/spec/versions/0/additionalPrinterColumns/0/type", json!("text")),
            "spec.versions[0].additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of boolean,date,integer,number,string",
        ),
    ] {
        let got = message(&lab, "POST", DEFINITIONS, definition, 422).await;
        assert!(got.starts_with("CustomResourceDefinition.apiextensions.k8s.io ") && got.contains(text), "{got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_others_are_stored_and_said_not_to_be_called() {
    let lab = lab(Pace::Instant).await;
    let group = "/apis/admissionregistration.k8s.io/v1";
    let rules = json!([{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]);
    let hook = |name: &str, client: Value| json!({"name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": client, "rules": rules, "failurePolicy": "Fail"});
    let body = json!({"metadata": {"name": "h"}, "webhooks": [
        hook("a.b.io", json!({"service": {"namespace": "x", "name": "y"}})), hook("c.d.io", json!({"url": "https://z.test"}))]});
    let json_type: &[(&str, &str)] = &[("Content-Type", "application/json")];
    for plural in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"] {
        let got = lab.client.send("POST", &format!("{group}/{plural}"), json_type, body.to_string().as_bytes()).await;
        assert_eq!(got.status, 201, "{}", got.body);
        assert_eq!(
            got.header("warning"),
            [
                "299 - \"not simulated here: webhook a.b.io; it is stored, but never called\"",
                "299 - \"not simulated here: webhook c.d.io; it is stored, but never called\"",
            ]
        );
    }
    lab.made(
        "/api/v1/namespaces/default/pods",
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}),
    )
    .await;
    let policy = json!({"metadata": {"name": "p"}, "spec": {"validations": [{"expression": "true"}], "matchConstraints": {"resourceRules": rules}}});
    let got =
        lab.client.send("POST", &format!("{group}/validatingadmissionpolicies"), json_type, policy.to_string().as_bytes()).await;
    assert_eq!(
        (got.status, got.header("warning")),
        (201, vec!["299 - \"not simulated here: ValidatingAdmissionPolicy; it is stored, but never evaluated\""]),
        "{}",
        got.body
    );
    for (hook, text) in [
        (
            json!({"name": "short", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://z"}}),
            "webhooks[0].name: Invalid value: \"short\": should be a domain with at least three segments separated by dots",
        ),
        (
            json!({"name": "a.b.c", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://z"}}),
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            json!({"name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {}}),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
    ] {
        let got = message(
            &lab,
            "POST",
            &format!("{group}/mutatingwebhookconfigurations"),
            json!({"metadata": {"name": "q"}, "webhooks": [hook]}),
            422,
        )
        .await;
        assert!(got.contains(text), "{got}");
    }
}
