use super::*;

#[test]
fn patterns_fit_as_istioctl_reads_them() {
    for (pattern, text, fits) in [
        ("Pod a/b", "Pod a/b", true),
        ("Pod a/*", "Pod a/b", true),
        ("Pod *.testing", "Pod testing/x", false),
        ("*", "", true),
        ("P*a*b", "Pod a/b", true),
        ("P*b*a/b", "Pod a/b", false),
        ("", "Pod", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern}");
    }
}

const FIXTURES: &str = "tests/data/analyze";

/// What we print for a fixture, as `istioctl analyze --use-kube=false` prints it.
fn printed(name: &str, namespace: &str) -> String {
    let text = std::fs::read_to_string(format!("{FIXTURES}/{name}.yaml")).expect("the fixture is there");
    let (mut snapshot, mut origins) = (Snapshot::default(), Origins::new());
    files::add(&mut snapshot, &mut origins, &format!("{name}.yaml"), &text, namespace).expect("the fixture can be read");
    let input = Input {
        snapshot: &snapshot,
        origins: &origins,
        cluster: false,
        root_namespace: "istio-system",
        mesh: "",
        revision: "default",
    };
    let selection = Selection { namespace: namespace.into(), ..Selection::default() };
    let lines: Vec<String> = analyze(input, &selection).iter().map(Message::line).collect();
    format!("{}\n", lines.join("\n"))
}

#[test]
fn files_alone_are_judged_as_a_real_istioctl_judged_them() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(FIXTURES).expect("the fixtures are there") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let Some(name) = name.strip_suffix(".yaml") else { continue };
        for (suffix, namespace) in [("default", "default"), ("all", "")] {
            let wanted = std::fs::read_to_string(format!("{FIXTURES}/{name}.{suffix}.out")).expect("the real output is kept");
            let ours = printed(name, namespace);
            if ours != wanted {
                wrong.push(format!("{name}, namespace {namespace:?}\n{}", difference(&ours, &wanted)));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 20, "{compared}");
}

/// The lines that only one side has.
fn difference(ours: &str, theirs: &str) -> String {
    let only = |a: &str, b: &str, sign: char| {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    only(ours, theirs, '+') + &only(theirs, ours, '-')
}
