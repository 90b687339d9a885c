//! The kustomization file.

use crate::base::yaml;
use crate::kubectl::error::{Error, Result};
use serde_json::{Map, Value};

/// What a kustomization says, deprecated spellings put into the new ones where they mean the same.
#[derive(Debug, Clone, Default)]
pub struct Kustomization {
    pub resources: Vec<String>,
    pub namespace: String,
    pub prefix: String,
    pub suffix: String,
    pub labels: Vec<Labels>,
    pub annotations: Map<String, Value>,
    pub config_maps: Vec<Value>,
    pub secrets: Vec<Value>,
    pub generator_options: Value,
    pub images: Vec<Value>,
    pub replicas: Vec<(String, i64)>,
    pub patches: Vec<Value>,
    /// File names or texts.
    pub strategic: Vec<String>,
    pub json6902: Vec<Value>,
    pub sorted: bool,
}

/// Labels and where they go besides the object's own.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    pub pairs: Map<String, Value>,
    pub selectors: bool,
    pub templates: bool,
}

const KNOWN: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "resources",
    "bases",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "images",
    "imageTags",
    "replicas",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "sortOptions",
];
/// Real fields that are beyond this.
const ABSENT: &[&str] = &[
    "buildMetadata",
    "components",
    "configurations",
    "crds",
    "generators",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "inventory",
    "openapi",
    "replacements",
    "transformers",
    "validators",
    "vars",
];
const DEPRECATED: &[(&str, &str)] = &[
    ("bases", "resources"),
    ("patchesJson6902", "patches"),
    ("patchesStrategicMerge", "patches"),
    ("commonLabels", "labels"),
    ("imageTags", "images"),
];

/// Reads a kustomization; what is deprecated is added to the warnings.
///
/// # Errors
/// kustomize's sentence for what it does not know, ours for what is not simulated.
pub fn read(text: &str, warnings: &mut Vec<String>) -> Result<Kustomization> {
    let value = yaml::parse(text).map_err(|e| Error::plain(format!("invalid Kustomization: {e}")))?;
    if value.is_null() {
        return Err(Error::plain("kustomization.yaml is empty"));
    }
    let Some(fields) = value.as_object() else {
        return Err(invalid("json: cannot unmarshal the file into Go value of type types.Kustomization"));
    };
    for (old, new) in DEPRECATED.iter().filter(|(old, _)| fields.contains_key(*old)) {
        let line = format!(
            "# Warning: '{old}' is deprecated. Please use '{new}' instead. Run 'kustomize edit fix' to update your Kustomization automatically."
        );
        warnings.push(line);
    }
    for (name, value) in fields {
        let empty =
            value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        match name.as_str() {
            name if KNOWN.contains(&name) => (),
            name if ABSENT.contains(&name) && empty => (),
            name if ABSENT.contains(&name) => return Err(Error::not_simulated(&format!("kustomization field {name}"))),
            name => return Err(invalid(&format!("json: unknown field {name:?}"))),
        }
    }
    kustomization(&value)
}

fn invalid(what: &str) -> Error {
    Error::plain(format!("invalid Kustomization: {what}"))
}

fn kustomization(value: &Value) -> Result<Kustomization> {
    let text = |name: &str| value[name].as_str().unwrap_or("").to_string();
    let mut resources = strings(value, "resources")?;
    resources.extend(strings(value, "bases")?);
    let mut labels = Vec::new();
    if let Some(pairs) = pairs(&value["commonLabels"], "Kustomization.commonLabels")? {
        labels.push(Labels { pairs, selectors: true, templates: true });
    }
    for entry in list(value, "labels") {
        for name in entry.as_object().into_iter().flat_map(|e| e.keys()) {
            match name.as_str() {
                "pairs" | "includeSelectors" | "includeTemplates" => (),
                "fields" => return Err(Error::not_simulated("kustomization field labels.fields")),
                other => return Err(invalid(&format!("json: unknown field {other:?}"))),
            }
        }
        let pairs = pairs(&entry["pairs"], "Label.labels.pairs")?.unwrap_or_default();
        labels.push(Labels { pairs, selectors: entry["includeSelectors"] == true, templates: entry["includeTemplates"] == true });
    }
    let mut replicas = Vec::new();
    for entry in list(value, "replicas") {
        replicas.push((entry["name"].as_str().unwrap_or("").to_string(), entry["count"].as_i64().unwrap_or(0)));
    }
    let sorted = match value["sortOptions"]["order"].as_str() {
        None | Some("legacy") if value["sortOptions"]["legacySortOptions"].is_null() => true,
        Some("fifo") => false,
        Some("legacy") => return Err(Error::not_simulated("kustomization field sortOptions.legacySortOptions")),
        Some(other) => return Err(Error::plain(format!("the sorting order '{other}' is not supported"))),
        None => return Err(Error::not_simulated("kustomization field sortOptions.legacySortOptions")),
    };
    let mut images = list(value, "images").to_vec();
    images.extend(list(value, "imageTags").iter().cloned());
    Ok(Kustomization {
        resources,
        namespace: text("namespace"),
        prefix: text("namePrefix"),
        suffix: text("nameSuffix"),
        labels,
        annotations: pairs(&value["commonAnnotations"], "Kustomization.commonAnnotations")?.unwrap_or_default(),
        config_maps: list(value, "configMapGenerator").to_vec(),
        secrets: list(value, "secretGenerator").to_vec(),
        generator_options: value["generatorOptions"].clone(),
        images,
        replicas,
        patches: list(value, "patches").to_vec(),
        strategic: strings(value, "patchesStrategicMerge")?,
        json6902: list(value, "patchesJson6902").to_vec(),
        sorted,
    })
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn strings(value: &Value, name: &str) -> Result<Vec<String>> {
    let one = |item: &Value| match item.as_str() {
        Some(text) => Ok(text.to_string()),
        None => Err(invalid(&format!(
            "json: cannot unmarshal {} into Go struct field Kustomization.{name} of type string",
            go_type(item)
        ))),
    };
    match &value[name] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(one).collect(),
        other => Err(invalid(&format!(
            "json: cannot unmarshal {} into Go struct field Kustomization.{name} of type []string",
            go_type(other)
        ))),
    }
}

fn pairs(value: &Value, field: &str) -> Result<Option<Map<String, Value>>> {
    let Some(members) = value.as_object() else { return Ok(None) };
    match members.values().find(|v| !v.is_string()) {
        Some(wrong) => {
            Err(invalid(&format!("json: cannot unmarshal {} into Go struct field {field} of type string", go_type(wrong))))
        }
        None => Ok(Some(members.clone())),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
