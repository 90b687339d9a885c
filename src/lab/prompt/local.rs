//! Words that work on the lab's folder and on their input only.

use super::Prompt;
use super::folder::Folder;
use super::words::{Local, help};
use crate::base::io::{Io, Stream};
use crate::k8s::templates;
use crate::lab::desk::{Manifests, told};
use crate::lab::env::sandbox;
use crate::session::desk::manifest::{Grade, Preview};
use crate::shell::machine::{Call, CallInput};

/// Runs a local word; the exit code.
pub(super) async fn run(word: Local, call: &Call, io: &mut Io, prompt: &Prompt) -> i32 {
    let operands: Vec<&str> = call.argv[1..].iter().map(String::as_str).collect();
    let result = match word {
        Local::Help => {
            io.write(help().as_bytes());
            Ok(())
        }
        Local::Pwd => {
            io.say(&prompt.files.location().map_or("(the lab's folder, in memory)".into(), |p| p.display().to_string()));
            Ok(())
        }
        Local::Shell => match &prompt.own_shell {
            Some(place) => {
                io.write(place.lines().as_bytes());
                Ok(())
            }
            None => Err("This lab keeps its files in memory; there is no folder for a shell of your own.".into()),
        },
        Local::Edit => edit(&operands, prompt, io).await,
        Local::Preview => return preview(&operands, prompt, io).await,
        Local::Diff => return said(Manifests { prompt }.last_change().await, io),
        Local::Template => template(&operands, io),
        Local::Remove => remove(&operands, prompt),
        Local::Copy => copy(&operands, prompt),
        Local::Tool => return tool(call, io, prompt),
    };
    match result {
        Ok(()) => 0,
        Err(sentence) => {
            io.warn(&sentence);
            1
        }
    }
}

/// `preview FILE`: exit code 1 when the server would not take it.
async fn preview(operands: &[&str], prompt: &Prompt, io: &mut Io) -> i32 {
    let [name] = operands else {
        io.warn("preview FILE: one manifest of the lab's folder (`ls` shows them); nothing is applied.");
        return 2;
    };
    let text = match prompt.files.read(name).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            io.warn(&format!("{name} is not a text file."));
            return 1;
        }
        Err(e) => {
            io.warn(&format!("preview: {name}: {}", words(&e)));
            return 1;
        }
    };
    said(Manifests { prompt }.preview(name, &text).await, io)
}

fn said(preview: anyhow::Result<Preview>, io: &mut Io) -> i32 {
    match preview {
        Ok(preview) => {
            io.write(told::preview(&preview).as_bytes());
            i32::from(preview.problems.iter().any(|p| p.grade != Grade::Unsure))
        }
        Err(error) => {
            io.warn(&crate::lab::words::line(&error));
            1
        }
    }
}

fn template(operands: &[&str], io: &mut Io) -> Result<(), String> {
    let kinds = templates::kinds().join(", ");
    let [kind] = operands else { return Err(format!("template KIND: one of {kinds}; `template KIND > FILE` keeps it.")) };
    let text = templates::find(kind).ok_or_else(|| format!("There is no template for {kind}; there are {kinds}."))?;
    io.write(text.as_bytes());
    Ok(())
}

async fn edit(operands: &[&str], prompt: &Prompt, io: &mut Io) -> Result<(), String> {
    let [name] = operands else { return Err("edit FILE: the name of one file of the lab's folder (`ls` shows them).".into()) };
    let editor = io
        .editor
        .clone()
        .ok_or("No editor can be opened from here; set $VISUAL or $EDITOR, or write the file with `cat > FILE <<EOF`.")?;
    let before = match prompt.files.read(name) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| format!("{name} is not a text file."))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(format!("{name}: {e}")),
    };
    let (title, text) = (name.to_string(), before.clone());
    let edited = tokio::task::spawn_blocking(move || editor.edit(&title, &text)).await.map_err(|e| e.to_string())??;
    if edited == before {
        io.say(&format!("{name} is unchanged."));
        return Ok(());
    }
    prompt.files.write(name, edited.as_bytes()).map_err(|e| format!("{name} could not be written: {e}"))?;
    io.say(&format!("{name} written, {} lines. Apply it with `kubectl apply -f {name}`.", edited.lines().count()));
    Ok(())
}

fn remove(operands: &[&str], prompt: &Prompt) -> Result<(), String> {
    let names: Vec<&&str> = operands.iter().filter(|o| !o.starts_with('-')).collect();
    if names.is_empty() {
        return Err("rm FILE..: files of the lab's folder (`kubectl delete` removes objects).".into());
    }
    names.iter().try_for_each(|name| prompt.files.remove(name).map_err(|e| format!("rm: {name}: {}", words(&e))))
}

fn copy(operands: &[&str], prompt: &Prompt) -> Result<(), String> {
    let [from, to] = operands else { return Err("cp FROM TO: two files of the lab's folder.".into()) };
    let bytes = prompt.files.read(from).map_err(|e| format!("cp: {from}: {}", words(&e)))?;
    prompt.files.write(to, &bytes).map_err(|e| format!("cp: {to}: {}", words(&e)))
}

fn words(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => "no such file in the lab's folder (`ls` shows what is there)".into(),
        _ => e.to_string(),
    }
}

/// The shell's text tools on the lab's folder.
fn tool(call: &Call, io: &mut Io, prompt: &Prompt) -> i32 {
    let stdin = match &call.stdin {
        CallInput::Bytes(bytes) => Some(bytes.clone()),
        CallInput::Host => None,
    };
    if stdin.is_none() && sandbox::text::waits(call) {
        io.warn(&format!(
            "{0} waits for input here: name a file, or put it after a pipe (`kubectl get pods | {0} ..`).",
            call.argv[0]
        ));
        return 2;
    }
    let folder = Folder { files: prompt.files.clone(), clock: prompt.clock.clone() };
    let (out, err, code) = sandbox::text::run(folder, call, stdin);
    (io.out)(Stream::Out, &out);
    (io.out)(Stream::Err, &err);
    code
}
