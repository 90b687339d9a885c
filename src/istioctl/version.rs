//! `istioctl version`.

use super::args::{Flag, switch, valued};
use super::{Context, Stop, api, args};
use crate::base::io::Io;
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::versions;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FLAGS: &[Flag] =
    &[switch("remote", None), switch("short", Some('s')), valued("output", Some('o')), valued("revision", Some('r'))];

/// Prints the versions of client, control plane and proxies.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let parsed = args::parse(words, FLAGS)?;
    let release = versions::find(&context.version).unwrap_or_else(versions::default_release);
    let remote = parsed.last("remote").is_none_or(|value| value == "true");
    let output = parsed.last("output").unwrap_or("");
    if !matches!(output, "" | "json" | "yaml" | "short") {
        return Err(Stop::usage("--output must be 'yaml' or 'json'"));
    }
    let planes = if remote { Some(Planes::read(context).await?) } else { None };
    if let Some(planes) = planes.as_ref().filter(|p| p.control.is_empty()) {
        let _ = planes;
        io.warn("Istio is not present in the cluster: no running Istio pods in namespace \"istio-system\"");
    }
    match output {
        "json" | "yaml" => {
            let value = as_value(&release.tag, planes.as_ref());
            let text = match output {
                "json" => format!("{}\n", serde_json::to_string_pretty(&value).expect("a JSON value is always written")),
                _ => yaml::write(&value),
            };
            io.write(text.as_bytes());
        }
        _ => as_lines(&release.tag, planes.as_ref()).iter().for_each(|line| io.say(line)),
    }
    Ok(())
}

/// Versions found in the cluster.
struct Planes {
    /// Of istiod's running pods.
    control: Vec<String>,
    /// How many connected proxies have which version.
    data: BTreeMap<String, usize>,
}

impl Planes {
    async fn read(context: &Context) -> Result<Planes, Stop> {
        let pods = api::list(&context.client, "v1", "Pod", "").await?;
        let istiods = pods.iter().filter(|p| p.namespace() == "istio-system" && p.label("app") == Some("istiod"));
        let running = istiods.filter(|p| p.str_at(&["status", "phase"]) == "Running");
        let control: Vec<String> = running.filter_map(|p| tag(p, "discovery")).collect();
        let mut data = BTreeMap::new();
        for pod in pods.iter().filter(|pod| ready(pod, "istio-proxy")) {
            if let Some(tag) = tag(pod, "istio-proxy") {
                *data.entry(tag).or_insert(0) += 1;
            }
        }
        Ok(Planes { control, data })
    }
}

fn lists<'a>(pod: &'a Object, paths: [[&'a str; 2]; 2]) -> impl Iterator<Item = &'a Value> {
    paths.into_iter().flat_map(move |path| pod.at(&path).as_array().into_iter().flatten())
}

fn tag(pod: &Object, container: &str) -> Option<String> {
    let found = lists(pod, [["spec", "containers"], ["spec", "initContainers"]]).find(|c| c["name"] == container)?;
    let last = found["image"].as_str()?.rsplit('/').next()?;
    Some(last.split_once(':').map_or("latest", |(_, tag)| tag).to_string())
}

fn ready(pod: &Object, container: &str) -> bool {
    let mut statuses = lists(pod, [["status", "containerStatuses"], ["status", "initContainerStatuses"]]);
    statuses.any(|s| s["name"] == container && s["ready"] == true)
}

fn as_lines(client: &str, planes: Option<&Planes>) -> Vec<String> {
    let mut lines = vec![format!("client version: {client}")];
    let Some(planes) = planes.filter(|p| !p.control.is_empty()) else { return lines };
    let mut control = planes.control.clone();
    control.sort();
    control.dedup();
    lines.push(format!("control plane version: {}", control.join(", ")));
    let data: Vec<String> = planes.data.iter().map(|(tag, count)| format!("{tag} ({count} proxies)")).collect();
    lines.push(match data.is_empty() {
        true => "data plane version: none".to_string(),
        false => format!("data plane version: {}", data.join(", ")),
    });
    lines
}

fn as_value(client: &str, planes: Option<&Planes>) -> Value {
    let info = |version: &str| json!({"version": version, "tag": version, "status": "Clean"});
    let mut value = json!({"clientVersion": info(client)});
    if let Some(planes) = planes.filter(|p| !p.control.is_empty()) {
        let mesh: Vec<Value> = planes.control.iter().map(|v| json!({"Component": "pilot", "Info": info(v)})).collect();
        let data = planes.data.iter().flat_map(|(v, n)| std::iter::repeat_n(json!({"IstioVersion": v}), *n));
        value["meshVersion"] = json!(mesh);
        value["dataPlaneVersion"] = data.collect();
    }
    value
}
