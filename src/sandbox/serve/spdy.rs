//! SPDY/3.1 frames as kubectl port-forward speaks them inside a websocket: bytes in, frames out, and frames to bytes. No I/O.

use crate::sandbox::inflate::{DICTIONARY, Inflate, Wrong};

/// The largest control frame.
const CONTROL_LIMIT: usize = 64 * 1024;
/// The largest data frame; clients send 32 KiB.
const DATA_LIMIT: usize = 1 << 20;
/// The largest header block when unpacked.
const HEADERS_LIMIT: usize = 64 * 1024;
/// Payload of one data frame that is sent.
const PAYLOAD: usize = 32 * 1024;

/// What arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A new stream with its headers; `fin`: nothing else comes on it.
    Syn {
        id: u32,
        headers: Vec<(String, String)>,
        fin: bool,
    },
    Data {
        id: u32,
        bytes: Vec<u8>,
        fin: bool,
    },
    Reset {
        id: u32,
    },
    Ping {
        id: u32,
    },
    GoAway,
}

/// Why the connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("a frame of {0} bytes")]
    Large(usize),
    #[error("a frame that is not SPDY/3.1")]
    Version,
    #[error("a frame that is too short")]
    Short,
    #[error("a header block: {0}")]
    Headers(#[from] Wrong),
}

/// Reads frames off a stream of bytes.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// How far they are read.
    at: usize,
    inflate: Inflate,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { bytes: Vec::new(), at: 0, inflate: Inflate::new(DICTIONARY) }
    }
}

impl Decoder {
    /// Takes bytes, cut anywhere. Call [`Decoder::next`] until it gives `None` before the next piece.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame that says something.
    ///
    /// # Errors
    /// [`Broken`]: end the connection.
    pub fn next(&mut self) -> Result<Option<Frame>, Broken> {
        loop {
            let unread = &self.bytes[self.at..];
            let Some(head) = unread.first_chunk::<8>() else { return Ok(self.pause()) };
            let control = head[0] & 0x80 != 0;
            let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
            if length > if control { CONTROL_LIMIT } else { DATA_LIMIT } {
                return Err(Broken::Large(length));
            }
            let Some(frame) = unread.get(..8 + length) else { return Ok(self.pause()) };
            let frame = frame.to_vec();
            self.at += frame.len();
            let read = match control {
                true => self.control(&frame)?,
                false => {
                    let id = number(&frame, 0)?;
                    Some(Frame::Data { id, fin: frame[4] & 1 != 0, bytes: frame[8..].to_vec() })
                }
            };
            if read.is_some() {
                return Ok(read);
            }
        }
    }

    /// Drops what is read: the rest of a frame has to come first.
    fn pause(&mut self) -> Option<Frame> {
        self.bytes.drain(..std::mem::take(&mut self.at));
        None
    }

    /// A control frame; settings and window updates say nothing to us.
    fn control(&mut self, frame: &[u8]) -> Result<Option<Frame>, Broken> {
        if frame[..2] != [0x80, 3] {
            return Err(Broken::Version);
        }
        let kind = u16::from_be_bytes([frame[2], frame[3]]);
        Ok(match kind {
            1 => {
                let id = number(frame, 8)?;
                let packed = frame.get(18..).ok_or(Broken::Short)?;
                let block = self.inflate.piece(packed, HEADERS_LIMIT)?;
                Some(Frame::Syn { id, headers: headers(&block)?, fin: frame[4] & 1 != 0 })
            }
            // SYN_REPLY and HEADERS: unpacked, because the stream of header blocks is one.
            2 | 8 => {
                self.inflate.piece(frame.get(12..).ok_or(Broken::Short)?, HEADERS_LIMIT)?;
                None
            }
            3 => Some(Frame::Reset { id: number(frame, 8)? }),
            6 => Some(Frame::Ping { id: number(frame, 8)? }),
            7 => Some(Frame::GoAway),
            _ => None,
        })
    }
}

/// A stream id (31 bits).
fn number(bytes: &[u8], at: usize) -> Result<u32, Broken> {
    let four = bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>()).ok_or(Broken::Short)?;
    Ok(u32::from_be_bytes(*four) & 0x7fff_ffff)
}

fn headers(block: &[u8]) -> Result<Vec<(String, String)>, Broken> {
    let count = number(block, 0)?;
    // Each header takes 8 bytes at least.
    if count as usize > block.len() / 8 {
        return Err(Broken::Short);
    }
    let mut rest = &block[4..];
    let mut word = || -> Result<String, Broken> {
        let length = usize::try_from(number(rest, 0)?).map_err(|_| Broken::Short)?;
        let (text, after) = rest[4..].split_at_checked(length).ok_or(Broken::Short)?;
        rest = after;
        Ok(String::from_utf8_lossy(text).into_owned())
    };
    (0..count).map(|_| Ok((word()?, word()?))).collect()
}

/// Writes frames.
#[derive(Debug, Default)]
pub struct Encoder {
    begun: bool,
}

impl Encoder {
    /// Accepts a stream, without headers.
    pub fn reply(&mut self, id: u32) -> Vec<u8> {
        let mut payload = id.to_be_bytes().to_vec();
        if !std::mem::replace(&mut self.begun, true) {
            // The header of a zlib stream that needs no dictionary.
            payload.extend([0x78, 0x01]);
        }
        // One block, stored as it is: a count of zero headers. The empty block after it is the flush: Go's reader hands nothing out
        // before it has seen one.
        payload.extend([0x00, 0x04, 0x00, 0xfb, 0xff, 0, 0, 0, 0]);
        payload.extend([0x00, 0x00, 0x00, 0xff, 0xff]);
        control(2, 0, &payload)
    }

    /// Data of a stream, in frames of 32 KiB; the last one ends the stream if `fin` is set.
    pub fn data(&self, id: u32, bytes: &[u8], fin: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        let mut parts: Vec<&[u8]> = bytes.chunks(PAYLOAD).collect();
        if parts.is_empty() && fin {
            parts.push(&[]);
        }
        let last = parts.len();
        for (i, part) in parts.into_iter().enumerate() {
            out.extend(id.to_be_bytes());
            out.extend(((part.len() as u32) | u32::from(fin && i + 1 == last) << 24).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Ends a stream at once. Codes: 1 protocol error, 3 refused.
    pub fn reset(&self, id: u32, code: u32) -> Vec<u8> {
        control(3, 0, &[id.to_be_bytes(), code.to_be_bytes()].concat())
    }

    /// The same ping back.
    pub fn ping(&self, id: u32) -> Vec<u8> {
        control(6, 0, &id.to_be_bytes())
    }

    /// Nothing more is accepted; `last` is the last stream that was, code 1 a protocol error.
    pub fn go_away(&self, last: u32, code: u32) -> Vec<u8> {
        control(7, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
    }
}

fn control(kind: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, 3];
    out.extend(kind.to_be_bytes());
    out.extend((u32::from(flags) << 24 | payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(id: u32, block: &[u8]) -> Vec<u8> {
        control(1, 0, &[&id.to_be_bytes()[..], &[0; 6], block].concat())
    }

    /// Headers in a stored block, as our own encoder writes them.
    fn stored(headers: &[(&str, &str)], first: bool) -> Vec<u8> {
        let mut block = (headers.len() as u32).to_be_bytes().to_vec();
        for word in headers.iter().flat_map(|(n, v)| [n, v]) {
            block.extend((word.len() as u32).to_be_bytes());
            block.extend(word.as_bytes());
        }
        let length = block.len() as u16;
        let start: &[u8] = if first { &[0x78, 0x01] } else { &[] };
        [start, &[0], &length.to_le_bytes(), &(!length).to_le_bytes(), &block].concat()
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Frame>, Broken> {
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for piece in pieces {
            decoder.take(piece);
            while let Some(frame) = decoder.next()? {
                all.push(frame);
            }
        }
        Ok(all)
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let headers = [("streamtype", "data"), ("port", "80"), ("requestid", "0")];
        let encoder = Encoder::default();
        let whole = [
            syn(1, &stored(&headers, true)),
            control(4, 0, &[0; 12]),
            encoder.data(1, b"hello", false),
            encoder.data(1, b"", true),
            syn(3, &stored(&headers[..1], false)),
            encoder.ping(5),
            encoder.reset(3, 5),
            encoder.go_away(3, 0),
        ]
        .concat();
        let owned = |list: &[(&str, &str)]| list.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>();
        let wanted = vec![
            Frame::Syn { id: 1, headers: owned(&headers), fin: false },
            Frame::Data { id: 1, bytes: b"hello".to_vec(), fin: false },
            Frame::Data { id: 1, bytes: Vec::new(), fin: true },
            Frame::Syn { id: 3, headers: owned(&headers[..1]), fin: false },
            Frame::Ping { id: 5 },
            Frame::Reset { id: 3 },
            Frame::GoAway,
        ];
        assert_eq!(read(&[&whole]).unwrap(), wanted);
        assert_eq!(read(&whole.chunks(1).collect::<Vec<_>>()).unwrap(), wanted);
    }

    #[test]
    fn what_is_broken_ends_the_connection() {
        for (bytes, why) in [
            (vec![0x80, 2, 0, 1, 0, 0, 0, 0], Broken::Version),
            (vec![0x80, 3, 0, 1, 0, 1, 0, 1], Broken::Large(65_537)),
            (vec![0, 0, 0, 1, 0, 0xff, 0xff, 0xff], Broken::Large(0xff_ffff)),
            (control(1, 0, &[0, 0, 0, 1]), Broken::Short),
            (control(3, 0, &[0]), Broken::Short),
            (syn(1, b"no zlib"), Broken::Headers(Wrong::Header)),
            (syn(1, &[0x78, 1, 0, 4, 0, 0xfb, 0xff, 0, 0, 0, 9]), Broken::Short),
        ] {
            assert_eq!(read(&[&bytes]), Err(why), "{bytes:?}");
        }
    }

    #[test]
    fn replies_and_data_are_frames_again() {
        let mut encoder = Encoder::default();
        let (first, second) = (encoder.reply(1), encoder.reply(3));
        assert_eq!(read(&[&first, &second, &encoder.ping(7)]).unwrap(), [Frame::Ping { id: 7 }]);
        let large = vec![7; PAYLOAD + 1];
        let frames = read(&[&encoder.data(9, &large, true)]).unwrap();
        let sizes: Vec<(usize, bool)> = frames
            .iter()
            .map(|f| match f {
                Frame::Data { bytes, fin, .. } => (bytes.len(), *fin),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [(PAYLOAD, false), (1, true)]);
    }
}
