//! Namespaces, deployments, services, service accounts, jobs, quotas.

use super::{Made, name};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::session::Session;
use serde_json::{Map, Value, json};

pub async fn namespace(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name(p, &p.operands)?}, "spec": {}, "status": {}});
    Made { object, root: "/api/v1", plural: "namespaces", printed: "namespace", namespaced: false, failed: "" }.post(s, p).await
}

pub async fn serviceaccount(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name(p, &p.operands)?}});
    let failed = "failed to create serviceaccount:";
    Made { object, root: "/api/v1", plural: "serviceaccounts", printed: "serviceaccount", namespaced: true, failed }
        .post(s, p)
        .await
}

pub async fn quota(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let mut hard = Map::new();
    for pair in p.str("hard").split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("Invalid argument syntax {pair}, expected <resource>=<value>")))?;
        hard.insert(key.to_string(), json!(value));
    }
    let object = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name(p, &p.operands)?}, "spec": {"hard": hard}, "status": {}});
    let failed = "failed to create quota:";
    Made { object, root: "/api/v1", plural: "resourcequotas", printed: "resourcequota", namespaced: true, failed }
        .post(s, p)
        .await
}

/// A container's name after its image: `nginx` of `docker.io/library/nginx:1.27`.
fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(['@', ':']).next().unwrap_or(last).to_lowercase().replace('_', "-")
}

pub async fn deployment(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(p, p.before_dash())?;
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
    if p.given("from") {
        return Err(Error::not_simulated("create job --from"));
    }
    let name = name(p, p.before_dash())?;
    if p.str("image").is_empty() {
        return Err(Error::plain("either --image or --from must be specified"));
    }
    let mut container = json!({"name": name, "image": p.str("image"), "resources": {}});
    if !p.after_dash().is_empty() {
        container["command"] = json!(p.after_dash());
    }
    let object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [container], "restartPolicy": "Never"}}}, "status": {}});
    let failed = "failed to create job:";
    Made { object, root: "/apis/batch/v1", plural: "jobs", printed: "job.batch", namespaced: true, failed }.post(s, p).await
}

pub async fn service(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((kind, rest)) = p.operands.split_first() else {
        return Err(Error::plain("which service: clusterip, nodeport, loadbalancer or externalname?"));
    };
    let name = name(p, rest)?;
    let kind = match kind.as_str() {
        "clusterip" => "ClusterIP",
        "nodeport" => "NodePort",
        "loadbalancer" => "LoadBalancer",
        "externalname" => "ExternalName",
        other => return Err(Error::plain(format!("unknown command {other:?} for \"kubectl create service\""))),
    };
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
    let number: i64 = port.parse().map_err(|_| Error::plain(format!("strconv.ParseInt: parsing {port:?}: invalid syntax")))?;
    let target = target.parse::<i64>().map_or_else(|_| json!(target), |n| json!(n));
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
