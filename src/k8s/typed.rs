//! Values under their types, as server-side apply looks at them: which parts have an owner of their own.
//!
//! Built-in kinds are described by [`crate::k8s::types`], custom ones by their `openAPIV3Schema`. The rules are those of
//! structured-merge-diff: a list has one owner unless it is keyed or a set, a map has an owner per member unless it is atomic.

mod check;
mod compare;
mod merge;

pub use check::check;
pub use compare::{Comparison, compare, field_set};
pub use merge::{merge, named_members, settled, without};

use crate::k8s::types::{self, Field, Message, Ownership, Shape};
use serde_json::Value;

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub enum Type<'a> {
    /// Nothing is known: maps have an owner per member, lists have one.
    Free,
    /// Anything, with one owner.
    Leaf,
    Scalar(Scalar),
    /// An object of a built-in kind, with `apiVersion` and `kind`.
    Kind(&'static Message),
    Message(&'static Message),
    /// A list or map of a built-in kind.
    Field(&'static Field),
    /// An object of a custom kind: its schema's root, with `apiVersion`, `kind` and `metadata`.
    Root(&'a Value),
    Schema(&'a Value),
}

/// What a scalar may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    Text,
    Number,
    Bool,
    Any,
}

/// How the elements of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elements<'a> {
    /// The list has one owner.
    Together,
    Set,
    Keyed(Vec<&'a str>),
}

/// What a type makes of a value.
#[derive(Debug, Clone)]
pub enum Form<'a> {
    Leaf,
    Scalar(Scalar),
    Map { atomic: bool },
    List { item: Type<'a>, elements: Elements<'a> },
}

/// A member of a map as its type has it.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    pub of: Type<'a>,
    /// The type names it; members of plain maps are not named.
    pub named: bool,
    /// See [`Field::by_value`].
    pub by_value: bool,
}

impl<'a> Type<'a> {
    /// The type of a built-in kind's objects, by the name of its message.
    pub fn kind(message: &str) -> Option<Type<'static>> {
        types::message(message).map(Type::Kind)
    }

    /// What this type makes of a value. Where nothing is known the value decides.
    pub fn form(self, value: &Value) -> Form<'a> {
        match self {
            Type::Free => deduced(value),
            Type::Leaf => Form::Leaf,
            Type::Scalar(scalar) => Form::Scalar(scalar),
            Type::Kind(_) | Type::Root(_) => Form::Map { atomic: false },
            Type::Message(message) => Form::Map { atomic: message.atomic },
            Type::Field(field) => match field.shape {
                Shape::Map => Form::Map { atomic: field.ownership == Ownership::Atomic },
                _ => Form::List { item: one(field), elements: builtin_elements(&field.ownership) },
            },
            Type::Schema(schema) => schema_form(schema, value),
        }
    }

    /// The type of a member; `None` when the type knows it not and takes no others.
    pub fn member(self, name: &str) -> Option<Member<'a>> {
        let named = |of| Some(Member { of, named: true, by_value: false });
        let other = |of| Some(Member { of, named: false, by_value: false });
        match self {
            Type::Kind(_) | Type::Root(_) if matches!(name, "apiVersion" | "kind") => named(Type::Scalar(Scalar::Text)),
            Type::Root(_) if name == "metadata" => named(types::message("meta.v1.ObjectMeta").map_or(Type::Free, Type::Message)),
            Type::Kind(message) | Type::Message(message) => {
                let field = message.field(name)?;
                Some(Member { of: Type::of(field), named: true, by_value: field.by_value })
            }
            Type::Field(field) => other(one(field)),
            Type::Root(schema) | Type::Schema(schema) => match &schema["properties"][name] {
                Value::Null => match &schema["additionalProperties"] {
                    Value::Object(_) => other(Type::Schema(&schema["additionalProperties"])),
                    Value::Bool(true) => other(Type::Free),
                    _ if keeps_unknown(schema) || schema["properties"].is_null() => other(Type::Free),
                    _ => None,
                },
                member => named(Type::Schema(member)),
            },
            Type::Free | Type::Leaf | Type::Scalar(_) => other(Type::Free),
        }
    }

    fn of(field: &'static Field) -> Type<'static> {
        match field.shape {
            Shape::One => one(field),
            // Bytes are text in JSON; lists and maps of them are lists and maps.
            Shape::List | Shape::Map => Type::Field(field),
        }
    }

    /// What an element of a keyed list has for a key that it does not name.
    fn key_default(self, key: &str) -> Option<Value> {
        match self {
            Type::Schema(schema) => schema["properties"][key].get("default").cloned(),
            Type::Message(message) if key == "protocol" && message.field("protocol").is_some() => Some(Value::from("TCP")),
            _ => None,
        }
    }
}

/// The type of one value of a field.
fn one(field: &'static Field) -> Type<'static> {
    match field.of {
        "string" | "bytes" | "meta.v1.Time" | "meta.v1.MicroTime" => Type::Scalar(Scalar::Text),
        "int32" | "int64" | "double" => Type::Scalar(Scalar::Number),
        "bool" => Type::Scalar(Scalar::Bool),
        "api.resource.Quantity" | "util.intstr.IntOrString" => Type::Scalar(Scalar::Any),
        name => types::message(name).map_or(Type::Leaf, Type::Message),
    }
}

fn builtin_elements(ownership: &'static Ownership) -> Elements<'static> {
    match ownership {
        Ownership::Set => Elements::Set,
        Ownership::Keyed(keys) => Elements::Keyed(keys.clone()),
        _ => Elements::Together,
    }
}

fn deduced(value: &Value) -> Form<'static> {
    match value {
        Value::Object(_) => Form::Map { atomic: false },
        Value::Array(_) => Form::List { item: Type::Free, elements: Elements::Together },
        _ => Form::Scalar(Scalar::Any),
    }
}

fn keeps_unknown(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true || schema["x-kubernetes-embedded-resource"] == true
}

fn schema_form<'a>(schema: &'a Value, value: &Value) -> Form<'a> {
    if schema["x-kubernetes-int-or-string"] == true {
        return Form::Scalar(Scalar::Any);
    }
    match schema["type"].as_str() {
        Some("string") => Form::Scalar(Scalar::Text),
        Some("integer" | "number") => Form::Scalar(Scalar::Number),
        Some("boolean") => Form::Scalar(Scalar::Bool),
        Some("array") => {
            let keys = || schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let elements = match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => Elements::Set,
                Some("map") => Elements::Keyed(keys().collect()),
                _ => Elements::Together,
            };
            Form::List { item: Type::Schema(&schema["items"]), elements }
        }
        Some("object") => Form::Map { atomic: schema["x-kubernetes-map-type"] == "atomic" },
        _ if schema["properties"].is_object() => Form::Map { atomic: schema["x-kubernetes-map-type"] == "atomic" },
        _ => deduced(value),
    }
}

/// The element of a set of fields that stands for a list's element.
///
/// # Errors
/// Why it has no identity, in the words of structured-merge-diff.
fn element(item: Type<'_>, elements: &Elements<'_>, value: &Value) -> Result<String, String> {
    let Elements::Keyed(keys) = elements else {
        return match value {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".into()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".into()),
            scalar => Ok(format!("v:{scalar}")),
        };
    };
    let map = match value {
        Value::Object(map) => map,
        Value::Null => return Err("associative list with keys may not have a null element".into()),
        _ => return Err("associative list with keys may not have non-map elements".into()),
    };
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    let mut text = String::from("k:{");
    for (i, key) in sorted.into_iter().enumerate() {
        let default = || item.key_default(key);
        let value = map.get(key).cloned().or_else(default).ok_or_else(|| {
            format!("associative list with keys has an element that omits key field {key:?} (and doesn't have default value)")
        })?;
        let comma = if i > 0 { "," } else { "" };
        text.push_str(&format!("{comma}{}:{value}", Value::from(key)));
    }
    text.push('}');
    Ok(text)
}
