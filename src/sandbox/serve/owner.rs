//! The task that owns a world. Everybody else asks through a [`Handle`], one thing at a time, in the order asked.

use crate::base::clock::{Clock, SystemClock};
use crate::sandbox::Pace;
use crate::sandbox::call::{Answer, Call, Refusal, StreamId, StreamInput, StreamOutput};
use crate::sandbox::world::{Record, World};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait for a world.
const QUEUE: usize = 256;
/// A wall world looks at its clock at least this often, in milliseconds.
const LONGEST_NAP_MS: u64 = 60_000;

/// Works on the world and gives back how to answer: the answer leaves only after what was committed is on disk.
type Job = Box<dyn FnOnce(&mut World) -> Reply + Send>;

struct Reply {
    send: Box<dyn FnOnce() + Send>,
    /// Whoever waits for a stream should look again although nothing was committed.
    wake: bool,
}

/// Keeps what a world commits; called before the write is answered.
pub trait Keeper: Send {
    /// Puts records on disk.
    ///
    /// # Errors
    /// What the system says; the world goes on unsaved and says so once.
    fn keep(&mut self, records: &[Record], world: &World) -> std::io::Result<()>;
}

/// A way to ask a world. Cheap to clone; the world ends when the last handle is gone.
#[derive(Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    changes: watch::Receiver<u64>,
    trouble: watch::Receiver<Option<String>>,
}

/// The world is gone (its task ended).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox has ended")]
pub struct Gone;

impl Handle {
    /// Puts a world into a task of its own. To be called inside a runtime.
    pub fn start(mut world: World, keeper: Option<Box<dyn Keeper>>) -> Handle {
        if keeper.is_some() {
            world.keep_records();
        }
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (changed, changes) = watch::channel(0);
        let (tell, trouble) = watch::channel(None);
        tokio::spawn(own(Owner { world, keeper, changed, tell }, queue));
        Handle { jobs, changes, trouble }
    }

    /// Runs something on the world.
    ///
    /// # Errors
    /// When the world is gone.
    pub async fn with<T: Send + 'static>(&self, job: impl FnOnce(&mut World) -> T + Send + 'static) -> Result<T, Gone> {
        self.ask(false, job).await
    }

    async fn ask<T: Send + 'static>(&self, wake: bool, job: impl FnOnce(&mut World) -> T + Send + 'static) -> Result<T, Gone> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |world| {
            let value = job(world);
            Reply { send: Box::new(move || drop(answer.send(value))), wake }
        });
        self.jobs.send(job).await.map_err(|_| Gone)?;
        answered.await.map_err(|_| Gone)
    }

    /// Answers a request. A panic inside answers 500 and leaves the world running.
    pub async fn call(&self, call: Call) -> Answer {
        let answer = self.with(move |world| guarded(|| world.handle(&call))).await;
        answer.unwrap_or_else(|_| Refusal::new(503, "ServiceUnavailable", "the sandbox is shutting down").answer())
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// The answer to give instead.
    pub async fn open(&self, call: Call) -> Result<StreamId, Answer> {
        let opened = self.with(move |world| std::panic::catch_unwind(AssertUnwindSafe(|| world.open(&call)))).await;
        match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(panicked()),
            Err(Gone) => Err(Refusal::new(503, "ServiceUnavailable", "the sandbox is shutting down").answer()),
        }
    }

    /// Hands input to a stream; waits while its buffer is full.
    ///
    /// # Errors
    /// When the world is gone.
    pub async fn input(&self, id: StreamId, input: StreamInput) -> Result<(), Gone> {
        loop {
            let again = input.clone();
            if self.ask(true, move |world| world.input(id, again)).await? {
                return Ok(());
            }
            self.changed(Some(Duration::from_millis(20))).await;
        }
    }

    /// The next output of a stream that is not `Pending`, waiting for it.
    pub async fn output(&self, id: StreamId) -> StreamOutput {
        let mut seen = self.changes.clone();
        loop {
            seen.borrow_and_update();
            let polled = self.with(move |world| (guarded_output(|| world.poll(id)), world.now(), world.pace())).await;
            let Ok((output, now, pace)) = polled else { return StreamOutput::End };
            let StreamOutput::Pending { until } = output else { return output };
            let nap = until.map(|t| t.since(now) as u64).filter(|_| matches!(pace, Pace::Wall { .. }));
            let nap = Duration::from_millis(nap.unwrap_or(LONGEST_NAP_MS).max(1));
            let _ = tokio::time::timeout(nap, seen.changed()).await;
        }
    }

    /// Forgets a stream whose client is gone.
    pub async fn close(&self, id: StreamId) {
        let _ = self.with(move |world| world.close(id)).await;
    }

    /// Waits until something in the world changes, at most for `limit`.
    pub async fn changed(&self, limit: Option<Duration>) {
        let mut changes = self.changes.clone();
        changes.borrow_and_update();
        let limit = limit.unwrap_or(Duration::from_millis(LONGEST_NAP_MS));
        let _ = tokio::time::timeout(limit, changes.changed()).await;
    }

    /// Why the world is no longer saved, once that has happened.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}

struct Owner {
    world: World,
    keeper: Option<Box<dyn Keeper>>,
    changed: watch::Sender<u64>,
    tell: watch::Sender<Option<String>>,
}

async fn own(mut owner: Owner, mut queue: mpsc::Receiver<Job>) {
    loop {
        let nap = owner.nap();
        let job = tokio::select! {
            biased;
            job = queue.recv() => match job {
                Some(job) => Some(job),
                None => return,
            },
            () = sleep(nap) => None,
        };
        owner.turn(job);
    }
}

async fn sleep(nap: Option<Duration>) {
    match nap {
        Some(nap) => tokio::time::sleep(nap).await,
        None => std::future::pending().await,
    }
}

impl Owner {
    /// Until the world's next transition or timer is due; `None` at other paces than wall.
    fn nap(&self) -> Option<Duration> {
        match (self.world.pace(), self.world.next_due()) {
            (Pace::Wall { .. }, Some(due)) => {
                let ms = due.since(SystemClock.now()) as u64;
                Some(Duration::from_millis(ms.min(LONGEST_NAP_MS)))
            }
            _ => None,
        }
    }

    /// One job (or only the clock), then what it committed goes to disk, then it is answered, then whoever waits is woken.
    fn turn(&mut self, job: Option<Job>) {
        let before = self.world.revision();
        if matches!(self.world.pace(), Pace::Wall { .. }) {
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| self.world.tick(SystemClock.now())));
        }
        let reply = job.and_then(|job| std::panic::catch_unwind(AssertUnwindSafe(|| job(&mut self.world))).ok());
        self.keep();
        let wake = reply.as_ref().is_some_and(|reply| reply.wake);
        if let Some(reply) = reply {
            (reply.send)();
        }
        if wake || self.world.revision() != before {
            self.changed.send_modify(|n| *n += 1);
        }
    }

    fn keep(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        let records = self.world.take_records();
        if records.is_empty() {
            return;
        }
        if let Err(error) = keeper.keep(&records, &self.world) {
            self.keeper = None;
            let _ = self.tell.send(Some(format!("the lab's world could not be saved ({error}); it goes on unsaved")));
        }
    }
}

fn guarded(answer: impl FnOnce() -> Answer) -> Answer {
    std::panic::catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| panicked())
}

fn guarded_output(output: impl FnOnce() -> StreamOutput) -> StreamOutput {
    std::panic::catch_unwind(AssertUnwindSafe(output)).unwrap_or(StreamOutput::End)
}

fn panicked() -> Answer {
    Refusal::new(500, "InternalError", "Internal error occurred: the sandbox met a fault of its own with this request").answer()
}
