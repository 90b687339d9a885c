//! The fields of the built-in kinds, read from `assets/kubernetes/`: what strict decoding, strategic merge patches, protobuf bodies
//! and the OpenAPI documents share.

use std::collections::HashMap;
use std::sync::LazyLock;

/// How often a field's type occurs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One,
    List,
    /// A map from strings.
    Map,
}

/// What a strategic merge patch does with a list or map field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merge {
    /// Lists merge instead of replacing.
    pub merge: bool,
    /// Keys that the patch does not list in `$retainKeys` go.
    pub retain_keys: bool,
    /// The element field that identifies a list's elements; `None` for lists of scalars.
    pub key: Option<&'static str>,
}

/// What server-side apply takes for one field: `x-kubernetes-list-type` and `x-kubernetes-map-type`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ownership {
    /// A list with one owner, a map or object with an owner per member.
    #[default]
    Usual,
    /// A list of scalars that each have an owner.
    Set,
    /// A list whose elements are told apart by these members.
    Keyed(Vec<&'static str>),
    /// A map with one owner.
    Atomic,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// Protobuf number, 0 where it is not known.
    pub number: u32,
    /// A zero value is meaningful and kept.
    pub optional: bool,
    /// An embedded message: in JSON its fields belong to the parent.
    pub embedded: bool,
    pub shape: Shape,
    /// `string`, `int32`, ..., or a message's name.
    pub of: &'static str,
    pub merge: Merge,
    pub ownership: Ownership,
    /// A struct or list that Go writes even when nobody set it: it is never added or removed, only what is in it is.
    pub by_value: bool,
}

/// A message: an object type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// As on the wire, embedded messages as fields.
    pub wire: Vec<Field>,
    /// As in JSON, in order.
    pub fields: Vec<Field>,
    /// Server-side apply takes the whole object for one field.
    pub atomic: bool,
    names: HashMap<&'static str, usize>,
}

impl Message {
    /// The JSON field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.names.get(name).map(|i| &self.fields[*i])
    }
}

static TYPES: LazyLock<HashMap<&'static str, Message>> = LazyLock::new(load);

/// The message of this name (`core.v1.PodSpec`), `None` for scalars and unknown names.
pub fn message(name: &str) -> Option<&'static Message> {
    TYPES.get(name)
}

/// All messages' names, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = TYPES.keys().copied().collect();
    names.sort_unstable();
    names
}

/// Structs that Go's types hold by value and lists that they always write, beside every kind's `metadata`, `spec` and `status`.
const BY_VALUE: &[&str] = &[
    "DaemonSetSpec.template",
    "DaemonSetSpec.updateStrategy",
    "DeploymentSpec.strategy",
    "DeploymentSpec.template",
    "StatefulSetSpec.template",
    "StatefulSetSpec.updateStrategy",
    "JobSpec.template",
    "CronJobSpec.jobTemplate",
    "JobTemplateSpec.metadata",
    "JobTemplateSpec.spec",
    "PodTemplateSpec.metadata",
    "PodTemplateSpec.spec",
    "Event.source",
    "PodTemplate.template",
    "PodSpec.containers",
    "Container.resources",
    "EphemeralContainer.resources",
    "ContainerStatus.state",
    "ContainerStatus.lastState",
    "NodeStatus.daemonEndpoints",
    "NodeStatus.nodeInfo",
    "NodeDaemonEndpoints.kubeletEndpoint",
    "ServiceStatus.loadBalancer",
    "IngressStatus.loadBalancer",
    "PersistentVolumeClaimSpec.resources",
    "NetworkPolicySpec.podSelector",
    "HorizontalPodAutoscalerSpec.scaleTargetRef",
    "CustomResourceDefinitionSpec.names",
    "CustomResourceDefinitionStatus.acceptedNames",
    "MutatingWebhook.clientConfig",
    "ValidatingWebhook.clientConfig",
];

fn load() -> HashMap<&'static str, Message> {
    let table = || include_str!("../../assets/kubernetes/merge-keys.txt").lines();
    let atomic = |name: &str| {
        table().any(|line| line.strip_prefix("TYPE ").and_then(|l| l.strip_suffix(": map-type=atomic")) == Some(name))
    };
    let merges: HashMap<&str, (Merge, Ownership)> = table().filter_map(read_merge).collect();
    let lines = include_str!("../../assets/kubernetes/types.txt").lines().filter(|line| !line.starts_with('#'));
    let wires: HashMap<&'static str, Vec<Field>> = lines.filter_map(|line| read_message(line, &merges)).collect();
    let flat = |name: &'static str| -> Message {
        let wire = wires.get(name).cloned().unwrap_or_default();
        let fields: Vec<Field> = wire.iter().flat_map(|field| flatten(field, &wires)).collect();
        let names = fields.iter().enumerate().map(|(i, field)| (field.name, i)).collect();
        Message { wire, fields, names, atomic: atomic(name) }
    };
    wires.keys().map(|name| (*name, flat(name))).collect()
}

fn flatten(field: &Field, wires: &HashMap<&'static str, Vec<Field>>) -> Vec<Field> {
    match field.embedded {
        true => wires.get(field.of).into_iter().flatten().flat_map(|inner| flatten(inner, wires)).collect(),
        false => vec![field.clone()],
    }
}

/// `core.v1.ServiceSpec.ports: smp=merge key=port | ssa list-type=map keys=port,protocol`.
fn read_merge(line: &'static str) -> Option<(&'static str, (Merge, Ownership))> {
    let (path, rest) = line.split_once(": smp=")?;
    let (strategy, rest) = rest.split_once(" key=")?;
    let key = rest.split(' ').next().filter(|key| *key != "-");
    let merge = Merge { merge: strategy.contains("merge"), retain_keys: strategy.contains("retainKeys"), key };
    let word = |name: &str| rest.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let ownership = match (word("list-type"), word("map-type")) {
        (Some("set"), _) => Ownership::Set,
        (Some("map"), _) => Ownership::Keyed(word("keys").into_iter().flat_map(|keys| keys.split(',')).collect()),
        (_, Some("atomic")) => Ownership::Atomic,
        _ => Ownership::Usual,
    };
    Some((path, (merge, ownership)))
}

fn read_message(line: &'static str, merges: &HashMap<&str, (Merge, Ownership)>) -> Option<(&'static str, Vec<Field>)> {
    let (name, rest) = line.split_once(':')?;
    let fields = rest.split_whitespace().filter_map(|field| read_field(field, name, merges));
    Some((name, fields.collect()))
}

/// `11=labels:{string}`, `1=containers:core.v1.Container[]`, `phase:string`.
fn read_field(text: &'static str, parent: &str, merges: &HashMap<&str, (Merge, Ownership)>) -> Option<Field> {
    let (left, of) = text.split_once(':')?;
    let (number, name) = left.split_once('=').unwrap_or(("0", left));
    let bare = name.trim_end_matches(['*', '^']);
    let (shape, of) = match (of.strip_suffix("[]"), of.strip_prefix('{')) {
        (Some(of), _) => (Shape::List, of),
        (_, Some(of)) => (Shape::Map, of.trim_end_matches('}')),
        _ => (Shape::One, of),
    };
    let (merge, ownership) = merges.get(format!("{parent}.{bare}").as_str()).cloned().unwrap_or_default();
    let (optional, embedded) = (name.ends_with('*'), name.ends_with('^'));
    let short = parent.rsplit('.').next().unwrap_or(parent);
    let part = shape == Shape::One && matches!(bare, "metadata" | "spec" | "status") && of.contains('.');
    let by_value = part || BY_VALUE.iter().any(|known| known.split_once('.') == Some((short, bare)));
    Some(Field { name: bare, number: number.parse().ok()?, optional, embedded, shape, of, merge, ownership, by_value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_shapes_numbers_and_merge_keys() {
        let containers = message("core.v1.PodSpec").and_then(|m| m.field("containers")).expect("known");
        assert_eq!((containers.shape, containers.number, containers.merge.key), (Shape::List, 2, Some("name")));
        let volume = message("core.v1.Volume").expect("known");
        assert_eq!(volume.field("projected").map(|f| f.of), Some("core.v1.ProjectedVolumeSource"));
        assert!(volume.wire.iter().any(|f| f.embedded));
        assert!(message("apps.v1.DeploymentSpec").and_then(|m| m.field("strategy")).expect("known").merge.retain_keys);
        let ports = message("core.v1.ServiceSpec").and_then(|m| m.field("ports")).expect("known");
        assert_eq!(ports.ownership, Ownership::Keyed(vec!["port", "protocol"]));
        let selector = message("core.v1.ServiceSpec").and_then(|m| m.field("selector")).expect("known");
        assert_eq!(selector.ownership, Ownership::Atomic);
        assert!(message("meta.v1.LabelSelector").expect("known").atomic);
        assert!(message("apps.v1.Deployment").and_then(|m| m.field("spec")).expect("known").by_value);
    }

    #[test]
    fn every_message_that_a_field_names_is_known() {
        let scalars = ["string", "int32", "int64", "bool", "double", "bytes", "any"];
        let special = ["meta.v1.", "api.resource.", "util.intstr.", "runtime.", "apiextensions.v1."];
        for name in names() {
            for field in &message(name).expect("listed").fields {
                let known = scalars.contains(&field.of) || message(field.of).is_some();
                assert!(known || special.iter().any(|s| field.of.starts_with(s)), "{name}.{} is a {}", field.name, field.of);
            }
        }
    }
}
