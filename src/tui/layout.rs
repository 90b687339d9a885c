//! Where things are on a screen of a size. The only place that knows about sizes.

use ratatui::layout::{Rect, Size};

/// The smallest screen that is drawn.
pub const LEAST: Size = Size { width: 60, height: 16 };
/// From here on text and output are both shown.
const BOTH: u16 = 20;
/// From here on steps and evidence have an area of their own.
const ASIDE: u16 = 110;
/// From here on the text stands beside the output, not above it.
const BESIDE: u16 = 150;
/// Columns of lesson text that read well.
const MEASURE: u16 = 72;

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

/// Whether steps and evidence have their own area.
pub fn has_aside(size: Size) -> bool {
    size.width >= ASIDE && size.height >= BOTH
}

/// Columns of the text pane.
pub fn text_width(size: Size) -> u16 {
    match has_aside(size) {
        true => MEASURE.min(size.width * 3 / 5),
        false => size.width,
    }
}

/// Places everything.
pub fn panes(size: Size, needs: &Needs) -> Panes {
    let (w, h) = (size.width, size.height);
    let prompt = (needs.prompt as u16).clamp(1, (h / 3).max(1));
    let notice = (needs.notice as u16).clamp(1, 3);
    let body = h.saturating_sub(2 + prompt + notice);
    let row = |y, height| Rect::new(0, y, w, height);
    let mut panes = Panes {
        header: row(0, 1),
        text: None,
        aside: None,
        output: None,
        notice: row(1 + body, notice),
        prompt: row(1 + body + notice, prompt),
        footer: row(h.saturating_sub(1), 1),
    };
    if h < BOTH {
        let reads = needs.focus == Focus::Prompt && needs.fresh;
        match needs.focus == Focus::Text || needs.covered || reads {
            true => panes.text = Some(row(1, body)),
            false => panes.output = Some(row(1, body)),
        }
        return panes;
    }
    if w >= BESIDE {
        beside(&mut panes, w, body);
        return panes;
    }
    let text = text_width(size);
    let top = if has_aside(size) { share(body, needs).max(body * 2 / 5) } else { share(body, needs) };
    panes.text = Some(Rect::new(0, 1, text, top));
    if has_aside(size) {
        panes.aside = Some(Rect::new(text + 1, 1, w - text - 1, top));
    }
    panes.output = Some(row(1 + top, body - top));
    panes
}

/// Text on the left; output and aside on the right.
fn beside(panes: &mut Panes, w: u16, body: u16) {
    let right = Rect::new(MEASURE + 1, 1, w - MEASURE - 1, body);
    let aside = (body * 2 / 5).min(16);
    panes.text = Some(Rect::new(0, 1, MEASURE, body));
    panes.output = Some(Rect { height: body - aside, ..right });
    panes.aside = Some(Rect { y: right.y + body - aside, height: aside, ..right });
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
        for (width, height) in [(60, 16), (60, 20), (80, 24), (109, 30), (120, 40), (150, 40), (250, 70)] {
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
}
