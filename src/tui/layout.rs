//! Where things are on a screen of a size. The only place that knows about sizes.

use ratatui::layout::{Rect, Size};

/// The smallest screen that is drawn.
pub const LEAST: Size = Size { width: 60, height: 16 };
/// From this many columns and rows on, text and output are both shown; below, one of them at a time.
const BOTH: Size = Size { width: 72, height: 22 };
/// From here on the text stands beside the lab, not above it.
const BESIDE: u16 = 110;
/// Rows from which steps and evidence have an area of their own below the text, where that stands beside the lab.
const ASIDE: u16 = 32;
/// Columns of lesson text that read well, at least and at most.
const MEASURE: (u16, u16) = (52, 72);

/// What has the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Prompt,
    /// The lesson's text, or what is shown in its place.
    Text,
    /// The area of steps and evidence, where there is one.
    Aside,
    Output,
}

/// What the areas have to hold.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    pub focus: Focus,
    /// Rows of the text at [`text_width`].
    pub text: usize,
    /// Steps or evidence stand where the text is: give them room.
    pub covered: bool,
    /// There is more to read than to look at in the output.
    pub reading: bool,
    /// Nothing was run in the step yet: where only one pane fits, it is the text.
    pub fresh: bool,
    pub notice: usize,
    pub prompt: usize,
}

/// The areas; each pane's first row is its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panes {
    pub header: Rect,
    pub text: Option<Rect>,
    pub aside: Option<Rect>,
    pub output: Option<Rect>,
    pub notice: Rect,
    pub prompt: Rect,
    pub footer: Rect,
}

/// Whether the screen is large enough for anything.
pub fn fits(size: Size) -> bool {
    size.width >= LEAST.width && size.height >= LEAST.height
}

/// Whether only one of text and output is on the screen.
pub fn one_at_a_time(size: Size) -> bool {
    size.width < BOTH.width || size.height < BOTH.height
}

/// Whether the text stands beside the lab.
fn is_beside(size: Size) -> bool {
    size.width >= BESIDE && !one_at_a_time(size)
}

/// Whether steps and evidence have their own area.
pub fn has_aside(size: Size) -> bool {
    is_beside(size) && size.height >= ASIDE
}

/// Columns of the text pane.
pub fn text_width(size: Size) -> u16 {
    match is_beside(size) {
        true => (size.width * 9 / 20).clamp(MEASURE.0, MEASURE.1),
        false => size.width,
    }
}

/// Columns of the prompt, and of the line of notices above it.
pub fn lab_width(size: Size) -> u16 {
    match is_beside(size) {
        true => size.width - text_width(size) - 1,
        false => size.width,
    }
}

/// Places everything.
pub fn panes(size: Size, needs: &Needs) -> Panes {
    let (w, h) = (size.width, size.height);
    let prompt = (needs.prompt as u16).clamp(1, (h / 3).max(1));
    let notice = (needs.notice as u16).clamp(1, 3);
    let body = h.saturating_sub(2 + prompt + notice);
    let left = w - lab_width(size);
    let row = |y, height| Rect::new(left, y, w - left, height);
    let mut panes = Panes {
        header: Rect::new(0, 0, w, 1),
        text: None,
        aside: None,
        output: None,
        notice: row(1 + body, notice),
        prompt: row(1 + body + notice, prompt),
        footer: Rect::new(0, h.saturating_sub(1), w, 1),
    };
    if one_at_a_time(size) {
        let reads = needs.focus == Focus::Prompt && needs.fresh;
        match needs.focus == Focus::Text || needs.covered || reads {
            true => panes.text = Some(row(1, body)),
            false => panes.output = Some(row(1, body)),
        }
        return panes;
    }
    if is_beside(size) {
        panes.output = Some(row(1, body));
        beside(&mut panes, size, needs);
        return panes;
    }
    let top = share(body, needs);
    panes.text = Some(row(1, top));
    panes.output = Some(row(1 + top, body - top));
    panes
}

/// The left side: the text, and below it steps or evidence where there is room for them. What the text leaves over is theirs.
fn beside(panes: &mut Panes, size: Size, needs: &Needs) {
    let (columns, rows) = (text_width(size), size.height - 2);
    if !has_aside(size) {
        panes.text = Some(Rect::new(0, 1, columns, rows));
        return;
    }
    let least = (rows * 2 / 5).min(18);
    let text = (needs.text as u16).saturating_add(2).clamp(rows / 3, rows - least);
    panes.text = Some(Rect::new(0, 1, columns, text));
    panes.aside = Some(Rect::new(0, 1 + text, columns, rows - text));
}

/// Rows of the upper part: what the text needs, up to a share that depends on what has the focus.
fn share(body: u16, needs: &Needs) -> u16 {
    let wanted = if needs.covered { body } else { (needs.text as u16).saturating_add(1) };
    let most = match needs.focus {
        Focus::Text | Focus::Aside => body * 3 / 4,
        _ if needs.covered => body * 2 / 3,
        Focus::Output => body * 2 / 5,
        Focus::Prompt if needs.reading => body * 4 / 5,
        Focus::Prompt => body * 11 / 20,
    };
    wanted.clamp(4, most.max(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_never_overlap_and_stay_on_the_screen() {
        for (width, height) in
            [(60, 16), (60, 20), (80, 22), (80, 24), (109, 30), (110, 22), (110, 31), (120, 40), (150, 40), (250, 70)]
        {
            for focus in [Focus::Prompt, Focus::Text, Focus::Aside, Focus::Output] {
                for (text, prompt, notice) in [(3, 1, 1), (200, 30, 9)] {
                    let needs = Needs { focus, text, covered: text == 3, reading: text == 200, fresh: text == 3, notice, prompt };
                    let p = panes(Size { width, height }, &needs);
                    let all: Vec<Rect> =
                        [Some(p.header), p.text, p.aside, p.output, Some(p.notice), Some(p.prompt), Some(p.footer)]
                            .into_iter()
                            .flatten()
                            .collect();
                    for (i, a) in all.iter().enumerate() {
                        assert!(a.right() <= width && a.bottom() <= height && a.height > 0, "{width}x{height}: {a:?}");
                        assert!(all[i + 1..].iter().all(|b| !a.intersects(*b)), "{width}x{height}: {all:?}");
                    }
                    assert!(p.text.or(p.output).is_some_and(|area| area.height >= 4));
                }
            }
        }
    }

    #[test]
    fn at_eighty_by_twenty_four_text_and_output_are_both_usable() {
        let needs = Needs { focus: Focus::Prompt, text: 40, covered: false, reading: false, fresh: true, notice: 1, prompt: 1 };
        let p = panes(Size { width: 80, height: 24 }, &needs);
        assert!(p.text.unwrap().height >= 10 && p.output.unwrap().height >= 9, "{p:?}");
    }

    #[test]
    fn at_a_hundred_and_twenty_by_forty_the_text_stands_beside_the_lab() {
        let needs = Needs { focus: Focus::Prompt, text: 12, covered: false, reading: false, fresh: true, notice: 2, prompt: 3 };
        let p = panes(Size { width: 120, height: 40 }, &needs);
        let (text, aside, output) = (p.text.unwrap(), p.aside.unwrap(), p.output.unwrap());
        assert!(text.right() < output.x && aside.y == text.bottom() && aside.bottom() == 39, "{p:?}");
        assert!(output.width >= 64 && p.prompt.x == output.x && p.notice.x == output.x && output.height == 33, "{p:?}");
    }

    #[test]
    fn at_sixty_by_twenty_there_is_one_pane() {
        let size = Size { width: 60, height: 20 };
        for (focus, fresh, covered, is_text) in [
            (Focus::Prompt, true, false, true),
            (Focus::Prompt, false, false, false),
            (Focus::Prompt, false, true, true),
            (Focus::Text, false, false, true),
            (Focus::Output, true, false, false),
        ] {
            let p = panes(size, &Needs { focus, text: 40, covered, reading: false, fresh, notice: 1, prompt: 1 });
            assert_eq!(
                (p.text.is_some(), p.output.is_some(), p.aside.is_some()),
                (is_text, !is_text, false),
                "{focus:?} {fresh}"
            );
        }
    }
}
