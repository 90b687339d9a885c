//! Stations as boxes beside each other, or, where that is too narrow, as lines below each other.

use crate::base::text::{clip, width};
use crate::finding::picture::{Kind, Picture, State, Station};
use crate::tui::frame;
use crate::tui::theme::{Theme, Tone};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Columns between two boxes.
const LEG: u16 = 9;
/// Columns of a box from which boxes stand beside each other, and that one never has more than.
const BOX: (u16, u16) = (18, 34);
/// Rows of a box.
const ROWS: u16 = 6;

/// What is drawn and how far the request has come: 0 at the pod, 1 at its end.
pub struct Drawing<'a> {
    pub picture: &'a Picture,
    pub selected: usize,
    pub share: f64,
    pub theme: Theme,
}

/// How a request stands to a station while it is on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Come {
    /// It is somewhere on the leg before the station, this share of it.
    OnLeg(f64),
    Here,
    NotYet,
}

impl Drawing<'_> {
    /// Draws at the top of an area; the rows it took.
    pub fn draw(&self, area: Rect, frame: &mut Frame<'_>) -> u16 {
        let n = self.picture.stations.len() as u16;
        let room = area.width.saturating_sub(LEG * (n - 1)) / n;
        let rows = match room >= BOX.0 && area.height >= ROWS * 2 {
            true => self.beside(area, room.min(BOX.1), frame),
            false => self.below(area, frame),
        };
        rows + 1
    }

    fn come(&self, nth: usize) -> Come {
        let end = self.picture.end().max(1) as f64;
        let at = self.share.clamp(0.0, 1.0) * end;
        let nth = nth as f64;
        if self.share >= 1.0 || at >= nth {
            Come::Here
        } else if at > nth - 1.0 {
            Come::OnLeg(at - (nth - 1.0))
        } else {
            Come::NotYet
        }
    }

    fn beside(&self, area: Rect, columns: u16, frame: &mut Frame<'_>) -> u16 {
        for (nth, station) in self.picture.stations.iter().enumerate() {
            let x = area.x + nth as u16 * (columns + LEG);
            self.station_box(nth, station, Rect { x, y: area.y, width: columns, height: ROWS }, frame);
            if nth > 0 {
                self.leg(nth, Rect { x: x - LEG, y: area.y + 1, width: LEG, height: 3 }, frame);
            }
        }
        ROWS
    }

    fn station_box(&self, nth: usize, station: &Station, area: Rect, frame: &mut Frame<'_>) {
        let here = self.come(nth) == Come::Here;
        let selected = nth == self.selected;
        let style = if here { self.tone(station.state) } else { self.theme.style(Tone::Quiet) };
        let edge = Edge::of(self.theme.ascii, selected);
        let inner = usize::from(area.width - 2);
        let title = format!(" {} ", station.kind.word());
        let fill = inner.saturating_sub(width(&title));
        let head = if selected { self.theme.style(Tone::Focus) } else { self.theme.style(Tone::Strong) };
        let top = Line::from(vec![
            Span::styled(edge.corner[0], style),
            Span::styled(title, head),
            Span::styled(format!("{}{}", edge.across.repeat(fill), edge.corner[1]), style),
        ]);
        frame::line(frame, area, 0, &top);
        let [first, second] = in_two(&station.name, inner);
        let rows = [(first, Tone::Plain), (second, Tone::Plain), (self.fact(station, inner), Tone::Code)];
        for (row, (text, tone)) in rows.into_iter().enumerate() {
            self.row(area, row + 1, text, self.theme.style(tone), (edge.down, style), frame);
        }
        let state = if here { state_words(nth, station) } else { "" };
        self.row(area, 4, state.into(), style, (edge.down, style), frame);
        let bottom = format!("{}{}{}", edge.corner[2], edge.across.repeat(inner), edge.corner[3]);
        frame::line(frame, area, 5, &Line::styled(bottom, style));
    }

    fn row(&self, area: Rect, row: usize, text: String, style: Style, edge: (&'static str, Style), frame: &mut Frame<'_>) {
        let inner = usize::from(area.width - 2);
        let text = clip(&text, inner, self.theme.ascii);
        let pad = " ".repeat(inner.saturating_sub(width(&text)));
        let line = Line::from(vec![
            Span::styled(edge.0, edge.1),
            Span::styled(text, style),
            Span::raw(pad),
            Span::styled(edge.0, edge.1),
        ]);
        frame::line(frame, area, row, &line);
    }

    /// What a box says of how its station decided: the key, else the cluster.
    fn fact(&self, station: &Station, columns: usize) -> String {
        let key = station.parts.iter().find(|part| part.key && part.name != "decided by");
        let named = |name: &str| station.parts.iter().find(|part| part.name == name);
        let part = key.or_else(|| named("cluster")).or_else(|| named("virtual host")).or_else(|| named("listener"));
        let value = part.map(|part| match (&part.decided, part.value.starts_with('(')) {
            (Some(decided), true) => decided.reference().map_or(decided.object.as_str(), |(_, _, name)| name),
            _ => part.value.as_str(),
        });
        clip(value.unwrap_or_default(), columns, self.theme.ascii)
    }

    /// The way to a station: what is spoken, and the arrow.
    fn leg(&self, nth: usize, area: Rect, frame: &mut Frame<'_>) {
        let station = &self.picture.stations[nth];
        let come = self.come(nth);
        let walked = come == Come::Here && station.state != State::NotReached;
        let columns = usize::from(area.width) - 2;
        let style = match (come, station.state) {
            (Come::Here, State::NotReached) | (Come::NotYet, _) => self.theme.style(Tone::Quiet),
            (Come::Here, State::Lost) => self.theme.style(Tone::Bad),
            _ => self.theme.style(Tone::Strong),
        };
        if walked {
            let by = format!("{:^columns$}", station.by);
            frame::line(frame, Rect { x: area.x + 1, ..area }, 0, &Line::styled(by, style));
        }
        frame::line(frame, Rect { x: area.x + 1, ..area }, 1, &Line::styled(self.arrow(nth, columns), style));
    }

    fn arrow(&self, nth: usize, columns: usize) -> String {
        let state = self.picture.stations[nth].state;
        let (dash, head, cross, dot, packet) = match self.theme.ascii {
            true => ("-", ">", "X", ".", "o"),
            false => ("─", "▶", "✗", "·", "●"),
        };
        let gap = format!("{dot} ").repeat(columns).chars().take(columns).collect::<String>();
        match (self.come(nth), state) {
            (Come::Here, State::NotReached) | (Come::NotYet, _) => gap,
            (Come::Here, State::Lost) => format!("{}{cross}{}", dash.repeat(columns / 2), " ".repeat(columns - columns / 2 - 1)),
            (Come::Here, _) => format!("{}{head}", dash.repeat(columns - 1)),
            (Come::OnLeg(share), _) => {
                let at = ((columns as f64 * share) as usize).min(columns - 1);
                format!("{}{packet}{}", dash.repeat(at), gap.chars().skip(at + 1).collect::<String>())
            }
        }
    }

    /// One line for each station, and one for the way between two, as far as there is room for them.
    fn below(&self, area: Rect, frame: &mut Frame<'_>) -> u16 {
        let columns = usize::from(area.width);
        let stations = &self.picture.stations;
        let ways = area.height >= stations.len() as u16 * 2 + 8;
        let mut row = 0;
        for (nth, station) in stations.iter().enumerate() {
            if nth > 0 && ways {
                frame::line(frame, area, row, &self.way(nth));
                row += 1;
            }
            frame::line(frame, area, row, &self.station_line(nth, station, columns));
            row += 1;
        }
        row as u16
    }

    fn way(&self, nth: usize) -> Line<'static> {
        let station = &self.picture.stations[nth];
        let (bar, cross, packet) = if self.theme.ascii { ("|", "X", "o") } else { ("│", "✗", "●") };
        let (mark, tone, by) = match (self.come(nth), station.state) {
            (Come::OnLeg(_), _) => (packet, Tone::Strong, ""),
            (Come::NotYet, _) | (Come::Here, State::NotReached) => (":", Tone::Quiet, ""),
            (Come::Here, State::Lost) => (cross, Tone::Bad, station.by),
            (Come::Here, _) => (bar, Tone::Strong, station.by),
        };
        Line::styled(format!("    {mark} {by}"), self.theme.style(tone))
    }

    fn station_line(&self, nth: usize, station: &Station, columns: usize) -> Line<'static> {
        let here = self.come(nth) == Come::Here;
        let selected = nth == self.selected;
        let state = if here { state_words(nth, station) } else { "" };
        let kind = format!("[{}]", station.kind.word());
        let pad = if station.kind == Kind::Receiver { 20 } else { 14 };
        let room = columns.saturating_sub(pad + width(state) + 5);
        let name = clip(&station.name, room, self.theme.ascii);
        let gap = " ".repeat(room.saturating_sub(width(&name)) + 2);
        let head = if selected { self.theme.style(Tone::Focus) } else { self.theme.style(Tone::Strong) };
        let style = if here { self.tone(station.state) } else { self.theme.style(Tone::Quiet) };
        Line::from(vec![
            Span::raw(if selected { "> " } else { "  " }),
            Span::styled(kind.clone(), head),
            Span::raw(" ".repeat(pad.saturating_sub(kind.len()))),
            Span::raw(name),
            Span::raw(gap),
            Span::styled(state, style),
        ])
    }

    fn tone(&self, state: State) -> Style {
        self.theme.style(match state {
            State::Passed => Tone::Plain,
            State::Answered => Tone::Good,
            State::Stopped | State::Lost => Tone::Bad,
            State::NotReached => Tone::Quiet,
        })
    }
}

/// The pod sends, the others pass on.
fn state_words(nth: usize, station: &Station) -> &'static str {
    match (nth, station.state) {
        (0, State::Passed) => "sent it",
        (_, state) => state.words(),
    }
}

/// A name in at most two rows, broken behind a slash or a dash where that fits.
fn in_two(name: &str, columns: usize) -> [String; 2] {
    if width(name) <= columns {
        return [name.to_string(), String::new()];
    }
    let fits = |at: &usize| *at <= columns && name.len() - *at <= columns;
    let breaks: Vec<usize> = name.match_indices(['/', '-', '.']).map(|(at, _)| at + 1).collect();
    let at = breaks.iter().copied().rfind(fits).or_else(|| breaks.iter().copied().rfind(|at| *at <= columns));
    let at = at.unwrap_or_else(|| name.char_indices().nth(columns).map_or(name.len(), |(at, _)| at));
    [name[..at].to_string(), name[at..].to_string()]
}

/// The lines of a box.
struct Edge {
    corner: [&'static str; 4],
    across: &'static str,
    down: &'static str,
}

impl Edge {
    fn of(ascii: bool, strong: bool) -> Edge {
        match (ascii, strong) {
            (true, false) => Edge { corner: ["+"; 4], across: "-", down: "|" },
            (true, true) => Edge { corner: ["#"; 4], across: "=", down: "#" },
            (false, false) => Edge { corner: ["┌", "┐", "└", "┘"], across: "─", down: "│" },
            (false, true) => Edge { corner: ["╔", "╗", "╚", "╝"], across: "═", down: "║" },
        }
    }
}
