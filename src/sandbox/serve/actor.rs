//! The thread that owns a world. Not a task: a world that works for long must not hold a thread that sockets wait for.

use super::board::Board;
use super::folder::Folder;
use crate::base::clock::{Clock, Time};
use crate::k8s::Snapshot;
use crate::sandbox::api::Looked;
use crate::sandbox::api::watch::Watch;
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::{View, World};
use crate::sandbox::{Pace, api};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Requests that wait for the world; beyond that, callers wait.
const QUEUE: usize = 256;
/// The longest that the task sleeps without looking at the clock (a laptop may have slept).
const LONGEST_SLEEP_MS: i64 = 10_000;

/// How long timers wait after one of them met a defect.
const AFTER_DEFECT_MS: i64 = 10_000;

/// Done with the world, then, once what it committed is on disk, the caller is told.
type Reply = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&mut World) -> Reply + Send>;

/// A job with its place in the queue; nothing to do: look whether it is time to stop.
struct Queued {
    job: Option<Job>,
    _place: Option<OwnedSemaphorePermit>,
}

/// Why the world did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    #[error("the sandbox has been shut down")]
    Stopped,
    /// A defect of this program, or the disk is full.
    #[error("the sandbox could not do this; its terminal or log says why")]
    Failed,
}

/// A way to talk to a world that is being served. Cheap to clone; the world lives until the last handle is gone or `shutdown`.
#[derive(Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Queued>,
    places: Arc<Semaphore>,
    /// Counts what may interest those who wait: commits and ticks.
    news: watch::Receiver<u64>,
    stop: Arc<watch::Sender<bool>>,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    forks: super::visitors::Forks,
}

impl Handle {
    /// Starts the thread. With a folder, every commit is on disk before it is answered.
    pub fn spawn(mut world: World, clock: Arc<dyn Clock>, folder: Option<Folder>) -> Handle {
        if folder.is_some() {
            world.keep_records();
        }
        let (jobs, inbox) = mpsc::channel();
        let (news_out, news) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let board = Board::new(world.view().clone());
        let owner =
            Owner { world, clock: clock.clone(), folder, news: news_out, board: board.clone(), failed: None, resting: None };
        std::thread::spawn(move || owner.run(&inbox, &stopped));
        let places = Arc::new(Semaphore::new(QUEUE));
        Handle { jobs, places, news, stop: Arc::new(stop), clock, board, forks: Default::default() }
    }

    /// Does something with the world, in turn.
    ///
    /// # Errors
    /// [`Gone`] when the world was shut down, when `f` panicked, or when the commit could not be saved.
    pub async fn with<T: Send + 'static>(&self, f: impl FnOnce(&mut World) -> T + Send + 'static) -> Result<T, Gone> {
        let (tx, rx) = oneshot::channel();
        let job: Job = Box::new(move |world| {
            let value = f(world);
            Box::new(move || drop(tx.send(value)))
        });
        let place = self.places.clone().acquire_owned().await.map_err(|_| Gone::Stopped)?;
        self.jobs.send(Queued { job: Some(job), _place: Some(place) }).map_err(|_| Gone::Stopped)?;
        rx.await.map_err(|_| if *self.stop.borrow() { Gone::Stopped } else { Gone::Failed })
    }

    /// The newest committed state, as it is seen now.
    pub fn view(&self) -> View {
        let view = self.board.view();
        match view.pace() {
            Pace::Wall { .. } => view.at(self.clock.now()),
            _ => view,
        }
    }

    /// Where committed states are posted.
    pub(super) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Answers one request that is not a stream. Reads do not wait for the world: they are answered from the last committed state.
    pub async fn handle(&self, call: Call) -> Answer {
        match self.look(&call) {
            Some(looked) => api::whole(looked),
            None => self.act(call).await,
        }
    }

    /// Answers a read; `None`: the world has to be asked.
    pub(super) fn look(&self, call: &Call) -> Option<Looked> {
        if *self.stop.borrow() {
            return Some((failure(&Gone::Stopped), None));
        }
        let looked = catch_unwind(AssertUnwindSafe(|| api::look(&self.view(), call)));
        looked.unwrap_or_else(|_| Some((failure(&Gone::Failed), None)))
    }

    /// Lets the world answer.
    pub(super) async fn act(&self, call: Call) -> Answer {
        let answer = self.with(move |world| world.handle(&call)).await;
        answer.unwrap_or_else(|gone| failure(&gone))
    }

    /// Opens a watch on the committed states.
    ///
    /// # Errors
    /// The answer to give instead.
    pub(super) fn watch(&self, call: &Call) -> Result<Watch, Answer> {
        match catch_unwind(AssertUnwindSafe(|| api::watch(&self.view(), call))) {
            Ok(opened) => opened,
            Err(_) => Err(failure(&Gone::Failed)),
        }
    }

    /// Changes whenever something was committed or a timer fired.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// Becomes true when the world shuts down.
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// The forks that visitors asked for.
    pub(super) fn forks(&self) -> &super::visitors::Forks {
        &self.forks
    }

    /// The clock on the wall (worlds at wall pace follow it).
    pub fn wall(&self) -> Time {
        self.clock.now()
    }

    /// A world of its own at that revision (`None`: the newest), with a task of its own.
    ///
    /// # Errors
    /// As [`Handle::with`]; `Ok(None)` when the revision is no longer kept.
    pub async fn fork(&self, revision: Option<u64>, pace: Pace) -> Result<Option<Handle>, Gone> {
        let world = self.with(move |world| world.fork(revision.unwrap_or_else(|| world.revision()), pace)).await?;
        Ok(world.map(|world| Handle::spawn(world, self.clock.clone(), None)))
    }

    /// The newest revision.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn revision(&self) -> Result<u64, Gone> {
        self.with(|world| world.revision()).await
    }

    /// The objects at the newest revision.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn snapshot(&self) -> Result<Snapshot, Gone> {
        self.with(|world| world.snapshot().clone()).await
    }

    /// Whether no transition is pending.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn settled(&self) -> Result<bool, Gone> {
        self.with(|world| world.settled()).await
    }

    /// Brings a kept revision back as new revisions; false when it is no longer kept.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn reset_to(&self, revision: u64) -> Result<bool, Gone> {
        self.with(move |world| world.reset_to(revision)).await
    }

    /// Keeps the present revision for later forks and resets; gives its number.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn pin(&self) -> Result<u64, Gone> {
        self.with(World::pin).await
    }

    /// The world's moment.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn now(&self) -> Result<Time, Gone> {
        self.with(|world| world.now()).await
    }

    /// Lets `ms` of the world's time pass: moves an instant world's clock, waits at wall pace, does nothing in a frozen world.
    ///
    /// # Errors
    /// As [`Handle::with`].
    pub async fn wait(&self, ms: u64) -> Result<(), Gone> {
        let pace = self.with(|world| world.pace()).await?;
        match pace {
            Pace::Wall { .. } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Pace::Instant => self.with(move |world| world.advance(ms as i64)).await?,
            Pace::Frozen => (),
        }
        Ok(())
    }

    /// Ends the thread once what waits is done; streams end.
    pub async fn shutdown(&self) {
        let _ = self.stop.send(true);
        let _ = self.jobs.send(Queued { job: None, _place: None });
        // The thread drops its end when everything is on disk.
        let mut news = self.news.clone();
        while news.changed().await.is_ok() {}
    }
}

/// Waits until the world shuts down.
pub(super) async fn stop(stopped: &mut watch::Receiver<bool>) {
    // An error says that every handle is gone: the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// The answer when the world cannot give one.
pub(super) fn failure(gone: &Gone) -> Answer {
    let (code, reason) = match gone {
        Gone::Stopped => (503, "ServiceUnavailable"),
        Gone::Failed => (500, "InternalError"),
    };
    Refusal::new(code, reason, format!("Internal error occurred: {gone}")).answer()
}

struct Owner {
    world: World,
    clock: Arc<dyn Clock>,
    folder: Option<Folder>,
    news: watch::Sender<u64>,
    board: Arc<Board>,
    /// Why commits can no longer be saved.
    failed: Option<String>,
    /// Until when timers wait: one of them met a defect.
    resting: Option<Time>,
}

impl Owner {
    fn run(mut self, inbox: &mpsc::Receiver<Queued>, stopped: &watch::Receiver<bool>) {
        while !*stopped.borrow() {
            match inbox.recv_timeout(self.pause()) {
                Ok(queued) => self.take(queued),
                Err(mpsc::RecvTimeoutError::Timeout) => self.tick(),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        // What was queued before the end is still done.
        while let Ok(queued) = inbox.try_recv() {
            self.take(queued);
        }
        self.close();
    }

    fn take(&mut self, queued: Queued) {
        if let Some(job) = queued.job {
            self.work(job);
        }
    }

    /// How long to sleep until the world has something to do.
    fn pause(&self) -> Duration {
        let longest = LONGEST_SLEEP_MS;
        let ms = match (self.world.pace(), self.world.next_due()) {
            (Pace::Wall { .. }, Some(due)) => due.max(self.resting.unwrap_or_default()).since(self.clock.now()).clamp(1, longest),
            _ => longest,
        };
        Duration::from_millis(ms as u64)
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        if self.resting.is_some_and(|until| now < until) {
            return;
        }
        self.resting = None;
        let due = self.world.next_due().is_some_and(|due| due <= now);
        let done = catch_unwind(AssertUnwindSafe(|| self.world.tick(now)));
        if done.is_err() {
            self.resting = Some(now.plus_ms(AFTER_DEFECT_MS));
            self.undo();
        }
        if due || done.is_err() {
            self.publish();
            self.news.send_modify(|n| *n += 1);
        }
    }

    /// Saves what was committed and posts it. False when it could not be saved.
    fn publish(&mut self) -> bool {
        let saved = self.save();
        if saved {
            self.board.post(self.world.view().clone());
        }
        saved
    }

    /// After a defect in the middle of a write: the world goes on from its last commit.
    fn undo(&mut self) {
        if self.failed.is_none() {
            let committed = self.board.view();
            let _ = catch_unwind(AssertUnwindSafe(|| self.world.undo(committed)));
        }
    }

    fn work(&mut self, job: Job) {
        self.tick();
        let before = (self.world.revision(), self.world.now());
        let reply = catch_unwind(AssertUnwindSafe(|| job(&mut self.world)));
        if reply.is_err() && self.world.revision() != before.0 {
            self.undo();
        }
        let changed = (self.world.revision(), self.world.now()) != before;
        let saved = if changed { self.publish() } else { self.save() };
        // A job that panicked, or a commit that is not on disk, is not answered: the caller sees `Gone::Failed`.
        if let (Ok(reply), true) = (reply, saved || !changed) {
            reply();
        }
        if changed {
            self.news.send_modify(|n| *n += 1);
        }
    }

    /// Puts on disk what was committed. False when that did not work.
    fn save(&mut self) -> bool {
        let Some(folder) = &mut self.folder else { return true };
        let records = self.world.take_records();
        if self.failed.is_some() {
            return false;
        }
        let result = match records.is_empty() {
            true => Ok(()),
            false => folder.append(&records, || self.world.save()),
        };
        self.failed = result.err().map(|error| error.to_string());
        self.failed.is_none()
    }

    fn close(&mut self) {
        self.save();
        if let (Some(folder), None) = (&mut self.folder, &self.failed) {
            // The next start is quicker with a fresh snapshot; without it nothing is lost.
            let _ = folder.snapshot(&self.world.save());
        }
    }
}
