//! Settings: a flag wins over a variable of the environment, that over the settings file, that over the default.

mod file;

use super::args::{LookArgs, SettingsArgs};
use super::{End, GOOD, Trouble, print};
use crate::base::paths::Paths;
use crate::tui::editor::Chosen;
use crate::tui::theme::{Look, Palette};
use file::Entry;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A line of text.
    Text,
}

/// Bytes of a text.
const LONGEST: usize = 1000;

/// A row of the table of settings.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub takes: Takes,
    pub variable: &'static str,
    pub flag: &'static str,
    pub default: &'static str,
    pub about: &'static str,
}

/// Every setting, in the order in which they are printed.
pub const KEYS: &[Key] = &[
    Key {
        name: "theme",
        takes: Takes::OneOf(&["auto", "dark", "light", "high-contrast", "colour-blind", "color-blind", "none"]),
        variable: "EGRESS_LAB_THEME",
        flag: "--theme NAME",
        default: "auto",
        about: "colours: auto, dark, light, high-contrast, colour-blind, none",
    },
    Key {
        name: "ascii",
        takes: Takes::Bool,
        variable: "EGRESS_LAB_ASCII",
        flag: "--ascii",
        default: "auto",
        about: "draw with ASCII only; auto: unless the locale is UTF-8",
    },
    Key {
        name: "motion",
        takes: Takes::Bool,
        variable: "EGRESS_LAB_MOTION",
        flag: "--no-motion",
        default: "true",
        about: "things may move on the screen",
    },
    Key {
        name: "plain",
        takes: Takes::Bool,
        variable: "EGRESS_LAB_PLAIN",
        flag: "--plain",
        default: "auto",
        about: "lessons line by line, without escapes; auto: where there is no terminal, or TERM=dumb",
    },
    Key {
        name: "mouse",
        takes: Takes::Bool,
        variable: "EGRESS_LAB_MOUSE",
        flag: "--mouse",
        default: "false",
        about: "the mouse wheel scrolls from the start; m changes it",
    },
    Key {
        name: "editor",
        takes: Takes::Text,
        variable: "EGRESS_LAB_EDITOR",
        flag: "--editor COMMAND",
        default: "auto",
        about: "what opens files: own (the one on the screen) or a command; auto: $VISUAL, $EDITOR, else own",
    },
    Key {
        name: "istio",
        takes: Takes::OneOf(&["auto", "1.26", "1.30"]),
        variable: "EGRESS_LAB_ISTIO",
        flag: "--istio VERSION",
        default: "auto",
        about: "the release that `istioctl install` brings to the sandbox: 1.26, 1.30; auto: the newest",
    },
];

/// A value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub name: &'static str,
    pub value: String,
    /// `flag --ascii`, `environment NO_COLOR`, `file, line 3`, `default`.
    pub source: String,
}

/// All of them.
#[derive(Debug)]
pub struct Settings {
    pub path: PathBuf,
    pub values: Vec<InForce>,
}

impl Settings {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// A key or a value that there is not: where, and what is near.
    pub fn read(flags: &LookArgs) -> Result<Settings, Trouble> {
        let path = Paths::from_environment().settings();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => String::new(),
            Err(e) => return Err(Trouble::usage(format!("the settings file {} cannot be read: {e}", path.display()))),
        };
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let values = in_force(flags, &variable, &path, &text).map_err(Trouble::usage)?;
        Ok(Settings { path, values })
    }

    fn of(&self, name: &str) -> Option<&InForce> {
        self.values.iter().find(|value| value.name == name)
    }

    fn bool(&self, name: &str) -> Option<bool> {
        self.of(name)?.value.parse().ok()
    }

    /// How the screen looks, as far as it was said.
    pub fn look(&self) -> Look {
        let palette = self.of("theme").and_then(|theme| Palette::named(&theme.value));
        Look { palette, ascii: self.bool("ascii"), motion: self.bool("motion") }
    }

    /// The mouse is taken from the start.
    pub fn mouse(&self) -> bool {
        self.bool("mouse").unwrap_or(false)
    }

    /// Which editor opens files.
    pub fn editor(&self) -> Chosen {
        self.of("editor").map(|editor| Chosen::read(&editor.value)).unwrap_or_default()
    }

    /// The Istio release that the sandbox brings, "" for the default.
    pub fn istio(&self) -> &str {
        self.of("istio").map(|istio| istio.value.as_str()).filter(|value| *value != "auto").unwrap_or("")
    }

    /// Why lessons are taken line by line: `None` when they are on screen or nothing was said, `Some` with where it was said.
    pub fn plain(&self) -> Option<Result<String, ()>> {
        let plain = self.of("plain")?;
        match plain.value.as_str() {
            "true" => Some(Ok(plain.source.clone())),
            "false" => Some(Err(())),
            _ => None,
        }
    }
}

/// The values in force.
///
/// # Errors
/// A sentence with its place.
pub fn in_force(
    flags: &LookArgs,
    variable: &dyn Fn(&str) -> Option<String>,
    path: &Path,
    text: &str,
) -> Result<Vec<InForce>, String> {
    let entries = file::read(path, text)?;
    KEYS.iter().map(|key| value_of(key, flags, variable, &entries)).collect()
}

fn value_of(
    key: &'static Key,
    flags: &LookArgs,
    variable: &dyn Fn(&str) -> Option<String>,
    entries: &[Entry],
) -> Result<InForce, String> {
    let of = |value: String, source: String| Ok(InForce { name: key.name, value, source });
    if let Some(value) = flags.value(key.name) {
        return of(canonical(key, &value).map_err(|why| format!("{}: {why}", key.flag))?, format!("flag {}", key.flag));
    }
    if let Some(value) = variable(key.variable) {
        let value = canonical(key, &value).map_err(|why| format!("{}={value}: {why}", key.variable))?;
        return of(value, format!("environment {}", key.variable));
    }
    if key.name == "theme"
        && let Some(source) = no_color(variable)
    {
        return of("none".into(), format!("environment {source}"));
    }
    match entries.iter().find(|entry| entry.key.name == key.name) {
        Some(entry) => of(entry.value.clone(), format!("file, line {}", entry.line)),
        None => of(key.default.to_string(), "default".into()),
    }
}

/// The variable that forbids colours, if one does.
fn no_color(variable: &dyn Fn(&str) -> Option<String>) -> Option<&'static str> {
    let forced = variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    if variable("NO_COLOR").is_some() {
        return Some("NO_COLOR");
    }
    (variable("CLICOLOR").as_deref() == Some("0") && !forced).then_some("CLICOLOR=0")
}

/// A value as it is kept; variables may say 1, yes, on.
fn canonical(key: &Key, value: &str) -> Result<String, String> {
    match key.takes {
        Takes::Bool => match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok("true".into()),
            "false" | "0" | "no" | "off" => Ok("false".into()),
            _ => Err("true or false".into()),
        },
        Takes::OneOf(words) => one_of(words, value),
        Takes::Text if value.trim().is_empty() => Err("there is nothing in it".into()),
        Takes::Text if value.len() > LONGEST => Err(format!("it is longer than {LONGEST} bytes")),
        Takes::Text if value.contains(char::is_control) => Err("it is one line without control characters".into()),
        Takes::Text => Ok(value.trim().to_string()),
    }
}

fn one_of(words: &[&str], value: &str) -> Result<String, String> {
    if words.contains(&value) {
        return Ok(value.to_string());
    }
    let near = crate::base::text::nearest(value, words.iter().copied())
        .map(|near| format!("did you mean {near:?}? "))
        .unwrap_or_default();
    Err(format!("there is no {value:?}; {near}It is one of {}", words.join(", ")))
}

/// `egress-lab settings`.
pub(super) fn run(a: &SettingsArgs) -> End {
    let settings = Settings::read(&a.look)?;
    if a.json {
        let row = |v: &InForce| serde_json::json!({"name": v.name, "value": v.value, "source": v.source});
        let rows: Vec<_> = settings.values.iter().map(row).collect();
        let all = serde_json::json!({"path": settings.path, "values": rows});
        print(&format!("{}\n", serde_json::to_string_pretty(&all).unwrap_or_default()));
        return Ok(GOOD);
    }
    let there = if settings.path.exists() { "" } else { " (not there: every value is a default or said elsewhere)" };
    print(&format!("Settings file: {}{there}\n\n", settings.path.display()));
    for (value, key) in settings.values.iter().zip(KEYS) {
        print(&format!("{:<8} {:<14} {}\n", value.name, value.value, value.source));
        print(&format!("{:<8} {}; {}, {}\n", "", key.about, key.flag, key.variable));
    }
    print(
        "\nA line of the file is `theme = \"light\"` or `ascii = true`; `#` begins a comment. A flag wins over a variable, that over the file.\n",
    );
    Ok(GOOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &LookArgs, env: &[(&str, &str)], text: &str) -> Result<Vec<(String, String)>, String> {
        let variable = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        let all = in_force(flags, &variable, Path::new("settings.toml"), text)?;
        Ok(all.into_iter().map(|v| (v.value, v.source)).collect())
    }

    fn theme(flags: &LookArgs, env: &[(&str, &str)], text: &str) -> (String, String) {
        read(flags, env, text).expect("good settings").swap_remove(0)
    }

    #[test]
    fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
        let none = LookArgs::default();
        let flag = LookArgs { theme: Some("light".into()), ..LookArgs::default() };
        let text = "# mine\n\ntheme = \"dark\"   # at night\n";
        let env = [("EGRESS_LAB_THEME", "high-contrast")];
        let pair = |value: &str, source: &str| (value.to_string(), source.to_string());
        assert_eq!(theme(&flag, &env, text), pair("light", "flag --theme NAME"));
        assert_eq!(theme(&none, &env, text), pair("high-contrast", "environment EGRESS_LAB_THEME"));
        assert_eq!(theme(&none, &[("NO_COLOR", "1")], text), pair("none", "environment NO_COLOR"));
        assert_eq!(theme(&none, &[("CLICOLOR", "0")], text), pair("none", "environment CLICOLOR=0"));
        assert_eq!(theme(&none, &[("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")], text), pair("dark", "file, line 3"));
        assert_eq!(theme(&none, &[], ""), pair("auto", "default"));
        let all = read(&none, &[("EGRESS_LAB_PLAIN", "1")], "ascii=true\nmotion = false").expect("good settings");
        assert_eq!(
            all[1..4],
            [pair("true", "file, line 1"), pair("false", "file, line 2"), pair("true", "environment EGRESS_LAB_PLAIN")]
        );
        let more = "mouse = true\neditor = 'code --wait'\nistio = \"1.26\"\n";
        let values = in_force(&none, &|_| None, Path::new("settings.toml"), more).expect("good settings");
        let settings = Settings { path: PathBuf::new(), values };
        assert!(settings.mouse());
        assert_eq!((settings.editor(), settings.istio()), (Chosen::Command("code --wait".into()), "1.26"));
        let flags = LookArgs { editor: Some("own".into()), istio: Some("auto".into()), ..LookArgs::default() };
        let values = in_force(&flags, &|_| None, Path::new("settings.toml"), more).expect("good settings");
        let settings = Settings { path: PathBuf::new(), values };
        assert_eq!((settings.editor(), settings.istio()), (Chosen::Own, ""), "flags win");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_is_near() {
        let none = LookArgs::default();
        for (text, place, says) in [
            ("\nteme = \"dark\"\n", "settings.toml:2:1:", "did you mean `theme`"),
            ("theme = \"drak\"", "settings.toml:1:9:", "did you mean \"dark\""),
            ("theme = dark", "settings.toml:1:9:", "in quotes"),
            ("ascii = \"true\"", "settings.toml:1:9:", "true or false, without quotes"),
            ("ascii = yes", "settings.toml:1:9:", "true or false"),
            ("ascii = 1", "settings.toml:1:9:", "true or false"),
            ("[look]\ntheme = \"dark\"", "settings.toml:1:1:", "no tables"),
            ("theme \"dark\"", "settings.toml:1:7:", "="),
            ("theme = \"dark", "settings.toml:1:9:", "closing"),
            ("theme = \"dark\" \"x\"", "settings.toml:1:16:", "nothing more"),
            ("theme = \"dark\"\ntheme = \"light\"", "settings.toml:2:1:", "line 1"),
            ("theme =", "settings.toml:1:8:", "value"),
            ("motion = \"\u{1b}[31m\"", "settings.toml:1:10:", "true or false"),
            ("mouse = \"on\"", "settings.toml:1:9:", "without quotes"),
            ("editor = vim", "settings.toml:1:10:", "in quotes: editor = \"vim\""),
            ("editor = \"\"", "settings.toml:1:10:", "nothing in it"),
            ("editor = \"vi\u{7}m\"", "settings.toml:1:10:", "control"),
            ("editor =", "settings.toml:1:9:", "editor = \"vim\""),
            ("istio = \"1.25\"", "settings.toml:1:9:", "1.26"),
            ("istio = 1.26", "settings.toml:1:9:", "in quotes"),
        ] {
            let said = read(&none, &[], text).expect_err(text);
            assert!(said.contains(place) && said.contains(says) && said.contains('^'), "{text}: {said}");
            assert!(!said.contains('\u{1b}'), "{text:?}");
        }
        assert!(read(&none, &[("EGRESS_LAB_ASCII", "maybe")], "").is_err_and(|said| said.contains("EGRESS_LAB_ASCII=maybe")));
    }

    #[test]
    fn every_default_and_every_word_is_taken() {
        for key in KEYS {
            if let Takes::OneOf(words) = key.takes {
                words.iter().for_each(|word| assert_eq!(canonical(key, word).as_deref(), Ok(*word)));
                assert!(words.contains(&key.default));
            }
        }
        let lines = crate::mesh::versions::lines();
        let istio = KEYS.iter().find(|key| key.name == "istio").expect("a row");
        let Takes::OneOf(words) = istio.takes else { panic!("istio takes words") };
        assert_eq!(words[1..], lines, "what the sandbox imitates");
        for palette in Palette::ALL {
            let Takes::OneOf(words) = KEYS[0].takes else { panic!("theme takes words") };
            assert!(words.contains(&palette.name()), "{}", palette.name());
        }
    }
}
