use super::*;
use crate::tui::over::Asks;
use crate::tui::theme::Palette;
use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

fn session() -> Session {
    use crate::lesson::load::Pack;
    let lesson = Pack::embedded().tracks().unwrap()[0].lessons[0].clone();
    Session::new(std::sync::Arc::new(lesson), &Default::default(), Default::default())
}

/// A pane, and what it asked for.
struct Pane {
    shell: Shell,
    session: Session,
    size: Size,
    asks: Asks,
    asked: std::sync::Arc<std::sync::Mutex<Vec<Effect>>>,
}

impl Pane {
    fn new(width: u16, height: u16) -> Pane {
        let size = Size { width, height };
        let mut pane =
            Pane { shell: Shell::new(size), session: session(), size, asks: Asks::default(), asked: Default::default() };
        pane.with(|shell, reach| shell.opened(reach));
        pane
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Shell, &mut Reach<'_>) -> T) -> T {
        let asked = self.asked.clone();
        let mut effects = move |effect| asked.lock().unwrap().push(effect);
        let mut reach = Reach { session: &self.session, size: self.size, asks: &mut self.asks, effects: &mut effects };
        act(&mut self.shell, &mut reach)
    }

    fn shows(&mut self, bytes: &[u8]) {
        let news = ShellNews::Output(bytes.to_vec());
        self.with(|shell, reach| shell.news(&news, reach));
    }

    fn asked(&self) -> Vec<ShellCall> {
        let take = |effect| if let Effect::Shell(call) = effect { Some(call) } else { None };
        std::mem::take(&mut *self.asked.lock().unwrap()).into_iter().filter_map(take).collect()
    }

    fn drawn(&self, theme: Theme) -> ratatui::buffer::Buffer {
        let (cols, rows) = room(self.size);
        let mut terminal = Terminal::new(TestBackend::new(cols, rows)).unwrap();
        terminal.draw(|frame| self.shell.draw(&self.session, frame.area(), theme, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn row(&self, y: u16) -> String {
        let buffer = self.drawn(Theme::of(Palette::Dark));
        (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string()
    }
}

#[test]
fn a_full_screen_program_has_the_pane_and_gives_it_back() {
    let mut pane = Pane::new(60, 20);
    assert_eq!(pane.asked(), [ShellCall::Open { cols: 60, rows: 17 }]);
    pane.shows(b"$ vim\r\n");
    pane.shows(b"\x1b[?1049h\x1b[2J\x1b[5;3H\x1b[1;31mred\x1b[0m \x1b[7minverse\x1b[0m\x1b[?1h\x1b[?2004h");
    assert_eq!(pane.row(4), "  red inverse");
    assert_eq!(pane.row(0), "", "the other screen is hidden");
    let buffer = pane.drawn(Theme::of(Palette::Dark));
    assert_eq!(buffer[(2, 4)].fg, Color::Indexed(1));
    assert!(buffer[(2, 4)].modifier.contains(Modifier::BOLD) && buffer[(6, 4)].modifier.contains(Modifier::REVERSED));
    assert_eq!(pane.drawn(Theme::PLAIN)[(2, 4)].fg, Color::Reset, "without colours there are none");
    pane.asked();
    let up = KeyEvent::new(KeyCode::Up, KeyModifiers::NONE);
    pane.with(|shell, reach| drop(shell.key(&up, None, reach)));
    pane.with(|shell, reach| drop(shell.paste("a\nb", reach)));
    assert_eq!(pane.asked(), [ShellCall::Input(b"\x1bOA".to_vec()), ShellCall::Input(b"\x1b[200~a\rb\x1b[201~".to_vec())]);
    pane.shows(b"\x1b[?1049l");
    assert_eq!(pane.row(0), "$ vim");
}

#[test]
fn questions_of_programs_are_answered_and_each_piece_is_acknowledged() {
    let mut pane = Pane::new(60, 20);
    pane.asked();
    pane.shows(b"abc\x1b[6n\x1b[c");
    assert_eq!(pane.asked(), [ShellCall::Taken, ShellCall::Input(b"\x1b[1;4R\x1b[?62;22c".to_vec())]);
    pane.shows(b"plain");
    assert_eq!(pane.asked(), [ShellCall::Taken]);
    // A flood of questions is not a flood of answers.
    pane.shows("\u{1b}[6n".repeat(50_000).as_bytes());
    let longest = pane.asked().iter().map(|call| if let ShellCall::Input(bytes) = call { bytes.len() } else { 0 }).max();
    assert!(longest.unwrap() < MAX_REPLIES + 20, "{longest:?}");
}

#[test]
fn rows_above_the_screen_are_scrolled_to_and_a_key_comes_back() {
    let mut pane = Pane::new(60, 20);
    (0..100).for_each(|n| pane.shows(format!("row {n}\r\n").as_bytes()));
    assert_eq!(pane.row(0), "row 84");
    let key = KeyEvent::new(KeyCode::PageUp, KeyModifiers::SHIFT);
    pane.with(|shell, reach| drop(shell.key(&key, Some(Command::PageUp), reach)));
    assert_eq!(pane.row(0), "row 68");
    assert!(pane.shell.title(&pane.session).contains("16 rows back"));
    let key = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE);
    pane.with(|shell, reach| drop(shell.key(&key, None, reach)));
    assert_eq!(pane.row(0), "row 84");
}

#[test]
fn any_size_and_any_bytes_are_drawn_without_a_panic() {
    let mut pane = Pane::new(80, 24);
    let mut seed = 7_u32;
    for n in 0..300_u16 {
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let byte = (seed >> 24) as u8;
                if byte < 40 { b"\x1b[;0123456789HJKmhlABCD?r\r\n"[usize::from(byte) % 27] } else { byte }
            })
            .collect();
        pane.shows(&bytes);
        pane.shows("日本語".as_bytes());
        pane.size = Size { width: 20 + n % 281, height: 5 + n % 96 };
        pane.with(|shell, reach| shell.resized(reach));
        pane.drawn(Theme::of(Palette::Dark));
    }
}
