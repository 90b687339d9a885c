//! A scaffold: the files of a small lesson that loads and lints clean, to be filled with life.

use crate::base::files::Files;
use crate::lesson::clean::is_slug;
use std::io;

const TRACK: &str = include_str!("new/track.yaml");
const LESSON: &str = include_str!("new/lesson.yaml");
const STAGE: &str = include_str!("new/first.yaml");
const PROSE: &str = include_str!("new/first.md");
const DEBRIEF: &str = include_str!("new/debrief.md");
const STARTER: &str = include_str!("new/serviceentry.yaml");
const SOLUTION: &str = include_str!("new/serviceentry-solution.yaml");

/// The names written, or why nothing was.
///
/// # Errors
/// `InvalidInput` for ids that are no slugs, `AlreadyExists` when the lesson is there, or what the folder says.
pub fn scaffold(files: &dyn Files, track: &str, lesson: &str) -> io::Result<Vec<String>> {
    for id in [track, lesson] {
        if !is_slug(id) {
            let why = format!("`{id}` is not a slug: small letters, digits and single hyphens, starting with a letter");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    }
    let folder = format!("{track}/{lesson}");
    if files.list(&folder).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{folder} is there already")));
    }
    let mut written = Vec::new();
    let track_file = format!("{track}/track.yaml");
    let track_text = match files.read(&track_file) {
        Ok(bytes) => add_lesson(&String::from_utf8_lossy(&bytes), lesson),
        Err(e) if e.kind() == io::ErrorKind::NotFound => fill(TRACK, track, lesson),
        Err(e) => return Err(e),
    };
    let texts = [
        ("lesson.yaml", LESSON),
        ("first.yaml", STAGE),
        ("first.md", PROSE),
        ("debrief.md", DEBRIEF),
        ("files/serviceentry.yaml", STARTER),
        ("solution/serviceentry.yaml", SOLUTION),
    ];
    for (name, text) in texts {
        let path = format!("{folder}/{name}");
        files.write(&path, fill(text, track, lesson).as_bytes())?;
        written.push(path);
    }
    files.write(&track_file, track_text.as_bytes())?;
    written.push(track_file);
    Ok(written)
}

fn fill(text: &str, track: &str, lesson: &str) -> String {
    text.replace("TRACK-ID", track).replace("LESSON-ID", lesson)
}

/// The track with one more lesson at the end of its list (the list is the last field of a track, as the scaffold writes it).
fn add_lesson(text: &str, lesson: &str) -> String {
    let mut lines: Vec<&str> = text.trim_end().lines().collect();
    let line = format!("- {lesson}");
    let start = lines.iter().position(|l| l.starts_with("lessons:")).unwrap_or(lines.len());
    let after = lines.iter().skip(start + 1).take_while(|l| l.trim_start().starts_with("- ")).count();
    lines.insert((start + 1 + after).min(lines.len()), &line);
    format!("{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::lint;
    use crate::base::files::MemoryFiles;
    use crate::lesson::load::Pack;

    #[test]
    fn a_scaffold_lints_clean() {
        let files = MemoryFiles::default();
        let written = scaffold(&files, "my-track", "my-lesson").unwrap();
        assert!(written.contains(&"my-track/my-lesson/lesson.yaml".to_string()), "{written:?}");
        let pack = Pack::read(&files).unwrap();
        let remarks =
            lint::lint(&pack).unwrap_or_else(|p| panic!("{}", p.iter().map(|p| p.to_text()).collect::<Vec<_>>().join("\n")));
        assert_eq!(remarks, []);
        scaffold(&files, "my-track", "another").unwrap();
        let tracks = Pack::read(&files).unwrap().tracks().unwrap();
        let ids: Vec<&str> = tracks[0].lessons.iter().map(|l| l.id.as_str()).collect();
        assert_eq!(ids, ["my-lesson", "another"]);
    }

    #[test]
    fn a_lesson_is_never_overwritten() {
        let files = MemoryFiles::default();
        scaffold(&files, "t", "l").unwrap();
        assert_eq!(scaffold(&files, "t", "l").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(scaffold(&files, "../t", "l").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(scaffold(&files, "t", "My Lesson").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
