//! What `:help TOPIC` knows: a few pages of its own, and every command of the keymap by its word.

use crate::base::text::nearest;
use crate::tui::keymap::{ROWS, Row, Scope};

/// A page of help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// One of [`TEXTS`].
    Text(usize),
    /// One of [`ROWS`].
    Row(usize),
}

struct Text {
    name: &'static str,
    title: &'static str,
    paragraphs: &'static [&'static str],
}

const COMMANDS: &str = "commands";
const KEYS: &str = "keys";

const TEXTS: &[Text] = &[
    Text {
        name: COMMANDS,
        title: "the words that `:` takes",
        paragraphs: &[
            "`:` opens a line for these words outside the prompt; at the prompt a line that begins with `:` takes them. Tab completes. \
                       A word of the lab prompt (`:kubectl get pods`) runs as if it had been typed there.",
        ],
    },
    Text { name: KEYS, title: "every key of every screen", paragraphs: &[] },
    Text {
        name: "prompt",
        title: "the lab's prompt: lines, files, pipes",
        paragraphs: &[
            "The prompt is a small shell of its own: kubectl (`k`), istioctl, `explain URL`, the files of the lab's folder (`ls`, `cat`, `cp`, `rm`, \
             `edit`), text tools after a pipe, `>`, `>>`, `<`, here-documents, `;`, `&&` and `||`. No program of this machine is started.",
            "Alt-Enter or an open quote or here-document goes on to the next line. A paste is one edit: nothing runs until Enter. A pasted manifest becomes \
             a `kubectl apply` that you can look at first.",
            "Ctrl-C ends what runs, else empties the prompt. Ctrl-D on an empty prompt leaves.",
        ],
    },
    Text {
        name: "completion",
        title: "Tab at the prompt",
        paragraphs: &[
            "On an empty prompt Tab puts the step's next command there. Else it completes the word at the cursor: words of the prompt, verbs, kinds that the \
             cluster serves and their short names, names of objects, namespaces, containers, flags and what they take, files of the lab's folder.",
            "Several candidates stand above the prompt: Tab and Shift-Tab go through them, Enter takes the marked one, Esc gives back what was typed, any other \
             key goes on typing. `complete LINE` lists them as lines.",
        ],
    },
    Text {
        name: "history",
        title: "what was typed before",
        paragraphs: &[
            "Up and Down walk through what was typed; Ctrl-R searches it: letters narrow the search, Ctrl-R again goes to older lines, Enter runs the \
                       line, Tab puts it on the prompt, Esc gives back what was typed. The last 1,000 lines are kept with the world.",
        ],
    },
    Text {
        name: "themes",
        title: "colours, character sets, motion",
        paragraphs: &[
            "`:theme NAME` changes the colours: auto, dark, light, high-contrast, colour-blind (blue and orange), none. Text has a contrast of seven to one or \
             more in each (high-contrast: ten). Nothing is told by colour alone.",
            "For good: `theme = \"light\"` in the settings file, `--theme light`, or the variable EGRESS_LAB_THEME. NO_COLOR, CLICOLOR=0 and TERM=dumb mean none. \
             `--ascii` draws with ASCII, `--no-motion` keeps everything still.",
        ],
    },
    Text {
        name: "settings",
        title: "the settings file",
        paragraphs: &[
            "`egress-lab settings` prints where the settings file is, what is in force and where each value comes from. A flag wins over a variable of the \
                       environment, that over the file, that over the default.",
            "`theme`, `ascii`, `motion`: how it looks. `plain = true`: line by line. `mouse = true`: the wheel scrolls from the start. `editor = \"vim\"`, or \
             `\"own\"` for the one on the screen. `istio = \"1.26\"`: the release that installing brings to the sandbox.",
        ],
    },
    Text {
        name: "plain",
        title: "line by line, for screen readers and pipes",
        paragraphs: &[
            "`egress-lab learn --plain` takes the same lessons line by line, without escapes: every feature is a word of the prompt, choices are numbered. It is \
                       chosen by itself where there is no terminal or TERM=dumb, and by EGRESS_LAB_PLAIN=1 or `plain = true` in the settings.",
        ],
    },
    Text {
        name: "steps",
        title: "how a step is judged",
        paragraphs: &[
            "A step is judged by what really happens: requests leave the pod and their outcome is compared with what the step wants. It is judged by itself after \
             each line; `c` or `check` judges it again. F4 shows what was expected and what was seen.",
            "Hints come in three tiers. The solution asks first and marks the step assisted. Reset puts the world back to the start of the step.",
        ],
    },
];

/// The topics that have a page of their own: name and title.
pub fn topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEXTS.iter().map(|text| (text.name, text.title))
}

/// The page of a name on a screen.
///
/// # Errors
/// There is none; the nearest is named.
pub fn topic(name: &str, scope: Scope) -> Result<Topic, String> {
    let name = name.trim().trim_start_matches(':').to_lowercase();
    if let Some(nth) = TEXTS.iter().position(|text| text.name == name) {
        return Ok(Topic::Text(nth));
    }
    let is = |row: &Row| row.words().any(|word| word == name);
    let own = ROWS.iter().position(|row| row.scope == scope && is(row));
    if let Some(nth) = own.or_else(|| ROWS.iter().position(is)) {
        return Ok(Topic::Row(nth));
    }
    let names = TEXTS.iter().map(|text| text.name).chain(ROWS.iter().flat_map(Row::words));
    Err(match nearest(&name, names) {
        Some(near) => format!("There is no help on `{name}`; did you mean `:help {near}`?"),
        None => format!("There is no help on `{name}`. F1 lists the topics."),
    })
}

pub(super) fn is_commands(nth: usize) -> bool {
    TEXTS[nth].name == COMMANDS
}

pub(super) fn is_all_keys(nth: usize) -> bool {
    TEXTS[nth].name == KEYS
}

impl Topic {
    /// The title of its page.
    pub fn title(self) -> &'static str {
        match self {
            Topic::Text(nth) => TEXTS[nth].title,
            Topic::Row(nth) => ROWS[nth].label,
        }
    }

    pub(super) fn paragraphs(self) -> &'static [&'static str] {
        match self {
            Topic::Text(nth) => TEXTS[nth].paragraphs,
            Topic::Row(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_and_every_word_has_a_page() {
        for (name, title) in topics() {
            assert!(topic(name, Scope::Lesson).is_ok_and(|topic| topic.title() == title), "{name}");
        }
        for row in ROWS {
            for word in row.words().filter(|word| TEXTS.iter().all(|text| text.name != *word)) {
                assert!(matches!(topic(word, row.scope), Ok(Topic::Row(nth)) if ROWS[nth].scope == row.scope), "{word}");
            }
        }
        assert!(topic(":theme", Scope::Home).is_ok());
        assert!(topic("themse", Scope::Lesson).is_err_and(|sentence| sentence.contains("theme")));
    }
}
