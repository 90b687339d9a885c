//! Watches and followed logs as response bodies: polled when there is news, as fast as the client reads. Watches read the committed
//! states on the board, logs ask the world.

use super::actor::{Handle, stop};
use super::board::Waiter;
use super::http::Body;
use crate::sandbox::api::watch::Watch;
use crate::sandbox::call::{StreamId, StreamOutput};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces taken from the world in one turn.
const BATCH: usize = 64;
/// Bytes taken from the world in one turn.
const BATCH_BYTES: usize = 256 * 1024;
/// Pieces that wait for a slow client; the world is not polled meanwhile.
const AHEAD: usize = 8;

/// What a turn with the world gave.
pub struct Turn {
    pub outputs: Vec<StreamOutput>,
    /// Nothing more now: wait for news, and at most so many milliseconds if a moment is set.
    pub pending: Option<Option<i64>>,
}

/// Polls a stream until it has nothing to say, the batch is full or it is over.
pub async fn turn(handle: &Handle, id: StreamId) -> Option<Turn> {
    let polled = handle.with(move |world| {
        let (mut outputs, mut bytes) = (Vec::new(), 0);
        while outputs.len() < BATCH && bytes < BATCH_BYTES {
            match world.poll(id) {
                StreamOutput::Pending { until } => {
                    // In the world's time: a logical clock has nothing to do with the one on the wall.
                    let left = until.map(|moment| moment.since(world.now()));
                    return Turn { outputs, pending: Some(left) };
                }
                output => {
                    bytes += size(&output);
                    let over = matches!(output, StreamOutput::End | StreamOutput::Exit(_) | StreamOutput::Failed(_));
                    outputs.push(output);
                    if over {
                        break;
                    }
                }
            }
        }
        Turn { outputs, pending: None }
    });
    polled.await.ok()
}

fn size(output: &StreamOutput) -> usize {
    match output {
        StreamOutput::Body(b) | StreamOutput::Stdout(b) | StreamOutput::Stderr(b) => b.len(),
        _ => 0,
    }
}

/// Sleeps so many milliseconds (at most 10 s; then look again).
pub async fn pause(left: Option<i64>) {
    tokio::time::sleep(Duration::from_millis(left.unwrap_or(10_000).clamp(1, 10_000) as u64)).await;
}

/// The response body of a watch. It works when the client takes what is there, and only then: no buffer grows for a slow one.
pub fn watch(handle: Handle, watch: Watch) -> Body {
    let waiter = handle.board().wait_for(watch.interest(&handle.view()));
    let stopped = handle.stopped();
    let state = Watching { handle, watch, waiter, stopped };
    stream(futures::stream::unfold(state, |mut state| async move { state.next().await.map(|bytes| (bytes, state)) }).boxed())
}

struct Watching {
    handle: Handle,
    watch: Watch,
    waiter: Waiter,
    stopped: tokio::sync::watch::Receiver<bool>,
}

impl Watching {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let view = self.handle.view();
            let until = match self.watch.poll(&view) {
                StreamOutput::Body(bytes) => return Some(Bytes::from(bytes)),
                StreamOutput::Pending { until } => until.map(|moment| moment.since(view.now())),
                _ => return None,
            };
            tokio::select! {
                () = self.waiter.news() => (),
                () = pause(until), if until.is_some() => (),
                () = stop(&mut self.stopped) => return None,
            }
        }
    }
}

/// The response body of a followed log.
pub fn body(handle: Handle, id: StreamId) -> Body {
    let (tx, rx) = mpsc::channel::<Bytes>(AHEAD);
    tokio::spawn(async move {
        run(&handle, id, tx).await;
        let _ = handle.with(move |world| world.close(id)).await;
    });
    let frames = futures::stream::unfold(rx, |mut rx| async move { rx.recv().await.map(|bytes| (bytes, rx)) });
    stream(frames.boxed())
}

/// A body of pieces.
pub fn stream(pieces: futures::stream::BoxStream<'static, Bytes>) -> Body {
    BodyExt::boxed(StreamBody::new(SyncStream(pieces.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))).boxed().into())))
}

/// A stream behind a lock that nobody contends for: response bodies have to be `Sync`.
struct SyncStream<S>(std::sync::Mutex<S>);

impl<S: futures::Stream + Unpin> futures::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        let inner = self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        std::pin::Pin::new(inner).poll_next(cx)
    }
}

async fn run(handle: &Handle, id: StreamId, tx: mpsc::Sender<Bytes>) {
    let mut news = handle.news();
    let mut stopped = handle.stopped();
    loop {
        news.borrow_and_update();
        let Some(turn) = turn(handle, id).await else { return };
        for output in turn.outputs {
            match output {
                StreamOutput::Body(bytes) => {
                    if tx.send(Bytes::from(bytes)).await.is_err() {
                        return;
                    }
                }
                StreamOutput::Stdout(_) | StreamOutput::Stderr(_) | StreamOutput::Pending { .. } => (),
                StreamOutput::End | StreamOutput::Exit(_) | StreamOutput::Failed(_) => return,
            }
        }
        let Some(left) = turn.pending else { continue };
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = pause(left) => (),
            () = tx.closed() => return,
            () = stop(&mut stopped) => return,
        }
    }
}
