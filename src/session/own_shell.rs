//! The learner's own shell on a pseudo terminal: what goes down to it and what comes up. A session passes both on and keeps nothing.

/// What a screen asks of the shell. Goes down as [`Effect::Shell`](super::Effect::Shell).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellCall {
    /// Start it, on a terminal of this size. Answered by `Opened` or `Ended`; one that runs already stays.
    Open {
        cols: u16,
        rows: u16,
    },
    /// What a terminal sends for keys and pastes.
    Input(Vec<u8>),
    Resize {
        cols: u16,
        rows: u16,
    },
    /// A piece of output was taken: so many may wait, then the shell's programs do.
    Taken,
    /// Hang up.
    Close,
}

/// What comes of it. Comes up as [`Event::Shell`](super::Event::Shell).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellNews {
    /// It runs; the program's name.
    Opened(String),
    /// A piece of what it shows. Each is answered by [`ShellCall::Taken`].
    Output(Vec<u8>),
    /// It is no more; a sentence for people.
    Ended(String),
}
