use super::*;

const NOW: &str = "2026-11-23T04:39:47Z";

fn by(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "v1", subresource: "", now: NOW }
}

fn config_map() -> Type<'static> {
    Type::kind("core.v1.ConfigMap").expect("known")
}

fn owned(managed: &Managed) -> Vec<(String, Value)> {
    managed.entries().iter().map(|e| (e.manager.clone(), e.fields.value())).collect()
}

/// The recorded sequence of `probe.txt`, "server side apply".
#[test]
fn appliers_share_take_and_give_up_fields_as_recorded() {
    let of = config_map();
    let mut managed = Managed::default();
    let config = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": data});
    let both = config(json!({"a": "1", "b": "1"}));
    let live = managed.apply(&Value::Null, &both, of, &by("mA"), Scope::Whole, false).expect("no conflict").expect("created");
    assert_eq!(owned(&managed), [("mA".into(), json!({"f:data": {"f:a": {}, "f:b": {}}}))]);
    let before = managed.clone();
    assert_eq!(managed.apply(&live, &both, of, &by("mA"), Scope::Whole, false), Ok(None));
    assert_eq!(managed, before);

    let other = config(json!({"a": "2"}));
    let refused = managed.apply(&live, &other, of, &by("mB"), Scope::Whole, false).expect_err("conflict");
    assert_eq!(conflict_message(&refused), "Apply failed with 1 conflict: conflict with \"mA\": .data.a");
    let live = managed.apply(&live, &other, of, &by("mB"), Scope::Whole, true).expect("forced").expect("changed");
    assert_eq!(live["data"], json!({"a": "2", "b": "1"}));
    assert_eq!(owned(&managed), [("mA".into(), json!({"f:data": {"f:b": {}}})), ("mB".into(), json!({"f:data": {"f:a": {}}}))]);

    let live = managed.apply(&live, &config(json!({})), of, &by("mA"), Scope::Whole, false).expect("fine").expect("changed");
    assert_eq!(live["data"], json!({"a": "2"}));
    assert_eq!(owned(&managed)[0], ("mA".into(), json!({"f:data": {}})));
}

/// The recorded updates of `probe.txt`: the map stays with its maker, the value goes to who changed it.
#[test]
fn updates_take_what_they_change() {
    let of = config_map();
    let mut managed = Managed::default();
    let a = json!({"metadata": {"name": "cm", "generateName": "c", "uid": "u"}, "data": {"a": "1"}});
    managed.update(&json!({}), &a, of, &by("m1"), Scope::Whole);
    assert_eq!(owned(&managed), [("m1".into(), json!({"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:generateName": {}}}))]);
    let b = json!({"metadata": {"name": "cm", "uid": "u"}, "data": {"a": "2"}});
    managed.update(&a, &b, of, &by("m2"), Scope::Whole);
    assert_eq!(owned(&managed), [("m1".into(), json!({"f:data": {}})), ("m2".into(), json!({"f:data": {"f:a": {}}}))]);
    let c = json!({"metadata": {"name": "cm", "uid": "u"}, "data": {"b": "2"}});
    managed.update(&b, &c, of, &by(""), Scope::Whole);
    assert_eq!(owned(&managed), [("m1".into(), json!({"f:data": {}})), ("unknown".into(), json!({"f:data": {"f:b": {}}}))]);
    let before = managed.clone();
    managed.update(&c, &c, of, &by("m9"), Scope::Whole);
    assert_eq!(managed, before);
}

/// The recorded steps of `smp.txt`, "SSA".
#[test]
fn containers_come_and_go_with_their_appliers_as_recorded() {
    let recording = include_str!("../../../tests/recordings/kubectl/smp.txt");
    let of = Type::kind("apps.v1.Deployment").expect("known");
    let (mut managed, mut live, mut compared) = (Managed::default(), Value::Null, 0);
    let lines: Vec<&str> = recording.lines().collect();
    for pair in lines.windows(2) {
        let Some((title, rest)) = pair[0].strip_prefix("## SSA ").and_then(|l| l.split_once(" {")) else { continue };
        let config: Value = serde_json::from_str(&format!("{{{rest}")).expect("recorded config");
        let manager = title.rsplit(' ').next().expect("manager");
        let (manager, force) = (manager.split('&').next().expect("name"), manager.contains("force"));
        if title.starts_with("after scale") {
            let mut scaled = live.clone();
            scaled["spec"]["replicas"] = json!(5);
            let scale = Writer { manager: "kubectl", api_version: "apps/v1", subresource: "scale", now: NOW };
            managed.update(&live, &scaled, of, &scale, Scope::Main);
            live = scaled;
        }
        let writer = Writer { api_version: "apps/v1", ..by(manager) };
        let result = managed.apply(&live, &config, of, &writer, Scope::Main, force);
        let (code, answer) = pair[1].trim().trim_start_matches("-> ").split_once(' ').expect("answer");
        let answer: Value = serde_json::from_str(answer).expect("recorded answer");
        match (code, result) {
            ("409", Err(conflicts)) => assert_eq!(answer["message"], json!(conflict_message(&conflicts)), "{title}"),
            (_, Ok(merged)) => {
                live = merged.unwrap_or(live);
                let shown = if answer[0].is_array() {
                    &live["spec"]["template"]["spec"]["containers"]
                } else {
                    &live["spec"]["replicas"]
                };
                assert_eq!(*shown, answer[0], "{title}");
                let recorded: Vec<(String, Value)> = answer[1]
                    .as_array()
                    .expect("entries")
                    .iter()
                    .map(|e| (e[0].as_str().expect("name").into(), e[3].clone()))
                    .collect();
                assert_eq!(owned(&managed), recorded, "{title}");
            }
            (code, result) => panic!("{title}: recorded {code}, got {result:?}"),
        }
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} recorded applies");
}

#[test]
fn what_was_there_before_the_first_apply_has_an_owner_of_its_own() {
    let live = json!({"metadata": {"name": "cm"}, "data": {"a": "1"}});
    let config = json!({"metadata": {"name": "cm"}, "data": {"a": "2"}});
    let refused = Managed::default().apply(&live, &config, config_map(), &by("x"), Scope::Whole, false).expect_err("conflict");
    assert_eq!(
        conflict_message(&refused),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a"
    );
}

#[test]
fn old_updaters_share_an_entry() {
    let mut managed = Managed::default();
    let mut old = json!({});
    for i in 0..15 {
        let mut new = old.clone();
        new["data"][format!("k{i:02}")] = json!("v");
        let manager = format!("m{i:02}");
        let now = format!("2026-11-23T04:39:{i:02}Z");
        managed.update(&old, &new, config_map(), &Writer { now: &now, ..by(&manager) }, Scope::Whole);
        old = new;
    }
    assert_eq!(managed.entries().len(), 10);
    assert_eq!(managed.entries()[0].manager, "ancient-changes");
    assert_eq!(managed.entries()[0].fields.paths().len(), 7);
}

#[test]
fn entries_are_read_and_written() {
    let value = json!([{"manager": "a", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}},
        {"manager": "b", "operation": "Update", "apiVersion": "v1", "time": NOW, "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}, "subresource": "status"}]);
    assert_eq!(Managed::read(&value).map(|m| m.value()), Ok(value));
    assert!(Managed::read(&json!([{}])).is_err());
    assert_eq!(Managed::read(&Value::Null).map(|m| m.value()), Ok(Value::Null));
}
