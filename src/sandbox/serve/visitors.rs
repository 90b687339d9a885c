//! What another process of this program may ask of a served world, behind the credential: forks of its own to look at, and to bring
//! a state in. Everything lies below the sandbox's mark.

use super::actor::{Gone, Handle};
use crate::sandbox::Pace;
use crate::sandbox::api::rbac::authorize_path;
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::Saved;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Forks of one world that are kept; the oldest goes when another is asked for.
const FORKS: usize = 8;
const MARK: &str = "/.well-known/egress-lab/";

/// The forks that visitors asked for.
#[derive(Clone, Default)]
pub(super) struct Forks(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    last: u64,
    forks: VecDeque<(u64, Handle)>,
}

impl Forks {
    fn put(&self, fork: Handle) -> u64 {
        let mut kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.last += 1;
        let id = kept.last;
        kept.forks.push_back((id, fork));
        if kept.forks.len() > FORKS {
            kept.forks.pop_front();
        }
        id
    }

    fn get(&self, id: u64) -> Option<Handle> {
        let kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.forks.iter().find(|(there, _)| *there == id).map(|(_, fork)| fork.clone())
    }
}

/// Where a call goes: the world itself, or a fork, with the path that is meant there.
///
/// # Errors
/// There is no such fork (any more).
pub(super) fn route(mut call: Call, mut handle: Handle) -> Result<(Call, Handle), Answer> {
    while let Some(rest) = call.path.strip_prefix(MARK).and_then(|path| path.strip_prefix("forks/")) {
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        let fork = id.parse().ok().and_then(|id| handle.forks().get(id));
        handle = fork.ok_or_else(|| Refusal::new(404, "NotFound", format!("the fork {id} is not kept any more")).answer())?;
        call.path = format!("/{path}");
    }
    Ok((call, handle))
}

/// Answers what only visitors ask; `None` for everything else.
pub(super) async fn answer(call: &Call, handle: &Handle) -> Option<Answer> {
    let what = call.path.strip_prefix(MARK).filter(|_| call.method == "POST")?;
    // Whole states go in and out here: that is for those who may do everything.
    if let Err(refusal) = authorize_path(&handle.view(), call) {
        return Some(refusal.answer());
    }
    let answer = match what {
        "forks" => fork(call, handle).await,
        "state" => take_over(call, handle).await,
        _ => return None,
    };
    Some(answer.unwrap_or_else(|gone| super::actor::failure(&gone)))
}

async fn fork(call: &Call, handle: &Handle) -> Result<Answer, Gone> {
    let pace = match call.param("pace") {
        Some("frozen") => Pace::Frozen,
        _ => Pace::Instant,
    };
    let head = handle.revision().await?;
    let wanted = match call.param("revision").map(str::parse::<u64>) {
        None => head,
        Some(Ok(wanted)) if wanted <= head => wanted,
        Some(_) => {
            return Ok(Refusal::bad_request(format!("the world is at revision {head}; there is no such revision yet")).answer());
        }
    };
    let Some(fork) = handle.fork(Some(wanted), pace).await? else {
        return Ok(Refusal::new(410, "Expired", format!("revision {wanted} is no longer kept; the newest is {head}")).answer());
    };
    let revision = fork.revision().await?;
    let id = handle.forks().put(fork);
    Ok(Answer::json(201, &json!({"fork": id, "revision": revision})))
}

async fn take_over(call: &Call, handle: &Handle) -> Result<Answer, Gone> {
    let Ok(saved) = serde_json::from_slice::<Saved>(&call.body) else {
        return Ok(Refusal::bad_request("this is not a state of a sandbox world").answer());
    };
    let revision = handle.with(move |world| world.adopt_saved(saved)).await?;
    Ok(Answer::json(200, &json!({"revision": revision})))
}
