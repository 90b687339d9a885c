//! A list of lines seen through a window.

use super::keymap::Command;

/// How far the window is moved down. Kept within the list when it is read, so that it may be larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scroll(pub usize);

impl Scroll {
    /// The first line to show.
    pub fn top(self, lines: usize, height: usize) -> usize {
        self.0.min(lines.saturating_sub(height))
    }

    /// Moves; false when the command is none that scrolls.
    pub fn moved(&mut self, command: Command, lines: usize, height: usize) -> bool {
        let page = height.saturating_sub(1).max(1);
        let top = self.top(lines, height);
        self.0 = match command {
            Command::Up | Command::TextUp => top.saturating_sub(1),
            Command::Down | Command::TextDown => top + 1,
            Command::PageUp => top.saturating_sub(page),
            Command::PageDown => top + page,
            Command::Top => 0,
            Command::Bottom => lines,
            _ => return false,
        };
        self.0 = self.top(lines, height);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_stays_on_the_list() {
        let mut scroll = Scroll(0);
        for (command, top) in [
            (Command::Up, 0),
            (Command::PageDown, 4),
            (Command::PageDown, 5),
            (Command::Down, 5),
            (Command::Up, 4),
            (Command::Bottom, 5),
            (Command::Top, 0),
        ] {
            assert!(scroll.moved(command, 10, 5));
            assert_eq!(scroll.0, top, "{command:?}");
        }
        assert!(!scroll.moved(Command::Hint, 10, 5));
        assert_eq!(Scroll(99).top(3, 5), 0);
    }
}
