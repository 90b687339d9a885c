//! The kinds that are questions about users and what they may do.

use crate::k8s::Object;
use crate::sandbox::api::rbac::rules::{self, Decision, Rule};
use crate::sandbox::api::rbac::{Ask, User, token, user};
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{body, negotiate};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;
use serde_json::{Value, json};

/// Answers a create of a kind that is a question; `None` for ordinary kinds.
pub fn answer(world: &View, call: &Call, target: &Target) -> Option<Result<Answer, Refusal>> {
    let kind = target.resource.kind.as_str();
    match (target.resource.group.as_str(), kind) {
        ("authorization.k8s.io" | "authentication.k8s.io", _) => Some(question(world, call, target)),
        ("", "Binding") => Some(Err(Refusal::not_simulated(kind))),
        _ => None,
    }
}

fn question(world: &View, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let validation = body::field_validation(call, "CreateOptions")?;
    let (mut request, _) = body::read_object(call, &target.resource, validation)?;
    let user = user::of(world, call)?;
    let kind = target.resource.kind.as_str();
    if target.resource.namespaced && request.namespace().is_empty() {
        request.set(&["metadata", "namespace"], json!(target.namespace));
    }
    let problems = problems(kind, &request);
    if !problems.is_empty() {
        return Err(status::invalid(&target.resource.group, kind, "", problems));
    }
    let status = match kind {
        "SelfSubjectReview" => json!({"userInfo": user.info()}),
        "SelfSubjectRulesReview" => rules_of(world, &user, request.str_at(&["spec", "namespace"]))?,
        "SelfSubjectAccessReview" => access(world, &user, request.spec()),
        "TokenReview" => reviewed(world, request.str_at(&["spec", "token"])),
        _ => access(world, &asked(request.spec()), request.spec()),
    };
    if request.at(&["metadata"]).is_null() {
        request.set(&["metadata"], json!({}));
    }
    if kind == "SelfSubjectReview" {
        request.set(&["metadata", "creationTimestamp"], json!(world.now().rfc3339()));
    }
    request.set(&["status"], status);
    Ok(negotiate::value(call, 201, &request.0))
}

/// What is wrong with a question (kubernetes/pkg/apis/authorization/validation).
fn problems(kind: &str, request: &Object) -> Vec<Cause> {
    let spec = request.spec();
    let mut causes = Vec::new();
    if kind.ends_with("AccessReview") {
        let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
        if !resource.is_null() && !path.is_null() {
            let why = "cannot be specified in combination with resourceAttributes";
            causes.push(Cause::invalid("spec.nonResourceAttributes", path, why));
        }
        if resource.is_null() && path.is_null() {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            causes.push(Cause::invalid("spec.resourceAttributes", &Value::Null, why));
        }
        let nobody = spec["user"].as_str().is_none_or(str::is_empty) && spec["groups"].as_array().is_none_or(Vec::is_empty);
        if kind != "SelfSubjectAccessReview" && nobody {
            causes.push(Cause::invalid("spec.user", &json!(""), "at least one of user or group must be specified"));
        }
        let asked = resource["namespace"].as_str().unwrap_or("");
        if kind == "LocalSubjectAccessReview" && !resource.is_null() && asked != request.namespace() {
            causes.push(Cause::invalid("spec.resourceAttributes.namespace", &json!(asked), "must match metadata.namespace"));
        }
        if kind == "LocalSubjectAccessReview" && !path.is_null() {
            let why = "disallowed on this kind of request";
            causes.push(Cause::invalid("spec.nonResourceAttributes", path, why));
        }
    }
    if kind == "TokenReview" && request.str_at(&["spec", "token"]).is_empty() {
        causes.push(Cause::required("spec.token", ""));
    }
    causes
}

/// The user that a SubjectAccessReview asks about.
fn asked(spec: &Value) -> User {
    let list = |value: &Value| value.as_array().into_iter().flatten().filter_map(|g| g.as_str().map(String::from)).collect();
    let name = spec["user"].as_str().unwrap_or("").to_string();
    // Groups are as given: the asker knows them, this server does not.
    User { name, uid: spec["uid"].as_str().unwrap_or("").into(), groups: list(&spec["groups"]), ..User::default() }
}

fn access(world: &View, user: &User, spec: &Value) -> Value {
    let path = &spec["nonResourceAttributes"];
    if !path.is_null() {
        let text = |field: &str| path[field].as_str().unwrap_or("");
        return json!({"allowed": rules::granted_path(world.snapshot(), user, text("verb"), text("path"))});
    }
    let ask = &spec["resourceAttributes"];
    let text = |field: &str| ask[field].as_str().unwrap_or("");
    let resource = match text("subresource") {
        "" => text("resource").to_string(),
        sub => format!("{}/{sub}", text("resource")),
    };
    let ask =
        Ask { verb: text("verb"), group: text("group"), resource: &resource, name: text("name"), namespace: text("namespace") };
    let (allowed, reason) = match rules::decide(world.snapshot(), user, &ask) {
        Decision::Allowed(by) => (true, by),
        Decision::NoOpinion(why) => (false, why),
    };
    let mut status = json!({"allowed": allowed});
    if !reason.is_empty() {
        status["reason"] = json!(reason);
    }
    status
}

fn rules_of(world: &View, user: &User, namespace: &str) -> Result<Value, Refusal> {
    if namespace.is_empty() {
        return Err(Refusal::bad_request("no namespace on request"));
    }
    let mut held = rules::held(world.snapshot(), user, namespace);
    if user.is_master() && held.is_empty() {
        let all = |field: &str| Rule::read(&json!({"verbs": ["*"], field: ["*"], "apiGroups": ["*"]}));
        held = vec![all("resources"), Rule { groups: Vec::new(), ..all("nonResourceURLs") }];
    }
    let of_kind =
        |paths: bool| -> Vec<Value> { held.iter().filter(|rule| rule.urls.is_empty() != paths).map(Rule::value).collect() };
    Ok(json!({"resourceRules": of_kind(false), "nonResourceRules": of_kind(true), "incomplete": false}))
}

fn reviewed(world: &View, token: &str) -> Value {
    match token::verify(world, token) {
        Ok(claims) => {
            json!({"authenticated": true, "user": claims.user(world).info(), "audiences": claims.audiences})
        }
        Err(why) => json!({"user": {}, "error": why}),
    }
}
