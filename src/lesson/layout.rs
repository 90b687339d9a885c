//! Blocks to lines of runs at a width: what screens and the plain mode print. Knows meanings, not colours.

use super::markdown::{Aside, Block, Inline, plain};
use crate::base::text::{width, wrap};

/// What a run of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    Text,
    Heading,
    Code,
    /// A command line that can be put on the prompt.
    Command,
    Emphasis,
    Strong,
    Link,
    /// A word that the glossary has.
    Term,
    /// `Note:`, `Warning:`, list bullets, table rules.
    Label,
}

/// Text of one meaning within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub mark: Mark,
    pub text: String,
    /// Where a link leads.
    pub url: Option<String>,
}

/// A line of at most the width asked for (code lines may be longer).
pub type Line = Vec<Run>;

/// Lays blocks out, a blank line between them. `width` is at least 20 columns.
pub fn layout(blocks: &[Block], columns: usize) -> Vec<Line> {
    let columns = columns.max(20);
    let mut lines = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        if i > 0 {
            lines.push(Line::new());
        }
        lines.extend(block_lines(block, columns));
    }
    lines
}

/// The text of lines without marks.
pub fn text_of(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.iter().map(|run| run.text.as_str()).collect::<String>().trim_end().to_string()).collect()
}

fn run(mark: Mark, text: impl Into<String>) -> Run {
    Run { mark, text: text.into(), url: None }
}

fn block_lines(block: &Block, columns: usize) -> Vec<Line> {
    match block {
        Block::Heading { text, .. } => fill(&words(text, Mark::Heading), columns, "", ""),
        Block::Paragraph(text) => fill(&words(text, Mark::Text), columns, "", ""),
        Block::Code { language, text } => {
            let mark = if language == "run" { Mark::Command } else { Mark::Code };
            text.lines().map(|line| vec![run(mark, format!("    {line}"))]).collect()
        }
        Block::List { start, items } => {
            items.iter().enumerate().flat_map(|(i, item)| list_item(*start, i, item, columns)).collect()
        }
        Block::Table { head, rows } => table(head, rows, columns),
        Block::Aside { kind, blocks } => {
            let label = match kind {
                Aside::Note => "Note: ",
                Aside::Tip => "Tip: ",
                Aside::Warning => "Warning: ",
            };
            indented(layout(&labelled(label, blocks), columns - 2), "| ")
        }
        Block::Rule => vec![vec![run(Mark::Label, "-".repeat(columns.min(40)))]],
    }
}

/// The blocks with a label before the first word.
fn labelled(label: &str, blocks: &[Block]) -> Vec<Block> {
    let label = Inline::Strong(vec![Inline::Text(label.to_string())]);
    let mut blocks = blocks.to_vec();
    match blocks.first_mut() {
        Some(Block::Paragraph(text)) => text.insert(0, label),
        _ => blocks.insert(0, Block::Paragraph(vec![label])),
    }
    blocks
}

fn list_item(start: Option<u64>, nth: usize, item: &[Block], columns: usize) -> Vec<Line> {
    let bullet = start.map_or("- ".to_string(), |from| format!("{}. ", from + nth as u64));
    let pad = " ".repeat(bullet.len());
    let mut lines = Vec::new();
    for block in item {
        lines.extend(indented(block_lines(block, columns - bullet.len()), &pad));
    }
    if let Some(first) = lines.first_mut().and_then(|line| line.first_mut()) {
        *first = run(Mark::Label, bullet);
    }
    lines
}

fn indented(lines: Vec<Line>, pad: &str) -> Vec<Line> {
    lines
        .into_iter()
        .map(|mut line| {
            line.insert(0, run(Mark::Label, pad));
            line
        })
        .collect()
}

/// Inlines as runs of one mark each.
fn words(inlines: &[Inline], base: Mark) -> Vec<Run> {
    let mut runs = Vec::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) => runs.push(run(base, text.as_str())),
            Inline::Code(text) => runs.push(run(Mark::Code, format!("`{text}`"))),
            Inline::Emphasis(inner) => runs.extend(words(inner, Mark::Emphasis)),
            Inline::Strong(inner) => runs.extend(words(inner, Mark::Strong)),
            Inline::Link { text, url } => {
                let link = |text: String| Run { mark: Mark::Link, text, url: Some(url.clone()) };
                let text = plain(text);
                let bare = text == *url;
                runs.push(link(text));
                // Where no terminal makes it a link, it must be there to be read.
                if !bare {
                    runs.extend([run(base, " "), link(format!("({url})"))]);
                }
            }
            Inline::Term { text, .. } => runs.extend(words(text, Mark::Term)),
            Inline::Break => runs.push(run(base, "\n")),
        }
    }
    runs
}

/// Fills lines with runs, breaking at spaces; `first` and `rest` start the lines.
fn fill(runs: &[Run], columns: usize, first: &str, rest: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut here: Line = if first.is_empty() { Vec::new() } else { vec![run(Mark::Label, first)] };
    let mut used = width(first);
    let fresh = |rest: &str| if rest.is_empty() { Vec::new() } else { vec![run(Mark::Label, rest)] };
    for piece in pieces(runs) {
        let breaks = piece.text == "\n";
        if breaks || (used > width(rest) && used + width(piece.text.trim_end()) > columns) {
            lines.push(std::mem::replace(&mut here, fresh(rest)));
            used = width(rest);
        }
        if breaks || (used == width(rest) && piece.text == " ") {
            continue;
        }
        used += width(&piece.text);
        match here.last_mut().filter(|last| last.mark == piece.mark && last.url == piece.url) {
            Some(last) => last.text.push_str(&piece.text),
            None => here.push(piece),
        }
    }
    if !here.is_empty() {
        lines.push(here);
    }
    lines
}

/// Runs cut after each space and at line breaks. Inline code without a space inside sticks to what follows it.
fn pieces(runs: &[Run]) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for source in runs {
        for line in source.text.split_inclusive('\n') {
            let (line, broken) = line.strip_suffix('\n').map_or((line, false), |l| (l, true));
            for word in line.split_inclusive(' ').filter(|w| !w.is_empty()) {
                out.push(Run { mark: source.mark, text: word.to_string(), url: source.url.clone() });
            }
            if broken {
                out.push(run(source.mark, "\n"));
            }
        }
    }
    glue(out)
}

/// A piece that does not end in a space belongs to the next one: they must stay on one line. Marked by moving the break before
/// the first of them; here: by keeping punctuation with the word before it.
fn glue(pieces: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for piece in pieces {
        let sticks = piece.text.starts_with([',', '.', ';', ':', ')', '?', '\'']) && piece.text != "\n";
        match out.last_mut().filter(|last| sticks && !last.text.ends_with([' ', '\n'])) {
            Some(last) => last.text.push_str(&piece.text),
            None => out.push(piece),
        }
    }
    out
}

/// A table with aligned columns; cells wrap when it would be too wide.
fn table(head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>], columns: usize) -> Vec<Line> {
    let texts = |row: &[Vec<Inline>]| row.iter().map(|cell| plain(cell)).collect::<Vec<_>>();
    let all: Vec<Vec<String>> = std::iter::once(texts(head)).chain(rows.iter().map(|row| texts(row))).collect();
    let widths = column_widths(&all, columns);
    let mut lines = Vec::new();
    for (nth, row) in all.iter().enumerate() {
        let mark = if nth == 0 { Mark::Strong } else { Mark::Text };
        let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, w)| wrap(cell, *w, 0)).collect();
        for i in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let cell = |c: &Vec<String>, w: usize| {
                let text = c.get(i).map_or("", String::as_str);
                format!("{text}{}", " ".repeat(w.saturating_sub(width(text)) + 2))
            };
            let text: String = cells.iter().zip(&widths).map(|(c, w)| cell(c, *w)).collect();
            lines.push(vec![run(mark, text.trim_end())]);
        }
        if nth == 0 {
            let rule: String = widths.iter().map(|w| "-".repeat(*w) + "  ").collect();
            lines.push(vec![run(Mark::Label, rule.trim_end())]);
        }
    }
    lines
}

/// Natural widths, the widest columns narrowed until the row fits.
fn column_widths(rows: &[Vec<String>], columns: usize) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths: Vec<usize> =
        (0..count).map(|i| rows.iter().filter_map(|r| r.get(i)).map(|c| width(c)).max().unwrap_or(0).max(3)).collect();
    let room = columns.saturating_sub(2 * count.saturating_sub(1)).max(count * 8);
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max_by_key(|w| **w) else { break };
        *widest -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::markdown::blocks;

    fn at(text: &str, columns: usize) -> Vec<String> {
        text_of(&layout(&blocks(text), columns))
    }

    #[test]
    fn paragraphs_wrap_and_code_does_not() {
        let lines = at("One two `three four` five, six seven.\n\n```run\nkubectl get pods --all-namespaces\n```\n", 22);
        assert_eq!(lines, ["One two `three four`", "five, six seven.", "", "    kubectl get pods --all-namespaces"]);
    }

    #[test]
    fn lists_asides_and_tables_keep_to_the_width() {
        let text = "1. first item that is long\n2. second\n\n> [!NOTE]\n> A note that is longer than the line is.\n\n| a | b |\n|---|---|\n| x | some longer cell text here |\n";
        let lines = at(text, 24);
        assert!(lines.iter().all(|l| width(l) <= 24), "{lines:#?}");
        assert!(lines.contains(&"1. first item that is".to_string()), "{lines:#?}");
        assert!(lines.iter().any(|l| l.starts_with("| Note: A note")), "{lines:#?}");
    }

    #[test]
    fn every_word_is_kept() {
        let text = "A *b* **c** [d](https://x.y) `e` f-g; h.";
        let joined = at(text, 20).join(" ");
        for word in ["A", "b", "c", "d (https://x.y)", "`e`", "f-g;", "h."] {
            assert!(joined.contains(word), "{word}: {joined}");
        }
    }
}
