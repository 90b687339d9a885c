//! Reading from a client who may send too much, too little or nothing at all.

use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Bytes read at a time.
const STEP: usize = 8 << 10;

/// What is still read of a request that was refused, and for how long.
const PARTING: (usize, Duration) = (4 << 20, Duration::from_secs(2));

/// A stream and what was read of it and not yet used.
pub struct Reader<S> {
    pub stream: S,
    pub have: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// Nothing read yet.
    pub fn new(stream: S) -> Reader<S> {
        Reader { stream, have: BytesMut::new() }
    }

    /// Reads some more. `false`: the client sends no more.
    pub async fn more(&mut self) -> io::Result<bool> {
        self.have.reserve(STEP);
        let have = &mut self.have;
        Ok((&mut self.stream).take(STEP as u64).read_buf(have).await? > 0)
    }

    /// Leaves out so many bytes. `false`: the client ended before.
    pub async fn skip(&mut self, mut bytes: u64) -> io::Result<bool> {
        loop {
            let here = bytes.min(self.have.len() as u64);
            self.have.advance(here as usize);
            bytes -= here;
            if bytes == 0 {
                return Ok(true);
            }
            if !self.more().await? {
                return Ok(false);
            }
        }
    }

    /// A line without its CR LF; `None` when there is none within so many bytes.
    pub async fn line(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(end) = self.have.iter().take(most).position(|byte| *byte == b'\n') {
                let line = self.have.split_to(end + 1).freeze();
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                return Ok(Some(line.slice_ref(text.strip_suffix(b"\r").unwrap_or(text))));
            }
            if self.have.len() >= most || !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Ends the connection so that the client can still read what was sent last: closing with bytes unread would reset it. What the
    /// client still sends is left out, up to a limit and for a while.
    pub async fn part(&mut self) {
        let _ = timeout(PARTING.1, self.drain(PARTING.0)).await;
    }

    async fn drain(&mut self, most: usize) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let mut seen = 0;
        while seen < most {
            self.have.clear();
            match self.more().await {
                Ok(true) => seen += self.have.len(),
                _ => return,
            }
        }
    }
}
