//! The text of the shown step: stage, task, question, hints, what was answered, the end of the lesson.

use crate::base::text::{width, wrap};
use crate::finding::Verdict;
use crate::lesson::layout::{Mark, layout};
use crate::lesson::markdown::Block;
use crate::lesson::model::{Expected, Question};
use crate::session::guide::{LOOKS_LIKE, hint_title};
use crate::session::{Session, StepState};
use crate::tui::links::Link;
use crate::tui::theme::{Theme, Tone};
use ratatui::text::{Line, Span};

/// The line from which on the end of a stage is to be read: where the step's last word begins. `None` when no stage ends here.
pub fn last_word(session: &Session, columns: usize) -> Option<usize> {
    session.looking_back()?;
    let begins = |line: &Line<'_>| ["PASS  ", "ASSISTED  ", "SKIPPED  "].iter().any(|word| line.to_string().starts_with(word));
    lines(session, columns, Theme::PLAIN).iter().rposition(begins)
}

/// The document's lines at a width.
pub fn lines(session: &Session, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    document(session, columns, theme).lines
}

/// Lines, and where in them links are.
#[derive(Debug, Default)]
pub struct Document {
    pub lines: Vec<Line<'static>>,
    pub links: Vec<Link>,
}

/// The document at a width.
pub fn document(session: &Session, columns: usize, theme: Theme) -> Document {
    let mut page = Page { lines: Vec::new(), links: Vec::new(), columns, theme };
    page.head(session);
    page.blocks(&session.step().task);
    if let Some(question) = &session.step().question {
        page.question(question, session.step_run().answer.as_deref());
    }
    page.hints(session);
    page.end(session);
    Document { lines: page.lines, links: page.links }
}

struct Page {
    lines: Vec<Line<'static>>,
    links: Vec<Link>,
    columns: usize,
    theme: Theme,
}

impl Page {
    fn head(&mut self, session: &Session) {
        let (lesson, nth) = (session.lesson(), session.shown());
        let step = &lesson.steps[nth];
        let first = nth == 0 || lesson.steps[nth - 1].stage != step.stage;
        if let Some(stage) = lesson.stage(&step.stage).filter(|_| first)
            && !stage.intro.is_empty()
        {
            self.blocks(&stage.intro);
        }
        self.gap();
        let title = format!("Step {}: {}", nth + 1, step.title);
        for text in wrap(&title, self.columns, 0) {
            self.lines.push(Line::styled(text, self.theme.style(Tone::Strong)));
        }
        self.gap();
    }

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    fn title(&mut self, text: String, tone: Tone) {
        self.gap();
        self.lines.push(Line::styled(text, self.theme.style(tone)));
    }

    fn text(&mut self, text: &str) {
        self.lines.extend(wrap(text, self.columns, 0).into_iter().map(Line::from));
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for line in layout(blocks, self.columns) {
            let mut column = 0;
            let mut links = Vec::new();
            for run in &line {
                let next = column + width(&run.text);
                if let Some(url) = &run.url {
                    let shown = column + width(run.text.trim_end());
                    links.push(Link { row: self.lines.len(), from: column, to: shown, url: url.clone() });
                }
                column = next;
            }
            if column <= self.columns {
                self.links.append(&mut links);
            }
            let spans: Vec<Span<'static>> =
                line.into_iter().map(|run| Span::styled(run.text, self.theme.mark(run.mark))).collect();
            self.fitting(Line::from(spans));
        }
    }

    /// A code line that is too long loses its indent; if that is not enough, or it is a command, it is broken.
    fn fitting(&mut self, line: Line<'static>) {
        let text = line.to_string();
        if width(text.trim_end()) <= self.columns {
            return self.lines.push(line);
        }
        let style = line.spans.first().map_or_else(Default::default, |span| span.style);
        let bare = text.strip_prefix("    ").unwrap_or(&text);
        if width(bare) <= self.columns && style != self.theme.mark(Mark::Command) {
            return self.lines.push(Line::styled(bare.to_string(), style));
        }
        let pieces = wrap(bare, self.columns.saturating_sub(4), 4);
        self.lines.extend(pieces.into_iter().map(|piece| Line::styled(format!("    {piece}"), style)));
    }

    fn question(&mut self, question: &Question, answer: Option<&str>) {
        self.gap();
        self.blocks(&question.prompt);
        match &question.answer {
            Expected::Options(choices) => {
                self.gap();
                for (nth, choice) in choices.iter().enumerate() {
                    let letter = char::from(b'a' + (nth as u8 % 26));
                    let given = answer == Some(choice.id.as_str());
                    let mark = if given { '>' } else { ' ' };
                    let tone = if given { Tone::Strong } else { Tone::Plain };
                    for text in wrap(&format!("{mark} {letter}) {}", choice.text), self.columns, 5) {
                        self.lines.push(Line::styled(text, self.theme.style(tone)));
                    }
                }
                if let Some(choice) = choices.iter().find(|choice| answer == Some(choice.id.as_str())) {
                    self.gap();
                    self.blocks(&choice.feedback);
                }
            }
            Expected::Entry { label, .. } => {
                self.gap();
                let given = answer.map_or("not answered yet".to_string(), str::to_string);
                self.text(&format!("{label}: {given}"));
            }
        }
    }

    fn hints(&mut self, session: &Session) {
        let hints = &session.step().hints;
        for (nth, hint) in hints.iter().take(usize::from(session.step_run().hints)).enumerate() {
            self.title(hint_title(nth, hints.len()), Tone::Unsure);
            self.blocks(hint);
        }
        if let Some(turn) = session.wrong_turn().filter(|_| !session.step_run().is_done()) {
            self.title(LOOKS_LIKE.into(), Tone::Unsure);
            self.text(&turn.hint);
        }
    }

    fn end(&mut self, session: &Session) {
        let run = session.step_run();
        if run.is_done() {
            let (tone, text) = match run.state {
                StepState::Assisted => (Tone::Unsure, "ASSISTED  The solution did this step."),
                StepState::Skipped => (Tone::Unsure, "SKIPPED  The solution did this step."),
                _ => (Tone::Good, "PASS  This step is done."),
            };
            self.title(text.into(), tone);
            self.right(session);
        }
        let docs = &session.step().docs;
        if !docs.is_empty() {
            self.gap();
            docs.iter().for_each(|doc| self.link(&doc.label, &doc.url));
        }
        if let Some(stage) = session.looking_back() {
            self.title(format!("Looking back: {}", stage.title), Tone::Strong);
            self.gap();
            self.blocks(&stage.debrief);
        }
        if session.is_finished() && session.shown() + 1 == session.lesson().steps.len() {
            self.title("The lesson is finished.".into(), Tone::Good);
            self.gap();
            self.blocks(&session.lesson().debrief);
            self.gap();
            session.calibration().sentences().iter().for_each(|sentence| self.text(sentence));
            self.gap();
            session.lesson().further.iter().for_each(|link| self.link(&link.label, &link.url));
        }
    }

    /// What a right typed answer is told.
    fn right(&mut self, session: &Session) {
        let asks = session.step().question.is_some();
        let met = session.findings().iter().filter(|finding| finding.verdict == Verdict::Met);
        let said: Vec<String> = met.map(|finding| finding.message.clone()).filter(|m| asks && !m.is_empty()).collect();
        said.iter().for_each(|message| self.text(message));
    }

    fn link(&mut self, label: &str, url: &str) {
        let style = self.theme.style(Tone::Quiet);
        for (nth, text) in wrap(&format!("{label}: {url}"), self.columns, 2).into_iter().enumerate() {
            let from = if nth == 0 { 0 } else { 2 };
            self.links.push(Link { row: self.lines.len(), from, to: width(&text), url: url.to_string() });
            self.lines.push(Line::styled(text, style));
        }
    }
}
