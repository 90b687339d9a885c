//! The terminal: taken and given back whatever happens, read by a thread of its own, drawn to at most every few milliseconds.

use super::app::{Act, App};
use super::clipboard;
use super::editor::{self, Chosen, Job, Reply};
use super::{Ended, Inbox, Message};
use crate::base::clock::{Clock, SystemClock};
use crate::base::io::RawMode;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, event, execute, terminal};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::io::{self, IsTerminal, Stdout, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Least time between two frames.
const FRAME_MS: i64 = 10;
/// How often the reader looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);
/// Messages handled before a frame is drawn.
const BATCH: usize = 4096;

/// Whether a screen can be had here.
///
/// # Errors
/// Why not and what to use instead, as a sentence.
pub fn usable() -> Result<(), String> {
    let plain = "`egress-lab learn --plain` takes the same lessons line by line";
    if !io::stdin().is_terminal() || !stdout().is_terminal() {
        return Err(format!("the screen needs a terminal for input and output; {plain}, through a pipe too"));
    }
    match std::env::var("TERM").unwrap_or_default().as_str() {
        "" => Err(format!("$TERM is not set, so nothing is known about this terminal; {plain}")),
        "dumb" => Err(format!("this terminal (TERM=dumb) cannot place text; {plain}")),
        _ => Ok(()),
    }
}

/// Whether something waits for this program to stop: a shell that started it. The first process of a terminal has none, and would
/// stand still for good. Where the terminal's first process is outside of this container, its number is 0: another one, too.
pub fn has_shell() -> bool {
    nix::unistd::getsid(None).is_ok_and(|session| session != nix::unistd::getpid())
}

/// The terminal of a command that has no screen: one line after another, raw while a shell in a pod has it.
pub struct Keyboard;

impl Keyboard {
    /// The terminal's size (columns, rows).
    pub fn size() -> (u16, u16) {
        terminal::size().ok().filter(|(cols, rows)| *cols > 0 && *rows > 0).unwrap_or((80, 24))
    }
}

impl RawMode for Keyboard {
    fn set(&self, on: bool) {
        let _ = if on { terminal::enable_raw_mode() } else { terminal::disable_raw_mode() };
    }
}

/// A taken terminal. Dropping it gives it back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    modes: Modes,
    /// The size that was drawn last. Sizes change only by message, so that all parts of a frame have the same.
    drawn: Size,
    inbox: Inbox,
    reader: Reader,
    /// Messages taken so far.
    #[cfg(debug_assertions)]
    taken: u64,
}

/// The thread that turns keys into messages.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It cannot be set up or written to.
    pub fn enter(inbox: &Inbox) -> io::Result<Screen> {
        let modes = Modes::default();
        guard(inbox, &modes);
        modes.take()?;
        let drawn = size_now();
        let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, drawn.width, drawn.height)) };
        let terminal = Terminal::with_options(CrosstermBackend::new(stdout()), options).inspect_err(|_| modes.give_back())?;
        Ok(Screen {
            terminal,
            modes,
            drawn,
            inbox: inbox.clone(),
            reader: Reader::start(inbox.clone()),
            #[cfg(debug_assertions)]
            taken: 0,
        })
    }

    pub fn size(&self) -> Size {
        self.drawn
    }

    /// Takes messages and draws until something ends it.
    ///
    /// # Errors
    /// The terminal cannot be written to.
    pub fn run(&mut self, app: &mut App, messages: &Receiver<Message>) -> io::Result<Ended> {
        if app.mouse {
            clipboard::mouse(true, &mut stdout())?;
        }
        loop {
            app.tick(SystemClock.now());
            if app.size != self.drawn {
                self.clear(app.size)?;
            }
            self.terminal.draw(|frame| super::frame::draw(app, frame))?;
            let drawn = SystemClock.now();
            let first = match app.wakes() {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(after) => messages.recv_timeout(after),
            };
            let mut message = match first {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Left),
            };
            for _ in 0..BATCH {
                #[cfg(debug_assertions)]
                self.break_if_asked();
                match app.handle(message) {
                    Some(Act::End(ended)) => return Ok(ended),
                    Some(Act::Edit(job)) => self.edit(job, &app.start.editor)?,
                    Some(Act::Copy(text)) => app.told(clipboard::copy(&text, &mut stdout())),
                    Some(Act::Mouse(on)) => clipboard::mouse(on, &mut stdout())?,
                    Some(Act::Suspend) => self.suspend(app)?,
                    Some(Act::TakeAgain) => self.take_again(app)?,
                    None => (),
                }
                let left = FRAME_MS - SystemClock.now().since(drawn).min(FRAME_MS);
                match messages.recv_timeout(Duration::from_millis(left as u64)) {
                    Ok(next) => message = next,
                    Err(_) => break,
                }
            }
        }
    }

    /// For tests of debug builds: breaks at the message whose number `EGRESS_LAB_BREAK_AT` names, to see the terminal given back.
    #[cfg(debug_assertions)]
    fn break_if_asked(&mut self) {
        self.taken += 1;
        let asked = std::env::var("EGRESS_LAB_BREAK_AT").ok().and_then(|n| n.parse().ok());
        assert!(asked != Some(self.taken), "broken on purpose at message {}", self.taken);
    }

    /// Stops the program as Ctrl-Z stops any other: the terminal is given back first, and taken again when the program goes on.
    fn suspend(&mut self, app: &mut App) -> io::Result<()> {
        self.reader.stop();
        self.modes.give_back();
        // All that the shell waits for as one job: `cargo run` and wrapper scripts, too.
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
        self.take_again(app)?;
        self.reader = Reader::start(self.inbox.clone());
        Ok(())
    }

    /// After a stop others may have used the terminal: its modes are set and everything is drawn again, at the size of now.
    fn take_again(&mut self, app: &mut App) -> io::Result<()> {
        self.modes.take()?;
        clipboard::mouse(app.mouse, &mut stdout())?;
        let size = size_now();
        app.handle(Message::Terminal(event::Event::Resize(size.width, size.height)));
        self.clear(size)
    }

    /// Empties the terminal, which has this size, so that the next frame is drawn in full.
    fn clear(&mut self, size: Size) -> io::Result<()> {
        self.drawn = size;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Leaves the screen for the learner's editor.
    fn edit(&mut self, job: Job, chosen: &Chosen) -> io::Result<()> {
        let edited = match chosen.command() {
            Err(sentence) => Err(sentence),
            Ok(argv) => {
                self.reader.stop();
                self.modes.give_back();
                let edited = editor::edit(&argv, &job.name, &job.text);
                self.modes.take()?;
                self.clear(self.drawn)?;
                self.reader = Reader::start(self.inbox.clone());
                edited
            }
        };
        match job.reply {
            Reply::Screen => self.inbox.try_send(Message::Edited(edited)),
            reply => reply.give(edited),
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.reader.stop.store(true, Ordering::Relaxed);
        self.modes.give_back();
        if !std::thread::panicking() {
            let _ = std::panic::take_hook();
        }
    }
}

impl Reader {
    fn start(inbox: Inbox) -> Reader {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("keys".into()).spawn(move || read(&inbox, &stopped)).ok();
        Reader { stop, thread }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(inbox: &Inbox, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        let message = match event::poll(LOOK) {
            Ok(false) => continue,
            Ok(true) => event::read().map_or(Message::TerminalGone, Message::Terminal),
            Err(_) => Message::TerminalGone,
        };
        let gone = matches!(message, Message::TerminalGone);
        if !inbox.send(message) || gone {
            return;
        }
    }
}

fn size_now() -> Size {
    let (width, height) = Keyboard::size();
    Size { width, height }
}

/// Whether the terminal is taken: so that it is given back once, also by a panic, whose message must stay readable.
#[derive(Clone, Default)]
struct Modes(Arc<AtomicBool>);

impl Modes {
    fn take(&self) -> io::Result<()> {
        self.0.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste).inspect_err(|_| self.give_back())
    }

    fn give_back(&self) {
        if self.0.swap(false, Ordering::SeqCst) {
            let _ = clipboard::mouse(false, &mut stdout());
            let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
            let _ = terminal::disable_raw_mode();
        }
    }
}

/// A panic of this thread gives the terminal back before it is told; one of another thread is a message, for the screen is still up.
fn guard(inbox: &Inbox, modes: &Modes) {
    let (screen, inbox, modes) = (std::thread::current().id(), inbox.clone(), modes.clone());
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen {
            modes.give_back();
            told(info);
        } else {
            inbox.try_send(Message::Broken(info.to_string().replace('\n', " ")));
        }
    }));
}
