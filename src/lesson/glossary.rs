//! Words of the field in our own sentences: `assets/glossary/terms.yaml`, and what a lesson adds. Knows which of them stand on a page.

use super::layout::{layout, text_of};
use super::markdown::{Block, Inline, blocks};
use super::model::Lesson;
use crate::base::text::{nearest, wrap};
use crate::base::yaml;
use serde::Deserialize;
use std::sync::LazyLock;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Slug; what `see` and the mark-up `[words](term:ID)` name.
    pub id: String,
    pub term: String,
    /// Other spellings.
    #[serde(default)]
    pub also: Vec<String>,
    /// One to three sentences, Markdown.
    pub meaning: String,
    /// An https link.
    #[serde(default)]
    pub docs: String,
    /// Ids of related words.
    #[serde(default)]
    pub see: Vec<String>,
}

/// Held right by a test: a file that cannot be read would be an empty table.
static TERMS: LazyLock<Vec<Entry>> =
    LazyLock::new(|| yaml::from_str_strict(include_str!("../../assets/glossary/terms.yaml")).unwrap_or_default());

/// The words of a lesson: everybody's, and those that only it explains.
#[derive(Debug, Clone)]
pub struct Words(pub Vec<Entry>);

/// What was found for a word that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    Entry(&'a Entry),
    /// Nothing; the nearest spelling, if one is near.
    Nearest(Option<&'a str>),
}

impl Default for Words {
    fn default() -> Words {
        Words(TERMS.clone())
    }
}

impl Words {
    /// Everybody's words, and the lesson's own that are none of them.
    pub fn of(lesson: &Lesson) -> Words {
        let mut words = Words::default();
        for own in &lesson.glossary {
            if !matches!(words.find(&own.term), Found::Entry(_)) {
                let meaning = text_of(&layout(&own.meaning, 4_000)).join(" ");
                let id = own.term.to_lowercase().replace(' ', "-");
                let (also, docs, see) = (Vec::new(), String::new(), Vec::new());
                words.0.push(Entry { id, term: own.term.clone(), also, meaning, docs, see });
            }
        }
        words
    }

    /// A word by its id.
    pub fn by_id(&self, id: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.id == id)
    }

    /// Looks a word up by id, term or other spelling; case does not matter, and what stands in brackets in a term may be left out.
    pub fn find(&self, word: &str) -> Found<'_> {
        let wanted = word.trim().to_lowercase();
        let is = |name: &str| name.to_lowercase() == wanted || bare(name).to_lowercase() == wanted;
        // A spelling that is exactly somebody's own name wins over one that is only short for another's.
        let exact = self.0.iter().find(|entry| entry.term == word.trim());
        let loose = || self.0.iter().find(|entry| names(entry).any(|name| bare(name).to_lowercase() == bare(&wanted)));
        if let Some(entry) = exact.or_else(|| self.0.iter().find(|entry| names(entry).any(is))).or_else(loose) {
            return Found::Entry(entry);
        }
        let spellings: Vec<(String, &str)> = self.0.iter().flat_map(names).map(|name| (name.to_lowercase(), name)).collect();
        let near = nearest(&wanted, spellings.iter().map(|(lower, _)| lower.as_str()));
        Found::Nearest(near.and_then(|near| spellings.iter().find(|(lower, _)| lower == near)).map(|(_, name)| *name))
    }

    /// The words that stand in blocks: marked ones first, then in the order of the text. Spellings count only as whole words; those
    /// with a capital only as they are written.
    pub fn on_page(&self, page: &[&[Block]]) -> Vec<&Entry> {
        let mut found: Vec<&Entry> = Vec::new();
        for id in marked(page) {
            found.extend(self.by_id(&id).filter(|entry| !found.iter().any(|known| known.id == entry.id)));
        }
        let text = page.iter().flat_map(|blocks| text_of(&layout(blocks, 4_000))).collect::<Vec<_>>().join("\n");
        let lower = text.to_lowercase();
        let first = |entry: &Entry| {
            let spellings = std::iter::once(bare(&entry.term)).chain(entry.also.iter().map(String::as_str));
            spellings.filter_map(|name| place(name, &text, &lower)).min()
        };
        let mut placed: Vec<(usize, &Entry)> = self.0.iter().filter_map(|entry| Some((first(entry)?, entry))).collect();
        placed.sort_by_key(|(at, _)| *at);
        placed.retain(|(_, entry)| !found.iter().any(|known| known.id == entry.id));
        found.extend(placed.into_iter().map(|(_, entry)| entry));
        found
    }

    /// An entry as lines of text: the term, what it means, the link, what to look up as well.
    pub fn lines(&self, entry: &Entry, columns: usize) -> Vec<String> {
        let mut out = vec![entry.term.clone()];
        let room = columns.saturating_sub(2).max(20);
        let indented = |text: &str| wrap(text, room, 0).into_iter().map(|line| format!("  {line}"));
        out.extend(text_of(&layout(&blocks(&entry.meaning), room)).iter().map(|line| format!("  {line}")));
        if !entry.docs.is_empty() {
            out.extend(indented(&format!("Read more: {}", entry.docs)));
        }
        let see: Vec<&str> = entry.see.iter().filter_map(|id| self.by_id(id)).map(|entry| entry.term.as_str()).collect();
        if !see.is_empty() {
            out.extend(indented(&format!("See also: {}", see.join(", "))));
        }
        out
    }

    /// What the word `glossary` prints: one term, or which there are, those of the page first.
    pub fn told(&self, word: &str, page: &[&[Block]], columns: usize) -> String {
        let here = self.on_page(page);
        if !word.trim().is_empty() {
            return match self.find(word) {
                Found::Entry(entry) => self.lines(entry, columns).join("\n"),
                Found::Nearest(Some(near)) => {
                    format!("The glossary has no \"{}\"; did you mean \"{near}\"? `glossary {near}` shows it.", word.trim())
                }
                Found::Nearest(None) => format!("The glossary has no \"{}\". `glossary` lists what it has.", word.trim()),
            };
        }
        let list = |entries: &[&Entry]| {
            let names: Vec<&str> = entries.iter().map(|entry| entry.term.as_str()).collect();
            let lines = wrap(&names.join(", "), columns.saturating_sub(2), 0);
            lines.into_iter().map(|line| format!("  {line}")).collect::<Vec<_>>()
        };
        let rest: Vec<&Entry> = self.0.iter().filter(|entry| !here.iter().any(|known| known.id == entry.id)).collect();
        let mut out = Vec::new();
        if !here.is_empty() {
            out.push("On this page:".to_string());
            out.extend(list(&here));
        }
        out.push(if here.is_empty() { "The glossary has:" } else { "All others:" }.to_string());
        out.extend(list(&rest));
        out.push("`glossary TERM` says what one means.".into());
        out.join("\n")
    }
}

fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    [entry.id.as_str(), entry.term.as_str()].into_iter().chain(entry.also.iter().map(String::as_str))
}

/// `cluster` of `cluster (Envoy)`.
fn bare(term: &str) -> &str {
    term.split(" (").next().unwrap_or(term)
}

/// Where a spelling first stands as a whole word.
fn place(name: &str, text: &str, lower: &str) -> Option<usize> {
    let exact = name.chars().any(char::is_uppercase);
    let (name, text) = if exact { (name.to_string(), text) } else { (name.to_lowercase(), lower) };
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    text.match_indices(&name)
        .find(|(at, _)| !is_word(text[..*at].chars().next_back()) && !is_word(text[at + name.len()..].chars().next()))
        .map(|(at, _)| at)
}

/// The ids that are marked in blocks, in order.
pub fn marked(page: &[&[Block]]) -> Vec<String> {
    let mut out = Vec::new();
    page.iter().for_each(|blocks| blocks.iter().for_each(|block| in_block(block, &mut out)));
    out
}

fn in_block(block: &Block, out: &mut Vec<String>) {
    match block {
        Block::Heading { text, .. } | Block::Paragraph(text) => in_line(text, out),
        Block::List { items, .. } => items.iter().flatten().for_each(|block| in_block(block, out)),
        Block::Aside { blocks, .. } => blocks.iter().for_each(|block| in_block(block, out)),
        Block::Table { head, rows } => head.iter().chain(rows.iter().flatten()).for_each(|cell| in_line(cell, out)),
        Block::Code { .. } | Block::Rule => (),
    }
}

fn in_line(text: &[Inline], out: &mut Vec<String>) {
    for inline in text {
        match inline {
            Inline::Term { id, .. } => out.push(id.clone()),
            Inline::Emphasis(inner) | Inline::Strong(inner) => in_line(inner, out),
            Inline::Link { text, .. } => in_line(text, out),
            Inline::Text(_) | Inline::Code(_) | Inline::Break => (),
        }
    }
}

/// The blocks of a step that count as its page.
pub fn page_of(lesson: &Lesson, nth: usize, hints: u8) -> Vec<&[Block]> {
    let Some(step) = lesson.steps.get(nth) else { return Vec::new() };
    let first = nth == 0 || lesson.steps[nth - 1].stage != step.stage;
    let intro = lesson.stage(&step.stage).filter(|_| first).map(|stage| stage.intro.as_slice());
    let question = step.question.as_ref().map(|question| question.prompt.as_slice());
    let shown = step.hints.iter().take(usize::from(hints)).map(Vec::as_slice);
    intro.into_iter().chain([step.task.as_slice()]).chain(question).chain(shown).collect()
}

/// Every page of a lesson: for lint.
pub fn pages(lesson: &Lesson) -> Vec<&[Block]> {
    let steps = lesson.steps.iter().flat_map(|step| {
        let question = step.question.as_ref().map(|question| question.prompt.as_slice());
        std::iter::once(step.task.as_slice()).chain(question).chain(step.hints.iter().map(Vec::as_slice))
    });
    let stages = lesson.stages.iter().flat_map(|stage| [stage.intro.as_slice(), stage.debrief.as_slice()]);
    stages.chain(steps).chain([lesson.summary.as_slice(), lesson.debrief.as_slice()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::load::Pack;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_whole() {
        let read: Result<Vec<Entry>, _> = yaml::from_str_strict(include_str!("../../assets/glossary/terms.yaml"));
        let read = read.unwrap_or_else(|e| panic!("{}:{}: {}", e.line, e.column, e.message));
        assert!(read.len() >= 40, "{}", read.len());
        let ids: BTreeSet<&str> = read.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids.len(), read.len(), "an id is there twice");
        assert!(read.is_sorted_by_key(|e| e.id.as_str()), "sorted by id");
        let mut spellings = BTreeSet::new();
        for entry in &read {
            assert!(crate::lesson::clean::is_slug(&entry.id), "{}", entry.id);
            entry.see.iter().for_each(|id| assert!(ids.contains(id.as_str()) && *id != entry.id, "{}: {id}", entry.id));
            assert!(entry.docs.is_empty() || entry.docs.starts_with("https://"), "{}", entry.docs);
            let sentences = entry.meaning.matches(['.', '?']).count();
            assert!(entry.meaning.len() > 40 && entry.meaning.len() < 420 && sentences >= 1, "{}", entry.id);
            for name in std::iter::once(&entry.term).chain(&entry.also) {
                assert!(spellings.insert(name.clone()), "{name} twice");
            }
        }
    }

    #[test]
    fn words_are_found_by_any_spelling_and_the_nearest_is_offered() {
        let words = Words::default();
        let id = |word: &str| match words.find(word) {
            Found::Entry(entry) => entry.id.clone(),
            Found::Nearest(near) => format!("? {}", near.unwrap_or("-")),
        };
        for (word, wanted) in [
            ("registry_only", "registry-only"),
            ("ServiceEntries", "service-entry"),
            ("sidecars", "sidecar"),
            ("Sidecar (object)", "sidecar-object"),
            ("cluster", "cluster"),
            (" egress gateway ", "egress-gateway"),
            ("service-entry", "service-entry"),
            ("Gateway", "gateway"),
            ("sidecr", "? sidecar"),
            ("servicentry", "? ServiceEntry"),
            ("zebra", "? -"),
        ] {
            assert_eq!(id(word), wanted, "{word}");
        }
        assert!(words.told("sidecr", &[], 80).contains("did you mean \"sidecar\""));
        for entry in &words.0 {
            assert_eq!(words.find(&entry.term), Found::Entry(entry), "{}", entry.term);
        }
    }

    #[test]
    fn a_page_has_its_marked_words_first_and_then_those_of_the_text() {
        let words = Words::default();
        let page =
            blocks("An egress gateway sends to [what it knows](term:registry). No podcast, no clusterfoo; a SIDECAR, `NC`.");
        let ids: Vec<&str> = words.on_page(&[&page]).iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["registry", "egress", "egress-gateway", "sidecar"]);
        let text = words.told("", &[&page], 80);
        assert!(text.starts_with("On this page:\n  registry (service registry), egress, egress gateway"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn every_mark_of_the_lessons_resolves() {
        let mut marks = 0;
        for track in Pack::embedded().tracks().unwrap() {
            for lesson in &track.lessons {
                let words = Words::of(lesson);
                let ids = marked(&pages(lesson));
                marks += ids.len();
                ids.iter().for_each(|id| assert!(words.by_id(id).is_some(), "{}: {id}", lesson.id));
            }
        }
        assert!(marks >= 10, "only {marks} marks");
    }

    #[test]
    fn a_lesson_may_explain_words_of_its_own() {
        let tracks = Pack::embedded().tracks().unwrap();
        let mut lesson = tracks[0].lessons[0].clone();
        assert_eq!(Words::of(&lesson).0.len(), Words::default().0.len(), "its words are everybody's");
        lesson.glossary.push(crate::lesson::model::Term { term: "Quay side".into(), meaning: blocks("Where *ships* lie.") });
        let words = Words::of(&lesson);
        assert!(words.told("quay side", &[], 80).ends_with("Where ships lie."));
        assert!(words.by_id("quay-side").is_some());
    }

    #[test]
    fn an_entry_fits_any_width() {
        let words = Words::default();
        for columns in [60, 80] {
            for entry in &words.0 {
                let lines = words.lines(entry, columns);
                assert!(lines.iter().all(|line| line.len() <= columns || line.contains("http")), "{lines:#?}");
            }
        }
    }
}
