//! Addresses as links that a terminal can open (OSC 8). Each cell carries the escape around its character and says how wide it is, so
//! that what differs from frame to frame is found as ever.

use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::Rect;
use std::num::NonZeroU16;
use unicode_width::UnicodeWidthStr;

/// Bytes of an address.
const LONGEST: usize = 500;

/// A piece of a line that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Of the text, from 0.
    pub row: usize,
    /// Columns, without the one after the last.
    pub from: usize,
    pub to: usize,
    pub url: String,
}

/// Whether the terminal can be expected to know OSC 8: `FORCE_HYPERLINK` decides, else what is known not to.
pub fn taken(env: &dyn Fn(&str) -> Option<String>) -> bool {
    if let Some(forced) = env("FORCE_HYPERLINK").filter(|value| !value.is_empty()) {
        return forced != "0";
    }
    let term = env("TERM").unwrap_or_default();
    let old = ["dumb", "linux", "ansi", "cons25", "vt1", "vt2", "vt52", "xterm-mono"].iter().any(|name| term.starts_with(name));
    let screen = term.starts_with("screen") && env("TMUX").is_none();
    !(term.is_empty() || old || screen)
}

/// Makes links of the cells of `area`, in which a text is shown from its line `top` on.
pub fn mark(buffer: &mut Buffer, area: Rect, top: usize, links: &[Link]) {
    for (nth, link) in links.iter().enumerate().filter(|(_, link)| is_safe(&link.url)) {
        let Some(row) = link.row.checked_sub(top).filter(|row| *row < usize::from(area.height)) else { continue };
        for column in link.from..link.to.min(usize::from(area.width)) {
            let Some(cell) = buffer.cell_mut((area.x + column as u16, area.y + row as u16)) else { continue };
            let Some(wide) = NonZeroU16::new(cell.symbol().width() as u16) else { continue };
            let symbol = format!("\u{1b}]8;id=l{nth};{}\u{1b}\\{}\u{1b}]8;;\u{1b}\\", link.url, cell.symbol());
            cell.set_symbol(&symbol).set_diff_option(CellDiffOption::ForcedWidth(wide));
        }
    }
}

/// Only addresses of the web, and nothing in them that could end the escape.
fn is_safe(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.len() <= LONGEST && url.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::backend::CrosstermBackend;
    use ratatui::text::Line;
    use ratatui::{Terminal, TerminalOptions, Viewport};
    use std::cell::RefCell;
    use std::rc::Rc;

    const SIZE: Rect = Rect { x: 0, y: 0, width: 30, height: 4 };

    #[derive(Clone, Default)]
    struct Sent(Rc<RefCell<Vec<u8>>>);

    impl std::io::Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What a terminal shows after these frames, and what it was sent.
    fn shown(frames: &[(&[&str], &[Link])]) -> (String, String) {
        let sent = Sent::default();
        let mut terminal =
            Terminal::with_options(CrosstermBackend::new(sent.clone()), TerminalOptions { viewport: Viewport::Fixed(SIZE) })
                .unwrap();
        for (lines, links) in frames {
            let draw = |frame: &mut ratatui::Frame<'_>| {
                for (row, line) in lines.iter().enumerate() {
                    crate::tui::frame::line(frame, SIZE, row, &Line::from(*line));
                }
                mark(frame.buffer_mut(), SIZE, 0, links);
            };
            terminal.draw(draw).unwrap();
        }
        let bytes = sent.0.borrow().clone();
        let size = |n: u16| NonZeroU16::new(n).unwrap();
        let mut screen = vt100::Parser::new(size(SIZE.height), size(SIZE.width), 0);
        screen.process(&bytes);
        (screen.screen().contents(), String::from_utf8(bytes).unwrap())
    }

    fn link(row: usize, from: usize, to: usize, url: &str) -> Link {
        Link { row, from, to, url: url.into() }
    }

    #[test]
    fn linked_cells_stand_where_plain_ones_would_and_changes_are_drawn() {
        let docs = [link(0, 4, 8, "https://istio.io/docs"), link(1, 0, 6, "https://istio.io/広い")];
        let wide = [link(1, 3, 9, "https://istio.io/a")];
        let frames: &[(&[&str], &[Link])] = &[
            (&["see docs now", "nothing"], &docs),
            (&["see docs now", "und größe 広い x"], &wide),
            (&["see dogs now", "und größe 広い x", "more"], &docs),
            (&["plain", ""], &[]),
            (&["see docs now", "二三 x"], &[link(1, 0, 4, "https://istio.io/b")]),
        ];
        for upto in 1..=frames.len() {
            let (with, sent) = shown(&frames[..upto]);
            let bare: Vec<(&[&str], &[Link])> = frames[..upto].iter().map(|(lines, _)| (*lines, &[][..])).collect();
            assert_eq!(with, shown(&bare).0, "after {upto} frames");
            assert!(sent.contains("\u{1b}]8;id=l0;https://istio.io/"), "{sent:?}");
            assert!(!sent.contains("https://istio.io/広い"), "an address with other characters is no link");
        }
    }

    #[test]
    fn what_could_end_the_escape_is_no_link() {
        for url in ["https://x/\u{1b}\\", "https://x/a b", "file:///etc/passwd", "javascript:1", "https://x/\u{7}"] {
            let (_, sent) = shown(&[(&["text"], &[link(0, 0, 4, url)])]);
            assert!(!sent.contains("\u{1b}]8;"), "{url:?}");
        }
    }

    #[test]
    fn terminals_that_do_not_know_links_get_none() {
        for (set, expected) in [
            (&[("TERM", "xterm-256color")][..], true),
            (&[("TERM", "tmux-256color"), ("TMUX", "x")], true),
            (&[("TERM", "screen-256color")], false),
            (&[("TERM", "linux")], false),
            (&[("TERM", "dumb")], false),
            (&[], false),
            (&[("TERM", "xterm"), ("FORCE_HYPERLINK", "0")], false),
            (&[("TERM", "linux"), ("FORCE_HYPERLINK", "1")], true),
        ] {
            let env = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
            assert_eq!(taken(&env), expected, "{set:?}");
        }
    }
}
