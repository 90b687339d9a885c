//! One step of a pod's life: whatever is due at this moment.

use super::end::{finish, stop};
use super::probe::{CONFIG_ERROR, probe};
use super::{Ended, Main, PodLife, Run, State};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::Object;
use crate::outside::wire::LogLine;
use crate::sandbox::node::files::Tree;
use crate::sandbox::node::images::{self, Image, Main as What};
use crate::sandbox::node::process::{INPUT_LIMIT, Process};
use crate::sandbox::node::space::{self, Space};
use crate::sandbox::node::spec::{self, Container, Role};
use crate::sandbox::node::{Env, Timing};
use crate::sandbox::{Action, Pace};
use std::collections::BTreeMap;

/// What a step has to say to the rest.
pub struct Out<'o> {
    pub seed: Seed,
    pub pace: Pace,
    pub timing: Timing,
    pub actions: &'o mut Vec<Action>,
    /// Lines for other pods' logs.
    pub logs: &'o mut Vec<(Time, LogLine)>,
}

impl Out<'_> {
    /// An event about the pod as a whole.
    pub(super) fn event(&mut self, pod: &Object, warning: bool, reason: &str, message: String) {
        self.push(pod, warning, reason, message, String::new());
    }

    /// An event about one container.
    pub(super) fn told(&mut self, pod: &Object, container: &Container<'_>, warning: bool, reason: &str, message: String) {
        let list = match container.role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::App => "containers",
            Role::Ephemeral => "ephemeralContainers",
        };
        self.push(pod, warning, reason, message, format!("spec.{list}{{{}}}", container.name()));
    }

    fn push(&mut self, pod: &Object, warning: bool, reason: &str, message: String, field: String) {
        let source = "kubelet".to_string();
        self.actions.push(Action::Event { about: pod.key(), warning, reason: reason.into(), message, source, field });
    }
}

/// Moves a pod on as far as its moment allows.
pub fn advance(life: &mut PodLife, pod: &Object, env: &mut Env<'_>, out: &mut Out<'_>) {
    if pod.is_terminating() {
        return stop(life, pod, env, out);
    }
    for c in spec::containers(pod) {
        life.runs.entry(c.name().to_string()).or_insert_with(|| Run::new(c.role));
    }
    if life.finished.is_some() || !network(life, pod, env, out) {
        return;
    }
    let mut open = true;
    for container in spec::containers(pod) {
        let wanted = match container.role {
            Role::Init | Role::Sidecar => open,
            Role::App | Role::Ephemeral => open && initialized(life, pod),
        };
        if !wanted {
            continue;
        }
        step(life, pod, &container, env, out);
        let run = life.run(container.name());
        open = match container.role {
            Role::Init => run.is_some_and(Run::succeeded),
            Role::Sidecar => run.is_some_and(|r| r.started),
            Role::App | Role::Ephemeral => open,
        };
        // An app container with a postStart hook or a proxy that holds the app would wait here; starts are sequential otherwise.
    }
    finish(life, pod, env);
}

/// Whether all init containers are done and all sidecars started.
pub fn initialized(life: &PodLife, pod: &Object) -> bool {
    spec::containers(pod).iter().all(|c| match (c.role, life.run(c.name())) {
        (Role::Init, run) => run.is_some_and(Run::succeeded),
        (Role::Sidecar, run) => run.is_some_and(|r| r.started),
        _ => true,
    })
}

/// Volumes and network: true once the pod has its address.
fn network(life: &mut PodLife, pod: &Object, env: &mut Env<'_>, out: &mut Out<'_>) -> bool {
    if life.ip.is_some() {
        return true;
    }
    let lacking = pod.at(&["spec", "volumes"]).as_array().into_iter().flatten().find_map(|v| {
        let name = v["name"].as_str().unwrap_or("").to_string();
        space::source(pod, v, env.state).err().map(|what| (name, what))
    });
    if let Some((volume, what)) = lacking {
        life.sandbox_due = None;
        let message = format!("MountVolume.SetUp failed for volume \"{volume}\" : {what}");
        if life.told.insert(message.clone()) {
            out.event(pod, true, "FailedMount", message);
        }
        return false;
    }
    let due = *life.sandbox_due.get_or_insert(env.now.plus_ms(out.timing.network_ms));
    if *env.now < due {
        return false;
    }
    life.sandbox_due = None;
    // The address itself is given by the node, which knows all of them.
    false
}

fn step(life: &mut PodLife, pod: &Object, container: &Container<'_>, env: &mut Env<'_>, out: &mut Out<'_>) {
    let name = container.name().to_string();
    for _ in 0..8 {
        let Some(run) = life.run_mut(&name) else { return };
        let moved = match &run.state {
            State::Waiting { .. } => start(life, pod, container, env, out),
            State::Running { .. } => go_on(life, pod, container, env, out),
            State::Ended(_) => again(life, pod, container, env, out),
        };
        if !moved {
            return;
        }
    }
}

/// A waiting container: pull, create, start. True when something moved.
fn start(life: &mut PodLife, pod: &Object, container: &Container<'_>, env: &mut Env<'_>, out: &mut Out<'_>) -> bool {
    let image_name = container.image().to_string();
    let Some(run) = life.runs.get_mut(container.name()) else { return false };
    let now = *env.now;
    if let Some(retry) = run.retry {
        if now < retry {
            return false;
        }
        run.retry = None;
        run.due = Some(now);
    }
    let Some(image) = container.known() else { return no_image(run, pod, container, now, out) };
    if run.waiting() == Some(CONFIG_ERROR) {
        launch(life, pod, container, image, env, out);
        return life.run(container.name()).is_some_and(|r| r.waiting().is_none());
    }
    let Some(due) = run.due else {
        run.due = Some(begin(run, pod, container, now, out));
        return false;
    };
    if now < due {
        return false;
    }
    if !run.pulled {
        run.pulled = true;
        if pulls(container) {
            let took = out.timing.pull_ms;
            let text = format!(
                "Successfully pulled image \"{image_name}\" in {took}ms ({took}ms including waiting). Image size: 12345678 bytes."
            );
            out.told(pod, container, false, "Pulled", text);
        }
        run.due = Some(now.plus_ms(out.timing.start_ms));
        return now >= now.plus_ms(out.timing.start_ms);
    }
    run.due = None;
    if !pulls(container) {
        // The kubelet looks for a container's image when that container's turn has come.
        out.told(pod, container, false, "Pulled", format!("Container image \"{image_name}\" already present on machine"));
    }
    launch(life, pod, container, image, env, out);
    true
}

/// Whether the kubelet asks the registry: every image of the catalogue is on this machine, so only where the policy says Always.
fn pulls(container: &Container<'_>) -> bool {
    container.spec["imagePullPolicy"] == "Always"
}

/// Asks for the image; gives the moment at which it is there.
fn begin(run: &mut Run, pod: &Object, container: &Container<'_>, now: Time, out: &mut Out<'_>) -> Time {
    let image = container.image();
    if run.pulled {
        return now.plus_ms(out.timing.start_ms);
    }
    if !pulls(container) {
        return now;
    }
    out.told(pod, container, false, "Pulling", format!("Pulling image \"{image}\""));
    now.plus_ms(out.timing.pull_ms)
}

/// An image outside the catalogue: the first answer, then the back-off.
fn no_image(run: &mut Run, pod: &Object, container: &Container<'_>, now: Time, out: &mut Out<'_>) -> bool {
    let image = container.image();
    let what = crate::base::not_simulated(&format!("image {image}; available here: {}", images::names()));
    match (run.tries, run.due) {
        (0, _) => {
            out.told(pod, container, false, "Pulling", format!("Pulling image \"{image}\""));
            out.told(pod, container, true, "Failed", format!("Failed to pull image \"{image}\": {what}"));
            out.told(pod, container, true, "Failed", "Error: ErrImagePull".into());
            run.wait("ErrImagePull", what);
            run.tries = 1;
            run.due = Some(now.plus_ms(out.timing.start_ms * 4));
        }
        (1, Some(due)) if now >= due => {
            out.told(pod, container, false, "BackOff", format!("Back-off pulling image \"{image}\""));
            out.told(pod, container, true, "Failed", "Error: ImagePullBackOff".into());
            run.wait("ImagePullBackOff", format!("Back-off pulling image \"{image}\": ErrImagePull: {what}"));
            run.tries = 2;
            run.due = None;
        }
        _ => (),
    }
    false
}

/// Creates and starts a container.
fn launch(
    life: &mut PodLife,
    pod: &Object,
    container: &Container<'_>,
    image: &'static Image,
    env: &mut Env<'_>,
    out: &mut Out<'_>,
) {
    let now = *env.now;
    let name = container.name().to_string();
    let with_ip = with_address(pod, life.ip.as_deref());
    let vars = match spec::environment(&with_ip, container, image, env.state) {
        Ok(vars) => vars,
        Err(what) => {
            if life.told.insert(what.clone()) {
                out.told(pod, container, true, "Failed", format!("Error: {what}"));
            }
            let Some(run) = life.run_mut(&name) else { return };
            run.wait(CONFIG_ERROR, what);
            return;
        }
    };
    let argv = spec::command(container, image, &vars);
    let restarts = life.run(&name).map_or(0, |r| r.restarts).to_string();
    let id = container_id(out.seed, &life.uid, &name, &restarts);
    out.told(pod, container, false, "Created", format!("Created container: {name}"));
    let program = env.programs.iter().find(|p| p.runs(container.image())).cloned();
    let known = argv.first().is_some_and(|c| space::command_path(image, c).is_some());
    let serves = image.main == What::Serves && (container.spec["command"].is_null() || is_own(image, &argv));
    let lines = program.as_ref().map(|p| p.start_logs(pod, &name, env.state, now)).unwrap_or_default();
    let Some(run) = life.run_mut(&name) else { return };
    (run.argv, run.id) = (argv.clone(), id);
    if !known && !serves {
        return no_command(run, pod, container, &argv, now, out);
    }
    out.told(pod, container, false, "Started", format!("Started container {name}"));
    let tty = container.spec["tty"] == true;
    let cwd = container.spec["workingDir"].as_str().unwrap_or(if image.uid == 0 { "/" } else { image.home });
    let process = (!serves).then(|| Process::new(&argv, &vars, cwd, container.spec["stdin"] == true, tty, true));
    run.state = State::Running { since: now };
    run.main = Some(Main::new(process, now));
    if program.is_none() && serves {
        own_start_lines(image, &argv).into_iter().for_each(|line| run.log.push(now, &line));
    }
    lines.iter().for_each(|line| run.log.push(now, line));
    let probed = container.probe("startupProbe").or(container.probe("readinessProbe")).is_some();
    run.due = Some(match container.role {
        Role::Init => now.plus_ms(out.timing.init_ms),
        _ if probed => now.plus_ms(out.timing.ready_ms),
        _ => now,
    });
}

/// Whether the command is the image's own server.
fn is_own(image: &Image, argv: &[String]) -> bool {
    let Some(word) = argv.first() else { return false };
    let name = word.rsplit('/').next().unwrap_or(word);
    let mut own = image.entrypoint.iter().chain(image.cmd.first());
    own.any(|e| e.rsplit('/').next() == Some(name)) || (name == "envoy" && image.tools.contains(&"envoy"))
}

fn own_start_lines(image: &Image, argv: &[String]) -> Vec<String> {
    match image.name {
        "hashicorp/http-echo" => vec!["[INFO] server is listening on :5678".into()],
        "nginx" => vec!["/docker-entrypoint.sh: Configuration complete; ready for start up".into()],
        "kennethreitz/httpbin" => vec!["[INFO] Listening at: http://0.0.0.0:80 (1)".into()],
        "mccutchen/go-httpbin" => vec![format!("go-httpbin listening on http://0.0.0.0:8080 ({})", argv.join(" "))],
        _ => Vec::new(),
    }
}

fn no_command(run: &mut Run, pod: &Object, container: &Container<'_>, argv: &[String], now: Time, out: &mut Out<'_>) {
    let word = argv.first().map_or("", String::as_str);
    let why = match word.contains('/') {
        true => format!("stat {word}: no such file or directory"),
        false => "executable file not found in $PATH".to_string(),
    };
    let message = format!(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to \
         start container process: error during container init: exec: \"{word}\": {why}"
    );
    out.told(pod, container, true, "Failed", format!("Error: {message}"));
    run.state =
        State::Ended(Ended { code: 128, reason: "StartError".into(), message, started: None, finished: now, id: run.id.clone() });
    run.due = None;
}

/// A running container: its process, its probes. True when it ended.
fn go_on(life: &mut PodLife, pod: &Object, container: &Container<'_>, env: &mut Env<'_>, out: &mut Out<'_>) -> bool {
    let name = container.name();
    let now = *env.now;
    if let Some(code) = run_main(life, pod, container, env, out) {
        return ended(life, container, code, now);
    }
    let Some(run) = life.run_mut(name) else { return false };
    let due = run.due.is_none_or(|due| now >= due);
    if due {
        run.due = None;
    }
    let serves = run.main.as_ref().is_some_and(|m| m.process.is_none());
    if container.role == Role::Init && serves {
        return due && ended(life, container, 0, now);
    }
    if due {
        probe(life, pod, container, env, out);
    }
    false
}

/// Lets the main process go on; its output goes to the log. Gives its exit code when it ended.
fn run_main(life: &mut PodLife, pod: &Object, container: &Container<'_>, env: &mut Env<'_>, out: &mut Out<'_>) -> Option<i32> {
    let image = container.known()?;
    let name = container.name();
    let run = life.runs.get_mut(name)?;
    let since = run.since().unwrap_or(*env.now);
    let main = run.main.as_mut()?;
    main.wake.filter(|wake| *wake <= *env.now)?;
    let process = main.process.as_mut()?;
    let with_ip = with_address(pod, life.ip.as_deref());
    let command = run.argv.join(" ");
    let exit = {
        let place = Place { pod: &with_ip, container, image, main: (command, since) };
        let mut space = place.space(&mut run.files, &mut life.volumes, env, out.logs);
        // Bounded: what is left goes on at the next tick, for which `wake` asks.
        let progress = process.advance(&mut space, out.pace, INPUT_LIMIT);
        main.wake = progress.wake;
        progress.exit
    };
    let output = std::mem::take(&mut process.out);
    main.print(&output, &mut run.log, &mut run.screen, *env.now);
    exit
}

/// A container with what is needed to see its files.
pub struct Place<'p> {
    pub pod: &'p Object,
    pub container: &'p Container<'p>,
    pub image: &'static Image,
    pub main: (String, Time),
}

impl<'p> Place<'p> {
    /// The container as its commands see it.
    pub fn space<'a, 'e>(
        &'a self,
        files: &'a mut super::Overlay,
        volumes: &'a mut BTreeMap<String, super::Overlay>,
        env: &'a mut Env<'e>,
        logs: &'a mut Vec<(Time, LogLine)>,
    ) -> Space<'a, 'e> {
        let uid = space::user_id(self.pod, self.container, self.image);
        let tree = Tree {
            base: space::base_files(self.pod, self.image, self.main.1),
            mounts: space::mounts(self.pod, self.container, env.state).unwrap_or_default(),
            layer: files,
            volumes,
            uid,
            read_only_root: self.container.spec["securityContext"]["readOnlyRootFilesystem"] == true,
            now: *env.now,
        };
        let name = self.container.name();
        Space { tree, pod: self.pod, container: name, image: self.image, env, logs, main: self.main.clone(), passed_ms: 0 }
    }
}

/// The pod with its address in the status, also before the status is written.
pub fn with_address(pod: &Object, ip: Option<&str>) -> Object {
    let mut pod = pod.clone();
    if let Some(ip) = ip {
        pod.set(&["status", "podIP"], serde_json::json!(ip));
    }
    pod
}

fn ended(life: &mut PodLife, container: &Container<'_>, code: i32, now: Time) -> bool {
    let Some(run) = life.run_mut(container.name()) else { return false };
    let reason = if code == 0 { "Completed" } else { "Error" };
    run.state = State::Ended(Ended {
        code,
        reason: reason.into(),
        message: String::new(),
        started: run.since(),
        finished: now,
        id: run.id.clone(),
    });
    (run.main, run.due, run.started, run.ready) = (None, None, false, false);
    true
}

/// A container that ended: again, or for good. True when it waits for its next run.
fn again(life: &mut PodLife, pod: &Object, container: &Container<'_>, env: &mut Env<'_>, out: &mut Out<'_>) -> bool {
    let policy = pod.str_at(&["spec", "restartPolicy"]).to_string();
    let (uid, pod_name, ns) = (life.uid.clone(), life.name.clone(), life.namespace.clone());
    let Some(run) = life.run_mut(container.name()) else { return false };
    let State::Ended(end) = &run.state else { return false };
    let end = end.clone();
    let restart = match container.role {
        Role::Init => end.code != 0 && policy != "Never",
        Role::Sidecar => true,
        Role::Ephemeral => false,
        Role::App => policy.is_empty() || policy == "Always" || (policy == "OnFailure" && end.code != 0),
    };
    if !restart {
        return false;
    }
    let now = *env.now;
    run.last = Some(end.clone());
    run.restarts += 1;
    run.tries += 1;
    // The overlay goes with the container; its log stays for `--previous`.
    run.previous = Some(std::mem::take(&mut run.log));
    run.files = super::Overlay::default();
    if run.tries == 1 && end.reason != "StartError" {
        run.wait("ContainerCreating", String::new());
        run.due = Some(now.plus_ms(out.timing.start_ms * 2));
        return false;
    }
    let seconds = (10i64 << (run.tries.min(6).saturating_sub(1))).min(300);
    let name = container.name();
    let short = format!("back-off {} restarting failed container={name} pod={pod_name}_{ns}({uid})", span(seconds));
    run.wait("CrashLoopBackOff", short);
    run.retry = Some(now.plus_ms(seconds * 1000));
    out.told(
        pod,
        container,
        true,
        "BackOff",
        format!("Back-off restarting failed container {name} in pod {pod_name}_{ns}({uid})"),
    );
    false
}

/// Go's way to write a duration: `10s`, `1m20s`, `5m0s`.
fn span(seconds: i64) -> String {
    match seconds {
        s if s < 60 => format!("{s}s"),
        s => format!("{}m{}s", s / 60, s % 60),
    }
}

/// 64 hexadecimal digits for one run of a container.
fn container_id(seed: Seed, uid: &str, name: &str, restarts: &str) -> String {
    ["a", "b", "c", "d"].map(|part| format!("{:016x}", seed.hash(&["container", uid, name, restarts, part]))).concat()
}
