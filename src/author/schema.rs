//! The JSON Schema of the lesson format, from the types that read it.

use crate::lesson::raw;
use serde_json::Value;

/// The files of a pack that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `TRACK/track.yaml`
    Track,
    /// `TRACK/LESSON/lesson.yaml`
    Lesson,
    /// `TRACK/LESSON/STAGE.yaml`
    Stage,
}

impl Part {
    pub const ALL: [Part; 3] = [Part::Track, Part::Lesson, Part::Stage];

    pub fn word(self) -> &'static str {
        match self {
            Part::Track => "track",
            Part::Lesson => "lesson",
            Part::Stage => "stage",
        }
    }
}

/// The schema of one sort of file (JSON Schema 2020-12).
pub fn schema(part: Part) -> Value {
    let schema = match part {
        Part::Track => schemars::schema_for!(raw::Track),
        Part::Lesson => schemars::schema_for!(raw::Lesson),
        Part::Stage => schemars::schema_for!(raw::Stage),
    };
    schema.to_value()
}

/// All three as one document: `{"track": .., "lesson": .., "stage": ..}`.
pub fn all() -> Value {
    Part::ALL.iter().map(|part| (part.word().to_string(), schema(*part))).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use crate::lesson::load::Pack;

    fn part_of(path: &str) -> Option<Part> {
        let name = path.rsplit('/').next()?;
        match (name, path.matches('/').count()) {
            ("track.yaml", 1) => Some(Part::Track),
            ("lesson.yaml", 2) => Some(Part::Lesson),
            (name, 2) if name.ends_with(".yaml") => Some(Part::Stage),
            _ => None,
        }
    }

    #[test]
    fn the_embedded_lessons_fit_the_schema() {
        let mut seen = 0;
        for (path, text) in Pack::embedded().0 {
            let Some(part) = part_of(&path) else { continue };
            let validator = jsonschema::validator_for(&schema(part)).unwrap();
            let value = yaml::parse(&text).unwrap();
            let errors: Vec<String> = validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{path}: {errors:#?}");
            seen += 1;
        }
        assert!(seen >= 10, "only {seen} files were looked at");
    }

    #[test]
    fn the_schema_refuses_what_the_types_refuse() {
        let validator = jsonschema::validator_for(&schema(Part::Stage)).unwrap();
        for text in [
            "title: x\nsteps: []\ncolour: red\n",
            "title: x\nsteps: [{id: a, title: A, kind: sing, hints: [], seconds: 1}]\n",
            "title: x\nsteps: [{id: a, title: A, kind: read, hints: [], seconds: 1, solution: [{shell: ls}]}]\n",
        ] {
            assert!(!validator.is_valid(&yaml::parse(text).unwrap()), "{text}");
            assert!(yaml::from_str_strict::<raw::Stage>(text).is_err(), "{text}");
        }
    }
}
