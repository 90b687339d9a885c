//! Markdown to blocks that do not know how wide the screen is.

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
    Link { text: Vec<Inline>, url: String },
    Break,
}

/// The text of inlines without any mark-up.
pub fn plain(inlines: &[Inline]) -> String {
    let mut out = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(t) | Inline::Code(t) => out.push_str(t),
            Inline::Emphasis(i) | Inline::Strong(i) | Inline::Link { text: i, .. } => out.push_str(&plain(i)),
            Inline::Break => out.push('\n'),
        }
    }
    out
}
