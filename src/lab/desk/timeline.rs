//! The time-line: what happened, what it was like at some moment, how two moments differ, and the way back.

pub mod hands;
pub mod lines;
pub mod marks;
pub mod text;
pub mod word;

use crate::base::clock::Time;
use crate::k8s::{Key, Object, Snapshot};
use crate::lab::env::Checkpoint;
use crate::lab::explain::world::World;
use crate::lab::explain::{CLIENT, diff};
use crate::lab::prompt::Prompt;
use crate::mesh::compare::{Change, compare};
use crate::mesh::reach::Client;
use crate::session::desk::timeline::{Compared, Moment, Part, Past, Sign, TimeLine, Told, Undone};
use anyhow::{Context, bail};
use marks::Mark;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most moments that are told at once.
const MOMENTS: usize = 1_000;
/// Lines of objects in one answer.
const LINES: usize = 4_000;
/// How often a question that waits for news looks, in milliseconds, and how many times.
const LOOK_MS: u64 = 700;
const LOOKS: usize = 40;

/// A point of the past.
pub struct Point {
    /// `revision 812`, `bookmark start (revision 812)`.
    pub name: String,
    pub revision: Option<u64>,
    pub objects: Snapshot,
}

/// The newest changes, at most `last`, oldest first. With `after` it waits a while until there is something newer than that.
///
/// # Errors
/// The environment does not answer.
pub async fn time_line(prompt: &Prompt, last: usize, after: Option<u64>) -> anyhow::Result<TimeLine> {
    let env = prompt.env();
    let last = last.clamp(1, MOMENTS);
    for _ in 0..LOOKS {
        if after.is_none() || env.kept(1).await?.last().copied() != after {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(LOOK_MS)).await;
    }
    let mut moments = moments(prompt, last).await?;
    let marks = prompt.marks.all();
    match env.past() {
        Past::Kept => moments.iter_mut().for_each(|m| {
            m.mark = marks.iter().find(|mark| mark.revision == Some(m.revision)).map(|mark| mark.name.clone());
        }),
        Past::MarksOnly(_) => moments = marks.iter().enumerate().map(|(n, mark)| as_moment(n, mark)).collect(),
    }
    Ok(TimeLine { past: env.past(), now: env.now().await, moments })
}

/// The newest changes, each with who made it.
async fn moments(prompt: &Prompt, last: usize) -> anyhow::Result<Vec<Moment>> {
    let mut moments = prompt.env().moments(last).await?;
    moments.iter_mut().for_each(|moment| prompt.hands.sign(moment));
    Ok(moments)
}

/// Where nothing else is kept, the bookmarks are the time-line; they are numbered from 1.
fn as_moment(nth: usize, mark: &Mark) -> Moment {
    Moment {
        revision: nth as u64 + 1,
        at: mark.at,
        who: "you".into(),
        own: true,
        what: format!("bookmark {}", mark.name),
        more: 0,
        mark: Some(mark.name.clone()),
    }
}

/// One change in full.
///
/// # Errors
/// It is no longer kept, or the environment keeps no past.
pub async fn change(prompt: &Prompt, point: &str) -> anyhow::Result<Told> {
    if let Past::MarksOnly(why) = prompt.env().past() {
        bail!("{why}");
    }
    let revision = revision(prompt, point).await?;
    let happened = prompt.env().change(revision).await?;
    let mut moment = happened.moment;
    moment.mark = prompt.marks.at_revision(moment.revision);
    prompt.hands.sign(&mut moment);
    let revision = moment.revision;
    let mut told = Told { moment, parts: Vec::new(), unlisted: happened.unlisted, lines: Vec::new() };
    for one in &happened.parts {
        let part = Part { who: prompt.hands.named(revision, &one.part.who), ..one.part.clone() };
        if part.thing.kind.kind != "Event" && told.lines.len() < LINES {
            let title = format!("{} {}, by {}", part.verb.word(), part.thing, part.who);
            told.lines.push((Sign::Title, title));
            told.lines.extend(lines::difference(one.before.as_deref(), one.after.as_deref()));
        }
        told.parts.push(part);
    }
    cut(&mut told.lines);
    Ok(told)
}

/// Two points compared: the objects, and what became allowed or denied.
///
/// # Errors
/// One of them is not kept or not known.
pub async fn compared(prompt: &Prompt, from: &str, to: &str) -> anyhow::Result<Compared> {
    let (old, new) = (point(prompt, from).await?, point(prompt, to).await?);
    let now = prompt.env().now().await;
    let namespace = prompt.kubectl.namespace();
    let sandbox = prompt.env().past() == Past::Kept;
    // The model of a whole mesh is compiled twice: not on a thread that others wait for.
    let work = move || compare_points(&old, &new, &Client::parse(CLIENT, &namespace), sandbox, now);
    Ok(tokio::task::spawn_blocking(work).await?)
}

fn compare_points(old: &Point, new: &Point, asker: &Client, sandbox: bool, now: Time) -> Compared {
    let mut found = Compared {
        from: old.name.clone(),
        to: new.name.clone(),
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
        lines: Vec::new(),
        traffic: Vec::new(),
        reach: (0, 0),
    };
    for (thing, before, after) in differing(&old.objects, &new.objects) {
        let word = match (&before, &after) {
            (None, _) => {
                found.added.push(thing.clone());
                "added"
            }
            (_, None) => {
                found.removed.push(thing.clone());
                "removed"
            }
            _ => {
                found.changed.push(thing.clone());
                "changed"
            }
        };
        if found.lines.len() < LINES {
            found.lines.push((Sign::Title, format!("{word} {thing}")));
            found.lines.extend(lines::difference(before.as_deref(), after.as_deref()));
        }
    }
    cut(&mut found.lines);
    let world = |point: &Point| World::of_snapshot(&point.name, point.objects.clone(), asker, sandbox, now);
    let (before, after) = (world(old), world(new));
    let inputs = (before.inputs(), after.inputs());
    let traffic = compare((&before.model, &inputs.0), (&after.model, &inputs.1), &[]);
    let count = |change: Change| traffic.differences.iter().filter(|d| d.change == change).count();
    found.reach = (count(Change::Allowed), count(Change::Denied));
    found.traffic = diff::changes(&after, &traffic).lines().map(str::to_string).collect();
    found
}

/// An object's key, and the object before and after.
type Differing = (Key, Option<Arc<Object>>, Option<Arc<Object>>);

/// Objects that differ in what people mean by them: not by versions, events, leases.
fn differing(old: &Snapshot, new: &Snapshot) -> Vec<Differing> {
    let keys: BTreeSet<Key> = old.all().chain(new.all()).map(|o| o.key()).filter(|k| !is_noise(&k.kind.kind)).collect();
    let mut found = Vec::new();
    for key in keys {
        let (before, after) = (old.get(&key), new.get(&key));
        let same = match (before, after) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || lines::shown(a) == lines::shown(b),
            _ => false,
        };
        if !same {
            found.push((key, before.cloned(), after.cloned()));
        }
    }
    found
}

fn is_noise(kind: &str) -> bool {
    matches!(kind, "Event" | "Lease")
}

/// What going back to a point would undo.
///
/// # Errors
/// It is not kept, or cannot be returned to here.
pub async fn undone(prompt: &Prompt, to: &str) -> anyhow::Result<Undone> {
    if let Past::MarksOnly(why) = prompt.env().past() {
        bail!("{why}");
    }
    let revision = revision(prompt, to).await?;
    let (then, now) = (prompt.env().objects(Some(revision)).await?.1, prompt.env().objects(None).await?.1);
    let mut undone = Undone { revision, ..Undone::default() };
    for (key, before, after) in differing(&then, &now) {
        match (before, after) {
            (None, _) => undone.deleted.push(key),
            (_, None) => undone.created.push(key),
            _ => undone.changed.push(key),
        }
    }
    let after: Vec<Moment> = moments(prompt, MOMENTS).await?.into_iter().filter(|m| m.revision > revision).collect();
    undone.all = after.len();
    undone.own = after.iter().rev().filter(|m| m.own).map(|m| m.what.clone()).collect();
    Ok(undone)
}

/// Writes the state of a point forward; its revision, the newest one before that, and the one that came of it.
///
/// # Errors
/// It is not kept, or cannot be returned to here.
pub async fn go_back(prompt: &Prompt, to: &str) -> anyhow::Result<(u64, u64, u64)> {
    if let Past::MarksOnly(why) = prompt.env().past() {
        bail!("{why}");
    }
    let (before, revision) = (self::revision(prompt, "now").await?, revision(prompt, to).await?);
    prompt.env().reset(&Checkpoint(revision)).await?;
    let newest = prompt.env().kept(1).await?.last().copied().unwrap_or(revision);
    Ok((revision, before, newest))
}

/// Gives a point a name; it is kept with a saved world, on a cluster as long as the lab is open.
///
/// # Errors
/// No such point, or a name that means something else.
pub async fn mark(prompt: &Prompt, point: &str, name: &str) -> anyhow::Result<String> {
    marks::check_name(name)?;
    let at = prompt.env().now().await;
    let mark = match prompt.env().past() {
        Past::Kept => {
            let revision = prompt.env().keep(revision(prompt, point).await?).await?;
            Mark { name: name.into(), revision: Some(revision), at, objects: None, recalled: false }
        }
        Past::MarksOnly(why) if point != "now" => bail!("{why}"),
        Past::MarksOnly(_) => {
            let objects = prompt.env().objects(None).await?.1;
            Mark { name: name.into(), revision: None, at, objects: Some(objects), recalled: false }
        }
    };
    let what = mark.revision.map_or("the present objects".to_string(), |r| format!("revision {r}"));
    let revision = mark.revision;
    prompt.marks.put(mark)?;
    let kept = match revision {
        Some(revision) => prompt.marks.keep(&**prompt.env(), name, at, revision).await,
        None => Ok(()),
    };
    Ok(match kept {
        Ok(()) => format!("Bookmark {name}: {what}."),
        Err(error) => {
            format!("Bookmark {name}: {what}. It cannot be kept for the next time: {}.", crate::lab::words::line(&error))
        }
    })
}

/// The revision that a word names: a number, `now`, `-N` (N changes back), a bookmark.
///
/// # Errors
/// It names none.
pub async fn revision(prompt: &Prompt, word: &str) -> anyhow::Result<u64> {
    if let Some(mark) = prompt.marks.find(word) {
        return mark.revision.context("that bookmark is no revision of this world");
    }
    let mut kept = prompt.env().kept(MOMENTS).await?;
    // What was kept from the last time stands alone: between it and the beginning of this time nothing is known.
    let (named, recalled) = (word.parse::<u64>().ok(), prompt.marks.recalled());
    kept.retain(|revision| named == Some(*revision) || !recalled.contains(revision));
    let newest = *kept.last().context("nothing has happened yet")?;
    if word == "now" {
        return Ok(newest);
    }
    if let Some(back) = word.strip_prefix('-').and_then(|n| n.parse::<usize>().ok()) {
        let place = kept.len().checked_sub(back + 1).with_context(|| format!("only {} changes are kept", kept.len()))?;
        return Ok(kept[place]);
    }
    let Some(wanted) = named else {
        bail!(
            "{word} is no point of the time-line: a revision, `now`, `-N` (N changes back) or a bookmark (`timeline` lists them)"
        )
    };
    if wanted > newest {
        bail!("the world is at revision {newest}; {wanted} is still to come");
    }
    let known = kept.iter().rev().find(|revision| **revision <= wanted).copied();
    known.with_context(|| format!("revision {wanted} is no longer kept; the oldest is {}", kept[0]))
}

/// A client for the world as it was at a point; the newest one that was asked for is kept, so that it is made once.
///
/// # Errors
/// It is not kept, or the environment keeps no past.
pub async fn looked(prompt: &Prompt, word: &str) -> anyhow::Result<kube::Client> {
    if let Past::MarksOnly(why) = prompt.env().past() {
        bail!("{why}");
    }
    let revision = revision(prompt, word).await?;
    let mut looked = prompt.looked.lock().await;
    if let Some((_, client)) = looked.as_ref().filter(|(at, _)| *at == revision) {
        return Ok(client.clone());
    }
    let client = prompt.env().look(Some(revision)).await?.client;
    *looked = Some((revision, client.clone()));
    Ok(client)
}

async fn point(prompt: &Prompt, word: &str) -> anyhow::Result<Point> {
    if let Some(Mark { name, objects: Some(objects), .. }) = prompt.marks.find(word) {
        return Ok(Point { name: format!("bookmark {name}"), revision: None, objects });
    }
    if let Past::MarksOnly(why) = prompt.env().past() {
        if word != "now" {
            bail!("{word} is no bookmark. {why}");
        }
        return Ok(Point { name: "now".into(), revision: None, objects: prompt.env().objects(None).await?.1 });
    }
    let wanted = revision(prompt, word).await?;
    let (found, objects) = prompt.env().objects(Some(wanted)).await?;
    let revision = found.unwrap_or(wanted);
    let name = match prompt.marks.at_revision(revision) {
        Some(mark) => format!("bookmark {mark} (revision {revision})"),
        None => format!("revision {revision}"),
    };
    Ok(Point { name, revision: Some(revision), objects })
}

fn cut(lines: &mut Vec<(Sign, String)>) {
    if lines.len() > LINES {
        let rest = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push((Sign::Title, format!("and {rest} more lines")));
    }
}
