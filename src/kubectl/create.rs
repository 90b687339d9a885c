//! `kubectl create`: from files, or from a few words.

mod data;
mod ingress;
pub mod policy;
mod rbac;
mod workload;

use super::apply::{self, DryRun, field_validation, manager};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest;
use super::print::output::Output;
use super::session::{Ask, Session};
use super::verbs::{DRY_RUN, GLOBAL, OUTPUT, Verb, WRITE, verb};
use serde_json::{Value, json};

const DATA: &[Flag] = &[
    flag("from-literal", Takes::Array, "KEY=VALUE"),
    flag("from-file", Takes::Array, "[KEY=]FILE or a folder"),
    flag("from-env-file", Takes::Array, "a file of KEY=VALUE lines"),
    flag("append-hash", Takes::Bool, "put a hash of the data behind the name"),
];
const SECRET: &[Flag] = &[
    flag("type", Takes::Text, "the secret's type"),
    flag("cert", Takes::Text, "tls: the certificate's file"),
    flag("key", Takes::Text, "tls: the key's file"),
    flag("docker-server", Takes::Text, "docker-registry: the registry"),
    flag("docker-username", Takes::Text, "docker-registry: the user"),
    flag("docker-password", Takes::Text, "docker-registry: the password"),
    flag("docker-email", Takes::Text, "docker-registry: the address"),
];
const DEPLOYMENT: &[Flag] = &[
    flag("image", Takes::List, "the container's image; several make several containers"),
    short("replicas", 'r', Takes::Int, "how many pods"),
    flag("port", Takes::Int, "the port the container exposes"),
];
const SERVICE: &[Flag] = &[
    flag("tcp", Takes::List, "PORT[:TARGETPORT]"),
    flag("clusterip", Takes::Text, "the cluster IP, or None"),
    flag("node-port", Takes::Int, "nodeport: the node's port"),
    flag("external-name", Takes::Text, "externalname: the name it stands for"),
];
const JOB: &[Flag] =
    &[flag("image", Takes::Text, "the container's image"), flag("from", Takes::Text, "a cron job to run once: cronjob/NAME")];
const CRON_JOB: &[Flag] = &[
    flag("image", Takes::Text, "the container's image"),
    flag("schedule", Takes::Text, "when it runs, e.g. '*/5 * * * *'"),
    flag("restart", Takes::Text, "OnFailure (default) or Never"),
];
const INGRESS: &[Flag] = &[
    flag("rule", Takes::Array, "HOST/PATH=SERVICE:PORT[,tls[=SECRET]]; a path with * at its end is a prefix"),
    flag("class", Takes::Text, "the ingress class"),
    flag("default-backend", Takes::Text, "SERVICE:PORT for what no rule takes"),
    flag("annotation", Takes::Array, "KEY=VALUE"),
];
const BUDGET: &[Flag] = &[
    flag("selector", Takes::Text, "labels of the pods"),
    flag("min-available", Takes::Text, "how many must stay, a number or a percentage"),
    flag("max-unavailable", Takes::Text, "how many may go, a number or a percentage"),
];
const PRIORITY: &[Flag] = &[
    flag("value", Takes::Int, "the priority"),
    flag("global-default", Takes::Bool, "the class of pods that name none"),
    flag("description", Takes::Text, "when to use it"),
    flag("preemption-policy", Takes::Text, "PreemptLowerPriority (default) or Never"),
];
const ROLE: &[Flag] = &[
    flag("verb", Takes::List, "what is allowed: get, list, ..."),
    flag("resource", Takes::List, "on which types"),
    flag("resource-name", Takes::Array, "only on objects of this name"),
];
const CLUSTER_ROLE: &[Flag] = &[
    flag("non-resource-url", Takes::List, "on which paths that are no type, e.g. /healthz"),
    flag("aggregation-rule", Takes::Text, "collect the rules of cluster roles with these labels"),
];
const BINDING: &[Flag] = &[
    flag("role", Takes::Text, "the role"),
    flag("clusterrole", Takes::Text, "the cluster role"),
    flag("user", Takes::Array, "a user"),
    flag("group", Takes::Array, "a group"),
    flag("serviceaccount", Takes::Array, "NAMESPACE:NAME"),
];
const QUOTA: &[Flag] = &[
    flag("hard", Takes::Text, "the limits, e.g. pods=10,cpu=2"),
    flag("scopes", Takes::List, "only pods of these scopes, e.g. BestEffort"),
];
const TOKEN: &[Flag] = &[
    flag("duration", Takes::Text, "how long it is good, e.g. 10m"),
    flag("audience", Takes::Array, "for whom it is"),
    flag("bound-object-kind", Takes::Text, "good as long as this exists: Pod, Secret or Node"),
    flag("bound-object-name", Takes::Text, "the object's name"),
    flag("bound-object-uid", Takes::Text, "the object's uid"),
];

/// What can be made from words.
pub const SUBS: &[Verb] = &[
    verb!("namespace", ["ns"], "make a namespace", "NAME", [OUTPUT, DRY_RUN, WRITE], workload::namespace),
    verb!("configmap", ["cm"], "make a config map", "NAME --from-literal=K=V", [DATA, OUTPUT, DRY_RUN, WRITE], data::configmap),
    verb!(
        "secret",
        [],
        "make a secret",
        "generic|tls|docker-registry NAME ...",
        [DATA, SECRET, OUTPUT, DRY_RUN, WRITE],
        data::secret
    ),
    verb!(
        "deployment",
        ["deploy", "dep"],
        "make a deployment",
        "NAME --image=IMAGE [-- COMMAND]",
        [DEPLOYMENT, OUTPUT, DRY_RUN, WRITE],
        workload::deployment
    ),
    verb!(
        "service",
        ["svc"],
        "make a service",
        "clusterip|nodeport|loadbalancer|externalname NAME",
        [SERVICE, OUTPUT, DRY_RUN, WRITE],
        workload::service
    ),
    verb!("serviceaccount", ["sa"], "make a service account", "NAME", [OUTPUT, DRY_RUN, WRITE], workload::serviceaccount),
    verb!("job", [], "make a job", "NAME --image=IMAGE [-- COMMAND]", [JOB, OUTPUT, DRY_RUN, WRITE], workload::job),
    verb!(
        "quota",
        ["resourcequota"],
        "make a resource quota",
        "NAME --hard=pods=10",
        [QUOTA, OUTPUT, DRY_RUN, WRITE],
        policy::quota
    ),
    verb!(
        "cronjob",
        ["cj"],
        "make a job that runs by the clock",
        "NAME --image=IMAGE --schedule='*/5 * * * *' [-- COMMAND]",
        [CRON_JOB, OUTPUT, DRY_RUN, WRITE],
        workload::cron_job
    ),
    verb!(
        "ingress",
        ["ing"],
        "make an ingress",
        "NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]]",
        [INGRESS, OUTPUT, DRY_RUN, WRITE],
        ingress::ingress
    ),
    verb!(
        "poddisruptionbudget",
        ["pdb"],
        "make a pod disruption budget",
        "NAME --selector=app=web --min-available=1",
        [BUDGET, OUTPUT, DRY_RUN, WRITE],
        policy::disruption_budget
    ),
    verb!(
        "priorityclass",
        ["pc"],
        "make a priority class",
        "NAME --value=1000",
        [PRIORITY, OUTPUT, DRY_RUN, WRITE],
        policy::priority_class
    ),
    verb!("role", [], "make a role", "NAME --verb=V --resource=R", [ROLE, OUTPUT, DRY_RUN, WRITE], rbac::role),
    verb!(
        "clusterrole",
        [],
        "make a cluster role",
        "NAME --verb=V --resource=R",
        [ROLE, CLUSTER_ROLE, OUTPUT, DRY_RUN, WRITE],
        rbac::clusterrole
    ),
    verb!("rolebinding", [], "bind a role", "NAME --role=R --user=U", [BINDING, OUTPUT, DRY_RUN, WRITE], rbac::rolebinding),
    verb!(
        "clusterrolebinding",
        [],
        "bind a cluster role",
        "NAME --clusterrole=R --user=U",
        [BINDING, OUTPUT, DRY_RUN, WRITE],
        rbac::clusterrolebinding
    ),
    verb!("token", [], "make a token for a service account", "SERVICEACCOUNT", [TOKEN, OUTPUT], rbac::token),
];

/// Runs `kubectl create -f`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let (items, mut errors) = manifest::read(s, p).await?;
    if items.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to create"));
    }
    let mut printed = Vec::new();
    for item in &items {
        let body = if p.on("save-config") { apply::saved(&item.object) } else { item.object.clone() };
        let made = match dry_run {
            DryRun::Client => Ok(body),
            _ => {
                let ask = Ask::post(item.resource.path(&item.namespace), &body)
                    .query("dryRun", dry_run.query())
                    .query("fieldManager", manager(p, "kubectl-create"))
                    .query("fieldValidation", field_validation(p)?);
                s.json(ask).await.map_err(|e| e.prefixed(&format!("error when creating {:?}", item.source)))
            }
        };
        match made {
            Ok(object) if output.is_human() => {
                let name = object["metadata"]["name"].as_str().unwrap_or(item.name()).to_string();
                s.say(&format!("{}/{name} created{}", item.resource.printed(), dry_run.suffix()));
            }
            Ok(object) => printed.push(object),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Error::all(errors).map(|()| 0)
}

/// An object made from words: where it goes and how failures read.
struct Made<'a> {
    object: Value,
    /// Its plural path without namespace, e.g. `/api/v1` and `configmaps`.
    root: &'a str,
    plural: &'a str,
    /// How it is called in messages: `deployment.apps`.
    printed: &'a str,
    namespaced: bool,
    /// Put before the server's refusal, "" for none.
    failed: &'a str,
}

impl Made<'_> {
    async fn post(mut self, s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
        let dry_run = DryRun::of(p)?;
        let output = Output::parse(p)?;
        if self.namespaced && (dry_run != DryRun::Client || s.namespace_given) {
            self.object["metadata"]["namespace"] = json!(s.namespace);
        }
        if p.on("save-config") {
            self.object = apply::saved(&self.object);
        }
        let object = match dry_run {
            DryRun::Client => self.object.clone(),
            _ => {
                let path = match self.namespaced {
                    true => format!("{}/namespaces/{}/{}", self.root, s.namespace, self.plural),
                    false => format!("{}/{}", self.root, self.plural),
                };
                let ask = Ask::post(path, &self.object)
                    .query("dryRun", dry_run.query())
                    .query("fieldManager", manager(p, "kubectl-create"))
                    .query("fieldValidation", field_validation(p)?);
                s.json(ask).await.map_err(|e| self.failure(e))?
            }
        };
        if output.is_human() {
            let name = object["metadata"]["name"].as_str().unwrap_or("").to_string();
            s.say(&format!("{}/{name} created{}", self.printed, dry_run.suffix()));
            return Ok(0);
        }
        if dry_run == DryRun::Client {
            let text = output.print_own(&object)?;
            s.io.write(text.as_bytes());
            return Ok(0);
        }
        apply::print_objects(s, p, &output, vec![object]).await?;
        Ok(0)
    }

    fn failure(&self, error: Error) -> Error {
        match (self.failed, &error) {
            ("", _) => error,
            (failed, Error::Status(_)) if error.reason() != "Invalid" => Error::plain(format!("{failed} {}", error.message())),
            _ => error,
        }
    }
}

/// The one name of a generator; `verb` is its full name (`create job`).
fn name<'p>(operands: &'p [String], verb: &str) -> Result<&'p str> {
    match operands {
        [name] => Ok(name),
        _ => Err(Error::Said(format!(
            "error: exactly one NAME is required, got {}\nSee 'kubectl {verb} -h' for help and examples",
            operands.len()
        ))),
    }
}

/// `create secret foo`.
fn unknown_sort(word: &str, what: &str) -> Error {
    Error::Said(format!("error: unknown command {word:?}\nSee 'kubectl create {what} -h' for help and examples"))
}
