//! `kubectl taint`.

use super::apply::{self, DryRun, manager, patch};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::print::output::Output;
use super::session::{Ask, STRATEGIC, Session};
use super::subject;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] =
    &[flag("all", Takes::Bool, "every node"), flag("overwrite", Takes::Bool, "change taints that are already set")];

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A taint as written: a removal may leave value and effect out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    /// `key=value:Effect`, `key:Effect`, `key`.
    fn parse(text: &str) -> std::result::Result<Taint, String> {
        let invalid = || format!("invalid taint spec: {text}");
        let (left, effect) = match text.split_once(':') {
            Some((_, effect)) if effect.contains(':') => return Err(invalid()),
            Some((left, effect)) if EFFECTS.contains(&effect) => (left, effect),
            Some((_, effect)) => return Err(format!("invalid taint effect: {effect}, unsupported taint effect")),
            None => (text, ""),
        };
        let (key, value) = left.split_once('=').unwrap_or((left, ""));
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if value.contains('=') {
            return Err(invalid());
        }
        let name = key.rsplit('/').next().unwrap_or(key);
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !name.chars().all(good) || !edge(name.chars().next()) || !edge(name.chars().last()) {
            return Err(format!(
                "{}, name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                invalid()
            ));
        }
        if !value.is_empty()
            && (!value.chars().all(good) || !edge(value.chars().next()) || !edge(value.chars().last()) || value.len() > 63)
        {
            return Err(format!(
                "{}, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
                invalid()
            ));
        }
        Ok(Taint { key: key.into(), value: value.into(), effect: effect.into() })
    }

    fn fits(&self, taint: &Value) -> bool {
        taint["key"] == *self.key && (self.effect.is_empty() || taint["effect"] == *self.effect)
    }

    fn json(&self) -> Value {
        let mut taint = json!({"key": self.key, "effect": self.effect});
        if !self.value.is_empty() {
            taint["value"] = json!(self.value);
        }
        taint
    }
}

#[derive(Debug, Default)]
struct Changes {
    add: Vec<Taint>,
    remove: Vec<Taint>,
}

/// Runs `kubectl taint`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let (operands, changes) = split(&p.operands)?;
    check(p, &operands, &changes)?;
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let mut printed = Vec::new();
    for node in subject::subjects(s, p, &operands).await? {
        let old = node.object["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let (word, new) = changed(node.name(), &old, &changes, p.on("overwrite"))?;
        let mut after = node.object.clone();
        after["spec"]["taints"] = json!(new);
        let body = patch::strategic_two_way(&node.object, &after);
        if dry_run != DryRun::Client && body != json!({}) {
            let ask = Ask::patch(node.path(), STRATEGIC, &body)
                .query("dryRun", dry_run.query())
                .query("fieldManager", manager(p, "kubectl-taint"));
            after = s.json(ask).await?;
        }
        match output.is_human() {
            true => s.say(&format!("{} {word}{}", node.printed(), dry_run.suffix())),
            false => printed.push(after),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Ok(0)
}

fn split(words: &[String]) -> Result<(Vec<String>, Changes)> {
    let is_change = |word: &String| word.contains(['=', ':']) || word.ends_with('-');
    let first = words.iter().position(is_change).unwrap_or(words.len());
    let (operands, rest) = words.split_at(first);
    if let Some(word) = rest.iter().find(|word| !is_change(word)) {
        return Err(Error::plain(format!("all resources must be specified before taint changes: {word}")));
    }
    if operands.is_empty() {
        return Err(Error::plain("one or more resources must be specified as <resource> <name>"));
    }
    if rest.is_empty() {
        return Err(Error::plain("at least one taint update is required"));
    }
    let usage = |text: String| Error::Said(format!("error: {text}\nSee 'kubectl taint -h' for help and examples"));
    let mut changes = Changes::default();
    for word in rest {
        match word.strip_suffix('-') {
            Some(word) => changes.remove.push(Taint::parse(word).map_err(usage)?),
            None => {
                let taint = Taint::parse(word).map_err(usage)?;
                if taint.effect.is_empty() {
                    return Err(usage(format!("invalid taint spec: {word}")));
                }
                if changes.add.iter().any(|t| t.key == taint.key && t.effect == taint.effect) {
                    return Err(usage(format!(
                        "duplicated taints with the same key and effect: {{{} {} {} <nil>}}",
                        taint.key, taint.value, taint.effect
                    )));
                }
                changes.add.push(taint);
            }
        }
    }
    Ok((operands.to_vec(), changes))
}

fn check(p: &Parsed, operands: &[String], changes: &Changes) -> Result<()> {
    let kind = operands[0].split('/').next().unwrap_or("").to_lowercase();
    if !matches!(kind.as_str(), "node" | "nodes" | "no") {
        return Err(Error::plain(format!("invalid resource type {}, only node types are supported", operands[0])));
    }
    let both = |add: &Taint| {
        let removal = changes.remove.iter().find(|r| r.key == add.key && (r.effect.is_empty() || r.effect == add.effect));
        removal.map(|r| format!("{}={}", r.key, r.effect))
    };
    let both: Vec<String> = changes.add.iter().filter_map(both).collect();
    if !both.is_empty() {
        return Err(Error::plain(format!(
            "can not both modify and remove the following taint(s) in the same command: {}",
            both.join(", ")
        )));
    }
    match (p.on("all"), p.given("selector")) {
        (true, true) => Err(Error::plain("setting 'all' parameter with a non empty selector is prohibited")),
        (false, false) if operands.len() < 2 && !operands[0].contains('/') => {
            Err(Error::plain("at least one resource name must be specified since 'all' parameter is not set"))
        }
        _ => Ok(()),
    }
}

/// The word for what is done, and the taints after it: new ones first.
fn changed(node: &str, old: &[Value], changes: &Changes, overwrite: bool) -> Result<(&'static str, Vec<Value>)> {
    let clash: Vec<&str> = changes.add.iter().filter(|t| old.iter().any(|o| t.fits(o))).map(|t| t.key.as_str()).collect();
    if !overwrite && !clash.is_empty() {
        return Err(Error::plain(format!(
            "node {node} already has {} taint(s) with same effect(s) and --overwrite is false",
            clash.join(",")
        )));
    }
    let mut new: Vec<Value> = changes.add.iter().map(Taint::json).collect();
    new.extend(old.iter().filter(|o| !changes.add.iter().any(|t| t.fits(o))).cloned());
    let added = new.len() != old.len();
    let mut missing = Vec::new();
    for removal in &changes.remove {
        if !new.iter().any(|taint| removal.fits(taint)) {
            let shown =
                if removal.effect.is_empty() { removal.key.clone() } else { format!("{}:{}", removal.key, removal.effect) };
            missing.push(Error::plain(format!("taint {shown:?} not found")));
        }
        new.retain(|taint| !removal.fits(taint));
    }
    Error::all(missing)?;
    Ok(match (added, !changes.remove.is_empty()) {
        (true, true) => ("modified", new),
        _ if overwrite => ("modified", new),
        (true, false) => ("tainted", new),
        _ => ("untainted", new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(line: &str, old: &Value, overwrite: bool) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        let run = || {
            let (operands, changes) = split(&words)?;
            check(&Parsed::default(), &operands, &changes)?;
            changed("n1", old.as_array().unwrap(), &changes, overwrite)
        };
        match run() {
            Ok((word, taints)) => format!("{word} {}", json!(taints)),
            Err(error) => error.text(),
        }
    }

    #[test]
    fn taints_come_and_go() {
        let one = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        let rows = [
            ("nodes n1 a=b:NoExecute", json!([]), false, r#"tainted [{"effect":"NoExecute","key":"a","value":"b"}]"#),
            ("nodes n1 k-", one.clone(), false, "untainted []"),
            ("nodes n1 k:NoSchedule-", one.clone(), false, "untainted []"),
            ("node n1 x-", one.clone(), false, "error: taint \"x\" not found"),
            (
                "nodes n1 k=w:NoSchedule",
                one.clone(),
                false,
                "error: node n1 already has k taint(s) with same effect(s) and --overwrite is false",
            ),
            ("nodes n1 k=w:NoSchedule", one.clone(), true, r#"modified [{"effect":"NoSchedule","key":"k","value":"w"}]"#),
            ("nodes n1 a:NoSchedule k-", one.clone(), false, r#"modified [{"effect":"NoSchedule","key":"a"}]"#),
            ("pods n1 k-", one.clone(), false, "error: invalid resource type pods, only node types are supported"),
            ("nodes n1", one.clone(), false, "error: at least one taint update is required"),
            (
                "nodes n1 k=v:Bad",
                one.clone(),
                false,
                "error: invalid taint effect: Bad, unsupported taint effect\nSee 'kubectl taint -h' for help and examples",
            ),
        ];
        for (line, old, overwrite, want) in rows {
            assert_eq!(outcome(line, &old, overwrite), want, "{line}");
        }
    }
}
