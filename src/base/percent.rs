//! Percent-encoding (RFC 3986, 2.1) taken out of the parts of URLs.

/// `%XX` and, in queries (`plus`), `+` replaced; invalid escapes stay as they are.
pub fn decoded(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high * 16 + low);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if plus && *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_replaced_and_what_is_none_stays() {
        for (text, path, query) in [
            ("system%3Anode", "system:node", "system:node"),
            ("a+b%20c", "a+b c", "a b c"),
            ("%C3%A9%", "\u{e9}%", "\u{e9}%"),
            ("%2", "%2", "%2"),
            ("%zz%+f", "%zz%+f", "%zz% f"),
            ("100%\u{e9}", "100%\u{e9}", "100%\u{e9}"),
        ] {
            assert_eq!((decoded(text, false).as_str(), decoded(text, true).as_str()), (path, query), "{text}");
        }
    }
}
