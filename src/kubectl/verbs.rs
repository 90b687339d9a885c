//! The shape of the table of verbs, and how a line finds its row.

mod table;

pub use table::{ABSENT, VERBS};

use super::error::{Error, Result};
use super::flags::{self, Flag, Parsed, Takes, flag, short};
use super::help;
use super::restrict::Restrictions;
use super::session::Session;
use futures::future::BoxFuture;

/// Runs a verb; gives the exit code.
pub type Run = for<'s, 'c> fn(&'s mut Session<'c>, &'s Parsed) -> BoxFuture<'s, Result<i32>>;

/// A row of the table.
pub struct Verb {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// One line for people.
    pub about: &'static str,
    /// What follows the name in the usage line.
    pub usage: &'static str,
    pub tables: &'static [&'static [Flag]],
    pub run: Run,
    /// `create namespace`, `rollout status`.
    pub subs: &'static [Verb],
}

/// Flags that every verb takes.
pub const GLOBAL: &[Flag] = &[
    short("namespace", 'n', Takes::Text, "the namespace to work in"),
    short("help", 'h', Takes::Bool, "this text"),
    flag("as", Takes::Text, "act as this user"),
    flag("as-group", Takes::List, "act as a member of this group"),
    flag("as-uid", Takes::Text, "act with this uid"),
    flag("kubeconfig", Takes::Text, "another kubeconfig file"),
    flag("context", Takes::Text, "another context of the kubeconfig"),
    flag("cluster", Takes::Text, "another cluster of the kubeconfig"),
    flag("user", Takes::Text, "another user of the kubeconfig"),
    short("server", 's', Takes::Text, "another server"),
    flag("token", Takes::Text, "another bearer token"),
    flag("request-timeout", Takes::Text, "give up a single request after this time"),
    flag("warnings-as-errors", Takes::Bool, "treat the server's warnings as errors"),
    flag("cache-dir", Takes::Text, "where discovery is cached (nothing is, here)"),
    flag("insecure-skip-tls-verify", Takes::Bool, "do not check the server's certificate"),
    short("v", 'v', Takes::Text, "how much to log (nothing is, here)"),
];
pub const OUTPUT: &[Flag] = &[
    short("output", 'o', Takes::Text, "json, yaml, name, wide, jsonpath=..., go-template=..., custom-columns=..."),
    flag("template", Takes::Text, "the template, when -o names only its kind"),
    flag("allow-missing-template-keys", Takes::Bool, "print nothing for what a template does not find (default true)"),
];
pub const SELECT: &[Flag] = &[
    short("selector", 'l', Takes::Text, "only objects with these labels, e.g. app=web"),
    flag("field-selector", Takes::Text, "only objects with these field values, e.g. status.phase=Running"),
];
pub const FILES: &[Flag] = &[
    short("filename", 'f', Takes::List, "a manifest, a folder of manifests, or - for standard input"),
    short("recursive", 'R', Takes::Bool, "also the folders inside a folder"),
    short("kustomize", 'k', Takes::Text, "a folder with a kustomization.yaml"),
];
pub const DRY_RUN: &[Flag] = &[flag("dry-run", Takes::Or("unchanged"), "client: only print; server: ask, but store nothing")];
pub const MANAGER: &[Flag] = &[flag("field-manager", Takes::Text, "the name under which fields are owned")];
pub const WRITE: &[Flag] = &[
    flag("field-manager", Takes::Text, "the name under which fields are owned"),
    flag("validate", Takes::Or("strict"), "strict, warn or ignore fields the server does not know"),
    flag("save-config", Takes::Bool, "keep the manifest in an annotation, for apply"),
    flag("show-managed-fields", Takes::Bool, "keep metadata.managedFields in yaml and json"),
];

macro_rules! verb {
    ($name:literal, [$($alias:literal),*], $about:literal, $usage:literal, [$($table:expr),*], $run:expr) => {
        verb!($name, [$($alias),*], $about, $usage, [$($table),*], $run, &[])
    };
    ($name:literal, [$($alias:literal),*], $about:literal, $usage:literal, [$($table:expr),*], $run:expr, $subs:expr) => {
        Verb { name: $name, aliases: &[$($alias),*], about: $about, usage: $usage, tables: &[$($table,)* GLOBAL],
               run: |s, p| Box::pin($run(s, p)), subs: $subs }
    };
}
pub(super) use verb;

/// A line that found its verb.
pub struct Line {
    /// None: print `help` and be done.
    pub command: Option<Command>,
    pub parsed: Parsed,
    pub help: String,
}

/// The row, and the row above it for `rollout status`.
pub struct Command {
    pub verb: &'static Verb,
    pub parent: Option<&'static Verb>,
}

impl Command {
    /// `get`, `rollout status`.
    pub fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{} {}", parent.name, self.verb.name),
            None => self.verb.name.to_string(),
        }
    }
}

/// Finds the verb, reads the flags, and refuses what must not be.
///
/// # Errors
/// kubectl's sentences for unknown verbs and flags; the restriction's sentence.
pub fn resolve(argv: &[String], restrictions: &Restrictions) -> Result<Line> {
    let (before, word, rest) = split_verb(argv)?;
    let Some(word) = word else {
        return Ok(Line { command: None, parsed: Parsed::default(), help: help::overview() });
    };
    if word == "help" {
        return help_line(&rest, restrictions);
    }
    if let Some(sentence) = restrictions.verb(&word) {
        return Err(Error::plain(format!("kubectl {word} is refused: {sentence}")));
    }
    let verb = VERBS.iter().find(|v| v.name == word || v.aliases.contains(&word.as_str())).ok_or_else(|| unknown(&word))?;
    let mut argv = before;
    let mut command = Command { verb, parent: None };
    let mut rest = rest;
    if let Some(sub) = sub_of(verb, &rest) {
        let at = rest.iter().position(|w| sub.name == w || sub.aliases.contains(&w.as_str())).unwrap_or(0);
        rest.remove(at);
        command = Command { verb: sub, parent: Some(verb) };
    } else if let Some(wrong) = wrong_sub(verb, &rest) {
        return Err(wrong);
    }
    argv.extend(rest);
    let name = command.full_name();
    let parsed = flags::parse(&name, command.verb.tables, &argv)?;
    // GLOBAL is the last table: what stands before it is the verb's own and means something else (create rolebinding --user).
    let own_tables = command.verb.tables.split_last().map_or(&[][..], |(_, own)| own);
    let own = |name: &str| own_tables.iter().flat_map(|t| t.iter()).any(|f| f.name == name);
    for given in parsed.names() {
        if let Some(sentence) = restrictions.flag(verb.name, given, own(given)) {
            return Err(Error::plain(format!("--{given} is refused: {sentence}")));
        }
    }
    refuse_operands(verb.name, &parsed, restrictions)?;
    if parsed.on("help") || verb_without_work(verb, &command, &parsed) {
        let help = help::of(&command);
        return Ok(Line { command: None, parsed, help });
    }
    Ok(Line { command: Some(command), parsed, help: String::new() })
}

/// `rollout` alone prints its help.
fn verb_without_work(verb: &Verb, command: &Command, parsed: &Parsed) -> bool {
    !verb.subs.is_empty() && command.parent.is_none() && !parsed.given("filename") && verb.name != "create"
}

fn refuse_operands(verb: &str, parsed: &Parsed, restrictions: &Restrictions) -> Result<()> {
    let url = |name: &String| name.starts_with("http://") || name.starts_with("https://");
    let outside = |name: &&String| url(name) || crate::base::files::inside(name).is_err();
    if !restrictions.plain_files {
        return Ok(());
    }
    let refuse = |shown: &str, name: &str| {
        Err(Error::plain(format!("{shown} {name} is refused: a line of the lab reads files of the lab's folder only")))
    };
    for (flag, shown) in [
        ("filename", "-f"),
        ("kustomize", "-k"),
        ("from-env-file", "--from-env-file"),
        ("patch-file", "--patch-file"),
        ("cert", "--cert"),
        ("key", "--key"),
    ] {
        if let Some(name) = parsed.list(flag).iter().find(outside) {
            return refuse(shown, name);
        }
    }
    for source in parsed.list("from-file") {
        let path = source.split_once('=').map_or(source.as_str(), |(_, path)| path);
        if outside(&&path.to_string()) {
            return refuse("--from-file", path);
        }
    }
    if let Some((form, name)) = parsed.str("output").split_once('=')
        && super::print::output::inline_form(form).is_some()
        && outside(&&name.to_string())
    {
        return refuse(form, name);
    }
    if verb == "kustomize"
        && let Some(name) = parsed.operands.iter().find(outside)
    {
        return refuse("kustomize", name);
    }
    Ok(())
}

type Split = (Vec<String>, Option<String>, Vec<String>);

/// The verb is the first word that is no global flag or its value.
fn split_verb(argv: &[String]) -> Result<Split> {
    let mut before = Vec::new();
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            return Ok((before, Some(word.clone()), words.cloned().collect()));
        }
        before.push(word.clone());
        let takes_next = GLOBAL.iter().any(|f| {
            f.takes != Takes::Bool && (*word == format!("--{}", f.name) || f.short.is_some_and(|l| *word == format!("-{l}")))
        });
        if takes_next {
            before.extend(words.next().cloned());
        }
    }
    let parsed =
        flags::parse("", &[GLOBAL], &before).map_err(|e| Error::Said(e.text().replace("kubectl  --help", "kubectl --help")))?;
    let _ = parsed;
    Ok((before, None, Vec::new()))
}

/// The sub-verb: the first word that is no flag (`create --dry-run=client ns x` is fine too).
fn sub_of(verb: &'static Verb, rest: &[String]) -> Option<&'static Verb> {
    let word = rest.iter().find(|w| !w.starts_with('-'))?;
    verb.subs.iter().find(|s| s.name == word || s.aliases.contains(&word.as_str()))
}

fn wrong_sub(verb: &Verb, rest: &[String]) -> Option<Error> {
    let word = rest.first().filter(|w| !w.starts_with('-'))?;
    if verb.subs.is_empty() {
        return None;
    }
    const ABSENT_SUBS: [&str; 8] =
        ["delete-cluster", "delete-context", "delete-user", "rename-context", "set", "set-cluster", "set-credentials", "unset"];
    if verb.name == "create" {
        return Some(Error::Said(format!(
            "error: Unexpected args: [{}]\nSee 'kubectl create -h' for help and examples",
            rest.iter().take_while(|w| !w.starts_with('-')).cloned().collect::<Vec<_>>().join(" ")
        )));
    }
    if verb.name != "config" || !ABSENT_SUBS.contains(&word.as_str()) {
        let name = verb.name;
        return Some(Error::Said(format!("error: unknown command {word:?}\nSee 'kubectl {name} -h' for help and examples")));
    }
    let known: Vec<&str> = verb.subs.iter().map(|s| s.name).collect();
    Some(Error::plain(format!(
        "{} (built in: {})",
        crate::base::not_simulated(&format!("kubectl {} {word}", verb.name)),
        known.join(", ")
    )))
}

fn help_line(rest: &[String], restrictions: &Restrictions) -> Result<Line> {
    let mut argv: Vec<String> = rest.iter().take(2).cloned().collect();
    if argv.is_empty() {
        return Ok(Line { command: None, parsed: Parsed::default(), help: help::overview() });
    }
    argv.push("--help".into());
    resolve(&argv, restrictions)
}

fn unknown(word: &str) -> Error {
    if let Some((_, nearest)) = ABSENT.iter().find(|(name, _)| *name == word) {
        return Error::plain(format!("{}; {nearest}", crate::base::not_simulated(&format!("kubectl {word}"))));
    }
    let names = VERBS.iter().map(|v| v.name).chain(ABSENT.iter().map(|(name, _)| *name));
    let mut near: Vec<&str> = names.filter(|name| distance(word, name) <= 2 || name.starts_with(word)).collect();
    near.sort_unstable();
    let mut text = format!("error: unknown command {word:?} for \"kubectl\"");
    if !near.is_empty() {
        text += &format!("\n\nDid you mean this?\n\t{}", near.join("\n\t"));
    }
    Error::Said(text)
}

/// Edits between two words (insert, remove, change).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = corner + usize::from(ca != cb);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_string).collect()
    }

    fn outcome(line: &str, restrictions: &Restrictions) -> String {
        match resolve(&words(line), restrictions) {
            Ok(line) => line.command.map_or("help".into(), |c| c.full_name()),
            Err(error) => error.text(),
        }
    }

    #[test]
    fn lines_find_their_verb() {
        let rows = [
            ("get pods", "get"),
            ("-n lab get pods", "get"),
            ("--namespace lab get pods", "get"),
            ("create namespace lab", "create namespace"),
            ("create ns lab", "create namespace"),
            ("create -f x.yaml", "create"),
            ("create secret generic s --from-literal=a=b", "create secret"),
            ("rollout status deploy/web", "rollout status"),
            ("rollout", "help"),
            ("get --help", "help"),
            ("help get", "help"),
            ("", "help"),
            ("config set-context --current --namespace=lab", "config set-context"),
        ];
        for (line, want) in rows {
            assert_eq!(outcome(line, &Restrictions::none()), want, "{line}");
        }
        let unknown = outcome("gte pods", &Restrictions::none());
        assert!(unknown.starts_with("error: unknown command \"gte\" for \"kubectl\"\n\nDid you mean this?\n"), "{unknown}");
        assert!(unknown.contains("\tget"), "{unknown}");
        assert!(
            outcome("certificate approve x", &Restrictions::none())
                .starts_with("error: not simulated here: kubectl certificate; ")
        );
    }

    #[test]
    fn a_lesson_line_stays_in_its_world() {
        let hostile = [
            "get pods --kubeconfig=/etc/x",
            "get pods --context other",
            "-s https://example.com get pods",
            "get pods --server https://example.com",
            "get pods --as=admin",
            "get pods --token=x",
            "apply -f https://example.com/x.yaml",
            "apply -f /etc/passwd",
            "apply -f ../../x.yaml",
            "diff -f x.yaml",
            "debug x --image=busybox",
            "attach x",
            "kustomize . -o x",
            "kustomize ../x",
            "kustomize https://example.com/x",
            "get pods --cache-dir=/tmp/x",
            "create secret generic s --from-file=/etc/passwd",
            "create configmap c --from-env-file=../x",
            "get pods -o jsonpath-file=/etc/passwd",
            "get pods -o go-template-file=../x",
            "patch pod x --patch-file=/etc/passwd",
            "apply -k ../x",
            "apply -k https://example.com/x",
            "edit cm x",
            "proxy",
            "port-forward pod/x 80",
            "cp a:b c",
        ];
        for line in hostile {
            let said = outcome(line, &Restrictions::lesson());
            assert!(said.contains("is refused"), "{line}: {said}");
        }
        assert_eq!(outcome("create rolebinding r --role=a --user=b", &Restrictions::lesson()), "create rolebinding");
        assert_eq!(outcome("apply -f x.yaml", &Restrictions::lesson()), "apply");
        assert_eq!(outcome("diff -f x.yaml", &Restrictions::prompt()), "diff");
        assert_eq!(outcome("edit cm x", &Restrictions::prompt()), "edit");
        assert_eq!(outcome("cp p:/x y", &Restrictions::prompt()), "cp");
        for line in ["proxy", "port-forward pod/x 80", "apply -f /etc/passwd", "get pods --kubeconfig=x"] {
            let said = outcome(line, &Restrictions::prompt());
            assert!(said.contains("is refused"), "{line}: {said}");
        }
    }

    #[test]
    fn tables_are_consistent() {
        fn check(verb: &Verb) {
            let flags: Vec<&Flag> = verb.tables.iter().flat_map(|t| t.iter()).collect();
            for (at, flag) in flags.iter().enumerate() {
                assert!(!flag.help.is_empty(), "{} --{} has no help", verb.name, flag.name);
                // A verb's own --user (create rolebinding) comes before the global one.
                let shadowed =
                    flag.name == "user" && (verb.name.ends_with("rolebinding") || verb.name == "subject") || flag.name == "token";
                let clash = flags[..at].iter().find(|f| f.name == flag.name || f.short.is_some() && f.short == flag.short);
                let clash = clash.filter(|_| !shadowed);
                assert!(clash.is_none(), "{} --{} clashes", verb.name, flag.name);
            }
            verb.subs.iter().for_each(check);
        }
        VERBS.iter().for_each(check);
    }
}
