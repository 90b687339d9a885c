//! The traffic picture: a request's way from the pod to the outside as boxes, where it ended and what decided. Arrows go from hop to
//! hop and from line to line; Enter opens the object whose field decided a line.

pub mod boxes;
pub mod object;
pub mod panel;

use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::scroll::Scroll;
use super::theme::{Theme, Tone};
use crate::base::clock::Time;
use crate::base::text::wrap;
use crate::finding::Verdict;
use crate::finding::picture::{self, Picture};
use crate::session::Session;
use crate::session::desk::{Answer, AskId, Request};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Milliseconds from the pod to the end.
const JOURNEY: i64 = 1_000;
/// Lines that the learner sent and that are looked into.
const OWN: usize = 5;

/// The screen.
#[derive(Default)]
pub struct PictureScreen {
    /// Of the checks, those that failed first; then the learner's own.
    checked: Vec<Picture>,
    own: Vec<Picture>,
    asked: Vec<AskId>,
    at: usize,
    station: usize,
    part: usize,
    scroll: Scroll,
    since: Option<Time>,
    /// Milliseconds that the request is on its way; `None` once it has arrived.
    travelled: Option<i64>,
}

impl PictureScreen {
    fn count(&self) -> usize {
        self.checked.len() + self.own.len()
    }

    /// The request that is shown.
    pub fn shown(&self) -> Option<&Picture> {
        self.checked.get(self.at).or_else(|| self.own.get(self.at.checked_sub(self.checked.len())?))
    }

    /// Shows a request from its beginning, the line that decided marked.
    fn show(&mut self, at: usize) {
        self.at = at.min(self.count().saturating_sub(1));
        let Some(picture) = self.shown() else { return };
        let station = picture.key();
        let part = picture.stations[station].key().unwrap_or(0);
        (self.station, self.part, self.scroll) = (station, part, Scroll(0));
        (self.since, self.travelled) = (None, Some(0));
    }

    fn read(&mut self, session: &Session) {
        self.checked = picture::of_findings(session.findings());
        self.show(0);
    }

    fn step(&mut self, stations: isize) {
        let Some(picture) = self.shown() else { return };
        let last = picture.stations.len() - 1;
        let to = self.station.saturating_add_signed(stations).min(last);
        let part = picture.stations[to].key().unwrap_or(0);
        (self.station, self.part, self.scroll) = (to, part, Scroll(0));
    }

    /// To the next line of the station, and past its last to the next station.
    fn line(&mut self, by: isize) {
        let Some(picture) = self.shown() else { return };
        let parts = picture.stations[self.station].parts.len();
        match self.part.checked_add_signed(by) {
            Some(to) if to < parts => self.part = to,
            Some(_) if self.station + 1 < picture.stations.len() => {
                self.step(1);
                self.part = 0;
            }
            None if self.station > 0 => {
                let last = picture.stations[self.station - 1].parts.len().saturating_sub(1);
                self.step(-1);
                self.part = last;
            }
            _ => (),
        }
    }

    fn object(&self) -> Then {
        let part = self.shown().and_then(|picture| picture.stations.get(self.station)?.parts.get(self.part));
        match part.and_then(|part| part.decided.clone()) {
            None => Then::Say("Nothing that can be opened decided this line.".into()),
            Some(decided) if decided.reference().is_none() => {
                Then::Say(format!("{}: {} {}", decided.text.trim_end_matches('.'), decided.object, decided.field))
            }
            Some(decided) => Then::Open(Box::new(object::ObjectScreen::new(decided))),
        }
    }

    fn travelled(&self, theme: Theme) -> i64 {
        if theme.motion { self.travelled.unwrap_or(JOURNEY) } else { JOURNEY }
    }

    fn head(&self, picture: &Picture, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let of = match self.count() {
            1 => String::new(),
            n => format!("   request {} of {n} ([ and ])", self.at + 1),
        };
        let (word, title, tone) = match &picture.check {
            Some((verdict, title)) => (verdict.word(), title.as_str(), theme.verdict(*verdict)),
            None => ("ASKED", "your own; as the model sees it, nothing was sent", theme.style(Tone::Unsure)),
        };
        let mut lines = vec![Line::from(vec![Span::styled(picture.url.clone(), theme.style(Tone::Strong)), Span::raw(of)])];
        let hang = word.len() + 2;
        for (nth, text) in wrap(title, columns.saturating_sub(hang).max(20), 0).into_iter().enumerate() {
            let word = format!("{:<hang$}", if nth == 0 { word } else { "" });
            lines.push(Line::from(vec![Span::styled(word, tone), Span::raw(text)]));
        }
        let delivered = picture.check.as_ref().is_none_or(|(verdict, _)| *verdict == Verdict::Met);
        let tone = if delivered { Tone::Plain } else { Tone::Strong };
        let outcome = picture.seen.split(',').next().unwrap_or_default();
        for text in wrap(&format!("{outcome}: {}", picture.why.text), columns, 2) {
            lines.push(Line::styled(text, theme.style(tone)));
        }
        lines
    }
}

impl Over for PictureScreen {
    fn title(&self, _session: &Session) -> String {
        "Traffic picture".into()
    }

    fn scope(&self) -> Scope {
        Scope::Picture
    }

    fn offers(&self) -> Vec<Command> {
        vec![
            Command::Leave,
            Command::Object,
            Command::HopNext,
            Command::HopBack,
            Command::RequestNext,
            Command::RequestBack,
            Command::Copy,
            Command::Help,
        ]
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        self.read(reach.session);
        let own = reach.session.ran().iter().rev().filter_map(|ran| asked_by(&ran.line)).take(OWN).collect::<Vec<_>>();
        self.asked = own.into_iter().map(|words| reach.ask(Request::Way { words })).collect();
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, _reach: &mut Reach<'_>) -> Then {
        self.travelled = None;
        match command {
            Some(Command::HopNext) => self.step(1),
            Some(Command::HopBack) => self.step(-1),
            Some(Command::Down) => self.line(1),
            Some(Command::Up) => self.line(-1),
            Some(Command::RequestNext) if self.at + 1 < self.count() => self.show(self.at + 1),
            Some(Command::RequestBack) if self.at > 0 => self.show(self.at - 1),
            Some(Command::RequestNext | Command::RequestBack) => return Then::Say("There is no other request.".into()),
            Some(Command::PageDown) => self.scroll.0 += 5,
            Some(Command::PageUp) => self.scroll.0 = self.scroll.0.saturating_sub(5),
            Some(Command::Top) => self.step(isize::MIN / 2),
            Some(Command::Bottom) => self.step(isize::MAX / 2),
            Some(Command::Object) => return self.object(),
            Some(Command::Copy) => return self.shown().map_or(Then::Stay, |picture| Then::Copy(picture::text(picture))),
            Some(Command::Leave) => return Then::Close,
            _ if matches!(key.code, KeyCode::Char('q') | KeyCode::F(6)) => return Then::Close,
            _ => (),
        }
        Then::Stay
    }

    fn answered(&mut self, id: AskId, answer: &Result<Answer, String>, _reach: &mut Reach<'_>) -> bool {
        let mine = self.asked.contains(&id);
        if let (true, Ok(Answer::Way(pictures))) = (mine, answer) {
            let first = self.count() == 0;
            self.own.extend(pictures.iter().cloned());
            if first {
                self.show(0);
            }
        }
        mine
    }

    fn judged(&mut self, reach: &mut Reach<'_>) {
        self.read(reach.session);
    }

    fn is_moving(&self) -> bool {
        self.travelled.is_some() && self.count() > 0
    }

    fn tick(&mut self, now: Time) {
        let since = *self.since.get_or_insert(now);
        self.travelled = self.travelled.map(|_| now.since(since)).filter(|travelled| *travelled < JOURNEY);
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let columns = usize::from(area.width);
        let Some(picture) = self.shown() else {
            let text =
                "No request was sent by the checks of this step yet. `picture URL` at the prompt tells the way of one of yours.";
            for (nth, row) in wrap(text, columns.saturating_sub(2), 0).into_iter().enumerate() {
                super::frame::line(frame, area, nth + 1, &Line::from(format!(" {row}")));
            }
            return;
        };
        let head = self.head(picture, columns, theme);
        head.iter().enumerate().for_each(|(nth, line)| super::frame::line(frame, area, nth, line));
        let used = head.len() as u16;
        let rest = Rect { y: area.y + used, height: area.height.saturating_sub(used), ..area };
        let drawing =
            boxes::Drawing { picture, selected: self.station, share: self.travelled(theme) as f64 / JOURNEY as f64, theme };
        let taken = drawing.draw(rest, frame);
        let below = Rect { y: rest.y + taken, height: rest.height.saturating_sub(taken), ..rest };
        panel::draw(picture, (self.station, self.part), self.scroll, below, theme, frame);
    }
}

/// What a line that the learner ran would ask for: the client, the URL and the options that matter, if curl was in it.
fn asked_by(line: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['\'', '"'])).collect();
    if matches!(words.first(), Some(&("explain" | "why" | "picture"))) && words.len() > 1 {
        return Some(words[1..].iter().filter(|word| !word.contains("json")).map(|word| word.to_string()).collect());
    }
    let curl = words.iter().position(|word| *word == "curl")?;
    let (before, after) = (&words[..curl], &words[curl + 1..]);
    let exec = before.iter().position(|word| *word == "exec")?;
    let after_flag = |flag: &str| before.iter().position(|word| *word == flag).and_then(|at| before.get(at + 1));
    let namespace = after_flag("-n").or_else(|| after_flag("--namespace")).copied();
    let takes_value = |at: usize| matches!(before[at - 1], "-n" | "-c" | "--namespace" | "--container");
    let pod = (exec + 1..before.len()).find(|at| !before[*at].starts_with('-') && !takes_value(*at)).map(|at| before[at])?;
    let pod = pod.rsplit('/').next().unwrap_or(pod);
    let url = after.iter().find(|word| word.contains("://") || (word.contains('.') && !word.starts_with('-')))?;
    let from = namespace.map_or(pod.to_string(), |namespace| format!("{namespace}/{pod}"));
    let short = |word: &str, flag: char| word.starts_with('-') && !word.starts_with("--") && word.contains(flag);
    let mut asked = Vec::new();
    if after.iter().any(|word| *word == "--head" || short(word, 'I')) {
        asked.push("-I".to_string());
    }
    if after.iter().any(|word| *word == "--location" || short(word, 'L')) {
        asked.push("-L".to_string());
    }
    asked.extend([from, url.to_string()]);
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curl_that_was_run_is_read_for_what_it_asked() {
        for (line, asked) in [
            ("kubectl exec test -- curl -sI http://www.wikipedia.org", "-I test http://www.wikipedia.org"),
            (
                "k exec -n shop -c app deploy/cart -- curl -sSL -o /dev/null https://a.example/x",
                "-L shop/cart https://a.example/x",
            ),
            ("kubectl exec test -c app -- curl --head 'edition.cnn.com'", "-I test edition.cnn.com"),
            ("explain default/test http://a.example --json", "default/test http://a.example"),
        ] {
            assert_eq!(asked_by(line).map(|words| words.join(" ")).as_deref(), Some(asked), "{line}");
        }
        for line in ["kubectl get pods", "curl http://a.example", "kubectl exec test -- ls curl", "explain"] {
            assert_eq!(asked_by(line), None, "{line}");
        }
    }
}
