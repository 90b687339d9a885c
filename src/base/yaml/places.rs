//! Where in a text each value is, for errors about files of our own.

use std::collections::BTreeMap;

/// Path (`steps[3].checks[0].id`) to (line, column), both from 1. The path of a mapping's entry points at its value; `PATH!` points at
/// its key.
pub type Places = BTreeMap<String, (usize, usize)>;

/// The places of a document's values. A text that cannot be read gives what was read before the error.
pub fn places(text: &str) -> Places {
    use serde_yaml::granit_parser::{Event, Parser};
    let mut walk = Walk { places: Places::new(), stack: Vec::new() };
    for event in Parser::new_from_str(text).take(200_000) {
        let Ok((event, span)) = event else { break };
        let at = (span.start.line(), span.start.col() + 1);
        match event {
            Event::Scalar(value, ..) => walk.scalar(&value, at),
            Event::Alias(..) => walk.scalar("", at),
            Event::SequenceStart(..) => walk.open(Frame::List(0), at),
            Event::MappingStart(..) => walk.open(Frame::Map(None), at),
            Event::SequenceEnd | Event::MappingEnd => walk.close(),
            _ => (),
        }
    }
    walk.places
}

enum Frame {
    List(usize),
    /// The key whose value comes next.
    Map(Option<String>),
}

struct Walk {
    places: Places,
    stack: Vec<(String, Frame)>,
}

impl Walk {
    /// The path of the node that starts now.
    fn path(&self) -> String {
        match self.stack.last() {
            None => String::new(),
            Some((base, Frame::List(n))) => format!("{base}[{n}]"),
            Some((base, Frame::Map(Some(key)))) if base.is_empty() => key.clone(),
            Some((base, Frame::Map(Some(key)))) => format!("{base}.{key}"),
            Some((base, Frame::Map(None))) => base.clone(),
        }
    }

    fn scalar(&mut self, value: &str, at: (usize, usize)) {
        if let Some((base, Frame::Map(key @ None))) = self.stack.last_mut() {
            let path = if base.is_empty() { value.to_string() } else { format!("{base}.{value}") };
            *key = Some(value.to_string());
            self.places.insert(format!("{path}!"), at);
            return;
        }
        self.places.insert(self.path(), at);
        self.done();
    }

    fn open(&mut self, frame: Frame, at: (usize, usize)) {
        let path = self.path();
        self.places.insert(path.clone(), at);
        self.stack.push((path, frame));
    }

    fn close(&mut self) {
        self.stack.pop();
        self.done();
    }

    /// The node of the innermost frame is complete.
    fn done(&mut self) {
        match self.stack.last_mut() {
            Some((_, Frame::List(n))) => *n += 1,
            Some((_, Frame::Map(key))) => *key = None,
            None => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_place() {
        let found = places("a: 1\nsteps:\n- id: x\n  checks: [{id: y}]\n- id: z\n");
        for (path, place) in [
            ("a", (1, 4)),
            ("a!", (1, 1)),
            ("steps[0].id", (3, 7)),
            ("steps[0].checks[0].id", (4, 17)),
            ("steps[1].id", (5, 7)),
            ("steps[1].id!", (5, 3)),
        ] {
            assert_eq!(found.get(path), Some(&place), "{path}: {found:?}");
        }
    }
}
