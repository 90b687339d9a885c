//! Unpacking as zlib and gzip do it (RFC 1950 to 1952): SPDY's header blocks (one stream per connection, cut at flushes into pieces
//! that each hold whole blocks) and what `tar z` reads. Sizes are limited; checksums of the content are not compared.

/// How far back a match may reach.
const WINDOW: usize = 32 * 1024;
/// Longest code.
const MAX_BITS: usize = 15;

/// The preset dictionary of SPDY/3 header blocks (draft-mbelshe-httpbis-spdy-00, section 2.6.10.1).
pub const DICTIONARY: &[u8] = b"\
\0\0\0\x07options\0\0\0\x04head\0\0\0\x04post\0\0\0\x03put\0\0\0\x06delete\0\0\0\x05trace\0\0\0\x06accept\
\0\0\0\x0eaccept-charset\0\0\0\x0faccept-encoding\0\0\0\x0faccept-language\0\0\0\x0daccept-ranges\0\0\0\x03age\
\0\0\0\x05allow\0\0\0\x0dauthorization\0\0\0\x0dcache-control\0\0\0\x0aconnection\0\0\0\x0ccontent-base\
\0\0\0\x10content-encoding\0\0\0\x10content-language\0\0\0\x0econtent-length\0\0\0\x10content-location\
\0\0\0\x0bcontent-md5\0\0\0\x0dcontent-range\0\0\0\x0ccontent-type\0\0\0\x04date\0\0\0\x04etag\0\0\0\x06expect\
\0\0\0\x07expires\0\0\0\x04from\0\0\0\x04host\0\0\0\x08if-match\0\0\0\x11if-modified-since\0\0\0\x0dif-none-match\
\0\0\0\x08if-range\0\0\0\x13if-unmodified-since\0\0\0\x0dlast-modified\0\0\0\x08location\0\0\0\x0cmax-forwards\
\0\0\0\x06pragma\0\0\0\x12proxy-authenticate\0\0\0\x13proxy-authorization\0\0\0\x05range\0\0\0\x07referer\
\0\0\0\x0bretry-after\0\0\0\x06server\0\0\0\x02te\0\0\0\x07trailer\0\0\0\x11transfer-encoding\0\0\0\x07upgrade\
\0\0\0\x0auser-agent\0\0\0\x04vary\0\0\0\x03via\0\0\0\x07warning\0\0\0\x10www-authenticate\0\0\0\x06method\
\0\0\0\x03get\0\0\0\x06status\0\0\0\x06200 OK\0\0\0\x07version\0\0\0\x08HTTP/1.1\0\0\0\x03url\0\0\0\x06public\
\0\0\0\x0aset-cookie\0\0\0\x0akeep-alive\0\0\0\x06origin\
100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Inform\
ation204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server E\
rror501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed\
, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/pl\
ain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// What is wrong with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("not a zlib stream")]
    Header,
    #[error("another dictionary than SPDY's")]
    Dictionary,
    #[error("the piece ends inside a block")]
    Short,
    #[error("a code that means nothing")]
    Code,
    #[error("more than the limit when unpacked")]
    TooLong,
}

/// A stream being unpacked.
#[derive(Debug)]
pub struct Inflate {
    dictionary: &'static [u8],
    /// The last bytes that came out, or the dictionary.
    window: Vec<u8>,
    begun: bool,
}

impl Inflate {
    /// A stream that may refer to a preset dictionary.
    pub fn new(dictionary: &'static [u8]) -> Inflate {
        Inflate { dictionary, window: Vec::new(), begun: false }
    }

    /// Unpacks the next piece, which ends with a flush; at most `limit` bytes come out.
    ///
    /// # Errors
    /// [`Wrong`]; the stream cannot go on then.
    pub fn piece(&mut self, input: &[u8], limit: usize) -> Result<Vec<u8>, Wrong> {
        let body = if self.begun { input } else { self.header(input)? };
        self.blocks(body, limit)
    }

    fn blocks(&mut self, body: &[u8], limit: usize) -> Result<Vec<u8>, Wrong> {
        let before = self.window.len();
        let mut bits = Bits { bytes: body, at: 0, held: 0, count: 0 };
        let mut out = Output { bytes: std::mem::take(&mut self.window), limit: before + limit };
        while !bits.is_empty() {
            let last = bits.take(1)? == 1;
            match bits.take(2)? {
                0 => stored(&mut bits, &mut out)?,
                1 => coded(&mut bits, &mut out, &Code::new(&fixed_lengths())?, &Code::new(&[5; 30])?)?,
                2 => {
                    let (lengths, distances) = tables(&mut bits)?;
                    coded(&mut bits, &mut out, &lengths, &distances)?;
                }
                _ => return Err(Wrong::Code),
            }
            if last {
                break;
            }
        }
        let piece = out.bytes[before..].to_vec();
        let excess = out.bytes.len().saturating_sub(WINDOW);
        self.window = out.bytes.split_off(excess);
        Ok(piece)
    }

    /// Reads the two bytes before the first block, and the name of the dictionary.
    fn header<'b>(&mut self, input: &'b [u8]) -> Result<&'b [u8], Wrong> {
        let [method, flags, rest @ ..] = input else { return Err(Wrong::Short) };
        if method & 0x0f != 8 || u16::from_be_bytes([*method, *flags]) % 31 != 0 {
            return Err(Wrong::Header);
        }
        self.begun = true;
        if flags & 0x20 == 0 {
            return Ok(rest);
        }
        let (id, rest) = rest.split_first_chunk::<4>().ok_or(Wrong::Short)?;
        if u32::from_be_bytes(*id) != adler32(self.dictionary) {
            return Err(Wrong::Dictionary);
        }
        self.window = self.dictionary.to_vec();
        Ok(rest)
    }
}

/// Unpacks a gzip file; at most `limit` bytes come out.
///
/// # Errors
/// [`Wrong`].
pub fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Wrong> {
    let (head, mut rest) = bytes.split_at_checked(10).ok_or(Wrong::Header)?;
    if head[..3] != [0x1f, 0x8b, 8] {
        return Err(Wrong::Header);
    }
    let flags = head[3];
    if flags & 4 != 0 {
        let length = rest.get(..2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
        rest = rest.get(2 + length..).ok_or(Wrong::Short)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|b| *b == 0).ok_or(Wrong::Short)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..).ok_or(Wrong::Short)?;
    }
    Inflate::new(&[]).blocks(rest, limit)
}

/// A gzip file of the bytes as they are: valid, not smaller.
pub fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut parts = bytes.chunks(0xffff).peekable();
    if parts.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(part) = parts.next() {
        let length = part.len() as u16;
        out.push(u8::from(parts.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(part);
    }
    out.extend(crc32(bytes).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The checksum that names a dictionary (RFC 1950, section 9).
pub fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// Bits from the low end of each byte.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn take(&mut self, wanted: u32) -> Result<u32, Wrong> {
        while self.count < wanted {
            let byte = *self.bytes.get(self.at).ok_or(Wrong::Short)?;
            self.held |= u32::from(byte) << self.count;
            (self.at, self.count) = (self.at + 1, self.count + 8);
        }
        let value = self.held & ((1 << wanted) - 1);
        self.held >>= wanted;
        self.count -= wanted;
        Ok(value)
    }

    /// Drops what is left of the present byte.
    fn align(&mut self) {
        (self.held, self.count) = (0, 0);
    }
}

struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

impl Output {
    fn push(&mut self, byte: u8) -> Result<(), Wrong> {
        if self.bytes.len() >= self.limit {
            return Err(Wrong::TooLong);
        }
        self.bytes.push(byte);
        Ok(())
    }

    fn again(&mut self, distance: usize, length: usize) -> Result<(), Wrong> {
        let from = self.bytes.len().checked_sub(distance).ok_or(Wrong::Code)?;
        for i in 0..length {
            self.push(self.bytes[from + i])?;
        }
        Ok(())
    }
}

/// A canonical Huffman code: how many codes there are of each length, and the symbols in their order.
struct Code {
    counts: [u16; MAX_BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> Result<Code, Wrong> {
        let mut counts = [0u16; MAX_BITS + 1];
        lengths.iter().for_each(|length| counts[usize::from(*length)] += 1);
        counts[0] = 0;
        let mut left = 1i32;
        for count in &counts[1..] {
            left = left * 2 - i32::from(*count);
            if left < 0 {
                return Err(Wrong::Code);
            }
        }
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).filter(|s| lengths[usize::from(*s)] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        Ok(Code { counts, symbols })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Result<u16, Wrong> {
        let (mut code, mut first, mut index) = (0i32, 0i32, 0i32);
        for count in &self.counts[1..] {
            code |= bits.take(1)? as i32;
            let count = i32::from(*count);
            if code - count < first {
                return self.symbols.get((index + code - first) as usize).copied().ok_or(Wrong::Code);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Wrong::Code)
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Output) -> Result<(), Wrong> {
    bits.align();
    let (length, inverse) = (bits.take(16)?, bits.take(16)?);
    if length ^ inverse != 0xffff {
        return Err(Wrong::Code);
    }
    for _ in 0..length {
        let byte = bits.take(8)?;
        out.push(byte as u8)?;
    }
    Ok(())
}

fn fixed_lengths() -> [u8; 288] {
    let mut lengths = [8u8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    lengths
}

/// The codes of a block that brings its own.
fn tables(bits: &mut Bits<'_>) -> Result<(Code, Code), Wrong> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.take(5)? as usize + 257, bits.take(5)? as usize + 1);
    let given = bits.take(4)? as usize + 4;
    if literals > 286 || distances > 30 {
        return Err(Wrong::Code);
    }
    let mut lengths = [0u8; 19];
    for place in &ORDER[..given] {
        lengths[*place] = bits.take(3)? as u8;
    }
    let code = Code::new(&lengths)?;
    let mut all: Vec<u8> = Vec::new();
    while all.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            symbol @ 0..=15 => (symbol as u8, 1),
            16 => (*all.last().ok_or(Wrong::Code)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        all.extend(std::iter::repeat_n(value, times as usize));
    }
    if all.len() > literals + distances {
        return Err(Wrong::Code);
    }
    Ok((Code::new(&all[..literals])?, Code::new(&all[literals..])?))
}

/// Literals and matches up to the end of the block.
fn coded(bits: &mut Bits<'_>, out: &mut Output, lengths: &Code, distances: &Code) -> Result<(), Wrong> {
    loop {
        match lengths.read(bits)? {
            literal @ 0..=255 => out.push(literal as u8)?,
            256 => return Ok(()),
            symbol => {
                let length = length_of(symbol, bits)?;
                let distance = distance_of(distances.read(bits)?, bits)?;
                out.again(distance, length)?;
            }
        }
    }
}

fn length_of(symbol: u16, bits: &mut Bits<'_>) -> Result<usize, Wrong> {
    let symbol = u32::from(symbol);
    match symbol {
        257..=264 => Ok(symbol as usize - 254),
        265..=284 => {
            let extra = (symbol - 261) / 4;
            let base = (((symbol - 265) % 4 + 4) << extra) + 3;
            Ok((base + bits.take(extra)?) as usize)
        }
        285 => Ok(258),
        _ => Err(Wrong::Code),
    }
}

fn distance_of(symbol: u16, bits: &mut Bits<'_>) -> Result<usize, Wrong> {
    let symbol = u32::from(symbol);
    match symbol {
        0..=3 => Ok(symbol as usize + 1),
        4..=29 => {
            let extra = symbol / 2 - 1;
            let base = ((2 + symbol % 2) << extra) + 1;
            Ok((base + bits.take(extra)?) as usize)
        }
        _ => Err(Wrong::Code),
    }
}

#[cfg(test)]
mod tests;
