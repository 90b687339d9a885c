//! The catalogue of mistakes that people make: a folder each under `tests/data/mistakes`, with the objects as such a person has them,
//! what they ask for, and the object and field that is wrong. `explain`, its search for the smallest repair, or `analyze` has to name
//! it. Those that cannot be named are in `gaps.txt` with the reason.

use egress_lab::base::clock::Time;
use egress_lab::base::seed::Seed;
use egress_lab::base::yaml;
use egress_lab::k8s::{Object, Snapshot};
use egress_lab::mesh::analyze;
use egress_lab::mesh::draft::{Stand, Suppose, When, Written, draft};
use egress_lab::mesh::fix::{self, Answer, Question, Wish};
use egress_lab::mesh::reach::{Ask, Client, REDIRECTS, Verdict, Want};
use egress_lab::mesh::{Inputs, Model, Options, Record};
use egress_lab::outside::Outside;
use egress_lab::outside::wire::Request;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "tests/data/mistakes";
/// Mistakes that may stay without a name.
const MOST_GAPS: usize = 6;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    title: String,
    /// A part of `OBJECT FIELD`.
    named: String,
    /// The outbound mode of the demo installation that is assumed; absent: nothing is installed but what is written.
    demo: Option<String>,
    #[serde(default)]
    asks: Vec<Asked>,
    /// `standard`: the outside world of the sandbox, so that names that do not exist are known not to.
    #[serde(default)]
    outside: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    /// As `--expect` takes it; `logged`: also that every proxy on the way writes a line.
    want: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// Who named it, and as what.
type Named = Vec<(&'static str, String)>;

fn holds(want: &str, records: &[Record]) -> bool {
    match want {
        "logged" => records.iter().all(|r| r.hops.iter().all(|hop| hop.log.is_some())),
        want => Want::parse(want).expect("a want").judge(records) == Verdict::Met,
    }
}

fn look(folder: &Path) -> (Mistake, Named) {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the fixture's file");
    let mistake: Mistake = yaml::from_str_strict(&read("mistake.yaml")).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let documents = yaml::documents(&read("objects.yaml")).expect("YAML");
    let written = documents.into_iter().map(|d| Written { object: Object(d.value), at: format!("objects.yaml:{}", d.line) });
    let clients: BTreeSet<&str> = mistake.asks.iter().map(|a| a.from.as_deref().unwrap_or("default/test")).collect();
    let stand = |name: &&str| Stand { client: Client::parse(name, "default"), labels: BTreeMap::new(), when: When::Always };
    let clients = clients.iter().map(stand).collect();
    let suppose = Suppose { demo: mistake.demo.clone(), clients, ..Suppose::default() };
    let drafted = draft(written.collect(), &suppose).expect("a draft");
    let mut named: Named = drafted.refused.iter().map(|words| ("validation", words.replace(" (", " spec.hosts ("))).collect();
    named.extend(drafted.assumptions.iter().map(|text| ("assumption", text.clone())));
    named.extend(explained(&mistake, &drafted.snapshot));
    named.extend(analyzed(&drafted.snapshot));
    if !named.iter().any(|(_, what)| what.contains(&mistake.named)) {
        named.extend(mended(&mistake, &drafted.snapshot));
    }
    (mistake, named)
}

/// What `analyze` says: Istio's own messages name the object, ours the field as well.
fn analyzed(snapshot: &Snapshot) -> Named {
    let mesh = snapshot.find("", "ConfigMap", "istio-system", "istio").map_or("", |map| map.str_at(&["data", "mesh"]));
    let origins = Default::default();
    let input =
        analyze::Input { snapshot, origins: &origins, cluster: true, root_namespace: "istio-system", mesh, revision: "default" };
    let messages = analyze::analyze(input, &analyze::Selection::default());
    let of_istio = messages.iter().map(|m| ("analyze", format!("{} {} {}", m.origin(), m.code, m.text)));
    let ours = analyze::lab::findings(&input, "");
    of_istio.chain(ours.iter().map(|f| ("analyze --lab", format!("{} {} {}", f.object, f.field, f.id)))).collect()
}

fn client(asked: &Asked, snapshot: &Snapshot) -> Arc<Object> {
    Client::parse(asked.from.as_deref().unwrap_or("default/test"), "default").find(snapshot).expect("the client")
}

fn request(asked: &Asked) -> Request {
    let ask = Ask { follow: asked.follow, headers: asked.headers.clone(), ..Ask::get(&asked.url) };
    ask.request().unwrap_or_else(|e| panic!("{}: {e}", asked.url))
}

fn outside(mistake: &Mistake) -> Outside {
    if mistake.outside == "standard" { Outside::standard() } else { Outside::assumed() }
}

fn inputs(outside: &Outside) -> Inputs<'_> {
    Inputs { outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 }
}

fn follow(asked: &Asked) -> usize {
    if asked.follow { REDIRECTS } else { 0 }
}

/// What `explain` says of the requests that do not come to what they should.
fn explained(mistake: &Mistake, snapshot: &Snapshot) -> Named {
    let outside = outside(mistake);
    let model = Model::compile(snapshot, &Options::default());
    let mut named = Vec::new();
    for asked in &mistake.asks {
        let pod = client(asked, snapshot);
        let exchanges = model.trace_follow(&pod, &request(asked), &inputs(&outside), follow(asked)).exchanges;
        if !holds(&asked.want, &exchanges) {
            named.extend(exchanges.iter().map(|r| ("explain", format!("{} {}", r.cause.object, r.cause.field))));
        }
    }
    named
}

/// What `explain --fix` would change.
fn mended(mistake: &Mistake, snapshot: &Snapshot) -> Named {
    let outside = outside(mistake);
    let model = Model::compile(snapshot, &Options::default());
    let mut wants: Vec<Box<dyn Fn(&[Record]) -> bool + Sync>> = Vec::new();
    for asked in &mistake.asks {
        let want = asked.want.clone();
        wants.push(Box::new(move |records| holds(&want, records)));
    }
    let mut wishes = Vec::new();
    for (asked, holds) in mistake.asks.iter().zip(&wants) {
        wishes.push(wish_of(asked, snapshot, &**holds));
    }
    let question = Question { model: &model, inputs: inputs(&outside), wishes: &wishes, tries: 800 };
    match fix::repair(&question) {
        Answer::Repairs(all) => {
            let edits = all.iter().flat_map(|repair| &repair.edits);
            edits.map(|edit| ("explain --fix", format!("{} {}", edit.object, edit.field()))).collect()
        }
        Answer::Fine => vec![("nothing is wrong", String::new())],
        Answer::Nothing { .. } => Vec::new(),
    }
}

fn wish_of<'a>(asked: &Asked, snapshot: &Snapshot, holds: &'a (dyn Fn(&[Record]) -> bool + Sync)) -> Wish<'a> {
    Wish { pod: client(asked, snapshot), request: request(asked), follow: follow(asked), holds, opens: asked.want != "blocked" }
}

#[test]
fn each_mistake_is_named() {
    let gaps = std::fs::read_to_string(Path::new(FOLDER).join("gaps.txt")).expect("the list of gaps");
    let gaps: BTreeMap<&str, &str> =
        gaps.lines().filter(|l| !l.starts_with('#')).filter_map(|line| line.split_once(' ')).collect();
    assert!(gaps.len() <= MOST_GAPS, "{} gaps", gaps.len());
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for number in 1..=84 {
        let id = format!("M{number:02}");
        let folder = Path::new(FOLDER).join(&id);
        if !folder.is_dir() {
            if !gaps.contains_key(id.as_str()) {
                wrong.push(format!("{id} has no folder and is no known gap"));
            }
            continue;
        }
        let (mistake, named) = look(&folder);
        let hit = named.iter().find(|(_, what)| what.contains(&mistake.named));
        match (hit, gaps.contains_key(id.as_str())) {
            (Some((who, _)), false) => *counts.entry(who).or_default() += 1,
            (Some(_), true) => wrong.push(format!("{id} is a known gap, and is named: take it off the list")),
            (None, true) => (),
            (None, false) => {
                let all: Vec<String> = named.iter().map(|(who, what)| format!("\n        {who}: {what}")).collect();
                wrong.push(format!("{id} {}: nobody names {}{}", mistake.title, mistake.named, all.concat()));
            }
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{} mistakes:\n{}", wrong.len(), wrong.join("\n"));
}
