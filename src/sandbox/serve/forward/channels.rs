//! Two channels for each port: 2i carries bytes, 2i+1 the error text. Each begins with the port's number.

use super::Ask;

/// Payload of one message.
const PAYLOAD: usize = 32 * 1024;

/// The ports of one client, in its order; keys are their places.
pub struct Channels {
    ports: Vec<u16>,
}

impl Channels {
    pub fn new(ports: Vec<u16>) -> Channels {
        Channels { ports }
    }

    /// What is done first: each port is named on both its channels, then opened.
    pub fn greeting(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (i, port) in self.ports.iter().enumerate() {
            let [low, high] = port.to_le_bytes();
            for channel in [2 * i, 2 * i + 1] {
                asks.push(Ask::Answer(vec![channel as u8, low, high]));
            }
        }
        asks.extend((0..).zip(&self.ports).map(|(key, port)| Ask::Open { key, port: *port }));
        asks
    }

    /// A message of the client. `255, channel` (v5) ends a channel; whatever comes on an error channel is ignored.
    pub fn read(&mut self, message: &[u8]) -> Vec<Ask> {
        match message {
            [255, channel] if channel % 2 == 0 => vec![Ask::Eof { key: u32::from(channel / 2) }],
            [channel, bytes @ ..] if channel % 2 == 0 && !bytes.is_empty() => {
                vec![Ask::Input { key: u32::from(channel / 2), bytes: bytes.to_vec() }]
            }
            _ => Vec::new(),
        }
    }

    pub fn data(&self, key: u32, bytes: &[u8]) -> Vec<Vec<u8>> {
        let channel = key as u8 * 2;
        bytes.chunks(PAYLOAD).map(|part| [&[channel][..], part].concat()).collect()
    }

    pub fn error(&self, key: u32, text: &[u8]) -> Vec<Vec<u8>> {
        vec![[&[key as u8 * 2 + 1][..], text].concat()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_named_before_they_are_opened() {
        let mut channels = Channels::new(vec![80, 15000]);
        assert_eq!(
            channels.greeting(),
            [
                Ask::Answer(vec![0, 80, 0]),
                Ask::Answer(vec![1, 80, 0]),
                Ask::Answer(vec![2, 0x98, 0x3a]),
                Ask::Answer(vec![3, 0x98, 0x3a]),
                Ask::Open { key: 0, port: 80 },
                Ask::Open { key: 1, port: 15000 },
            ]
        );
        assert_eq!(channels.read(&[2, b'x']), [Ask::Input { key: 1, bytes: b"x".to_vec() }]);
        assert_eq!(channels.read(&[255, 0]), [Ask::Eof { key: 0 }]);
        for ignored in [&[3, b'x'][..], &[2], &[], &[255, 1]] {
            assert_eq!(channels.read(ignored), []);
        }
        assert_eq!(channels.data(1, b"ab"), [vec![2, b'a', b'b']]);
        assert_eq!(channels.error(1, b"no"), [vec![3, b'n', b'o']]);
    }
}
