//! The rows: every verb that is built in, and the real ones that are not.

use super::{DRY_RUN, FILES, GLOBAL, MANAGER, OUTPUT, SELECT, Verb, WRITE, verb};
use crate::kubectl::{
    annotate, api_resources, apply, auth, autoscale, cluster_info, config, copy, create, debug, delete, describe, diff, drain,
    edit, events, exec, explain, expose, get, help, kustomize, label, logs, node, patch, port_forward, proxy, replace, rollout,
    run, scale, set, taint, top, version, wait,
};

/// Every verb that is built in.
pub const VERBS: &[Verb] = &[
    verb!("get", [], "show objects", "TYPE [NAME ...] | TYPE/NAME ... | -f FILE", [get::FLAGS, OUTPUT, SELECT, FILES], get::run),
    verb!(
        "describe",
        [],
        "show an object in detail, with its events",
        "TYPE [NAME ...] | TYPE/NAME | -f FILE",
        [describe::FLAGS, SELECT, FILES],
        describe::run
    ),
    verb!(
        "apply",
        [],
        "make objects be as a manifest says",
        "-f FILE",
        [apply::FLAGS, OUTPUT, FILES, DRY_RUN, WRITE],
        apply::run
    ),
    verb!(
        "create",
        [],
        "make new objects",
        "-f FILE | KIND NAME ...",
        [OUTPUT, FILES, DRY_RUN, WRITE],
        create::run,
        create::SUBS
    ),
    verb!("run", [], "start a pod", "NAME --image=IMAGE [-- COMMAND]", [run::FLAGS, OUTPUT, DRY_RUN, WRITE], run::run),
    verb!(
        "delete",
        ["rm"],
        "delete objects",
        "TYPE NAME ... | TYPE -l LABELS | -f FILE",
        [delete::FLAGS, OUTPUT, SELECT, FILES, DRY_RUN],
        delete::run
    ),
    verb!(
        "label",
        [],
        "set or remove labels",
        "TYPE NAME KEY=VALUE ... KEY- ...",
        [label::FLAGS, OUTPUT, SELECT, FILES, DRY_RUN, WRITE],
        label::run
    ),
    verb!(
        "annotate",
        [],
        "set or remove annotations",
        "TYPE NAME KEY=VALUE ... KEY- ...",
        [label::FLAGS, OUTPUT, SELECT, FILES, DRY_RUN, WRITE],
        annotate::run
    ),
    verb!("exec", [], "run a command in a container", "POD|TYPE/NAME [-c CONTAINER] -- COMMAND", [exec::FLAGS, FILES], exec::run),
    verb!("attach", [], "join the main process of a container", "POD|TYPE/NAME", [exec::FLAGS], exec::attach),
    verb!("logs", ["log"], "print what containers wrote", "POD|TYPE/NAME [-c CONTAINER]", [logs::FLAGS, SELECT], logs::run),
    verb!(
        "wait",
        [],
        "wait until objects are as you say",
        "TYPE/NAME --for=condition=X|delete|create|jsonpath=...",
        [wait::FLAGS, OUTPUT, SELECT, FILES],
        wait::run
    ),
    verb!("edit", [], "change an object in your editor", "TYPE NAME | -f FILE", [edit::FLAGS, OUTPUT, FILES, WRITE], edit::run),
    verb!(
        "patch",
        [],
        "change fields of an object",
        "TYPE NAME -p PATCH",
        [patch::FLAGS, OUTPUT, FILES, DRY_RUN, WRITE],
        patch::run
    ),
    verb!(
        "replace",
        [],
        "put a manifest in the place of an object",
        "-f FILE",
        [replace::FLAGS, OUTPUT, FILES, DRY_RUN, WRITE],
        replace::run
    ),
    verb!(
        "scale",
        [],
        "set how many replicas there are",
        "TYPE NAME --replicas=N",
        [scale::FLAGS, OUTPUT, SELECT, FILES, DRY_RUN],
        scale::run
    ),
    verb!("set", [], "change images or environment of a workload", "image|env TYPE/NAME ...", [OUTPUT], help::of_subs, set::SUBS),
    verb!(
        "rollout",
        [],
        "follow or repeat a rollout",
        "status|restart|history|undo|pause|resume TYPE/NAME",
        [OUTPUT],
        help::of_subs,
        rollout::SUBS
    ),
    verb!(
        "expose",
        [],
        "make a service for a workload",
        "TYPE NAME --port=N",
        [expose::FLAGS, OUTPUT, DRY_RUN, WRITE],
        expose::run
    ),
    verb!("events", [], "list events, oldest first", "[--for TYPE/NAME]", [events::FLAGS, OUTPUT], events::run),
    verb!("explain", [], "say what a field means", "TYPE[.FIELD ...]", [explain::FLAGS, OUTPUT], explain::run),
    verb!("api-resources", [], "list the types the server has", "", [api_resources::FLAGS, OUTPUT], api_resources::run),
    verb!("api-versions", [], "list the groups and versions the server has", "", [OUTPUT], api_resources::versions),
    verb!("auth", [], "ask what you may do", "can-i VERB TYPE | whoami | reconcile -f FILE", [OUTPUT], help::of_subs, auth::SUBS),
    verb!(
        "config",
        [],
        "show contexts, set the default namespace",
        "current-context|get-contexts|use-context|set-context|view",
        [OUTPUT],
        help::of_subs,
        config::SUBS
    ),
    verb!("cluster-info", [], "say where the server is", "", [OUTPUT], cluster_info::run),
    verb!("version", [], "print the versions of kubectl and the server", "", [version::FLAGS, OUTPUT], version::run),
    verb!("top", [], "show what pods and nodes use, where metrics are served", "pods|nodes", [SELECT], top::run),
    verb!("cordon", [], "keep new pods off a node", "NODE", [SELECT, DRY_RUN], node::cordon),
    verb!("uncordon", [], "let new pods on a node again", "NODE", [SELECT, DRY_RUN], node::uncordon),
    verb!("diff", [], "show what apply would change", "-f FILE", [diff::FLAGS, FILES], diff::run),
    verb!("cp", [], "copy files between a container and here", "POD:PATH PATH | PATH POD:PATH", [copy::FLAGS], copy::run),
    verb!(
        "debug",
        [],
        "look into a pod with a container of your own",
        "POD --image=IMAGE [-it] [-- COMMAND] | POD --copy-to=NAME ...",
        [debug::FLAGS, MANAGER],
        debug::run
    ),
    verb!(
        "port-forward",
        [],
        "reach a pod's ports from this machine",
        "POD|TYPE/NAME [LOCAL:]REMOTE ...",
        [port_forward::FLAGS],
        port_forward::run
    ),
    verb!("proxy", [], "serve the API on this machine", "[--port=8001]", [proxy::FLAGS], proxy::run),
    verb!("kustomize", [], "print what a kustomization makes", "[FOLDER]", [kustomize::FLAGS], kustomize::run),
    verb!("drain", [], "move every pod off a node", "NODE", [drain::FLAGS, SELECT, DRY_RUN], drain::run),
    verb!(
        "taint",
        [],
        "say which pods may not run on a node",
        "nodes NAME KEY=VALUE:EFFECT ... KEY- ...",
        [taint::FLAGS, OUTPUT, SELECT, DRY_RUN, WRITE],
        taint::run
    ),
    verb!(
        "autoscale",
        [],
        "let the number of replicas follow the load",
        "TYPE NAME --max=N",
        [autoscale::FLAGS, OUTPUT, FILES, DRY_RUN, WRITE],
        autoscale::run
    ),
];

/// Real verbs that are not built in, and the nearest one that is.
pub const ABSENT: &[(&str, &str)] = &[
    ("certificate", "get csr lists requests"),
    ("completion", "egress-lab completions SHELL"),
    ("plugin", "the lab has no plugins"),
    ("alpha", "there is nothing under alpha"),
    ("options", "every verb's --help lists its flags"),
];
