use super::*;
use proptest::prelude::*;
use serde_json::json;

/// What every recorded template ran on.
fn object() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"app": "web", "tier": "x", "zz": "1"}},
        "data": {"k": "v", "false": "5", "b64": "aGVsbG8=", "html": "<a&b>"}, "list": [1, 2.5, "a", true, null], "big": 1000000,
        "bigger": 1.2345678901234568e22, "neg": -3, "f": 1.5, "nul": null, "nested": {"a": {"b": ["x", true, {"z": 1}]}}})
}

/// Templates and what kubectl 1.37 made of them.
#[test]
fn templates_do_what_they_did_in_kubectl() {
    let recorded: Vec<Value> = serde_json::from_str(include_str!("../../../tests/data/kubectl/go-templates.json")).unwrap();
    assert!(recorded.len() > 100);
    let mut wrong = Vec::new();
    for row in &recorded {
        let (text, out, error) = (&row["template"], &row["out"], &row["error"]);
        let text = text.as_str().unwrap();
        let got = match Template::parse(text).map(|t| t.run(&object(), false)) {
            Ok(Ok(out)) => (out, String::new()),
            Ok(Err(broken)) => broken,
            Err(error) => (String::new(), error),
        };
        if (got.0.as_str(), got.1.as_str()) != (out.as_str().unwrap(), error.as_str().unwrap()) {
            wrong.push(format!("{text:?}\n  want {out} {error}\n  got  {:?} {:?}", got.0, got.1));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), recorded.len(), wrong.join("\n"));
}

#[test]
fn a_missing_key_may_be_an_error() {
    let template = Template::parse("{{.data.k}}{{.nope.x}}").unwrap();
    let (out, error) = template.run(&object(), true).unwrap_err();
    assert_eq!(out, "v");
    assert_eq!(error, "template: output:1:18: executing \"output\" at <.nope.x>: map has no entry for key \"nope\"");
}

#[test]
fn nothing_runs_for_ever() {
    let endless = r#"{{define "t"}}{{template "t"}}{{end}}{{template "t"}}"#;
    assert!(Template::parse(endless).unwrap().run(&object(), false).unwrap_err().1.contains("maximum template depth"));
    let wide = "{{range 1000000}}{{range 1000000}}x{{end}}{{end}}";
    assert!(Template::parse(wide).unwrap().run(&object(), false).unwrap_err().1.contains("too long"));
    assert!(Template::parse(&format!("{{{{{}", "(".repeat(100_000))).is_err());
    assert!(Template::parse(&"{{if 1}}".repeat(100_000)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        let _ = Template::parse(&text).map(|t| t.run(&object(), false));
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(prop_oneof![
        "\\{\\{-? ?", " ?-?\\}\\}", " ", "if ", "range ", "with ", "else", "end", "define ", "template ", "block ", "break", "\\$[a-c]?",
        " := ", " = ", ", ", "\\.[a-z]{0,4}", "\\.list", "\\.data", "\\.nested\\.a", "\"[a-z%]{0,4}\"", "-?[0-9]{1,20}", "\\(", "\\)", "\\|", "index ",
        "slice ", "printf ", "eq ", "lt ", "len ", "and ", "not ", "'.'", "nil", "%[-+# 0]?[0-9]{0,3}(\\.[0-9]{0,3})?[a-zA-Z]",
    ], 0..25)) {
        let _ = Template::parse(&words.concat()).map(|t| t.run(&object(), false));
        let _ = Template::parse(&format!("{{{{{}}}}}", words.concat())).map(|t| t.run(&object(), true));
    }
}
