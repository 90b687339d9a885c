//! Texts that many hold at once: a name stands in the configuration, in every record and in every log line that mentions it. A copy
//! costs a pointer, and a text that nobody reads (most log lines) is never made.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// A text that never changes. It reads as a `str`; copies share it.
#[derive(Clone)]
pub struct Text(Kept);

#[derive(Clone)]
enum Kept {
    /// Part of the program.
    Fixed(&'static str),
    Shared(Arc<str>),
    /// Made when it is first read.
    Late(Arc<dyn Late>),
}

/// A text in the making.
trait Late: Send + Sync {
    fn read(&self) -> &str;
}

struct Made<F> {
    text: OnceLock<String>,
    make: F,
}

impl<F: Fn() -> String + Send + Sync> Late for Made<F> {
    fn read(&self) -> &str {
        self.text.get_or_init(&self.make)
    }
}

impl Text {
    /// A text of the program itself.
    pub const fn fixed(text: &'static str) -> Text {
        Text(Kept::Fixed(text))
    }

    /// A copy of a text.
    pub fn new(text: &str) -> Text {
        Text(Kept::Shared(text.into()))
    }

    /// What `make` gives, which is asked when the text is first read, and once. It must give the same for the same values: when the
    /// text is read must not matter.
    pub fn late(make: impl Fn() -> String + Send + Sync + 'static) -> Text {
        Text(Kept::Late(Arc::new(Made { text: OnceLock::new(), make })))
    }

    /// A number in decimal digits.
    pub fn number(n: u64) -> Text {
        const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        usize::try_from(n).ok().and_then(|i| SMALL.get(i)).map_or_else(|| n.to_string().into(), |text| Text::fixed(text))
    }

    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Fixed(text) => text,
            Kept::Shared(text) => text,
            Kept::Late(late) => late.read(),
        }
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::fixed("")
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Text {
        Text::fixed(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Kept::Shared(text.into()))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Text {
        Text::new(text)
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Text {
        text.clone()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.as_str().to_string()
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> String {
        text.as_str().to_string()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Eq for Text {}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Text) -> bool {
        let (own, other) = (self.as_str(), other.as_str());
        // Copies share their letters: mostly there is nothing to compare.
        std::ptr::eq(own, other) || own == other
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        self == other.as_str()
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        let (own, other) = (self.as_str(), other.as_str());
        if std::ptr::eq(own, other) { Ordering::Equal } else { own.cmp(other) }
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn a_late_text_is_made_once_for_all_its_copies_and_only_when_it_is_read() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let text = Text::late(move || format!("made {}", count.fetch_add(1, Relaxed)));
        let copy = text.clone();
        assert_eq!(asked.load(Relaxed), 0);
        assert_eq!((copy.as_str(), text.as_str()), ("made 0", "made 0"));
        assert_eq!(asked.load(Relaxed), 1);
    }

    #[test]
    fn texts_are_equal_by_what_they_say_however_they_are_kept() {
        let all = [Text::fixed("7"), Text::new("7"), Text::late(|| "7".into()), Text::number(7), "7".to_string().into()];
        for one in &all {
            assert!(all.iter().all(|other| one == other) && *one == "7" && *one != "8");
            assert_eq!(
                (format!("{one}|{one:?}|{one:>3}"), serde_json::json!(one)),
                ("7|\"7\"|  7".into(), serde_json::json!("7"))
            );
        }
        let by_name: BTreeMap<Text, u8> = [(Text::number(12), 1), (Text::new("b"), 2)].into();
        assert_eq!((by_name.get("12"), by_name.get("b"), by_name.get("c")), (Some(&1), Some(&2), None));
    }
}
