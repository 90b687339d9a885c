//! Reading a pod's spec: its containers, what they run, their environment.

use super::images::{self, Image};
use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::collections::BTreeMap;

/// What part a container plays in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next starts.
    Init,
    /// An init container with restartPolicy Always: started before the next, runs beside the app.
    Sidecar,
    App,
    /// Added by `kubectl debug`.
    Ephemeral,
}

/// A container as its pod declares it.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    pub role: Role,
    pub spec: &'a Value,
}

impl<'a> Container<'a> {
    pub fn name(&self) -> &'a str {
        self.spec["name"].as_str().unwrap_or("")
    }

    pub fn image(&self) -> &'a str {
        self.spec["image"].as_str().unwrap_or("")
    }

    /// The catalogue's entry.
    pub fn known(&self) -> Option<&'static Image> {
        images::find(self.image())
    }

    /// Whether a probe of this name is declared.
    pub fn probe(&self, name: &str) -> Option<&'a Value> {
        self.spec.get(name).filter(|p| p.is_object())
    }
}

/// All containers of a pod: init containers in order, then the app's, then ephemeral ones.
pub fn containers(pod: &Object) -> Vec<Container<'_>> {
    let list = |key: &str| pod.at(&["spec", key]).as_array().into_iter().flatten();
    let init = list("initContainers").map(|spec| match spec["restartPolicy"] == "Always" {
        true => Container { role: Role::Sidecar, spec },
        false => Container { role: Role::Init, spec },
    });
    let app = list("containers").map(|spec| Container { role: Role::App, spec });
    let ephemeral = list("ephemeralContainers").map(|spec| Container { role: Role::Ephemeral, spec });
    init.chain(app).chain(ephemeral).collect()
}

/// The container of this name.
pub fn container<'a>(pod: &'a Object, name: &str) -> Option<Container<'a>> {
    containers(pod).into_iter().find(|c| c.name() == name)
}

/// The command line of the main process: `command` replaces the entrypoint, `args` the image's arguments; `$(NAME)` is replaced.
pub fn command(container: &Container<'_>, image: &Image, env: &BTreeMap<String, String>) -> Vec<String> {
    let words = |key: &str| -> Vec<String> {
        let list = container.spec[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        list.map(|w| substitute(w, env)).collect()
    };
    let own = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let (command, args) = (words("command"), words("args"));
    match (command.is_empty(), args.is_empty()) {
        (true, true) => [own(image.entrypoint), own(image.cmd)].concat(),
        (true, false) => [own(image.entrypoint), args].concat(),
        (false, _) => [command, args].concat(),
    }
}

/// Replaces `$(NAME)` by the variable's value; `$$(` stands for `$(`; unknown names stay.
pub fn substitute(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(i) = rest.find('$') {
        out.push_str(&rest[..i]);
        rest = &rest[i..];
        let name = rest.strip_prefix("$(").and_then(|r| r.split_once(')')).map(|(name, _)| name);
        if rest.starts_with("$$") {
            out.push('$');
            rest = &rest[2..];
        } else if let Some(value) = name.and_then(|n| env.get(n)) {
            out.push_str(value);
            rest = &rest[name.map_or(0, str::len) + 3..];
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// The environment of a container's processes.
///
/// # Errors
/// What is missing, as the kubelet words a CreateContainerConfigError: `configmap "x" not found`.
pub fn environment(
    pod: &Object,
    container: &Container<'_>,
    image: &Image,
    state: &Snapshot,
) -> Result<BTreeMap<String, String>, String> {
    let mut env = BTreeMap::new();
    let mut put = |k: &str, v: &str| drop(env.insert(k.to_string(), v.to_string()));
    put("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put("HOSTNAME", pod.name());
    put("HOME", image.home);
    let mut env = service_variables(pod, state, env);
    for source in container.spec["envFrom"].as_array().into_iter().flatten() {
        let prefix = source["prefix"].as_str().unwrap_or("");
        for (key, value) in data_of(pod, source, state)? {
            env.insert(format!("{prefix}{key}"), value);
        }
    }
    for entry in container.spec["env"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or("");
        let value = match entry.get("valueFrom") {
            Some(from) if from.is_object() => value_from(pod, container, from, state)?,
            _ => Some(substitute(entry["value"].as_str().unwrap_or(""), &env)),
        };
        env.extend(value.map(|v| (name.to_string(), v)));
    }
    Ok(env)
}

/// `KUBERNETES_SERVICE_HOST` and, unless service links are off, the same for each Service of the namespace.
fn service_variables(pod: &Object, state: &Snapshot, mut env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let api = state.find("", "Service", "default", "kubernetes").into_iter();
    let own = state.list_in("", "Service", pod.namespace()).filter(|s| s.name() != "kubernetes");
    let linked = pod.at(&["spec", "enableServiceLinks"]) != false;
    for service in api.chain(own.filter(|_| linked)).take(200) {
        let ip = service.str_at(&["spec", "clusterIP"]);
        let Some(port) = service.at(&["spec", "ports"]).get(0).and_then(|p| p["port"].as_i64()) else { continue };
        if ip.is_empty() || ip == "None" {
            continue;
        }
        let name = service.name().to_uppercase().replace('-', "_");
        env.insert(format!("{name}_SERVICE_HOST"), ip.to_string());
        env.insert(format!("{name}_SERVICE_PORT"), port.to_string());
        env.insert(format!("{name}_PORT"), format!("tcp://{ip}:{port}"));
    }
    env
}

fn value_from(pod: &Object, container: &Container<'_>, from: &Value, state: &Snapshot) -> Result<Option<String>, String> {
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return Ok(Some(field(pod, path)));
    }
    if let Some(resource) = from["resourceFieldRef"]["resource"].as_str() {
        let part = resource.split('.').fold(&container.spec["resources"], |v, key| &v[key]);
        return Ok(Some(part.as_str().map_or_else(|| "2".to_string(), str::to_string)));
    }
    let (kind, reference) = match from["configMapKeyRef"].is_object() {
        true => ("ConfigMap", &from["configMapKeyRef"]),
        false => ("Secret", &from["secretKeyRef"]),
    };
    let (name, key) = (reference["name"].as_str().unwrap_or(""), reference["key"].as_str().unwrap_or(""));
    let optional = reference["optional"] == true;
    let Some(object) = state.find("", kind, pod.namespace(), name) else {
        return if optional { Ok(None) } else { Err(format!("{} \"{name}\" not found", kind.to_lowercase())) };
    };
    match data(object).remove(key) {
        Some(value) => Ok(Some(String::from_utf8_lossy(&value).into_owned())),
        None if optional => Ok(None),
        None => Err(format!("couldn't find key {key} in {kind} {}/{name}", pod.namespace())),
    }
}

fn data_of(pod: &Object, source: &Value, state: &Snapshot) -> Result<Vec<(String, String)>, String> {
    let (kind, reference) = match source["configMapRef"].is_object() {
        true => ("ConfigMap", &source["configMapRef"]),
        false => ("Secret", &source["secretRef"]),
    };
    let name = reference["name"].as_str().unwrap_or("");
    match state.find("", kind, pod.namespace(), name) {
        Some(object) => Ok(data(object).into_iter().map(|(k, v)| (k, String::from_utf8_lossy(&v).into_owned())).collect()),
        None if reference["optional"] == true => Ok(Vec::new()),
        None => Err(format!("{} \"{name}\" not found", kind.to_lowercase())),
    }
}

/// What the API server has let in is base64; nothing else comes here.
fn decoded(text: &str) -> Vec<u8> {
    crate::k8s::base64::decode(text).unwrap_or_default()
}

/// The entries of a ConfigMap or Secret as bytes.
pub fn data(object: &Object) -> BTreeMap<String, Vec<u8>> {
    let secret = object.kind() == "Secret";
    let text = object.at(&["data"]).as_object().into_iter().flatten();
    let entry = |(k, v): (&String, &Value)| {
        let v = v.as_str().unwrap_or("");
        (k.clone(), if secret { decoded(v) } else { v.as_bytes().to_vec() })
    };
    let binary = object.at(&["binaryData"]).as_object().into_iter().flatten();
    text.map(entry).chain(binary.map(|(k, v)| (k.clone(), decoded(v.as_str().unwrap_or(""))))).collect()
}

/// What a downward API `fieldPath` means for this pod.
pub fn field(pod: &Object, path: &str) -> String {
    if let Some((map, key)) = path.strip_suffix("']").and_then(|p| p.split_once("['")) {
        let map = map.rsplit('.').next().unwrap_or("");
        return pod.at(&["metadata", map]).get(key).and_then(Value::as_str).unwrap_or("").to_string();
    }
    match path {
        "status.hostIP" | "status.hostIPs" => super::HOST_IP.to_string(),
        "metadata.labels" | "metadata.annotations" => {
            let map = crate::k8s::object::strings(pod.at(&["metadata", &path["metadata.".len()..]]));
            map.iter().map(|(k, v)| format!("{k}={v:?}")).collect::<Vec<_>>().join("\n")
        }
        "status.podIPs" => pod.str_at(&["status", "podIP"]).to_string(),
        path => pod.str_at(&path.split('.').collect::<Vec<_>>()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_variables_are_replaced() {
        let env = BTreeMap::from([("A".to_string(), "1".to_string())]);
        for (text, out) in [("x$(A)y", "x1y"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("a$", "a$")] {
            assert_eq!(substitute(text, &env), out);
        }
    }
}
