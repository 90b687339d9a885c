//! kubectl's pairs of SPDY streams: for each connection one for errors, then one for data, with the same request id.

use super::Ask;
use crate::sandbox::serve::spdy::{Decoder, Encoder, Frame};
use std::collections::BTreeMap;

/// Error streams that wait for their data stream, and pairs that are open.
const LIMIT: usize = 256;
const PROTOCOL_ERROR: u32 = 1;
const REFUSED: u32 = 3;

/// The streams of one connection. Keys are the data streams' ids.
#[derive(Default)]
pub struct Pairs {
    decoder: Decoder,
    encoder: Encoder,
    /// The highest id so far.
    last: u32,
    /// Error streams without a data stream yet, by request id.
    waiting: BTreeMap<String, u32>,
    /// Data stream to error stream.
    open: BTreeMap<u32, u32>,
}

impl Pairs {
    /// A message of the client: any part of the stream of frames.
    pub fn read(&mut self, message: &[u8]) -> Vec<Ask> {
        self.decoder.take(message);
        let mut asks = Vec::new();
        loop {
            match self.decoder.next() {
                Ok(Some(frame)) => self.frame(frame, &mut asks),
                Ok(None) => return asks,
                Err(_) => {
                    asks.push(Ask::Answer(self.encoder.go_away(self.last, PROTOCOL_ERROR)));
                    asks.push(Ask::Stop);
                    return asks;
                }
            }
        }
    }

    fn frame(&mut self, frame: Frame, asks: &mut Vec<Ask>) {
        match frame {
            Frame::Syn { id, headers, fin } => self.syn(id, &headers, fin, asks),
            Frame::Data { id, bytes, fin } if self.open.contains_key(&id) => {
                if !bytes.is_empty() {
                    asks.push(Ask::Input { key: id, bytes });
                }
                if fin {
                    asks.push(Ask::Eof { key: id });
                }
            }
            // On an error stream nothing comes but its end; on others, what was under way when they ended.
            Frame::Data { .. } => (),
            Frame::Reset { id } => {
                self.waiting.retain(|_, waiting| *waiting != id);
                if self.open.remove(&id).is_some() {
                    asks.push(Ask::Drop { key: id });
                }
            }
            Frame::Ping { id } if id % 2 == 1 => asks.push(Ask::Answer(self.encoder.ping(id))),
            Frame::Ping { .. } => (),
            Frame::GoAway => asks.push(Ask::Stop),
        }
    }

    fn syn(&mut self, id: u32, headers: &[(String, String)], fin: bool, asks: &mut Vec<Ask>) {
        let header = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        let port = header("port").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
        let request = header("requestid").unwrap_or("").to_string();
        if id.is_multiple_of(2) || id <= self.last {
            asks.push(Ask::Answer(self.encoder.reset(id, PROTOCOL_ERROR)));
            return;
        }
        self.last = id;
        let refusal = match (port, header("streamtype")) {
            _ if self.open.len() + self.waiting.len() >= LIMIT => Some(REFUSED),
            (Some(_), Some("error")) if self.waiting.contains_key(&request) => Some(PROTOCOL_ERROR),
            (Some(_), Some("data")) if !self.waiting.contains_key(&request) => Some(PROTOCOL_ERROR),
            (Some(_), Some("error" | "data")) => None,
            _ => Some(PROTOCOL_ERROR),
        };
        if let Some(code) = refusal {
            asks.push(Ask::Answer(self.encoder.reset(id, code)));
            return;
        }
        asks.push(Ask::Answer(self.encoder.reply(id)));
        match (header("streamtype"), port, self.waiting.get(&request).copied()) {
            (Some("data"), Some(port), Some(error)) => {
                self.waiting.remove(&request);
                self.open.insert(id, error);
                asks.push(Ask::Open { key: id, port });
                if fin {
                    asks.push(Ask::Eof { key: id });
                }
            }
            _ => drop(self.waiting.insert(request, id)),
        }
    }

    pub fn data(&self, key: u32, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.open.contains_key(&key).then(|| self.encoder.data(key, bytes, false)).into_iter().collect()
    }

    pub fn error(&self, key: u32, text: &[u8]) -> Vec<Vec<u8>> {
        self.open.get(&key).map(|error| self.encoder.data(*error, text, false)).into_iter().collect()
    }

    /// Ends both streams.
    pub fn end(&mut self, key: u32) -> Vec<Vec<u8>> {
        let Some(error) = self.open.remove(&key) else { return Vec::new() };
        vec![[self.encoder.data(error, b"", true), self.encoder.data(key, b"", true)].concat()]
    }
}
