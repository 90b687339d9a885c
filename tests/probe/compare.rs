//! Comparing what was recorded with what the sandbox answers. Values that no two servers share (uids, versions, tokens, generated
//! names, addresses) are bound: the same recorded value must always stand for the same value here.

use super::recorded::Node;
use regex::Regex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What recorded values are here.
#[derive(Default)]
pub struct Bindings(HashMap<String, String>);

static UID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("uid"));
static MOMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$").expect("moment"));
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d+[smhd])+$").expect("age"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^10\.\d+\.\d+\.\d+$").expect("address"));
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"current: \d+").expect("version"));

impl Bindings {
    /// A text of the recording in this server's values.
    pub fn here(&self, text: &str) -> String {
        let mut text = UID
            .replace_all(text, |found: &regex::Captures<'_>| self.0.get(&found[0]).unwrap_or(&found[0].to_string()).clone())
            .into_owned();
        for (recorded, ours) in &self.0 {
            let is_version = recorded.bytes().all(|b| b.is_ascii_digit());
            if is_version {
                text = text.replace(&format!("resourceVersion\": \"{recorded}\""), &format!("resourceVersion\": \"{ours}\""));
                text = text.replace(&format!("resourceVersion={recorded}&"), &format!("resourceVersion={ours}&"));
                text = text
                    .replace(&format!("resourceVersion\\\":\\\"{recorded}\\\""), &format!("resourceVersion\\\":\\\"{ours}\\\""));
            } else if recorded.len() > 20 && !UID.is_match(recorded) || recorded.contains('-') && !UID.is_match(recorded) {
                text = text.replace(recorded.as_str(), ours);
            }
        }
        text
    }

    fn bind(&mut self, recorded: &str, ours: &str) -> bool {
        self.0.entry(recorded.into()).or_insert_with(|| ours.into()) == ours
    }

    /// Where the answer differs from what was recorded, first place first.
    pub fn differences(&mut self, recorded: &Node, ours: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.compare(recorded, ours, "", &mut found);
        found
    }

    fn compare(&mut self, recorded: &Node, ours: &Value, path: &str, found: &mut Vec<String>) {
        match (recorded, ours) {
            (Node::Cut, _) => (),
            (Node::Begun(text), Value::String(there)) => {
                let text = self.here(text);
                let n = text.len().min(20);
                let same = there.starts_with(&text)
                    || MOMENT.is_match(there)
                    || path.ends_with("ca.crt")
                    || !there.is_char_boundary(n)
                    || path.ends_with("resourceVersion")
                    || path.ends_with("continue")
                    || path.ends_with("uid");
                if !same {
                    found.push(format!("{path}: recorded {text:?}.., here {there:?}"));
                }
            }
            (Node::Leaf(Value::String(a)), Value::String(b)) => {
                if !self.same_text(a, b, path) {
                    found.push(format!("{path}: recorded {:?}, here {b:?}", self.here(a)));
                }
            }
            (Node::Leaf(a), b) if a == b => (),
            (Node::Object(members, whole), Value::Object(map)) => self.members(members, *whole, map, path, found),
            (Node::Array(items, whole), Value::Array(list)) => self.items(items, *whole, list, path, found),
            (a, b) => found.push(format!("{path}: recorded {a:?}, here {b}")),
        }
    }

    fn members(
        &mut self,
        members: &[(String, Node)],
        whole: bool,
        map: &serde_json::Map<String, Value>,
        path: &str,
        found: &mut Vec<String>,
    ) {
        for (key, member) in members {
            let key_here = self.here(key);
            let at = format!("{path}.{key}");
            match map.get(&key_here) {
                Some(value) => self.compare(member, value, &at, found),
                None if *member == Node::Cut => (),
                None => found.push(format!("{at}: recorded {}, missing here", short(member))),
            }
        }
        for key in map.keys().filter(|_| whole) {
            if !members.iter().any(|(k, _)| self.here(k) == *key) {
                found.push(format!("{path}.{key}: not recorded, here {}", map[key]));
            }
        }
    }

    fn items(&mut self, items: &[Node], whole: bool, list: &[Value], path: &str, found: &mut Vec<String>) {
        // A second service account volume source and a config map are additions of the recorded server's distribution.
        let items: Vec<&Node> =
            items.iter().filter(|item| !(path.ends_with(".sources") && format!("{item:?}").contains("openshift"))).collect();
        // Owners are listed by time: the recorded writes fell into one second, these do not.
        let by_owner =
            |value: &Value| ["manager", "operation", "subresource"].map(|f| value[f].as_str().unwrap_or("").to_string());
        let mut list: Vec<&Value> = list.iter().collect();
        let mut items = items;
        if path.ends_with(".managedFields") {
            list.sort_by_key(|value| by_owner(value));
            items.sort_by_key(|item| ["manager", "operation", "subresource"].map(|f| item.text(f)));
        }
        if items.len() > list.len() || whole && items.len() != list.len() {
            found.push(format!("{path}: recorded {} items, here {}", items.len(), list.len()));
        }
        for (i, (item, value)) in items.into_iter().zip(list).enumerate() {
            self.compare(item, value, &format!("{path}[{i}]"), found);
        }
    }

    fn same_text(&mut self, recorded: &str, ours: &str, path: &str) -> bool {
        let field = path.rsplit(['.', ']']).next().unwrap_or("");
        let both = |pattern: &Regex| pattern.is_match(recorded) && pattern.is_match(ours);
        match field {
            "resourceVersion" | "uid" | "continue" | "clusterIP" | "ip" => self.bind(recorded, ours),
            "name" if is_generated(recorded) => self.bind(recorded, ours),
            _ if recorded == ours => true,
            _ if both(&MOMENT) || path.contains(".cells[") && both(&AGE) => true,
            _ if path.ends_with(".ca.crt") => true,
            _ if both(&ADDRESS) => self.bind(recorded, ours),
            _ => NUMBERED.replace(&self.here(recorded), "") == NUMBERED.replace(ours, ""),
        }
    }
}

/// `kube-api-access-rkb2c`, `gen-jlr55`, `sv-ftxxg`, `dd-7d7df9787d`, an event's name.
fn is_generated(name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('-') else { return false };
    let generated = |part: &str| part.len() >= 5 && part.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789.0e1a3".contains(&b));
    generated(last) && name != "kube-root-ca.crt"
}

fn short(node: &Node) -> String {
    format!("{node:?}").chars().take(160).collect()
}
