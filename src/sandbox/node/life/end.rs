//! The end of a pod: finished by itself, or told to go.

use super::step::Out;
use super::{Ended, PodLife, Run, State};
use crate::base::clock::Time;
use crate::k8s::Object;
use crate::sandbox::node::Env;
use crate::sandbox::node::spec::{self, Role};

/// Sets the end of a pod whose containers will not run again.
pub fn finish(life: &mut PodLife, pod: &Object, env: &mut Env<'_>) {
    let apps: Vec<&Run> = life.runs.values().filter(|r| r.role == Role::App).collect();
    let init_failed = pod.str_at(&["spec", "restartPolicy"]) == "Never"
        && life.runs.values().any(|r| r.role == Role::Init && matches!(&r.state, State::Ended(e) if e.code != 0));
    let done = !apps.is_empty() && apps.iter().all(|r| matches!(r.state, State::Ended(_)));
    if !done && !init_failed {
        return;
    }
    life.finished = Some(!init_failed && apps.iter().all(|r| r.succeeded()));
    let now = *env.now;
    let sidecars = life.runs.values_mut().filter(|r| r.role == Role::Sidecar);
    sidecars.for_each(|run| kill(run, now, 0));
}

fn kill(run: &mut Run, now: Time, code: i32) {
    if run.is_running() {
        let reason = if code == 0 { "Completed" } else { "Error" };
        let started = run.since();
        let id = run.id.clone();
        run.state = State::Ended(Ended { code, reason: reason.into(), message: String::new(), started, finished: now, id });
    }
    (run.main, run.due, run.retry, run.started, run.ready) = (None, None, None, false, false);
}

/// A pod that is going: containers are told to stop, then it is deleted.
pub fn stop(life: &mut PodLife, pod: &Object, env: &mut Env<'_>, out: &mut Out<'_>) {
    let now = *env.now;
    // A pod that finalizers hold after its end has nothing more to come.
    if life.told.contains("gone") {
        life.gone_at = None;
        return;
    }
    let Some(gone_at) = life.gone_at else {
        let containers = spec::containers(pod);
        let running: Vec<_> = containers.iter().filter(|c| life.run(c.name()).is_some_and(Run::is_running)).collect();
        for container in &running {
            out.told(pod, container, false, "Killing", format!("Stopping container {}", container.name()));
        }
        let grace = pod.at(&["metadata", "deletionGracePeriodSeconds"]).as_i64().unwrap_or(30) * 1000;
        let deaf = life.runs.values().any(|r| r.main.as_ref().is_some_and(|m| m.process.is_some()));
        let wait = if running.is_empty() { 0 } else { out.timing.stop_ms(deaf).min(grace) };
        life.sandbox_due = None;
        life.runs.values_mut().for_each(|r| (r.due, r.retry) = (None, None));
        life.gone_at = Some(now.plus_ms(wait));
        return;
    };
    if now >= gone_at && life.told.insert("gone".into()) {
        life.gone_at = None;
        life.runs.values_mut().for_each(|run| {
            let code = if run.main.as_ref().is_some_and(|m| m.process.is_some()) { 137 } else { 0 };
            kill(run, now, code);
        });
        let well = |r: &Run| r.role != Role::App || r.succeeded();
        life.finished = life.finished.or(Some(life.runs.values().all(well)));
    }
}
