//! The screen of one lesson: what the learner sees of a session, and where keys go.

pub mod bar;
pub mod document;
pub mod draw;
pub mod evidence;
pub mod keys;
pub mod layers;
pub mod output;
pub mod present;
pub mod reach;
pub mod status;
pub mod search;
pub mod steps;
pub mod typing;
pub mod work;

use super::again::Again;
use super::help::Sheet;
use super::layout::{self, Focus, Needs, Panes};
use super::over::{Asks, Over};
use super::prompt::Prompt;
use super::scroll::Scroll;
use super::theme::Theme;
use super::{Link, Reads, Rules};
use crate::lesson::model::StepKind;
use crate::session::desk::{AskId, Place};
use crate::session::{Effect, Event, Session, Task};
use output::Bottom;
use ratatui::layout::Size;
use search::Search;
use std::path::PathBuf;
use typing::{Typing, Want};
use work::Work;

/// Rows of text beside what an audience is to look at.
const PRESENTED: usize = 5;

/// What stands where the text is, or in the aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Text,
    Steps,
    Evidence,
}

/// What the screen itself knows: focus, scrolling, sentences of its own.
#[derive(Debug)]
pub struct View {
    pub focus: Focus,
    pub side: Side,
    pub text: Scroll,
    pub aside: Scroll,
    pub output: Bottom,
    /// The marked row of the list of steps.
    pub selected: usize,
    pub notice: Option<String>,
    /// Ctrl-C where nothing runs.
    pub again: Again,
    pub size: Size,
    /// The terminal makes links of addresses.
    pub links: bool,
    pub search: Option<Search>,
    /// What runs, and since when.
    pub work: Work,
}

/// One lesson on screen.
pub struct LessonScreen {
    pub session: Session,
    pub prompt: Prompt,
    pub view: View,
    pub environment: String,
    pub folder: Option<PathBuf>,
    pub rules: Rules,
    /// The learner leaves.
    pub quit: bool,
    /// Back to the list of lessons.
    pub home: bool,
    /// A text to copy.
    pub copy: Option<String>,
    /// The mouse is to be taken or given back.
    pub toggle_mouse: bool,
    /// A sheet to lay over the screen.
    pub sheet: Option<Sheet>,
    /// For an audience; `None` for a learner.
    pub present: Option<present::Presenting>,
    /// What only the application can do, oldest first.
    pub wants: Vec<Want>,
    pub typing: Typing,
    /// A text that the learner's own editor is to open: a name and what is in it.
    pub edit: Option<(String, String)>,
    /// Screens that lie over this one, the top one last.
    pub over: Vec<Box<dyn Over>>,
    /// The learner's shell while it is hidden.
    pub(super) kept: Option<Box<dyn Over>>,
    /// It was said that leaving ends the shell.
    warned: bool,
    /// Where lines go, as the lab said last.
    pub place: Place,
    asks: Asks,
    /// The newest question for [`LessonScreen::place`].
    placing: Option<AskId>,
    effects: Box<dyn FnMut(Effect) + Send>,
}

/// What of a session moves the text when it changes.
#[derive(PartialEq)]
struct Where {
    step: usize,
    hints: u8,
    done: bool,
    answered: bool,
}

impl LessonScreen {
    /// A screen for an opened lesson.
    pub fn new(link: Link, environment: String, rules: Rules) -> LessonScreen {
        let view = View {
            focus: Focus::Prompt,
            side: Side::Text,
            text: Scroll(0),
            aside: Scroll(0),
            output: Bottom::Follow,
            selected: 0,
            notice: None,
            again: Again::default(),
            size: layout::LEAST,
            links: false,
            search: None,
            work: Work::default(),
        };
        LessonScreen {
            session: link.session,
            prompt: Prompt::default(),
            view,
            environment,
            folder: link.folder,
            rules,
            quit: false,
            home: false,
            copy: None,
            toggle_mouse: false,
            sheet: None,
            present: None,
            wants: Vec::new(),
            typing: Typing::default(),
            edit: None,
            over: Vec::new(),
            kept: None,
            warned: false,
            place: Place::default(),
            asks: Asks::default(),
            placing: None,
            effects: link.effects,
        }
    }

    /// Enters the first open step.
    pub fn start(&mut self) {
        let effects = self.session.start();
        self.perform(effects);
        self.ask_place();
        self.tell_shown();
    }

    /// A presenter's second terminal follows.
    fn tell_shown(&mut self) {
        if self.present.is_some() {
            (self.effects)(Effect::Shown { step: self.session.shown() });
        }
    }

    /// Gives the session an event and has done what it asks for.
    pub fn tell(&mut self, event: Event) {
        match event {
            // The session keeps nothing of these two.
            Event::Answered { id, answer } => self.answered(id, &answer),
            Event::Shell(news) => self.shell_news(&news),
            event => self.tell_session(event),
        }
    }

    fn tell_session(&mut self, event: Event) {
        let before = self.whereabouts();
        let lines_go_elsewhere = matches!(event, Event::Ran { .. } | Event::Done { .. });
        let judged = matches!(event, Event::Evaluated { .. });
        let effects = self.session.handle(event);
        self.perform(effects);
        if lines_go_elsewhere {
            self.ask_place();
        }
        if judged {
            self.each_layer(|over, reach| over.judged(reach));
        }
        let after = self.whereabouts();
        if after.step != before.step {
            self.tell_shown();
            self.view.text = Scroll(0);
            self.view.aside = Scroll(0);
            self.view.side = Side::Text;
            self.view.notice = None;
        } else if after != before {
            let columns = usize::from(layout::text_width(self.view.size));
            let end = document::last_word(&self.session, columns).filter(|_| after.done && !before.done);
            self.view.text = Scroll(end.unwrap_or(usize::MAX));
            if after.done && !before.done {
                self.view.side = Side::Text;
            }
        }
    }

    fn whereabouts(&self) -> Where {
        let run = self.session.step_run();
        let answered = run.answer.is_some() && !run.findings.is_empty();
        Where { step: self.session.shown(), hints: run.hints, done: run.is_done(), answered }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Quit if self.has_shell() && !std::mem::replace(&mut self.warned, true) => {
                    self.view.notice = Some("Your shell (F2) still runs and ends with the lesson; once more leaves.".into());
                }
                Effect::Quit => self.quit = true,
                Effect::StepDone { .. } => (),
                effect => (self.effects)(effect),
            }
        }
    }

    /// The terminal has another size.
    pub fn resize(&mut self, size: Size) {
        self.view.size = size;
        self.tell_size();
        self.resize_layers();
    }

    /// Programs that run in the output pane are told its size.
    fn tell_size(&mut self) {
        if let Some(area) = self.panes(Theme::PLAIN).output {
            self.tell(Event::Resized { cols: area.width, rows: area.height.saturating_sub(1) });
        }
    }

    /// What the line that runs takes from the keyboard; `None` when no line runs.
    pub fn reads(&self) -> Option<Reads> {
        match &self.session.running()?.what {
            Task::Line(ran) => Some((self.rules.reads)(&ran.line)),
            _ => None,
        }
    }

    /// Whether a program has the keyboard.
    pub fn has_program(&self) -> bool {
        self.reads() == Some(Reads::Keys) && self.view.focus == Focus::Prompt
    }

    /// Where everything is.
    pub fn panes(&self, theme: Theme) -> Panes {
        let size = self.view.size;
        let text = document::lines(&self.session, usize::from(layout::text_width(size)), theme).len();
        let rows = match self.has_program() {
            true => 1,
            false => self.prompt.rows(usize::from(layout::lab_width(size))).rows.len(),
        };
        // An audience looks at the output and hears the text.
        let working = self.present.is_some() && !self.session.step().actions.is_empty();
        let text = if working { text.min(PRESENTED) } else { text };
        layout::panes(
            size,
            &Needs {
                focus: self.view.focus,
                text,
                covered: self.is_covered(),
                reading: self.is_fresh() && matches!(self.session.step().kind, StepKind::Read | StepKind::Predict),
                fresh: self.is_fresh(),
                notice: status::lines(self, usize::from(layout::lab_width(size)), theme).len(),
                prompt: rows,
            },
        )
    }

    /// Whether nothing was run in the step yet.
    fn is_fresh(&self) -> bool {
        let line = self.session.running().is_some_and(|running| matches!(running.what, Task::Line(_)));
        self.session.ran().is_empty() && !line
    }

    /// Whether steps or evidence stand where the text is.
    pub fn is_covered(&self) -> bool {
        self.view.side != Side::Text && !layout::has_aside(self.view.size)
    }

    /// What the aside shows, where there is one.
    pub fn aside(&self) -> Side {
        match self.view.side {
            Side::Text if self.session.findings().is_empty() => Side::Steps,
            Side::Text => Side::Evidence,
            side => side,
        }
    }
}
