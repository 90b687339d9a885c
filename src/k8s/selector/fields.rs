//! The grammar of field selectors: commas and equal signs in values follow a backslash (k8s.io/apimachinery/pkg/fields/selector.go).

use super::FieldRequirement;

/// The parts between commas that no backslash precedes.
pub(super) fn terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut slash) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if slash => slash = false,
            '\\' => slash = true,
            ',' => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => (),
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Reads `path=value`, `path==value`, `path!=value`.
pub(super) fn requirement(text: &str, part: &str) -> Result<FieldRequirement, String> {
    let at =
        part.char_indices().find_map(|(i, _)| ["!=", "==", "="].iter().find(|op| part[i..].starts_with(**op)).map(|op| (i, *op)));
    let Some((at, operator)) = at else { return Err(format!("invalid selector: '{text}'; can't understand '{part}'")) };
    let value = unescaped(&part[at + operator.len()..])?;
    Ok(FieldRequirement { path: part[..at].trim().into(), equal: operator != "!=", value: value.trim().into() })
}

fn unescaped(text: &str) -> Result<String, String> {
    let (mut value, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => value.push(escaped),
                other => {
                    let sequence: String = ['\\'].into_iter().chain(other).collect();
                    return Err(format!("invalid field selector: invalid escape sequence: {sequence}"));
                }
            },
            ',' | '=' => return Err(format!("invalid field selector: unescaped character in value: {}", c as u32)),
            c => value.push(c),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_protect_commas_and_equal_signs() {
        let read = |text: &str| terms(text).into_iter().map(|part| requirement(text, part)).collect::<Result<Vec<_>, _>>();
        let one = read(r"a.b=x\,y\=z\\").expect("good");
        assert_eq!((one[0].path.as_str(), one[0].equal, one[0].value.as_str()), ("a.b", true, r"x,y=z\"));
        assert_eq!(read("a!=b,c==d").expect("good").iter().map(|r| r.equal).collect::<Vec<_>>(), [false, true]);
        assert_eq!(read(r"a=\x"), Err(r"invalid field selector: invalid escape sequence: \x".into()));
        assert_eq!(read(r"a=b\"), Err(r"invalid field selector: invalid escape sequence: \".into()));
        assert_eq!(read("a=b=c"), Err("invalid field selector: unescaped character in value: 61".into()));
        assert_eq!(read("nonsense"), Err("invalid selector: 'nonsense'; can't understand 'nonsense'".into()));
    }
}
