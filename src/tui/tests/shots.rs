//! Every screen at the three sizes in every theme. One file for a screen and a size: its text; a map of the same shape, in which a letter says
//! what each cell means; where ASCII says it otherwise, those rows. A letter stands for a meaning only if the cell looks as that meaning
//! does in all themes, with 256 colours and with 16, so the map holds for each of them; `look-of-tones` says how each looks in each.

mod tones;

use super::{guide, manifest, pages, picture, play, timeline, typing, *};
use crate::session::own_shell::ShellNews;
use crate::session::{Ask, Reach};
use crate::tui::help::Sheet;
use crate::tui::keymap::Scope;
use crate::tui::lesson::Side;
use std::collections::{BTreeMap, BTreeSet};
use tones::{cells, tones};

type Shot = (&'static str, fn(u16, u16) -> Play);

/// Every screen by a name, and how to get there.
const SHOTS: &[Shot] = &[
    ("home", Play::home),
    ("home-word", |w, h| Play::home(w, h).after(":hi")),
    ("home-help", |w, h| Play::home(w, h).after("?")),
    ("opening", |w, h| Play::home(w, h).after("<Enter>")),
    ("lesson-read", Play::lesson),
    ("lesson-do", Play::doing),
    ("lesson-typing", |w, h| Play::doing(w, h).after("cat <lt><lt>EOF<Enter>one<Enter>")),
    ("lesson-running", pages::running),
    ("lesson-waiting", |w, h| waiting(pages::running(w, h))),
    ("lesson-program", play::program),
    ("lesson-failed", failed),
    ("lesson-text", |w, h| failed(w, h).after("<Esc>")),
    ("lesson-hint", |w, h| failed(w, h).after("hint<Enter>")),
    ("lesson-predict", guide::predicting),
    ("lesson-wrong-answer", |w, h| guide::answered(w, h, "a", Verdict::NotYet)),
    ("lesson-finished", guide::finished),
    ("lesson-presented", |w, h| guide::presenting(w, h).after("jz ")),
    ("evidence", |w, h| failed(w, h).after("<F4>")),
    ("steps", |w, h| failed(w, h).after("<F3>")),
    ("ask-solution", |w, h| failed(w, h).after("<A-s>")),
    ("ask-skip", |w, h| failed(w, h).after("<A-S>")),
    ("ask-reset", |w, h| failed(w, h).after("<A-R>")),
    ("search", |w, h| failed(w, h).after("<Esc>/kubectl<Enter>")),
    ("search-text", |w, h| failed(w, h).after("<Esc>/registered yet")),
    ("search-nothing", |w, h| failed(w, h).after("<Esc>/zzz")),
    ("history", |w, h| failed(w, h).after("<C-r>pods")),
    ("candidates", typing::candidates),
    ("word-line", |w, h| Play::doing(w, h).after("<Esc>:t<Tab>")),
    ("help", |w, h| Play::doing(w, h).after("<Esc><F1>")),
    ("help-topic", |w, h| Play::doing(w, h).after("<Esc>:help themes<Enter>")),
    ("glossary", guide::glossary),
    ("glossary-search", |w, h| guide::glossary(w, h).after("black")),
    ("debrief", |w, h| guide::finished(w, h).after("<A-d>")),
    ("picture-none", |w, h| Play::doing(w, h).after("<F6>")),
    ("picture-blocked", picture::opened),
    ("picture-waiting", |w, h| waiting(picture::opened(w, h))),
    ("picture-delivered", picture::delivered),
    ("picture-gateway", |w, h| picture::delivered(w, h).after("<Right>")),
    ("picture-object", picture::object),
    ("editor-error", manifest::error),
    ("editor-completion", manifest::completion),
    ("editor-templates", |w, h| manifest::error(w, h).after("<C-t><Down>")),
    ("editor-find", |w, h| manifest::error(w, h).after("<C-f>ports")),
    ("editor-leaving", |w, h| manifest::error(w, h).after("x<Esc>")),
    ("editor-draft", manifest::draft),
    ("change-refused", manifest::refused),
    ("change-before", manifest::before),
    ("change-after", manifest::after),
    ("timeline", |w, h| timeline::opened(w, h).after("jj")),
    ("timeline-filter", |w, h| timeline::opened(w, h).after("/curl")),
    ("timeline-mark", |w, h| timeline::opened(w, h).after("bbefore")),
    ("timeline-cluster", timeline::cluster),
    ("timeline-change", timeline::change),
    ("timeline-return", timeline::returning),
    ("timeline-compare", timeline::compare),
    ("browser-kinds", timeline::browser_kinds),
    ("browser-objects", |w, h| timeline::pods(w, h).after("j")),
    ("browser-filter", |w, h| timeline::pods(w, h).after("/tes")),
    ("browser-delete", |w, h| timeline::pods(w, h).after("jD")),
    ("browser-log", timeline::log),
    ("browser-past", timeline::browser_past),
    ("shell", shell),
    ("shell-back", |w, h| shell(w, h).after("<S-PageUp>")),
];

/// Every screen over the lesson's: its type, whose keys it has, how its title begins.
const OVERS: &[(&str, Scope, &str)] = &[
    ("Browser", Scope::Browser, ""),
    ("Debrief", Scope::Reading, ""),
    ("Diff", Scope::Diff, ""),
    ("Editor", Scope::Editor, ""),
    ("Glossary", Scope::Glossary, ""),
    ("ObjectScreen", Scope::Picture, "ConfigMap"),
    ("PictureScreen", Scope::Picture, "Traffic picture"),
    ("Shell", Scope::Shell, ""),
    ("TimeLineScreen", Scope::TimeLine, ""),
];

/// What the screens of a play are; a new variant of any of these enums does not compile until it has a name here.
const STATES: [&str; 11] =
    ["home", "opening", "lesson", "keys", "topic", "steps", "evidence", "text", "asks: solution", "asks: skip", "asks: reset"];

fn states(play: &Play) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    found.extend(play.app.overlay.as_ref().map(|overlay| match overlay.sheet {
        Sheet::Keys => "keys",
        Sheet::Topic(_) => "topic",
    }));
    found.insert(match &play.app.layer {
        Layer::Home => "home",
        Layer::Opening(_) => "opening",
        Layer::Lesson(_) => "lesson",
    });
    let Layer::Lesson(screen) = &play.app.layer else { return found };
    found.insert(match screen.view.side {
        Side::Text => "text",
        Side::Steps => "steps",
        Side::Evidence => "evidence",
    });
    found.extend(screen.session.asking().map(|ask| match ask {
        Ask::Solution => "asks: solution",
        Ask::Skip => "asks: skip",
        Ask::Reset(_) => "asks: reset",
    }));
    found
}

/// The type of the screen on top, if one lies over the lesson's.
fn over(play: &Play) -> Option<&'static str> {
    let Layer::Lesson(screen) = &play.app.layer else { return None };
    let top = screen.over.last()?;
    let (scope, title) = (top.scope(), top.title(&screen.session));
    let is = |row: &&(&str, Scope, &str)| row.1 == scope && title.starts_with(row.2);
    Some(OVERS.iter().find(is).unwrap_or_else(|| panic!("no row for {scope:?}, {title}")).0)
}

impl Play {
    /// The same after some keys.
    fn after(mut self, keys: &str) -> Play {
        self.keys(keys);
        self
    }
}

/// The API server of a cluster has a bad moment.
fn waiting(mut play: Play) -> Play {
    let sentence =
        "Waiting for the API server: not available (503: the server is currently unable to handle the request), try 2 of 8.";
    play.tell(Event::Reach(Reach::Waiting(sentence.into())));
    play
}

/// The learner's shell with a line in colours and more rows than fit.
fn shell(width: u16, height: u16) -> Play {
    let mut play = Play::doing(width, height);
    play.keys("<F2>");
    play.tell(Event::Shell(ShellNews::Opened("bash".into())));
    let rows: String = (1..=40).map(|n| format!("row {n}\r\n")).collect();
    let shown = format!("{rows}$ ls --color\r\n\u{1b}[1;34mdir\u{1b}[0m  \u{1b}[32mrun.sh\u{1b}[0m  plain.yaml\r\n$ ");
    play.tell(Event::Shell(ShellNews::Output(shown.into_bytes())));
    play
}

#[test]
fn control_z_is_the_shells_own() {
    use crate::session::own_shell::ShellCall;
    let mut play = shell(80, 24);
    play.open.clear();
    assert!(play.keys("<C-z>").is_none(), "the lab does not stop");
    let sent = |e: &Effect| matches!(e, Effect::Shell(ShellCall::Input(bytes)) if bytes == b"\x1a");
    assert!(play.open.iter().chain(&*play.effects.lock().expect("not poisoned")).any(sent));
}

#[test]
fn what_the_api_server_makes_people_wait_for_goes_when_it_is_over() {
    let mut play = Play::doing(120, 40);
    let before = play.screen();
    play = waiting(play);
    assert!(play.screen().contains("Waiting for the API server: not available (503"), "{}", play.screen());
    play.tell(Event::Reach(Reach::Clear));
    assert_eq!(play.screen(), before);
    play.tell(Event::Reach(Reach::Failed("The API server: too many requests (GET /x, tried 8 times).".into())));
    assert!(play.screen().contains("The API server: too many requests (GET /x, tried 8 times)."), "{}", play.screen());
    play.keys("kubectl get pods<Enter>");
    assert!(!play.screen().contains("too many requests"), "{}", play.screen());
}

fn all(width: u16, height: u16) {
    let (mut overs, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (name, make) in SHOTS {
        let mut play = make(width, height);
        overs.extend(over(&play));
        seen.append(&mut states(&play));
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), shot(&mut play));
    }
    assert_eq!(overs, OVERS.iter().map(|row| row.0).collect(), "each screen over the lesson's has a shot");
    assert_eq!(seen, STATES.into(), "each state has a shot");
}

#[test]
fn every_screen_at_120x40() {
    all(120, 40);
}

#[test]
fn every_screen_at_80x24() {
    all(80, 24);
}

#[test]
fn every_screen_at_60x20() {
    all(60, 20);
}

/// The text, what its cells mean, and what is otherwise in ASCII.
fn shot(play: &mut Play) -> String {
    let looks = tones::looks();
    let theme = play.app.theme;
    let drawn: Vec<_> = looks.iter().map(|look| cells(play, Theme { motion: theme.motion, ..*look })).collect();
    let text = play::rows(&drawn[0]);
    for (look, other) in looks.iter().zip(&drawn) {
        assert_eq!(play::rows(other), text, "{} says the same", look.palette.name());
    }
    let ascii = play::rows(&cells(play, Theme { ascii: true, motion: theme.motion, ..looks[0] }));
    assert!(ascii.is_ascii(), "{ascii}");
    play.app.theme = theme;
    let plain = |row: &str| row.replace('─', "-").replace('│', "|");
    let otherwise = text.lines().zip(ascii.lines()).enumerate().filter(|(_, (row, ascii))| plain(row) != *ascii);
    let otherwise: Vec<String> = otherwise.map(|(nth, (_, ascii))| format!("{nth:>2} {ascii}")).collect();
    let mut out = format!("{text}\n\nWHAT IT MEANS\n{}", tones(&drawn));
    if !otherwise.is_empty() {
        out += &format!("\nIN ASCII\n{}\n", otherwise.join("\n"));
    }
    out
}

#[test]
fn the_look_of_every_tone() {
    insta::assert_snapshot!("look-of-tones", tones::legend());
}

/// The names of types that are screens over the lesson's, as the sources have them.
fn written() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tui"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.to_string_lossy().contains("tests") {
                let text = std::fs::read_to_string(path).expect("readable");
                found.extend(
                    text.lines().filter_map(|line| line.strip_prefix("impl Over for ")?.split(' ').next()).map(String::from),
                );
            }
        }
    }
    found
}

#[test]
fn every_screen_over_the_lessons_is_among_the_shots() {
    assert_eq!(written(), OVERS.iter().map(|row| row.0.to_string()).collect());
}

#[test]
fn no_shot_is_left_over_from_a_screen_that_is_no_more() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tui/tests/snapshots");
    let names: BTreeMap<&str, usize> = SHOTS.iter().map(|(name, _)| (*name, 0)).collect();
    let mut found = names.clone();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let file = entry.expect("readable").file_name().into_string().expect("a name in letters");
        let name = file.rsplit("__").next().and_then(|name| name.strip_suffix(".snap")).expect("a shot");
        if name == "look-of-tones" {
            continue;
        }
        let (name, _) = name.rsplit_once('-').expect("a name and a size");
        *found.get_mut(name).unwrap_or_else(|| panic!("{file} is of no screen")) += 1;
    }
    assert_eq!(found, names.keys().map(|name| (*name, 3)).collect(), "three sizes of each");
    assert_eq!(names.len(), SHOTS.len(), "no name is used twice");
}
