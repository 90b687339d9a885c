//! port-forward: SPDY frames inside websocket messages (kubectl), or a pair of channels for each port (kube-rs). Both come down to
//! connections of the world that are fed and polled in one loop.

mod channels;
mod pairs;

use super::actor::{Handle, stop};
use super::pump;
use super::socket::{self, Socket};
use crate::sandbox::call::{Call, StreamId, StreamInput, StreamOutput};
use bytes::Bytes;
use channels::Channels;
use futures::{SinkExt, StreamExt};
use pairs::Pairs;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// kubectl's subprotocol.
pub const SPDY: &str = "SPDY/3.1+portforward.k8s.io";
/// Connections that one port-forward carries at a time.
const CONNECTIONS: usize = 128;

/// What a message of the client asks for. Keys name connections in the client's own numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ask {
    Open {
        key: u32,
        port: u16,
    },
    Input {
        key: u32,
        bytes: Vec<u8>,
    },
    Eof {
        key: u32,
    },
    Drop {
        key: u32,
    },
    /// Bytes that are to be sent back at once.
    Answer(Vec<u8>),
    /// The connection cannot go on.
    Stop,
}

/// How bytes and connections are told apart.
enum Codec {
    Spdy(Box<Pairs>),
    Channels(Channels),
}

impl Codec {
    fn read(&mut self, message: &[u8]) -> Vec<Ask> {
        match self {
            Codec::Spdy(pairs) => pairs.read(message),
            Codec::Channels(channels) => channels.read(message),
        }
    }

    /// The messages for an output; none for what has nothing to say.
    fn write(&mut self, key: u32, output: StreamOutput) -> Vec<Vec<u8>> {
        match (self, output) {
            (Codec::Spdy(pairs), StreamOutput::Stdout(bytes)) => pairs.data(key, &bytes),
            (Codec::Spdy(pairs), StreamOutput::Stderr(bytes)) => pairs.error(key, &bytes),
            (Codec::Spdy(pairs), output) if is_end(&output) => pairs.end(key),
            (Codec::Channels(channels), StreamOutput::Stdout(bytes)) => channels.data(key, &bytes),
            (Codec::Channels(channels), StreamOutput::Stderr(bytes)) => channels.error(key, &bytes),
            _ => Vec::new(),
        }
    }
}

fn is_end(output: &StreamOutput) -> bool {
    matches!(output, StreamOutput::Exit(_) | StreamOutput::End | StreamOutput::Failed(_))
}

/// The ports of a client that has a pair of channels for each.
///
/// # Errors
/// The kubelet's text.
pub fn ports(call: &Call) -> Result<Vec<u16>, String> {
    let given: Vec<&str> = call.query.iter().filter(|(name, _)| name == "ports").map(|(_, value)| value.as_str()).collect();
    if given.is_empty() {
        return Err("query parameter \"port\" is required".into());
    }
    let mut ports = Vec::new();
    for text in given {
        if text.is_empty() {
            return Err("query parameter \"port\" cannot be empty".into());
        }
        for word in text.split(',') {
            match word.parse::<u16>() {
                Ok(0) => return Err(format!("port {text:?} must be > 0")),
                Ok(port) => ports.push(port),
                Err(_) => {
                    let why = if word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty() {
                        "value out of range"
                    } else {
                        "invalid syntax"
                    };
                    return Err(format!("unable to parse {text:?} as a port: strconv.ParseUint: parsing {word:?}: {why}"));
                }
            }
        }
    }
    // Two channels each, and a channel is one byte.
    if ports.len() > 127 { Err("too many ports".into()) } else { Ok(ports) }
}

/// One port-forward: its connections, by the client's key.
pub struct Forward {
    handle: Handle,
    uid: String,
    codec: Codec,
    open: BTreeMap<u32, StreamId>,
    /// Input that the world had no room for.
    held: Option<(u32, StreamInput)>,
    /// A client of channels is done when its last port is.
    ends: bool,
}

impl Forward {
    /// A port-forward to the pod of this uid; `ports`: pairs of channels instead of SPDY.
    pub fn new(handle: Handle, uid: String, ports: Option<Vec<u16>>) -> Forward {
        let ends = ports.is_some();
        let codec = match ports {
            Some(ports) => Codec::Channels(Channels::new(ports)),
            None => Codec::Spdy(Box::default()),
        };
        Forward { handle, uid, codec, open: BTreeMap::new(), held: None, ends }
    }

    /// Carries bytes until the client goes away.
    pub async fn run(mut self, socket: &mut Socket) {
        let mut stopped = self.handle.stopped();
        tokio::select! {
            () = self.carry(socket) => (),
            () = stop(&mut stopped) => (),
        }
        socket::close(socket).await;
        for id in std::mem::take(&mut self.open).into_values() {
            let _ = self.handle.with(move |world| world.close(id)).await;
        }
    }

    async fn carry(&mut self, socket: &mut Socket) {
        let mut news = self.handle.news();
        let mut asks = self.greeting();
        loop {
            for ask in asks.drain(..) {
                if self.act(socket, ask).await.is_none() {
                    return;
                }
            }
            news.borrow_and_update();
            let Some(left) = self.poll(socket).await else { return };
            if self.ends && self.open.is_empty() {
                return;
            }
            tokio::select! {
                message = socket.next(), if self.held.is_none() => match message {
                    Some(Ok(Message::Binary(bytes))) => asks = self.codec.read(&bytes),
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                    Some(Ok(_)) => (),
                },
                changed = news.changed(), if !self.open.is_empty() => if changed.is_err() { return },
                () = pump::pause(left) => (),
                () = tokio::time::sleep(Duration::from_millis(20)), if self.held.is_some() => (),
            }
        }
    }

    fn greeting(&self) -> Vec<Ask> {
        match &self.codec {
            Codec::Spdy(_) => Vec::new(),
            Codec::Channels(channels) => channels.greeting(),
        }
    }

    /// Does what is asked; `None` ends the connection.
    async fn act(&mut self, socket: &mut Socket, ask: Ask) -> Option<()> {
        match ask {
            Ask::Answer(bytes) => send(socket, bytes).await?,
            Ask::Stop => return None,
            Ask::Open { key, port } => self.connect(socket, key, port).await?,
            Ask::Input { key, bytes } => self.input(socket, key, StreamInput::Bytes(bytes)).await?,
            Ask::Eof { key } => self.input(socket, key, StreamInput::Eof).await?,
            Ask::Drop { key } => {
                if let Some(id) = self.open.remove(&key) {
                    self.handle.with(move |world| world.close(id)).await.ok()?;
                }
            }
        }
        Some(())
    }

    async fn connect(&mut self, socket: &mut Socket, key: u32, port: u16) -> Option<()> {
        let uid = self.uid.clone();
        let opened = match self.open.len() < CONNECTIONS {
            true => self.handle.with(move |world| world.open_port(&uid, port)).await.ok()?,
            false => None,
        };
        if let Some(id) = opened {
            self.open.insert(key, id);
            return Some(());
        }
        let text = format!("error forwarding port {port}: too many connections are open, please try again later");
        for output in [StreamOutput::Stderr(text.into_bytes()), StreamOutput::End] {
            for bytes in self.codec.write(key, output) {
                send(socket, bytes).await?;
            }
        }
        Some(())
    }

    /// Hands input over; what finds no room is polled for.
    async fn input(&mut self, socket: &mut Socket, key: u32, input: StreamInput) -> Option<()> {
        let Some(id) = self.open.get(&key).copied() else { return Some(()) };
        // One message may hold more than the world takes at once: it makes room as it is polled, up to a limit.
        for _ in 0..8 {
            let copy = input.clone();
            if self.handle.with(move |world| world.input(id, copy)).await.ok()? {
                return Some(());
            }
            self.poll(socket).await?;
        }
        self.held = Some((key, input));
        Some(())
    }

    /// Sends what there is to say; the milliseconds until there may be more.
    async fn poll(&mut self, socket: &mut Socket) -> Option<Option<i64>> {
        if let Some((key, input)) = self.held.take()
            && let Some(id) = self.open.get(&key).copied()
        {
            let copy = input.clone();
            if !self.handle.with(move |world| world.input(id, copy)).await.ok()? {
                self.held = Some((key, input));
            }
        }
        let mut soonest: Option<i64> = None;
        for (key, id) in self.open.clone() {
            loop {
                let turn = pump::turn(&self.handle, id).await?;
                let mut over = false;
                for output in turn.outputs {
                    over |= is_end(&output);
                    for bytes in self.codec.write(key, output) {
                        send(socket, bytes).await?;
                    }
                }
                if over {
                    self.open.remove(&key);
                    break;
                }
                if let Some(left) = turn.pending {
                    soonest = soonest.into_iter().chain(left).min();
                    break;
                }
            }
        }
        Some(soonest)
    }
}

/// Sends one message; `None`: the client is gone.
async fn send(socket: &mut Socket, bytes: Vec<u8>) -> Option<()> {
    socket.send(Message::Binary(Bytes::from(bytes))).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_the_kubelet_reads_them() {
        let read = |query: &str| ports(&Call::new("GET", &format!("/x/portforward{query}")));
        assert_eq!(read("?ports=80,443&ports=15000"), Ok(vec![80, 443, 15000]));
        for (query, why) in [
            ("", "query parameter \"port\" is required"),
            ("?ports=", "query parameter \"port\" cannot be empty"),
            ("?ports=0", "port \"0\" must be > 0"),
            ("?ports=x", "unable to parse \"x\" as a port: strconv.ParseUint: parsing \"x\": invalid syntax"),
            ("?ports=70000", "unable to parse \"70000\" as a port: strconv.ParseUint: parsing \"70000\": value out of range"),
        ] {
            assert_eq!(read(query), Err(why.to_string()), "{query}");
        }
    }
}
