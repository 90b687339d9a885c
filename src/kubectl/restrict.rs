//! What a line may not do, as a table. A lesson's line may never leave its environment or run a program on this machine.

/// One thing that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The verb it applies to, "" for every verb.
    pub verb: &'static str,
    /// The flag (long name) that is refused, "" for the verb itself.
    pub flag: &'static str,
    /// The sentence that says why.
    pub sentence: &'static str,
}

/// The rules that apply to a caller.
#[derive(Debug, Clone, Default)]
pub struct Restrictions {
    rules: Vec<Rule>,
    /// Whether `-f` takes only plain paths (no URL, nothing outside the folder).
    pub plain_files: bool,
}

const OTHER_WORLD: &str = "a line of the lab always talks to the lab's own environment";

const PORTS: &str = "a line of the lab opens no port on this machine; `egress-lab kubectl` in a shell of your own does";

const EVERYWHERE: &[Rule] = &[
    Rule { verb: "", flag: "kubeconfig", sentence: OTHER_WORLD },
    Rule { verb: "", flag: "context", sentence: OTHER_WORLD },
    Rule { verb: "", flag: "cluster", sentence: OTHER_WORLD },
    Rule { verb: "", flag: "server", sentence: OTHER_WORLD },
    Rule { verb: "", flag: "user", sentence: OTHER_WORLD },
    Rule { verb: "", flag: "token", sentence: OTHER_WORLD },
    Rule { verb: "proxy", flag: "", sentence: PORTS },
    Rule { verb: "port-forward", flag: "", sentence: PORTS },
];

const LESSON: &[Rule] = &[
    Rule { verb: "", flag: "as", sentence: "a lesson acts as the learner, not as somebody else" },
    Rule { verb: "", flag: "as-group", sentence: "a lesson acts as the learner, not as somebody else" },
    Rule { verb: "edit", flag: "", sentence: "a lesson cannot open an editor; use apply or patch" },
    Rule { verb: "diff", flag: "", sentence: "a lesson compares nothing by itself; use apply --dry-run=server" },
    Rule { verb: "debug", flag: "", sentence: "a lesson's pods are in its manifests; use exec" },
    Rule { verb: "attach", flag: "", sentence: "a lesson joins no running process; use exec or logs" },
    Rule { verb: "kustomize", flag: "output", sentence: "a lesson's line writes no file this way" },
    Rule { verb: "", flag: "cache-dir", sentence: "a lesson's line names no folder of this machine" },
    Rule { verb: "cp", flag: "", sentence: "a lesson cannot copy files between a pod and this machine" },
];

impl Restrictions {
    /// For `egress-lab kubectl` on a command line: nothing is refused.
    pub fn none() -> Restrictions {
        Restrictions::default()
    }

    /// For what a learner types at the prompt: it stays in the lab's world and folder.
    pub fn prompt() -> Restrictions {
        Restrictions { rules: EVERYWHERE.to_vec(), plain_files: true }
    }

    /// For a line of lesson content.
    pub fn lesson() -> Restrictions {
        Restrictions { rules: [EVERYWHERE, LESSON].concat(), plain_files: true }
    }

    /// The sentence that refuses a verb, if one does.
    pub fn verb(&self, verb: &str) -> Option<&'static str> {
        self.rules.iter().find(|r| r.verb == verb && r.flag.is_empty()).map(|r| r.sentence)
    }

    /// The sentence that refuses a flag of a verb, if one does. A flag that is the verb's own may mean something else than the one
    /// that every verb has: only rules about this verb apply to it.
    pub fn flag(&self, verb: &str, flag: &str, own: bool) -> Option<&'static str> {
        let applies = |r: &&Rule| r.flag == flag && (r.verb == verb || r.verb.is_empty() && !own);
        self.rules.iter().find(applies).map(|r| r.sentence)
    }
}
