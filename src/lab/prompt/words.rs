//! The words of the lab prompt: what it has, and one useful sentence for what people type although it does not.

use crate::base::text::nearest;
use crate::progress::Sure;
use crate::session::{ResetScope, Wish};

/// What a word of the prompt does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Kubectl,
    Istioctl,
    /// `explain [FROM] URL`: why a request would leave or be stopped.
    Explain,
    /// `timeline ..`: what happened, what it was like, the way back.
    TimeLine,
    /// `share FILE`.
    Share,
    /// `picture [[FROM] URL]`: the way of a request, station by station; without operands that of the last check.
    Picture,
    /// Works on the lab's files or on its input.
    Local(Local),
    /// A wish to the session.
    Wish(Wish),
    /// `answer TEXT` and `goto STEP` need their operand.
    Answer,
    GoTo,
    /// `glossary [TERM]`, `debrief [STAGE]`, `sure LEVEL` take theirs as it stands.
    Glossary,
    Debrief,
    Sure,
    /// `complete LINE`: what could stand at the end of a line, for those who cannot see a list above the prompt.
    Complete,
}

/// Commands that touch nothing but the lab's folder and their input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    Edit,
    /// What applying a manifest would change.
    Preview,
    /// What the last change changed.
    Diff,
    /// A manifest with blanks.
    Template,
    Remove,
    Copy,
    Help,
    Pwd,
    /// Says how to use the lab from a terminal of one's own.
    Shell,
    /// One of the shell's own text tools (`cat`, `grep`, `head`, ..).
    Tool,
}

/// A row of help: name, operands, what it does.
pub struct Row {
    pub name: &'static str,
    pub operands: &'static str,
    pub summary: &'static str,
}

/// Everything the prompt has, in the order of help.
pub const ROWS: &[Row] = &[
    Row { name: "kubectl", operands: "VERB ..", summary: "talk to the cluster of this lab (`k` for short)" },
    Row { name: "istioctl", operands: "VERB ..", summary: "install Istio and look at it" },
    Row { name: "explain", operands: "[FROM] URL", summary: "why a request would leave the mesh or be stopped" },
    Row {
        name: "timeline",
        operands: "[show|compare|at|mark|return ..]",
        summary: "what happened; look at it, compare, go back",
    },
    Row { name: "picture", operands: "[[FROM] URL]", summary: "its way station by station; alone: of the last check" },
    Row { name: "edit", operands: "FILE", summary: "open a file of the lab's folder in your editor" },
    Row { name: "preview", operands: "FILE", summary: "what applying a manifest would change and let through" },
    Row { name: "diff", operands: "", summary: "what the last change changed: objects and requests" },
    Row { name: "template", operands: "KIND", summary: "a manifest with blanks (`template Gateway > FILE`)" },
    Row { name: "ls, cat, cp, rm", operands: "FILE", summary: "the files of the lab's folder" },
    Row { name: "grep, head, tail, wc, sort", operands: "..", summary: "after a pipe, or on a file" },
    Row { name: "shell", operands: "", summary: "your own shell: on screen a pane (F2), else its lines" },
    Row { name: "hint", operands: "", summary: "the next of three hints for this step" },
    Row { name: "check", operands: "", summary: "judge the step now" },
    Row { name: "answer", operands: "TEXT", summary: "answer the step's question" },
    Row { name: "next, back", operands: "", summary: "go to the next or the previous step" },
    Row { name: "goto", operands: "STEP", summary: "look at a step by its number" },
    Row { name: "what", operands: "now?", summary: "one sentence: what is missing for this step" },
    Row { name: "sure", operands: "1|2|3", summary: "before an answer: how sure you are (1 not, 3 very)" },
    Row { name: "glossary", operands: "[TERM]", summary: "what a word means; those of this page first" },
    Row { name: "debrief", operands: "[STAGE]", summary: "why a stage worked and what often goes wrong" },
    Row { name: "solution", operands: "", summary: "apply the step's solution (marks the step assisted)" },
    Row { name: "skip", operands: "", summary: "apply the solution and go on (marks the step skipped)" },
    Row { name: "reset", operands: "[step|stage|lesson]", summary: "put the world back to the start of it (asks first)" },
    Row { name: "share", operands: "FILE", summary: "write a file with which somebody else goes on from here" },
    Row { name: "complete", operands: "LINE", summary: "list what could stand at the end of a line" },
    Row { name: "clear", operands: "", summary: "empty the output" },
    Row { name: "quit", operands: "", summary: "leave; progress is kept" },
];

/// Names that complete at the prompt.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = ROWS.iter().flat_map(|row| row.name.split(", ")).collect();
    names.extend(["k", "help", "pwd", "echo", "uniq", "cut", "tr", "sed", "awk", "base64", "tee"]);
    names
}

/// Looks a word up.
pub fn find(name: &str) -> Option<Word> {
    Some(match name {
        "kubectl" | "k" => Word::Kubectl,
        "istioctl" => Word::Istioctl,
        "explain" | "why" => Word::Explain,
        "timeline" | "tl" => Word::TimeLine,
        "picture" => Word::Picture,
        "edit" => Word::Local(Local::Edit),
        "preview" => Word::Local(Local::Preview),
        "diff" => Word::Local(Local::Diff),
        "template" => Word::Local(Local::Template),
        "rm" => Word::Local(Local::Remove),
        "cp" => Word::Local(Local::Copy),
        "help" | "?" => Word::Local(Local::Help),
        "shell" => Word::Local(Local::Shell),
        "pwd" => Word::Local(Local::Pwd),
        "hint" => Word::Wish(Wish::Hint),
        "check" => Word::Wish(Wish::Check),
        "next" => Word::Wish(Wish::Next),
        "back" | "previous" | "prev" => Word::Wish(Wish::Previous),
        "solution" => Word::Wish(Wish::Solution { confirmed: false }),
        "skip" => Word::Wish(Wish::Skip { confirmed: false }),
        "reset" => Word::Wish(Wish::Reset { scope: ResetScope::Step, confirmed: false }),
        "share" => Word::Share,
        "clear" | "cls" => Word::Wish(Wish::Clear),
        "quit" | ":q" => Word::Wish(Wish::Quit),
        "what" | "what-now" => Word::Wish(Wish::WhatNow),
        "glossary" | "word" => Word::Glossary,
        "debrief" => Word::Debrief,
        "sure" => Word::Sure,
        "answer" => Word::Answer,
        "goto" => Word::GoTo,
        "complete" => Word::Complete,
        "ls" | "cat" | "grep" | "head" | "tail" | "wc" | "sort" | "uniq" | "cut" | "tr" | "sed" | "awk" | "tee" | "base64"
        | "echo" | "printf" | "true" | "false" => Word::Local(Local::Tool),
        _ => return None,
    })
}

/// The wish of a line that is one word for guidance and what it takes: it needs no command to run.
pub fn guidance(line: &str) -> Option<Wish> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(name, rest)| (name, rest.trim()));
    if rest.contains(['|', '>', '<', ';', '&']) {
        return None;
    }
    match find(name)? {
        Word::Wish(Wish::WhatNow) if matches!(rest, "" | "now" | "now?") => Some(Wish::WhatNow),
        Word::Glossary => Some(Wish::Glossary(rest.to_string())),
        Word::Debrief => Some(Wish::Debrief(rest.to_string())),
        Word::Sure => Sure::parse(rest).map(Wish::Sure),
        _ => None,
    }
}

/// One sentence for a word that the prompt does not have.
pub fn advice(name: &str, line: &str) -> String {
    if line.trim_start().starts_with("apiVersion:") || line.trim_start().starts_with("kind:") || name == "---" {
        return "That is a manifest, not a command: run `edit FILE`, paste it there and `kubectl apply -f FILE`, or wrap it in \
                `kubectl apply -f - <<EOF` .. `EOF`."
            .into();
    }
    let sentence = match name {
        "vim" | "vi" | "nano" | "emacs" | "code" | "nvim" | "pico" | "ed" | "hx" => {
            "Files are edited with `edit FILE` here: in $VISUAL or $EDITOR, or on the screen where neither is set."
        }
        "helm" => "Helm is not part of this lab; Istio is installed with `istioctl install`, and charts are not simulated here.",
        "sudo" | "su" | "doas" => "Nothing here needs more rights: type the command without it.",
        "curl" | "wget" | "ping" | "nslookup" | "dig" | "nc" | "telnet" | "host" | "openssl" => {
            return format!("{name} runs in a pod here, not on your machine: `kubectl exec test -- {}`.", line.trim());
        }
        "cd" | "pushd" | "popd" => {
            "The prompt stays in the lab's folder; name a file with its path from there (`ls` shows what is in it)."
        }
        "bash" | "sh" | "zsh" | "fish" | "/bin/sh" | "/bin/bash" => {
            "This prompt is not a system shell; `shell` opens your own, `kubectl exec -ti test -- /bin/sh` one in the pod."
        }
        "docker" | "podman" | "crictl" | "nerdctl" => {
            "There is no container engine behind this lab; pods are looked at with `kubectl get pods` and `kubectl describe pod`."
        }
        "kind" | "minikube" | "k3d" => "The lab's cluster is up already; `kubectl get nodes` shows it.",
        "export" | "set" | "unset" | "alias" | "source" | "." => {
            "The prompt keeps no variables or aliases; write the value where it is needed (`k` stands for kubectl already)."
        }
        "less" | "more" | "most" => "Output stays on screen: scroll it, or shorten it with `| head -20` or `| grep WORD`.",
        "man" | "info" | "tldr" => "`kubectl VERB --help` explains a verb, `kubectl explain KIND` a kind, `help` this prompt.",
        "watch" => "`kubectl get pods -w` watches; Ctrl-C ends it.",
        "jq" | "yq" => "Use kubectl's own `-o jsonpath='{.spec..}'`; jq and yq are not part of this prompt.",
        "exit" | "logout" | "bye" => {
            "This is the lab itself, not a shell inside it: `quit` leaves the lab, and progress is kept."
        }
        "history" => "Up and Down walk through what you typed.",
        "ssh" | "scp" => "There is no host to log in to; `kubectl exec -ti POD -- /bin/sh` opens a shell in a pod.",
        "mkdir" | "touch" | "mv" | "chmod" => {
            "Files are made with `edit FILE` or `cat > FILE <<EOF`; folders are made on the way."
        }
        "sleep" => "There is no need to wait: when a command has returned, what it changed is in force.",
        "get" | "apply" | "describe" | "logs" | "exec" | "delete" | "label" | "run" | "create" => {
            return format!("`{name}` is a verb of kubectl: `kubectl {}`.", line.trim());
        }
        "install" | "uninstall" | "analyze" => return format!("`{name}` is a verb of istioctl: `istioctl {}`.", line.trim()),
        _ => return unknown(name),
    };
    sentence.into()
}

fn unknown(name: &str) -> String {
    match nearest(name, names()) {
        Some(near) => format!("The prompt has no `{name}`; did you mean `{near}`? `help` lists what it has."),
        None => {
            format!("The prompt has no `{name}`. It runs kubectl and istioctl and small text tools; `help` lists everything.")
        }
    }
}

/// The help text.
pub fn help() -> String {
    let mut text = String::from("What this prompt takes:\n");
    for row in ROWS {
        let head = format!("{} {}", row.name, row.operands);
        text.push_str(&format!("  {head:<34} {}\n", row.summary));
    }
    text.push_str(
        "Pipes, `;`, `&&`, `||`, `>`, `>>`, `<` and here-documents work; variables and loops do not.\n\
         `kubectl get`, `describe`, `logs -f` and `events` show objects; `timeline` what happened to them.\n\
         Commands talk to this lab's cluster only. Ctrl-C ends what runs.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_help_is_a_word() {
        for row in ROWS {
            for name in row.name.split(", ") {
                assert!(find(name).is_some(), "{name}");
            }
        }
        for name in names() {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn likely_wrong_words_get_a_sentence_of_their_own() {
        for name in
            ["vim", "helm", "sudo", "curl", "cd", "bash", "docker", "export", "less", "man", "jq", "get", "kubetcl", "xyz"]
        {
            let sentence = advice(name, &format!("{name} x"));
            assert!(find(name).is_none() && sentence.ends_with('.') && sentence.len() > 40, "{name}: {sentence}");
        }
        assert!(advice("apiVersion:", "apiVersion: v1").contains("apply -f"));
        assert!(advice("kubetcl", "kubetcl get").contains("`kubectl`"));
        assert!(help().lines().all(|l| l.len() <= 100));
    }

    #[test]
    fn guidance_needs_no_command() {
        for (line, wish) in [
            ("what now?", Some(Wish::WhatNow)),
            ("what", Some(Wish::WhatNow)),
            (" what-now ", Some(Wish::WhatNow)),
            ("what is this", None),
            ("glossary egress gateway", Some(Wish::Glossary("egress gateway".into()))),
            ("glossary", Some(Wish::Glossary(String::new()))),
            ("glossary | grep x", None),
            ("debrief install", Some(Wish::Debrief("install".into()))),
            ("sure 3", Some(Wish::Sure(Sure::High))),
            ("sure", None),
            ("kubectl get pods", None),
        ] {
            assert_eq!(guidance(line), wish, "{line}");
        }
    }
}
