//! Where things are put together: environments, drivers of a session, the commands of the lab prompt.

pub mod tools;
pub mod env;
pub mod kind;
pub mod origin;
pub mod objects;
pub mod start;
pub mod target;
pub mod reach;
pub mod prompt;
pub mod actions;
pub mod ground;
pub mod desk;
pub mod driver;
pub mod plain;
pub mod headless;
pub mod history;
pub mod explain;
pub mod open;
pub mod share;
pub mod own_istioctl;
pub mod own_shell;
pub mod words;
pub mod retry;
pub mod visit;
