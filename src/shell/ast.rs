//! A script as values. Printing a script gives text that reads back as the same script (not so for a here-document inside a command
//! substitution).

use std::fmt;
use std::sync::Arc;

/// Commands one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    pub items: Vec<AndOr>,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AndOr {
    pub first: Pipeline,
    pub rest: Vec<(Link, Pipeline)>,
}

/// How a pipeline follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Commands joined by `|`, perhaps with a `!` in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    pub negated: bool,
    pub stages: Vec<Command>,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Simple(Arc<Simple>),
    Compound { kind: Arc<Compound>, redirects: Arc<Vec<Redirect>> },
}

/// Assignments, words and redirections: `A=1 curl -s URL > out`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simple {
    pub assigns: Vec<(String, Word)>,
    pub words: Vec<Word>,
    pub redirects: Vec<Redirect>,
}

/// Commands that hold commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compound {
    Group(Arc<Script>),
    Subshell(Arc<Script>),
    If {
        arms: Vec<(Arc<Script>, Arc<Script>)>,
        otherwise: Option<Arc<Script>>,
    },
    /// `words` is `None` for `for x; do`, which walks the positional parameters.
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: Arc<Script>,
    },
    While {
        until: bool,
        condition: Arc<Script>,
        body: Arc<Script>,
    },
    Case {
        word: Word,
        arms: Vec<(Vec<Word>, Arc<Script>)>,
    },
}

/// A redirection of one descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub fd: u8,
    pub to: Target,
}

/// Where a redirection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `< file`
    Read(Word),
    /// `> file`
    Write(Word),
    /// `>> file`
    Append(Word),
    /// `2>&1`
    Duplicate(u8),
    /// `2>&-`
    Close,
    /// `&> file`: both outputs.
    Both(Word),
    /// A here-document's text.
    Here(Word),
}

/// A word before expansion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word(pub Vec<Part>);

/// A piece of a word. `quoted`: inside double or single quotes, so neither split nor a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text {
        text: String,
        quoted: bool,
    },
    Parameter {
        name: String,
        op: Option<Box<ParameterOp>>,
        quoted: bool,
    },
    Command {
        script: Arc<Script>,
        quoted: bool,
    },
    Arithmetic {
        text: Word,
        quoted: bool,
    },
    /// `~` or `~/` at the start of a word.
    Tilde,
}

/// What `${name..}` does with the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterOp {
    /// `${#name}`
    Length,
    /// `${name:-word}` and its kin: `sign` is one of `-=+?`, `or_empty` is the colon.
    Choose { sign: char, or_empty: bool, word: Word },
    /// `${name#word}`, `##`, `%`, `%%`
    Trim { suffix: bool, longest: bool, word: Word },
}

impl Word {
    /// A word of plain text.
    pub fn plain(text: &str) -> Word {
        Word(vec![Part::Text { text: text.to_string(), quoted: false }])
    }

    /// The text when nothing in the word has to be expanded (quotes are removed), `None` otherwise.
    pub fn literal(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text { text, .. } => out.push_str(text),
                Part::Tilde => out.push('~'),
                _ => return None,
            }
        }
        Some(out)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::default();
        printer.script(self);
        f.write_str(&printer.out)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::default();
        printer.word(self);
        f.write_str(&printer.out)
    }
}

/// Writes a script one command a line; bodies of here-documents follow the line that wants them.
#[derive(Default)]
struct Printer {
    out: String,
    bodies: Vec<String>,
}

impl Printer {
    fn newline(&mut self) {
        self.out.push('\n');
        for body in std::mem::take(&mut self.bodies) {
            self.out.push_str(&body);
        }
    }

    fn script(&mut self, script: &Script) {
        for item in &script.items {
            self.pipeline(&item.first);
            for (link, pipeline) in &item.rest {
                self.out.push_str(if *link == Link::And { " && " } else { " || " });
                self.pipeline(pipeline);
            }
            self.newline();
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        if pipeline.negated {
            self.out.push_str("! ");
        }
        for (at, stage) in pipeline.stages.iter().enumerate() {
            if at > 0 {
                self.out.push_str(" | ");
            }
            match stage {
                Command::Simple(simple) => self.simple(simple),
                Command::Compound { kind, redirects } => {
                    self.compound(kind);
                    for redirect in redirects.iter() {
                        self.out.push(' ');
                        self.redirect(redirect);
                    }
                }
            }
        }
    }

    fn simple(&mut self, simple: &Simple) {
        let mut first = true;
        let redirects_first = simple.assigns.is_empty();
        let mut space = |out: &mut String| {
            if !std::mem::take(&mut first) {
                out.push(' ');
            }
        };
        for redirect in simple.redirects.iter().filter(|_| redirects_first) {
            space(&mut self.out);
            self.redirect(redirect);
        }
        for (name, word) in &simple.assigns {
            space(&mut self.out);
            self.out.push_str(name);
            self.out.push('=');
            if !word.0.is_empty() {
                self.word(word);
            }
        }
        for word in &simple.words {
            space(&mut self.out);
            self.word(word);
        }
        for redirect in simple.redirects.iter().filter(|_| !redirects_first) {
            space(&mut self.out);
            self.redirect(redirect);
        }
    }

    fn redirect(&mut self, redirect: &Redirect) {
        if !matches!(redirect.to, Target::Both(_)) {
            self.out.push_str(&redirect.fd.to_string());
        }
        match &redirect.to {
            Target::Read(word) => self.target("< ", word),
            Target::Write(word) => self.target("> ", word),
            Target::Append(word) => self.target(">> ", word),
            Target::Both(word) => self.target("&> ", word),
            Target::Duplicate(fd) => self.out.push_str(&format!(">&{fd}")),
            Target::Close => self.out.push_str(">&-"),
            Target::Here(word) => self.here(word),
        }
    }

    fn target(&mut self, sign: &str, word: &Word) {
        self.out.push_str(sign);
        self.word(word);
    }

    fn here(&mut self, word: &Word) {
        let mut inner = Printer::default();
        let literal = word.literal();
        match &literal {
            Some(text) => inner.out.push_str(text),
            None => inner.parts(word, Place::Here),
        }
        // A here-document that ended with the text has no newline of its own.
        if !inner.out.is_empty() && !inner.out.ends_with('\n') {
            inner.out.push('\n');
        }
        let mut mark = "EOF".to_string();
        while inner.out.lines().any(|line| line == mark) {
            mark.push('_');
        }
        self.out.push_str("<<");
        self.out.push_str(&if literal.is_some() { format!("'{mark}'") } else { mark.clone() });
        self.bodies.push(format!("{}{mark}\n", inner.out));
    }

    fn compound(&mut self, kind: &Compound) {
        match kind {
            Compound::Group(body) => self.block("{", body, "}"),
            Compound::Subshell(body) => self.block("(", body, ")"),
            Compound::If { arms, otherwise } => {
                for (at, (condition, body)) in arms.iter().enumerate() {
                    self.block(if at == 0 { "if" } else { "elif" }, condition, "then");
                    self.newline();
                    self.script(body);
                }
                if let Some(body) = otherwise {
                    self.out.push_str("else\n");
                    self.script(body);
                }
                self.out.push_str("fi");
            }
            Compound::For { name, words, body } => {
                self.out.push_str(&format!("for {name}"));
                if let Some(words) = words {
                    self.out.push_str(" in");
                    for word in words {
                        self.out.push(' ');
                        self.word(word);
                    }
                }
                self.newline();
                self.block("do", body, "done");
            }
            Compound::While { until, condition, body } => {
                self.block(if *until { "until" } else { "while" }, condition, "do");
                self.newline();
                self.script(body);
                self.out.push_str("done");
            }
            Compound::Case { word, arms } => self.case(word, arms),
        }
    }

    fn case(&mut self, word: &Word, arms: &[(Vec<Word>, Arc<Script>)]) {
        self.out.push_str("case ");
        self.word(word);
        self.out.push_str(" in");
        self.newline();
        for (patterns, body) in arms {
            self.out.push('(');
            for (at, pattern) in patterns.iter().enumerate() {
                if at > 0 {
                    self.out.push_str(" | ");
                }
                self.word(pattern);
            }
            self.out.push(')');
            self.newline();
            self.script(body);
            self.out.push_str(";;\n");
        }
        self.out.push_str("esac");
    }

    fn block(&mut self, open: &str, body: &Script, close: &str) {
        self.out.push_str(open);
        self.newline();
        self.script(body);
        self.out.push_str(close);
    }

    fn word(&mut self, word: &Word) {
        if word.0.is_empty() {
            self.out.push_str("''");
        }
        self.parts(word, Place::Word);
    }

    fn parts(&mut self, word: &Word, place: Place) {
        for part in &word.0 {
            self.part(part, place);
        }
    }

    fn part(&mut self, part: &Part, place: Place) {
        let (quoted, bare) = match part {
            Part::Text { quoted, .. } | Part::Parameter { quoted, .. } => (*quoted, place != Place::Word),
            Part::Command { quoted, .. } | Part::Arithmetic { quoted, .. } => (*quoted, place != Place::Word),
            Part::Tilde => (false, true),
        };
        let around = if quoted && !bare { "\"" } else { "" };
        self.out.push_str(around);
        match part {
            Part::Text { text, quoted } => self.text(text, *quoted, place),
            Part::Parameter { name, op, .. } => self.parameter(name, op.as_deref()),
            Part::Command { script, .. } => self.out.push_str(&format!("$({script})")),
            Part::Arithmetic { text, .. } => {
                self.out.push_str("$((");
                self.parts(text, Place::Arithmetic);
                self.out.push_str("))");
            }
            Part::Tilde => self.out.push('~'),
        }
        self.out.push_str(around);
    }

    fn text(&mut self, text: &str, quoted: bool, place: Place) {
        for c in text.chars() {
            let escape = match place {
                Place::Word if quoted => matches!(c, '"' | '\\' | '$' | '`'),
                Place::Word => !(c.is_alphanumeric() || "_-./:,=@%+*?[]!{}^~".contains(c)) && c != '\n',
                Place::Here => matches!(c, '\\' | '$' | '`'),
                Place::Arithmetic => false,
            };
            if escape {
                self.out.push('\\');
            }
            self.out.push(c);
        }
    }

    fn parameter(&mut self, name: &str, op: Option<&ParameterOp>) {
        match op {
            None => self.out.push_str(&format!("${{{name}}}")),
            Some(ParameterOp::Length) => self.out.push_str(&format!("${{#{name}}}")),
            Some(ParameterOp::Choose { sign, or_empty, word }) => {
                self.out.push_str(&format!("${{{name}{}{sign}", if *or_empty { ":" } else { "" }));
                self.parts(word, Place::Word);
                self.out.push('}');
            }
            Some(ParameterOp::Trim { suffix, longest, word }) => {
                let sign = if *suffix { "%" } else { "#" };
                self.out.push_str(&format!("${{{name}{sign}{}", if *longest { sign } else { "" }));
                self.parts(word, Place::Word);
                self.out.push('}');
            }
        }
    }
}

/// Where a part stands, which decides what has to be escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Word,
    Here,
    Arithmetic,
}
