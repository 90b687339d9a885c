//! Namespaces, deployments, services, service accounts, jobs, cron jobs.

use super::{Made, name};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::session::{Ask, Session};
use serde_json::{Value, json};

pub async fn namespace(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name(&p.operands, &s.verb)?}, "spec": {}, "status": {}});
    Made { object, root: "/api/v1", plural: "namespaces", printed: "namespace", namespaced: false, failed: "" }.post(s, p).await
}

pub async fn serviceaccount(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name(&p.operands, &s.verb)?}});
    let failed = "failed to create serviceaccount:";
    Made { object, root: "/api/v1", plural: "serviceaccounts", printed: "serviceaccount", namespaced: true, failed }
        .post(s, p)
        .await
}

/// A container's name after its image: `nginx` of `docker.io/library/nginx:1.27`.
fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(['@', ':']).next().unwrap_or(last).to_lowercase().replace('_', "-")
}

pub async fn deployment(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(p.before_dash(), &s.verb)?;
    let images = p.list("image");
    if images.is_empty() {
        return Err(Error::plain("required flag(s) \"image\" not set"));
    }
    if images.len() > 1 && !p.after_dash().is_empty() {
        return Err(Error::plain("cannot specify multiple --image options and command"));
    }
    let containers: Vec<Value> = images
        .iter()
        .map(|image| {
            let mut container = json!({"name": container_name(image), "image": image, "resources": {}});
            if let Some(port) = p.int("port") {
                container["ports"] = json!([{"containerPort": port}]);
            }
            if !p.after_dash().is_empty() {
                container["command"] = json!(p.after_dash());
            }
            container
        })
        .collect();
    let labels = json!({"app": name});
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": p.int("replicas").unwrap_or(1), "selector": {"matchLabels": labels}, "strategy": {},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
        "status": {}});
    let failed = "failed to create deployment:";
    Made { object, root: "/apis/apps/v1", plural: "deployments", printed: "deployment.apps", namespaced: true, failed }
        .post(s, p)
        .await
}

pub async fn job(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(p.before_dash(), &s.verb)?.to_string();
    let object = match (p.str("image"), p.str("from")) {
        ("", "") => return Err(Error::plain("either --image or --from must be specified")),
        (image, "") => json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"template": {"metadata": {}, "spec": pod_spec(&name, image, p.after_dash(), "Never")}}, "status": {}}),
        ("", from) if p.after_dash().is_empty() => from_cron_job(s, &name, from).await?,
        ("", _) => return Err(Error::plain("cannot specify --from and command")),
        _ => return Err(Error::plain("either --image or --from must be specified")),
    };
    let failed = "failed to create job:";
    Made { object, root: "/apis/batch/v1", plural: "jobs", printed: "job.batch", namespaced: true, failed }.post(s, p).await
}

fn pod_spec(name: &str, image: &str, command: &[String], restart: &str) -> Value {
    let mut container = json!({"name": name, "image": image, "resources": {}});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    json!({"containers": [container], "restartPolicy": restart})
}

/// The job that a cron job would start, started by hand.
async fn from_cron_job(s: &mut Session<'_>, name: &str, from: &str) -> Result<Value> {
    let cron = match from.split_once('/') {
        Some(("cronjob" | "cronjobs" | "cj" | "cronjob.batch" | "cronjobs.batch", cron)) => cron,
        _ => return Err(Error::plain("from must be an existing cronjob")),
    };
    let path = format!("/apis/batch/v1/namespaces/{}/cronjobs/{cron}", s.namespace);
    let found = s.json(Ask::get(path)).await?;
    let template = &found["spec"]["jobTemplate"];
    let mut metadata = json!({"name": name, "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}});
    for (key, value) in template["metadata"]["annotations"].as_object().into_iter().flatten() {
        metadata["annotations"][key] = value.clone();
    }
    if template["metadata"]["labels"].is_object() {
        metadata["labels"] = template["metadata"]["labels"].clone();
    }
    metadata["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": cron,
        "uid": found["metadata"]["uid"], "controller": true}]);
    Ok(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"], "status": {}}))
}

pub async fn cron_job(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(p.before_dash(), &s.verb)?;
    let missing: Vec<&str> = ["image", "schedule"].into_iter().filter(|flag| !p.given(flag)).collect();
    if !missing.is_empty() {
        return Err(Error::plain(format!("required flag(s) \"{}\" not set", missing.join("\", \""))));
    }
    let pod = pod_spec(name, p.str("image"), p.after_dash(), p.text("restart").unwrap_or("OnFailure"));
    let object = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": {
        "schedule": p.str("schedule"), "jobTemplate": {"metadata": {"name": name},
        "spec": {"template": {"metadata": {}, "spec": pod}}}}, "status": {}});
    let failed = "failed to create cronjob:";
    Made { object, root: "/apis/batch/v1", plural: "cronjobs", printed: "cronjob.batch", namespaced: true, failed }
        .post(s, p)
        .await
}

pub async fn service(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((kind, rest)) = p.operands.split_first() else {
        return Err(Error::plain("which service: clusterip, nodeport, loadbalancer or externalname?"));
    };
    let kind = match kind.as_str() {
        "clusterip" => "ClusterIP",
        "nodeport" => "NodePort",
        "loadbalancer" => "LoadBalancer",
        "externalname" => "ExternalName",
        other => return Err(super::unknown_sort(other, "service")),
    };
    let name = super::name(rest, &format!("create service {}", p.operands[0]))?;
    if kind == "ExternalName" && !p.given("external-name") {
        return Err(Error::plain("required flag(s) \"external-name\" not set"));
    }
    let mut ports = Vec::new();
    for tcp in p.list("tcp") {
        ports.push(port(tcp, p.int("node-port"))?);
    }
    let mut spec = json!({"type": kind, "selector": {"app": name}});
    if !ports.is_empty() {
        spec["ports"] = json!(ports);
    } else if kind != "ExternalName" && p.str("clusterip") != "None" {
        return Err(Error::plain("at least one tcp port specifier must be provided"));
    }
    if p.given("clusterip") {
        spec["clusterIP"] = json!(p.str("clusterip"));
    }
    if kind == "ExternalName" {
        spec["externalName"] = json!(p.str("external-name"));
    }
    let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec,
        "status": {"loadBalancer": {}}});
    let failed = format!("failed to create {kind} service:");
    Made { object, root: "/api/v1", plural: "services", printed: "service", namespaced: true, failed: &failed }.post(s, p).await
}

/// `80:8080`, `80:http`, `80`.
fn port(text: &str, node_port: Option<i64>) -> Result<Value> {
    let (port, target) = text.split_once(':').unwrap_or((text, text));
    let number: i64 = port.parse().map_err(|_| Error::plain(format!("strconv.ParseUint: parsing {port:?}: invalid syntax")))?;
    let target = target.parse::<i64>().map_or_else(|_| json!(target), |n| json!(n));
    if !(1..=65535).contains(&number) || target.as_i64().is_some_and(|n| !(1..=65535).contains(&n)) {
        return Err(Error::plain("must be between 1 and 65535, inclusive"));
    }
    let mut port = json!({"name": text.replace(':', "-"), "port": number, "protocol": "TCP", "targetPort": target});
    if let Some(node) = node_port {
        port["nodePort"] = json!(node);
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_named_after_images() {
        for (image, want) in
            [("nginx:1.27", "nginx"), ("docker.io/curlimages/curl:8.1.2", "curl"), ("localhost:5000/a_b@sha256:1", "a-b")]
        {
            assert_eq!(container_name(image), want);
        }
    }
}
