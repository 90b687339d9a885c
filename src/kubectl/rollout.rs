//! `kubectl rollout status|restart|history|undo|pause|resume`, for deployments.

use super::apply::manager;
use super::discovery::Resource;
use super::error::{Error, Result};
use super::fetch::{self, Filter, Seen};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::pods;
use super::select::{self, Target};
use super::session::{Ask, JSON, JSON_PATCH, STRATEGIC, Session};
use super::verbs::{DRY_RUN, FILES, GLOBAL, OUTPUT, SELECT, Verb, verb};
use crate::base::duration::go_duration_ms;
use crate::base::order::Order;
use serde_json::{Value, json};

const STATUS: &[Flag] = &[
    short("watch", 'w', Takes::Bool, "wait for the end (default true)"),
    flag("timeout", Takes::Text, "how long to wait"),
    flag("revision", Takes::Int, "stop when this revision is replaced"),
];
const CHANGE: &[Flag] = &[flag("field-manager", Takes::Text, "the name under which fields are owned")];
const HISTORY: &[Flag] = &[flag("revision", Takes::Int, "one revision in detail (not simulated here)")];
const UNDO: &[Flag] = &[flag("to-revision", Takes::Int, "the revision to go back to (default: the one before)")];
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What can be done with a rollout.
pub const SUBS: &[Verb] = &[
    verb!("status", [], "follow a rollout to its end", "TYPE/NAME", [STATUS, SELECT, FILES], status),
    verb!("restart", [], "replace every pod", "TYPE/NAME", [CHANGE, OUTPUT, SELECT, FILES, DRY_RUN], restart),
    verb!("history", [], "list revisions", "TYPE/NAME", [HISTORY, OUTPUT, SELECT, FILES], history),
    verb!("undo", [], "go back to an earlier revision", "TYPE/NAME", [UNDO, OUTPUT, SELECT, FILES, DRY_RUN], undo),
    verb!("pause", [], "hold a rollout", "TYPE/NAME", [CHANGE, OUTPUT, SELECT, FILES, DRY_RUN], pause),
    verb!("resume", [], "let a rollout go on", "TYPE/NAME", [CHANGE, OUTPUT, SELECT, FILES, DRY_RUN], resume),
];

async fn subjects(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<Target>> {
    if p.operands.is_empty() {
        return Err(Error::plain("required resource not specified"));
    }
    let filter = Filter::of(s, p);
    let mut found = Vec::new();
    for target in select::targets(s, &p.operands).await?.items {
        if !target.name.is_empty() {
            found.push(target);
            continue;
        }
        for object in fetch::objects(s, &target.resource, &filter).await? {
            let name = object["metadata"]["name"].as_str().unwrap_or("").to_string();
            found.push(Target { resource: target.resource.clone(), name });
        }
    }
    Ok(found)
}

async fn status(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let limit = p.text("timeout").and_then(go_duration_ms).filter(|ms| *ms > 0);
    for target in subjects(s, p).await? {
        if !matches!(target.resource.kind.as_str(), "Deployment" | "DaemonSet" | "StatefulSet") {
            return Err(Error::plain(format!("no status viewer has been implemented for {}", target.resource.kind)));
        }
        follow(s, p, &target, limit).await?;
    }
    Ok(0)
}

async fn follow(s: &mut Session<'_>, p: &Parsed, target: &Target, limit: Option<i64>) -> Result<()> {
    let namespace = s.namespace.clone();
    let mut deadline = limit.map(|ms| s.ctx.pause.pause(ms as u64));
    let filter = Filter { namespace: namespace.clone(), fields: format!("metadata.name={}", target.name), ..Filter::default() };
    loop {
        let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
        if told(s, &object)? || !p.on_or("watch", true) {
            return Ok(());
        }
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("").to_string();
        let mut watch = fetch::watch(s, &target.resource, &filter, &version, JSON).await?;
        loop {
            match watch.next(s, deadline.as_mut()).await? {
                Seen::Event(kind, _) if kind == "DELETED" => return Err(Error::plain("object has been deleted")),
                Seen::Event(_, object) if told(s, &object)? => return Ok(()),
                Seen::Event(..) => (),
                Seen::Ended | Seen::Stale(_) => break,
                Seen::TimedOut => return Err(Error::plain("timed out waiting for the condition")),
            }
        }
    }
}

/// Says how far a rollout is; true at its end.
fn told(s: &mut Session<'_>, object: &Value) -> Result<bool> {
    let name = object["metadata"]["name"].as_str().unwrap_or("").to_string();
    let (line, done) = progress(object, &name)?;
    s.say(&line);
    Ok(done)
}

fn progress(object: &Value, name: &str) -> Result<(String, bool)> {
    let number = |v: &Value| v.as_i64().unwrap_or(0);
    let status = &object["status"];
    let kind = object["kind"].as_str().unwrap_or("Deployment").to_lowercase();
    if number(&object["metadata"]["generation"]) > number(&status["observedGeneration"]) {
        return Ok((format!("Waiting for {kind} spec update to be observed..."), false));
    }
    let wait = |what: String| (format!("Waiting for {kind} {name:?} rollout to finish: {what}..."), false);
    let done = (format!("{kind} {name:?} successfully rolled out"), true);
    if kind == "daemonset" {
        let (desired, updated, ready) =
            (&status["desiredNumberScheduled"], &status["updatedNumberScheduled"], &status["numberAvailable"]);
        return Ok(match (number(updated) < number(desired), number(ready) < number(desired)) {
            (true, _) => wait(format!("{} out of {} new pods have been updated", number(updated), number(desired))),
            (_, true) => wait(format!("{} of {} updated pods are available", number(ready), number(desired))),
            _ => done,
        });
    }
    if let Some(condition) = status["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Progressing")
        && condition["reason"] == "ProgressDeadlineExceeded"
    {
        return Err(Error::plain(format!("{kind} {name:?} exceeded its progress deadline")));
    }
    let desired = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let (updated, total) = (number(&status["updatedReplicas"]), number(&status["replicas"]));
    let available = match kind.as_str() {
        "statefulset" => number(&status["readyReplicas"]),
        _ => number(&status["availableReplicas"]),
    };
    Ok(match () {
        () if updated < desired => wait(format!("{updated} out of {desired} new replicas have been updated")),
        () if total > updated => wait(format!("{} old replicas are pending termination", total - updated)),
        () if available < updated => wait(format!("{available} of {updated} updated replicas are available")),
        () => done,
    })
}

async fn send(s: &mut Session<'_>, p: &Parsed, target: &Target, body: &Value, kind: &'static str, said: &str) -> Result<()> {
    let dry_run = super::apply::DryRun::of(p)?;
    let namespace = s.namespace.clone();
    if dry_run != super::apply::DryRun::Client {
        let ask = Ask::patch(target.resource.object_path(&namespace, &target.name), kind, body)
            .query("dryRun", dry_run.query())
            .query("fieldManager", manager(p, "kubectl-rollout"));
        s.json(ask).await?;
    }
    s.say(&format!("{}/{} {said}{}", target.resource.printed(), target.name, dry_run.suffix()));
    Ok(())
}

async fn restart(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let namespace = s.namespace.clone();
    for target in subjects(s, p).await? {
        let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
        if object["spec"]["template"].is_null() {
            return Err(Error::plain(format!(
                "{} {:?} restarting is not supported",
                target.resource.plural_group(),
                target.name
            )));
        }
        if object["spec"]["paused"] == true {
            return Err(Error::plain(format!("can't restart paused deployment (run rollout resume first): {}", target.name)));
        }
        let stamp = s.now().rfc3339();
        let body = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": stamp}}}}});
        send(s, p, &target, &body, STRATEGIC, "restarted").await?;
    }
    Ok(0)
}

async fn hold(s: &mut Session<'_>, p: &Parsed, paused: bool) -> Result<i32> {
    let (said, already) = if paused { ("paused", "is already paused") } else { ("resumed", "is not paused") };
    let namespace = s.namespace.clone();
    for target in subjects(s, p).await? {
        let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
        if (object["spec"]["paused"] == true) == paused {
            return Err(Error::plain(format!("{} {:?} {already}", target.resource.plural_group(), target.name)));
        }
        let body = json!({"spec": {"paused": if paused { json!(true) } else { Value::Null }}});
        send(s, p, &target, &body, STRATEGIC, said).await?;
    }
    Ok(0)
}

async fn pause(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    hold(s, p, true).await
}

async fn resume(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    hold(s, p, false).await
}

/// The replica sets of a deployment by revision, oldest first.
async fn revisions(s: &mut Session<'_>, resource: &Resource, name: &str) -> Result<(Value, Vec<(i64, Value)>)> {
    if resource.kind != "Deployment" {
        return Err(Error::not_simulated(&format!("rollout history of a {}", resource.kind)));
    }
    let namespace = s.namespace.clone();
    let object = fetch::object(s, resource, &namespace, name).await?;
    let sets = select::one_type(s, "replicasets.apps").await?;
    let filter = Filter { namespace, labels: pods::selector(&object).unwrap_or_default(), ..Filter::default() };
    let uid = object["metadata"]["uid"].clone();
    let owned = |set: &Value| set["metadata"]["ownerReferences"].as_array().into_iter().flatten().any(|o| o["uid"] == uid);
    let number = |set: &Value| set["metadata"]["annotations"][REVISION].as_str().and_then(|n| n.parse().ok()).unwrap_or(0);
    let found = fetch::objects(s, &sets, &filter).await?;
    let mut found: Vec<(i64, Value)> = found.into_iter().filter(owned).map(|set| (number(&set), set)).collect();
    found.order_by_key(|(n, _)| *n);
    Ok((object, found))
}

async fn history(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.given("revision") {
        return Err(Error::not_simulated("rollout history --revision"));
    }
    for target in subjects(s, p).await? {
        let (_, revisions) = revisions(s, &target.resource, &target.name).await?;
        let mut text = format!("{}/{} \nREVISION\tCHANGE-CAUSE\n", target.resource.printed(), target.name);
        for (number, set) in revisions {
            let cause = set["metadata"]["annotations"]["kubernetes.io/change-cause"].as_str().unwrap_or("<none>");
            text += &format!("{number}\t{cause}\n");
        }
        let text = crate::base::tabs::describe(&text) + "\n";
        s.io.write(text.as_bytes());
    }
    Ok(0)
}

async fn undo(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    for target in subjects(s, p).await? {
        let (object, revisions) = revisions(s, &target.resource, &target.name).await?;
        let wanted = p.int("to-revision").filter(|n| *n > 0);
        let chosen = match wanted {
            Some(number) => revisions.iter().find(|(n, _)| *n == number),
            None => revisions.len().checked_sub(2).and_then(|at| revisions.get(at)),
        };
        let Some((_, set)) = chosen else {
            return Err(Error::plain(match wanted {
                Some(number) => format!("unable to find specified revision {number} in history"),
                None => format!("no rollout history found for deployment {:?}", target.name),
            }));
        };
        let mut template = set["spec"]["template"].clone();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove("pod-template-hash");
        }
        if template == object["spec"]["template"] {
            s.say(&format!(
                "{}/{} skipped rollback (current template already matches revision {})",
                target.resource.printed(),
                target.name,
                chosen.map_or(0, |c| c.0)
            ));
            continue;
        }
        if object["metadata"]["annotations"][super::apply::LAST_APPLIED].is_string() {
            s.warn(&format!("Warning: resource deployments/{} was previously managed with 'kubectl apply'. Rolling back will not update the kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.", target.name));
        }
        let body = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
        send(s, p, &target, &body, JSON_PATCH, "rolled back").await?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_as_recorded() {
        let deployment = |updated: i64, total: i64, available: i64| {
            json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3},
                   "status": {"observedGeneration": 2, "updatedReplicas": updated, "replicas": total, "availableReplicas": available}})
        };
        let rows = [
            (
                deployment(1, 4, 3),
                "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated...",
            ),
            (deployment(3, 4, 3), "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination..."),
            (deployment(3, 3, 2), "Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are available..."),
            (deployment(3, 3, 3), "deployment \"web\" successfully rolled out"),
        ];
        for (object, want) in rows {
            assert_eq!(progress(&object, "web").unwrap().0, want);
        }
    }
}
