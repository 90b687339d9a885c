//! Which objects a command is about: `TYPE NAME..`, `TYPE/NAME`, comma lists, categories, `-l`, `--all`, `-f`.

use super::discovery::{self, Resource};
use super::error::{Error, Result};
use super::flags::Parsed;
use super::session::Session;

/// Objects of one type, by name or all that match.
#[derive(Debug, Clone)]
pub struct Target {
    pub resource: Resource,
    /// Empty: a list.
    pub name: String,
}

/// What operands mean.
#[derive(Debug, Clone)]
pub struct Targets {
    pub items: Vec<Target>,
    /// Several types were asked for, so that names are printed with their type.
    pub several_types: bool,
}

/// Reads `TYPE[,TYPE] [NAME..]` or `TYPE/NAME..`.
///
/// # Errors
/// Unknown types, and mixtures that kubectl refuses.
pub async fn targets(s: &mut Session<'_>, operands: &[String]) -> Result<Targets> {
    let resources = s.resources().await?;
    if operands.iter().any(|o| o.contains('/')) {
        return slashed(&resources, operands);
    }
    let Some((types, names)) = operands.split_first() else {
        return Err(Error::plain("You must specify the type of resource to get."));
    };
    let mut found = Vec::new();
    for word in types.split(',').filter(|w| !w.is_empty()) {
        found.extend(types_of(&resources, word)?);
    }
    if names.is_empty() {
        let several = found.len() > 1;
        let items = found.into_iter().map(|resource| Target { resource, name: String::new() }).collect();
        return Ok(Targets { items, several_types: several });
    }
    let several = found.len() > 1;
    let mut items = Vec::new();
    for resource in found {
        items.extend(names.iter().map(|name| Target { resource: resource.clone(), name: name.clone() }));
    }
    Ok(Targets { items, several_types: several })
}

fn slashed(resources: &[Resource], operands: &[String]) -> Result<Targets> {
    let mut items: Vec<Target> = Vec::new();
    for operand in operands {
        let Some((word, name)) = operand.split_once('/') else {
            return Err(Error::plain("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>')".to_string()));
        };
        if word.is_empty() || name.is_empty() || name.contains('/') {
            return Err(Error::plain("arguments in resource/name form must have a single resource and name"));
        }
        let resource = discovery::find(resources, word).ok_or_else(|| Error::no_type(word))?;
        items.push(Target { resource: resource.clone(), name: name.to_string() });
    }
    let several = items.windows(2).any(|pair| pair[0].resource.plural_group() != pair[1].resource.plural_group());
    Ok(Targets { items, several_types: several })
}

fn types_of(resources: &[Resource], word: &str) -> Result<Vec<Resource>> {
    if let Some(found) = discovery::find(resources, word) {
        return Ok(vec![found.clone()]);
    }
    let category: Vec<Resource> = discovery::category(resources, word).into_iter().cloned().collect();
    match category.is_empty() {
        true => Err(Error::no_type(word)),
        false => Ok(category),
    }
}

/// One type that a word names.
///
/// # Errors
/// Unknown types.
pub async fn one_type(s: &mut Session<'_>, word: &str) -> Result<Resource> {
    let resources = s.resources().await?;
    discovery::find(&resources, word).cloned().ok_or_else(|| Error::no_type(word))
}

/// A pod, or something that has pods: `NAME`, `pod/NAME`, `deploy/NAME`.
///
/// # Errors
/// Unknown types.
pub async fn pod_like(s: &mut Session<'_>, operand: &str) -> Result<Target> {
    let (word, name) = operand.split_once('/').unwrap_or(("pods", operand));
    let resource = one_type(s, word).await?;
    Ok(Target { resource, name: name.to_string() })
}

/// Refuses `-l` together with names, as kubectl does.
///
/// # Errors
/// When both are given.
pub fn no_name_with_selector(parsed: &Parsed, targets: &Targets) -> Result<()> {
    let named = targets.items.iter().any(|t| !t.name.is_empty());
    match named && (!parsed.str("selector").is_empty() || !parsed.str("field-selector").is_empty()) {
        true => Err(Error::plain("name cannot be provided when a selector is specified")),
        false => Ok(()),
    }
}
