//! What a route writes into requests, answers and redirects.

use super::matching;
use crate::mesh::compile::rules::{Edits, Redirect};
use crate::mesh::proxy::{Route, Weighted};
use crate::mesh::trace::wire::Message;
use crate::outside::wire::Header;

/// Remove, set, add, in Envoy's order. Names of the authority are no headers here: see [`authority`].
pub fn apply(headers: &mut Vec<Header>, edits: &Edits) {
    if edits.is_empty() {
        return;
    }
    let internal = |name: &str| name.starts_with(':') || name.eq_ignore_ascii_case("host");
    headers.retain(|(n, _)| !edits.remove.iter().any(|r| !internal(r) && r.eq_ignore_ascii_case(n)));
    for (name, value) in edits.set.iter().filter(|(n, _)| !internal(n)) {
        headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        headers.push((name.into(), value.into()));
    }
    headers.extend(edits.add.iter().filter(|(n, _)| !internal(n)).map(|(n, v)| (n.into(), v.into())));
}

/// The authority that edits ask for: `set` before `add`.
fn authority(edits: &Edits) -> Option<&String> {
    let named = |(n, _): &&(String, String)| n == ":authority" || n.eq_ignore_ascii_case("host");
    edits.set.iter().find(named).or_else(|| edits.add.iter().find(named)).map(|(_, value)| value)
}

/// The request as it goes to the chosen destination. Of a single destination the edits come after the rule's, of one of several
/// before them; the rule's authority outdoes the destination's.
pub fn request(route: &Route, chosen: &Weighted, alone: bool, message: &mut Message) {
    let (rule, own) = (&route.headers.request, &chosen.headers.request);
    for edits in if alone { [rule, own] } else { [own, rule] }.into_iter().filter(|e| !e.is_empty()) {
        apply(message.edit(), edits);
    }
    let wanted = route.rewrite.authority.as_ref().or_else(|| authority(rule)).or_else(|| authority(own));
    if let Some(wanted) = wanted {
        let before = std::mem::replace(&mut message.authority, wanted.into());
        message.set("x-envoy-original-host", before);
    }
}

/// Edits of an answer that the proxy makes itself: they stand before everything else but a `location`.
pub fn lead(headers: &mut Vec<Header>, edits: &[&Edits]) {
    if edits.iter().all(|e| e.is_empty()) && headers.iter().skip(1).all(|(n, _)| n != "location") {
        return;
    }
    let mut own: Vec<Header> = headers.iter().filter(|(n, _)| n == "location").cloned().collect();
    edits.iter().for_each(|e| apply(&mut own, e));
    headers.retain(|(n, _)| n != "location");
    headers.splice(0..0, own);
}

/// The edits of an answer in their order.
pub fn response<'r>(route: &'r Route, chosen: &'r Weighted, alone: bool) -> [&'r Edits; 2] {
    let (rule, own) = (&route.headers.response, &chosen.headers.response);
    if alone { [rule, own] } else { [own, rule] }
}

/// `location` of a redirect, as Envoy's `newUri` makes it.
pub fn location(redirect: &Redirect, message: &Message, route: &Route) -> String {
    let before = message.header("x-forwarded-proto").map_or("http", |v| v);
    let scheme = redirect.scheme.as_deref().unwrap_or(before);
    let usual = if scheme == "https" { 443 } else { 80 };
    // Istio leaves out a port that the scheme implies; the scheme is taken for http when the rule does not say it.
    let istio_usual = if redirect.scheme.as_deref().unwrap_or("http") == "https" { 443 } else { 80 };
    let port = redirect.port.filter(|p| *p != istio_usual && *p != 0);
    let mut host = redirect.authority.clone().unwrap_or_else(|| {
        let (bare, own) = message.authority.rsplit_once(':').map_or((message.authority.as_str(), None), |(h, p)| (h, Some(p)));
        let left_over = if before == "https" { Some("443") } else { Some("80") };
        let strip = port.is_some() || scheme != before && own == left_over;
        if strip { bare.to_string() } else { message.authority.to_string() }
    });
    if let Some(port) = port.filter(|p| redirect.authority.is_none() || *p != usual) {
        host.push_str(&format!(":{port}"));
    }
    let (path, query) = match message.path.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (message.path.as_str(), String::new()),
    };
    match (&redirect.prefix, &redirect.uri) {
        (Some(prefix), _) => format!("{scheme}://{host}{}{query}", matching::replace_prefix(&route.matcher, path, prefix)),
        (None, Some(uri)) if uri.contains('?') => format!("{scheme}://{host}{uri}"),
        (None, Some(uri)) => format!("{scheme}://{host}{uri}{query}"),
        (None, None) => format!("{scheme}://{host}{path}{query}"),
    }
}
