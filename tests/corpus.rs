//! Kept inputs (`tests/data/corpus`) that are easy to get wrong, each with what becomes of it. A line whose outcome changes fails;
//! `EGRESS_LAB_BLESS=1` writes the outcomes anew, to be looked at before they are kept.

use egress_lab::k8s::selector::LabelSelector;
use egress_lab::k8s::{base64, patch, strategic};
use egress_lab::sandbox::api::protobuf;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn check(file: &str, outcome: impl Fn(&[&str]) -> Result<String, String>) {
    let path = format!("tests/data/corpus/{file}");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut now = String::new();
    for line in text.lines() {
        let Some((input, _)) = line.rsplit_once(" |").filter(|_| !line.starts_with('#')) else {
            now.push_str(&format!("{line}\n"));
            continue;
        };
        let parts: Vec<&str> = input.split(" | ").collect();
        let came = outcome(&parts).unwrap_or_else(|why| format!("error: {why}"));
        now.push_str(format!("{input} | {came}").trim_end());
        now.push('\n');
    }
    if std::env::var_os("EGRESS_LAB_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(text.lines().count() > 10, "{path} has become short");
    assert_eq!(text, now, "{path}");
}

#[test]
fn patches() {
    check("patches.txt", |parts| {
        let [media, target, change] = parts else { return Err("three parts".into()) };
        let (mut target, change): (Value, Value) =
            (serde_json::from_str(target).map_err(|e| e.to_string())?, serde_json::from_str(change).map_err(|e| e.to_string())?);
        match *media {
            "merge" => patch::merge_patch(&mut target, &change),
            "json" => patch::json_patch(&mut target, change.as_array().ok_or("no list")?)?,
            _ => strategic::apply(&mut target, &change, "core.v1.Pod").map_err(|trouble| format!("{trouble:?}"))?,
        }
        Ok(target.to_string())
    });
}

#[test]
fn protobuf_bodies() {
    check("protobuf.txt", |parts| {
        let digits: Vec<u32> = parts[0].chars().filter_map(|c| c.to_digit(16)).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | *d as u8)).collect();
        Ok(protobuf::decode(&bytes)?.to_string())
    });
    // As deep as a body may be: nested far beyond the limit it is refused, not followed.
    let deep = (0..5_000).fold(Vec::new(), |inner, _| crate::properties::field(1, &inner));
    let head = base64::decode("azhzAAoPCgJ2MRIJTmFtZXNwYWNlEg==").unwrap();
    assert!(protobuf::decode(&[head, deep].concat()).is_err());
}

#[test]
fn label_selectors() {
    let sets: [BTreeMap<&str, &str>; 5] = [
        BTreeMap::new(),
        BTreeMap::from([("a", "b")]),
        BTreeMap::from([("a", "c")]),
        BTreeMap::from([("in", "in")]),
        BTreeMap::from([("a", "2"), ("b", "1")]),
    ];
    check("selectors.txt", |parts| {
        let selector = LabelSelector::parse(parts[0])?;
        let chosen: Vec<Value> = sets.iter().filter(|set| selector.matches(set)).map(|set| json!(set)).collect();
        Ok(format!("chooses {}", Value::Array(chosen)))
    });
}
