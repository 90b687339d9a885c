//! Help, removed verbs, verbs that are not simulated, and verbs that nobody knows.

use super::Stop;
use crate::base::io::Io;
use crate::base::not_simulated;

/// The verbs that work here, with one line each.
const VERBS: &[(&str, &str)] = &[
    ("analyze", "Analyzes the cluster or files: -n NS, -A, --use-kube=false, -S CODE=RESOURCE, -o log|json|yaml, -L, --lab"),
    ("install", "Installs or reconfigures Istio: --set PATH=VALUE, -f FILE, -y, --dry-run"),
    ("manifest generate", "Prints the objects of an installation; flags as install"),
    ("uninstall", "Removes Istio: --purge, -y"),
    ("version", "Prints the versions of client, control plane and proxies: --remote=false, -o json|yaml"),
    (
        "proxy-config",
        "Shows what a proxy was told: clusters, listeners, routes, endpoints, bootstrap, secret, ecds, all, log; POD or --file, -o",
    ),
    ("proxy-status", "Shows which proxies have what istiod sent; POD compares one: -n NS, -v 1"),
    ("x describe", "Tells which Istio objects affect a pod or service: pod NAME, service NAME"),
    ("x precheck", "Says whether Istio can be installed"),
];

/// Verbs that istioctl has and this program does not imitate.
const NOT_HERE: &[&str] = &[
    "admin",
    "authz",
    "bug-report",
    "completion",
    "create-remote-secret",
    "dashboard",
    "kube-inject",
    "manifest",
    "options",
    "remote-clusters",
    "tag",
    "validate",
    "waypoint",
    "ztunnel-config",
    "x",
    "experimental",
    "exp",
    "d",
    "dash",
    "zc",
];

/// Verbs that istioctl once had: the words, and what to do now.
const REMOVED: &[(&[&str], &str)] = &[
    (
        &["profile"],
        "istioctl profile is gone since Istio 1.24. Profiles are chosen with istioctl install --set profile=demo (default, demo, minimal, \
         empty); istioctl manifest generate --set profile=demo prints what one consists of.",
    ),
    (
        &["operator"],
        "The in-cluster operator is gone since Istio 1.24. Use istioctl install, with an IstioOperator file for -f if you have one.",
    ),
    (
        &["x", "wait"],
        "istioctl x wait is gone. Changes of configuration reach the proxies within a second or two; send a request to see.",
    ),
    (
        &["experimental", "wait"],
        "istioctl x wait is gone. Changes of configuration reach the proxies within a second or two; send a request to see.",
    ),
    (&["x", "uninstall"], "Use istioctl uninstall."),
    (
        &["verify-install"],
        "istioctl verify-install is gone. istioctl install --verify checks an installation; kubectl get pods -n istio-system shows it.",
    ),
    (&["manifest", "versions"], "istioctl manifest versions is gone. Use istioctl version."),
    (&["manifest", "migrate"], "istioctl manifest migrate is gone. Write an IstioOperator file for istioctl install -f."),
    (&["authn"], "istioctl authn is gone. Read the PeerAuthentication objects with kubectl."),
    (&["register"], "istioctl register is gone. Use a WorkloadEntry or a ServiceEntry."),
    (&["deregister"], "istioctl deregister is gone. Delete the WorkloadEntry or ServiceEntry."),
    (&["create"], "istioctl create is gone. Use kubectl apply -f."),
    (&["get"], "istioctl get is gone. Use kubectl get, for example kubectl get virtualservices."),
    (&["delete"], "istioctl delete is gone. Use kubectl delete."),
];

/// `istioctl help`, `istioctl VERB --help`.
pub fn print(io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let plain: Vec<&str> = words.iter().copied().filter(|w| !w.starts_with('-')).collect();
    let wanted = plain.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    if let Some((name, line)) = VERBS.iter().find(|(name, _)| !plain.is_empty() && (*name == wanted || *name == plain[0])) {
        io.say(&format!("istioctl {name}: {line}"));
        return Ok(());
    }
    if !plain.is_empty() {
        return unknown(&plain);
    }
    io.say("Istio configuration command line utility, as far as the lab imitates it.\n");
    io.say("Usage:\n  istioctl [command]\n\nAvailable Commands:");
    VERBS.iter().for_each(|(name, line)| io.say(&format!("  {name:<19}{line}")));
    io.say("\nEvery other command answers \"not simulated here\".");
    Ok(())
}

/// Says what became of a verb, or that there is none.
pub fn unknown(words: &[&str]) -> Result<(), Stop> {
    let plain: Vec<&str> = words.iter().copied().filter(|w| !w.starts_with('-')).collect();
    let removed = REMOVED.iter().find(|(verb, _)| plain.starts_with(verb));
    if let Some((verb, instead)) = removed {
        let (parent, last) = verb.split_at(verb.len() - 1);
        let parent = [&["istioctl"], parent].concat().join(" ");
        return Err(Stop::usage(format!("unknown command {:?} for {parent:?}\n{instead}", last.join(""))));
    }
    let Some(verb) = plain.first() else {
        return Err(Stop::usage(format!("unknown flag: {}", words.first().unwrap_or(&""))));
    };
    if NOT_HERE.contains(verb) {
        let depth =
            if matches!(*verb, "x" | "experimental" | "exp" | "proxy-config" | "pc" | "manifest" | "dashboard") { 2 } else { 1 };
        let name = plain.iter().take(depth).copied().collect::<Vec<_>>().join(" ");
        return Err(Stop::failed(not_simulated(&format!("istioctl {name}"))));
    }
    let near = VERBS.iter().map(|(name, _)| *name).filter(|name| distance(name, verb) <= 2).collect::<Vec<_>>();
    let hint = if near.is_empty() { String::new() } else { format!("\n\nDid you mean this?\n\t{}\n", near.join("\n\t")) };
    Err(Stop::usage(format!("unknown command {verb:?} for \"istioctl\"{hint}\nRun 'istioctl --help' for usage.")))
}

/// Levenshtein's distance, as cobra uses it for suggestions.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let best = (corner + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
