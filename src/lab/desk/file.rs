//! Files of the lab's folder for the editor, and the drafts of what was being written when a program ended.

use super::Manifests;
use crate::session::desk::manifest::OpenFile;
use anyhow::{Context, bail};
use std::io::ErrorKind;

/// Bytes of a file that the editor opens.
const MOST: usize = 4 << 20;

/// `a/gateway.yaml` is kept as `a/.gateway.yaml.draft`.
pub fn draft_of(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/.{file}.draft"),
        None => format!(".{name}.draft"),
    }
}

impl Manifests<'_> {
    /// A file with its draft.
    pub fn open_file(&self, name: &str) -> anyhow::Result<OpenFile> {
        let text = self.text(name)?;
        let draft = self.text(&draft_of(name)).ok().flatten().filter(|draft| Some(draft) != text.as_ref());
        Ok(OpenFile { name: name.into(), text, draft })
    }

    fn text(&self, name: &str) -> anyhow::Result<Option<String>> {
        let bytes = match self.prompt.files.read(name) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{name} cannot be read")),
        };
        if bytes.len() > MOST {
            bail!("{name} is larger than 4 MiB; the editor here opens smaller files, $EDITOR any");
        }
        let Ok(text) = String::from_utf8(bytes) else { bail!("{name} is not a text file") };
        Ok(Some(text))
    }

    /// Writes a file; its draft is no longer wanted.
    pub fn write_file(&self, name: &str, text: &str) -> anyhow::Result<usize> {
        self.prompt.files.write(name, text.as_bytes()).with_context(|| format!("{name} could not be written"))?;
        self.keep_draft(name, None);
        Ok(text.lines().count())
    }

    /// Keeps a draft, or removes it. A draft that cannot be kept is no reason to disturb.
    pub fn keep_draft(&self, name: &str, text: Option<&str>) {
        let _ = match text {
            Some(text) => self.prompt.files.write(&draft_of(name), text.as_bytes()),
            None => self.prompt.files.remove(&draft_of(name)),
        };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn drafts_lie_beside_their_files() {
        assert_eq!(super::draft_of("a.yaml"), ".a.yaml.draft");
        assert_eq!(super::draft_of("x/y/a.yaml"), "x/y/.a.yaml.draft");
    }
}
