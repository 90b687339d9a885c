//! Markdown to blocks that do not know how wide the screen is.

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// One block of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Heading {
        level: u8,
        text: Vec<Inline>,
    },
    Paragraph(Vec<Inline>),
    /// A fenced block. Language `run` marks command lines that the learner can put on the prompt.
    Code {
        language: String,
        text: String,
    },
    /// `start` is the first number of an ordered list.
    List {
        start: Option<u64>,
        items: Vec<Vec<Block>>,
    },
    Table {
        head: Vec<Vec<Inline>>,
        rows: Vec<Vec<Vec<Inline>>>,
    },
    Aside {
        kind: Aside,
        blocks: Vec<Block>,
    },
    Rule,
}

/// What a block quote is for; written `> [!NOTE]` as the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    Note,
    Tip,
    Warning,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    Text(String),
    Code(String),
    Emphasis(Vec<Inline>),
    Strong(Vec<Inline>),
    Link {
        text: Vec<Inline>,
        url: String,
    },
    /// A word of the glossary: `[words](term:ID)`.
    Term {
        text: Vec<Inline>,
        id: String,
    },
    Break,
}

/// The text of inlines without any mark-up.
pub fn plain(inlines: &[Inline]) -> String {
    let mut out = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(t) | Inline::Code(t) => out.push_str(t),
            Inline::Emphasis(i) | Inline::Strong(i) | Inline::Link { text: i, .. } | Inline::Term { text: i, .. } => {
                out.push_str(&plain(i))
            }
            Inline::Break => out.push('\n'),
        }
    }
    out
}

/// Reads Markdown. HTML is kept as text; images become their description.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_GFM).peekable();
    read_blocks(&mut events)
}

type Events<'a> = std::iter::Peekable<Parser<'a>>;

/// Blocks up to the end of the enclosing block.
fn read_blocks(events: &mut Events) -> Vec<Block> {
    let mut out = Vec::new();
    while let Some(event) = events.peek() {
        match event {
            Event::End(_) => {
                events.next();
                break;
            }
            Event::Start(tag) if !is_inline(tag) => {
                if let Some(Event::Start(tag)) = events.next() {
                    out.extend(read_block(tag, events));
                }
            }
            Event::Rule => {
                events.next();
                out.push(Block::Rule);
            }
            // Tight list items hold inlines without a paragraph.
            _ => out.push(Block::Paragraph(read_inlines(events, false))),
        }
    }
    out
}

fn read_block(tag: Tag, events: &mut Events) -> Vec<Block> {
    match tag {
        Tag::Paragraph => vec![Block::Paragraph(read_inlines(events, true))],
        Tag::Heading { level, .. } => vec![Block::Heading { level: level as u8, text: read_inlines(events, true) }],
        Tag::CodeBlock(kind) => {
            let language = match kind {
                CodeBlockKind::Fenced(info) => info.split_whitespace().next().unwrap_or("").to_string(),
                CodeBlockKind::Indented => String::new(),
            };
            let text = plain(&read_inlines(events, true));
            vec![Block::Code { language, text: text.trim_end_matches('\n').to_string() }]
        }
        Tag::List(start) => {
            let mut items = Vec::new();
            while let Some(Event::Start(Tag::Item)) = events.next() {
                items.push(read_blocks(events));
            }
            vec![Block::List { start, items }]
        }
        Tag::BlockQuote(kind) => {
            let kind = match kind {
                Some(BlockQuoteKind::Tip) => Aside::Tip,
                Some(BlockQuoteKind::Warning | BlockQuoteKind::Caution) => Aside::Warning,
                _ => Aside::Note,
            };
            vec![Block::Aside { kind, blocks: read_blocks(events) }]
        }
        Tag::Table(_) => vec![read_table(events)],
        _ => read_blocks(events),
    }
}

fn read_table(events: &mut Events) -> Block {
    let (mut head, mut rows) = (Vec::new(), Vec::new());
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::TableHead) => head = read_row(events),
            Event::Start(Tag::TableRow) => rows.push(read_row(events)),
            Event::End(TagEnd::Table) => break,
            _ => (),
        }
    }
    Block::Table { head, rows }
}

fn read_row(events: &mut Events) -> Vec<Vec<Inline>> {
    let mut cells = Vec::new();
    while let Some(Event::Start(Tag::TableCell)) = events.next() {
        cells.push(read_inlines(events, true));
    }
    cells
}

/// Inlines up to the end of their block; `closed` takes the end itself as well.
fn read_inlines(events: &mut Events, closed: bool) -> Vec<Inline> {
    let mut out = Vec::new();
    while let Some(event) = events.peek() {
        match event {
            Event::End(_) => {
                if closed {
                    events.next();
                }
                break;
            }
            Event::Start(tag) if !is_inline(tag) => break,
            _ => {
                if let Some(event) = events.next() {
                    read_inline(event, events, &mut out);
                }
            }
        }
    }
    out
}

fn read_inline(event: Event, events: &mut Events, out: &mut Vec<Inline>) {
    match event {
        Event::Start(Tag::Emphasis) => out.push(Inline::Emphasis(read_inlines(events, true))),
        Event::Start(Tag::Strong) => out.push(Inline::Strong(read_inlines(events, true))),
        Event::Start(Tag::Link { dest_url, .. }) => {
            let text = read_inlines(events, true);
            out.push(match dest_url.strip_prefix("term:") {
                Some(id) => Inline::Term { text, id: id.to_string() },
                None => Inline::Link { text, url: dest_url.to_string() },
            });
        }
        Event::Start(_) => out.extend(read_inlines(events, true)),
        Event::Code(text) => out.push(Inline::Code(text.to_string())),
        Event::SoftBreak => push_text(out, " "),
        Event::HardBreak => out.push(Inline::Break),
        Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => push_text(out, &text),
        _ => (),
    }
}

fn push_text(out: &mut Vec<Inline>, text: &str) {
    match out.last_mut() {
        Some(Inline::Text(before)) => before.push_str(text),
        _ => out.push(Inline::Text(text.to_string())),
    }
}

fn is_inline(tag: &Tag) -> bool {
    matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

/// The lines of all `run` blocks, in order: one for each command. A block with a here-document is one command.
pub fn run_lines(blocks: &[Block]) -> Vec<String> {
    let mut out = Vec::new();
    for block in blocks {
        match block {
            Block::Code { language, text } if language == "run" => out.extend(commands(text)),
            Block::List { items, .. } => out.extend(items.iter().flat_map(|i| run_lines(i))),
            Block::Aside { blocks, .. } => out.extend(run_lines(blocks)),
            _ => (),
        }
    }
    out
}

fn commands(text: &str) -> Vec<String> {
    if text.contains("<<") {
        return vec![text.to_string()];
    }
    let mut out: Vec<String> = vec![String::new()];
    for line in text.lines() {
        let here = out.last_mut().expect("starts with one");
        match line.strip_suffix('\\') {
            Some(head) => here.push_str(&format!("{} ", head.trim())),
            None => {
                here.push_str(line.trim());
                out.push(String::new());
            }
        }
    }
    out.retain(|l| !l.is_empty());
    out
}

/// A Markdown file cut at its level-one headings: the text before the first, then (heading, line of the text, text).
pub fn sections(text: &str) -> (String, Vec<(String, usize, String)>) {
    let mut intro = String::new();
    let mut found: Vec<(String, usize, String)> = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        match line.strip_prefix("# ") {
            Some(heading) if !fenced => found.push((heading.trim().to_string(), n + 1, String::new())),
            _ => {
                let here = found.last_mut().map_or(&mut intro, |s| &mut s.2);
                here.push_str(line);
                here.push('\n');
            }
        }
    }
    (intro, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line per block, for comparing.
    fn outline(blocks: &[Block]) -> String {
        blocks.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn line(block: &Block) -> String {
        match block {
            Block::Heading { level, text } => format!("h{level} {}", plain(text)),
            Block::Paragraph(text) => format!("p {text:?}").replace("Text(\"", "(\""),
            Block::Code { language, text } => format!("code {language} {text:?}"),
            Block::List { start, items } => {
                format!("list {start:?} {:?}", items.iter().map(|i| outline(i)).collect::<Vec<_>>())
            }
            Block::Table { head, rows } => {
                let row = |r: &Vec<Vec<Inline>>| r.iter().map(|c| plain(c)).collect::<Vec<_>>().join("|");
                format!("table {} / {}", row(head), rows.iter().map(row).collect::<Vec<_>>().join(" / "))
            }
            Block::Aside { kind, blocks } => format!("{kind:?} {}", outline(blocks)),
            Block::Rule => "rule".into(),
        }
    }

    #[test]
    fn blocks_of_every_kind() {
        for (text, expected) in [
            ("## A `b`", "h2 A b"),
            ("one\ntwo", "p [(\"one two\")]"),
            ("*a* **b** `c`", "p [Emphasis([(\"a\")]), (\" \"), Strong([(\"b\")]), (\" \"), Code(\"c\")]"),
            ("[t](https://x)", "p [Link { text: [(\"t\")], url: \"https://x\" }]"),
            ("```run\nkubectl get pods\n```", "code run \"kubectl get pods\""),
            ("- a\n- b", "list None [\"p [(\\\"a\\\")]\", \"p [(\\\"b\\\")]\"]"),
            ("3. a\n4. b", "list Some(3) [\"p [(\\\"a\\\")]\", \"p [(\\\"b\\\")]\"]"),
            ("> [!WARNING]\n> mind", "Warning p [(\"mind\")]"),
            ("> quiet", "Note p [(\"quiet\")]"),
            ("|a|b|\n|-|-|\n|1|`2`|", "table a|b / 1|2"),
            ("---", "rule"),
        ] {
            assert_eq!(outline(&blocks(text)), expected, "{text}");
        }
    }

    #[test]
    fn nesting_keeps_its_ends() {
        let text = "- a\n\n  ```run\n  x \\\n    y\n  z\n  ```\n- b\n\nafter";
        let found = blocks(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(run_lines(&found), ["x y", "z"]);
    }

    #[test]
    fn a_here_document_is_one_command() {
        let text = "```run\nkubectl apply -f - <<'EOF'\na: 1\nEOF\n```";
        assert_eq!(run_lines(&blocks(text)), ["kubectl apply -f - <<'EOF'\na: 1\nEOF"]);
    }

    #[test]
    fn sections_are_cut_at_headings_outside_code() {
        let (intro, found) = sections("hello\n# one\ntext\n```sh\n# not\n```\n# two\n");
        assert_eq!(intro, "hello\n");
        assert_eq!(found.iter().map(|s| (s.0.as_str(), s.1)).collect::<Vec<_>>(), [("one", 2), ("two", 7)]);
    }
}
