//! Applies a lesson's actions: the closed set of design invariant 5, through the same prompt and client as the learner's lines.

use crate::base::io::Stream;
use crate::finding::Ran;
use crate::kubectl::Restrictions;
use crate::lab::objects::{api_of, replace, resource, scoped};
use crate::lab::prompt::{Piece, Prompt, Terminal};
use crate::lab::retry::is_lost;
use crate::lesson::model::{Action, Answer, Fault, Istio, Lesson, Take};
use anyhow::{Context, anyhow, bail};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// Output that may wait for a reader of one line.
const QUEUE: usize = 256;
/// A line whose connection is lost is run so often.
const LINE_TRIES: usize = 4;
/// On a cluster what an answer is taken from may come late, a log line above all: Envoy writes its access log out once a second or so.
/// It is looked for so long, and so often, in milliseconds.
const LATE_MS: u64 = 5_000;
const AGAIN_MS: u64 = 500;

/// What actions left behind besides the changed world.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// The lines that were run.
    pub ran: Vec<Ran>,
    /// The answers that were given, by step.
    pub answers: BTreeMap<String, String>,
}

/// What a line that ends with an error means for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The actions are to work: stop and say so.
    Stop,
    /// The server may well refuse (a near miss): go on with the rest.
    GoOn,
}

/// Applies actions in order.
///
/// # Errors
/// The first action that did not work: the line with its exit code and last words, or what the server said.
pub async fn apply(prompt: &Prompt, actions: &[Action], on_error: OnError, out: &mpsc::Sender<Piece>) -> anyhow::Result<Applied> {
    let mut applied = Applied::default();
    for action in actions {
        match action {
            Action::Line(text) => {
                let ran = line_again(prompt, text, out).await;
                if ran.exit_code != 0 && on_error == OnError::Stop && !ends_badly_by_design(text) {
                    bail!("`{}` ended with {}: {}", first_line(text), ran.exit_code, last_words(&ran.output));
                }
                applied.ran.push(ran);
            }
            Action::File(file) => {
                prompt.files.write(&file.name, file.content.as_bytes()).with_context(|| format!("writing {}", file.name))?;
            }
            Action::Answer { step, answer } => {
                let text = resolve(prompt, answer, out).await?;
                applied.answers.insert(step.clone(), text);
            }
            Action::Fault(what) => fault(prompt, what).await?,
            Action::InstallIstio(Istio { profile, options }) => {
                let options: Vec<String> = options.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let text = install(prompt, profile, &options).await.map_err(anyhow::Error::msg)?;
                let _ = out.send((Stream::Out, text.into_bytes())).await;
            }
        }
    }
    Ok(applied)
}

/// Brings a prompt's world to the start of a step: the set-ups and solutions of the steps before it, then its own set-up.
///
/// # Errors
/// As [`apply`], with the step that it happened in.
pub async fn to_start_of(prompt: &Prompt, lesson: &Lesson, step: usize) -> anyhow::Result<()> {
    let (quiet, _) = mpsc::channel(1);
    for earlier in &lesson.steps[..step.min(lesson.steps.len())] {
        let told = || format!("building the state after step {}", earlier.id);
        apply(prompt, &earlier.setup, OnError::Stop, &quiet).await.with_context(told)?;
        apply(prompt, &earlier.solution, OnError::Stop, &quiet).await.with_context(told)?;
    }
    if let Some(step) = lesson.steps.get(step) {
        apply(prompt, &step.setup, OnError::Stop, &quiet).await?;
    }
    Ok(())
}

/// Installs Istio by what installs it here; what it printed.
async fn install(prompt: &Prompt, profile: &str, options: &[String]) -> Result<String, String> {
    let Some(own) = prompt.env().own_istioctl() else {
        return crate::istioctl::install_action(&prompt.istioctl, profile, options).await;
    };
    let mut text = String::new();
    own.install(profile, options, &mut |_, line| text.extend([line, "\n"])).await?;
    Ok(text)
}

/// A command in a pod may well end with a code of its own (curl 35): that is what the step is about.
fn ends_badly_by_design(line: &str) -> bool {
    line.contains(" exec ") && line.contains(" -- ")
}

fn last_words(output: &str) -> &str {
    output.trim().lines().last().unwrap_or("no output")
}

/// Runs a line of lesson content; once more where the connection to the cluster was lost under it. People decide that for themselves.
async fn line_again(prompt: &Prompt, text: &str, out: &mpsc::Sender<Piece>) -> Ran {
    let mut ran = line(prompt, text, out).await;
    for _ in 1..LINE_TRIES {
        if ran.exit_code == 0 || !is_lost(&ran.output) {
            break;
        }
        ran = line(prompt, text, out).await;
    }
    ran
}

/// Runs one line of lesson content, under the restrictions for lessons, and passes its output on.
pub async fn line(prompt: &Prompt, text: &str, out: &mpsc::Sender<Piece>) -> Ran {
    let mut prompt = prompt.clone();
    prompt.kubectl.restrictions = Restrictions::lesson();
    let (pieces, mut received) = mpsc::channel(QUEUE);
    let (_closed, input) = mpsc::channel(1);
    let run = prompt.run(text, Terminal { input, out: pieces, size: None });
    tokio::pin!(run);
    let mut ran = Ran { line: text.to_string(), exit_code: 0, output: String::new() };
    let keep = |ran: &mut Ran, bytes: &[u8]| ran.output.push_str(&String::from_utf8_lossy(bytes));
    let end = loop {
        tokio::select! {
            biased;
            Some((stream, bytes)) = received.recv() => {
                keep(&mut ran, &bytes);
                let _ = out.send((stream, bytes)).await;
            }
            end = &mut run => break end,
        }
    };
    while let Ok((stream, bytes)) = received.try_recv() {
        keep(&mut ran, &bytes);
        let _ = out.send((stream, bytes)).await;
    }
    ran.exit_code = end.exit_code;
    ran
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

/// The text of an answer, taken from this run where it says so.
async fn resolve(prompt: &Prompt, answer: &Answer, out: &mpsc::Sender<Piece>) -> anyhow::Result<String> {
    let take = match answer {
        Answer::Choice(text) | Answer::Text(text) => return Ok(text.clone()),
        Answer::Take(take) => take,
    };
    let mut waited = 0;
    loop {
        if let Some(found) = taken(prompt, take, out).await? {
            return Ok(found);
        }
        if prompt.env().is_the_labs_own() || waited >= LATE_MS {
            return Err(match take {
                Take::Output { line, pattern } => {
                    anyhow!("the output of `{}` holds nothing that matches {}", first_line(line), pattern.as_str())
                }
                _ => anyhow!("this run has nothing to take the answer from"),
            });
        }
        prompt.env().wait(AGAIN_MS).await;
        waited += AGAIN_MS;
    }
}

/// The value as it is to be had now.
async fn taken(prompt: &Prompt, take: &Take, out: &mpsc::Sender<Piece>) -> anyhow::Result<Option<String>> {
    if let Take::Output { line: text, pattern } = take {
        let ran = line(prompt, text, out).await;
        // On a cluster the lab's probes are in the same logs; they are not what was asked about.
        let lines = ran.output.lines().filter(|line| !crate::check::objects::is_own(line));
        return Ok(pattern.captures(&lines.collect::<Vec<_>>().join("\n")).into_iter().next());
    }
    let reader = crate::check::reader::Reader::new(prompt.env().client());
    let world = reader.snapshot(&kinds(take)).await?;
    Ok(crate::check::question::values(&reader, &world, take).await?.into_iter().next())
}

/// The kinds that a value is taken from.
fn kinds(take: &Take) -> Vec<crate::k8s::Kind> {
    match take {
        Take::Object { object, .. } => vec![object.kind.clone()],
        Take::Labelled { kind, .. } => vec![kind.clone()],
        Take::Output { .. } | Take::Log { .. } => Vec::new(),
    }
}

/// Breaks or changes the world as a lesson's runner may.
async fn fault(prompt: &Prompt, fault: &Fault) -> anyhow::Result<()> {
    let client = prompt.env().client();
    match fault {
        Fault::Apply(object) => replace(&client, object).await,
        Fault::Patch { object, patch } => {
            let api = api_of(&client, object).await?;
            api.patch(&object.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
            Ok(())
        }
        Fault::Delete { kind, namespace, name, mentions } => {
            let resource = resource(&client, &kind.group, &kind.kind).await?;
            let everywhere: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            for object in everywhere.list(&ListParams::default()).await? {
                let meta = &object.metadata;
                let here = namespace.as_ref().is_none_or(|ns| meta.namespace.as_ref() == Some(ns));
                let named = name.as_ref().is_none_or(|n| meta.name.as_ref() == Some(n));
                let spec = object.data.get("spec").map(serde_json::Value::to_string).unwrap_or_default();
                let mentioned = mentions.as_ref().is_none_or(|text| spec.contains(text.as_str()));
                let ours = prompt.env().is_ours(meta.uid.as_deref().unwrap_or(""));
                if here && named && mentioned && ours {
                    let api = scoped(&client, &resource, meta.namespace.as_deref().unwrap_or(""));
                    api.delete(meta.name.as_deref().unwrap_or(""), &DeleteParams::default()).await?;
                }
            }
            Ok(())
        }
        Fault::Dns { .. } | Fault::Origin { .. } => prompt.env().fault(fault).await,
    }
}
