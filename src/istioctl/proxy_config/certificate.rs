//! What istioctl tells of an X.509 certificate: serial number, validity, whether it is a CA, its SPIFFE trust domain. A reader of DER
//! that goes only where these stand.

use crate::base::clock::Time;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// 32 hexadecimal digits or more.
    pub serial: String,
    /// RFC 3339.
    pub not_before: String,
    pub not_after: String,
    pub is_ca: bool,
    /// Host of the first `spiffe://` name, empty without one.
    pub trust_domain: String,
}

/// Reads the first certificate of a PEM text; `None`: there is none, or it is none.
pub fn read(pem: &[u8]) -> Option<Certificate> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let compact: String = body.split_whitespace().collect();
    parse(&super::base64(&compact)?)
}

fn parse(der: &[u8]) -> Option<Certificate> {
    let certificate = Der(der).next(0x30)?.1;
    let mut tbs = Der(Der(certificate).next(0x30)?.1);
    tbs.skip_if(0xa0);
    let serial = tbs.take(0x02)?;
    tbs.take(0x30)?;
    tbs.take(0x30)?;
    let mut validity = Der(tbs.take(0x30)?);
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    tbs.take(0x30)?;
    tbs.take(0x30)?;
    tbs.skip_if(0xa1);
    tbs.skip_if(0xa2);
    let (is_ca, trust_domain) = match tbs.next(0xa3) {
        Some((_, extensions)) => of_extensions(extensions).unwrap_or_default(),
        None => Default::default(),
    };
    let digits: String = serial.iter().map(|b| format!("{b:02x}")).collect();
    let serial = format!("{:0>32}", digits.trim_start_matches('0'));
    Some(Certificate { serial, not_before, not_after, is_ca, trust_domain })
}

fn of_extensions(bytes: &[u8]) -> Option<(bool, String)> {
    let (mut is_ca, mut trust_domain) = (false, String::new());
    let mut all = Der(Der(bytes).next(0x30)?.1);
    while let Some(one) = all.take(0x30) {
        let mut one = Der(one);
        let id = one.take(0x06)?;
        one.skip_if(0x01);
        let value = one.take(0x04)?;
        match id {
            // basicConstraints, subjectAltName
            [0x55, 0x1d, 0x13] => {
                is_ca = Der(Der(value).next(0x30)?.1).next(0x01).is_some_and(|(_, on)| on.first() == Some(&0xff))
            }
            [0x55, 0x1d, 0x11] => {
                let mut names = Der(Der(value).next(0x30)?.1);
                while let Some((tag, name)) = names.any() {
                    let uri = (tag == 0x86).then(|| std::str::from_utf8(name).ok()).flatten();
                    if let Some(rest) = uri.and_then(|uri| uri.strip_prefix("spiffe://")) {
                        trust_domain = rest.split('/').next().unwrap_or("").to_string();
                    }
                }
            }
            _ => (),
        }
    }
    Some((is_ca, trust_domain))
}

/// The rest of a sequence.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element and its tag.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            n @ 0..=0x7f => (usize::from(n), rest),
            n => {
                let bytes = usize::from(n & 0x7f);
                if bytes > 4 {
                    return None;
                }
                let (length, rest) = rest.split_at_checked(bytes)?;
                (length.iter().fold(0, |all, b| all << 8 | usize::from(*b)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The next element if it has this tag.
    fn next(&mut self, tag: u8) -> Option<(u8, &'a [u8])> {
        (self.0.first() == Some(&tag)).then(|| self.any()).flatten()
    }

    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next(tag).map(|(_, content)| content)
    }

    fn skip_if(&mut self, tag: u8) {
        let _ = self.next(tag);
    }

    /// UTCTime or GeneralizedTime as RFC 3339.
    fn time(&mut self) -> Option<String> {
        let (tag, content) = self.any()?;
        let text = std::str::from_utf8(content).ok()?;
        let (year, rest) = match tag {
            0x17 => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: u32 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            0x18 => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2);
        Some(format!("{year:04}-{}-{}T{}:{}:{}Z", part(0)?, part(2)?, part(4)?, part(6)?, part(8)?))
    }
}

impl Certificate {
    /// Whether it holds at a moment.
    pub fn holds(&self, now: Time) -> bool {
        let now = now.rfc3339();
        self.not_before < now && now < self.not_after
    }
}
