//! `kubectl api-resources` and `api-versions`.

use super::discovery::Resource;
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::print::table;
use super::session::Session;
use crate::base::order::Order;
use std::collections::BTreeSet;

pub const FLAGS: &[Flag] = &[
    flag("api-group", Takes::Text, "only this group"),
    flag("namespaced", Takes::Bool, "only types that live in namespaces, or only those that do not"),
    flag("no-headers", Takes::Bool, "leave the header line out"),
    flag("verbs", Takes::List, "only types that allow all of these"),
    flag("categories", Takes::List, "only types of all of these categories"),
    flag("sort-by", Takes::Text, "name or kind"),
    flag("cached", Takes::Bool, "use what is cached (nothing is, here)"),
];

/// Runs `kubectl api-resources`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let all = s.resources().await?;
    let fits = |r: &&Resource| {
        r.preferred
            && !r.verbs.is_empty()
            && (!p.given("api-group") || r.group == p.str("api-group"))
            && (!p.given("namespaced") || r.namespaced == p.on("namespaced"))
            && p.list("verbs").iter().all(|v| r.can(v))
            && p.list("categories").iter().all(|c| r.categories.contains(c))
    };
    let mut found: Vec<&Resource> = all.iter().filter(fits).collect();
    match p.str("sort-by") {
        "" => found.order_by_key(|r| (r.group.clone(), r.plural.clone())),
        "name" => found.order_by_key(|r| r.plural.clone()),
        "kind" => found.order_by_key(|r| r.kind.clone()),
        _ => return Err(Error::plain("--sort-by accepts only name or kind")),
    }
    let mut lines: Vec<Vec<String>> = Vec::new();
    match p.str("output") {
        "name" => {
            let names: String = found.iter().map(|r| r.plural_group() + "\n").collect();
            s.io.write(names.as_bytes());
            return Ok(0);
        }
        "" | "wide" => (),
        other => return Err(Error::plain(format!("--output {other} is not available"))),
    }
    let wide = p.str("output") == "wide";
    if !p.on("no-headers") {
        lines.push(["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"].map(String::from).to_vec());
        if wide {
            lines[0].extend(["VERBS".to_string(), "CATEGORIES".to_string()]);
        }
    }
    for r in found {
        let mut line = vec![r.plural.clone(), r.short_names.join(","), r.api_version(), r.namespaced.to_string(), r.kind.clone()];
        if wide {
            line.extend([r.verbs.join(","), r.categories.join(",")]);
        }
        lines.push(line);
    }
    let text = table::rows(&lines);
    s.io.write(text.as_bytes());
    Ok(0)
}

/// Runs `kubectl api-versions`.
pub async fn versions(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.operands.is_empty() {
        return Err(super::error::Error::Said(format!(
            "error: unexpected arguments: [{}]\nSee 'kubectl api-versions -h' for help and examples",
            p.operands.join(" ")
        )));
    }
    let all = s.resources().await?;
    let names: BTreeSet<String> = all.iter().map(Resource::api_version).collect();
    let text: String = names.into_iter().map(|v| v + "\n").collect();
    s.io.write(text.as_bytes());
    Ok(0)
}
