//! The door to the world: HTTPS on loopback for everybody who speaks Kubernetes, and the same without a socket.
//!
//! One thread owns a [`World`] and does one thing after the other; [`Handle`]s talk to it. [`connection`] speaks HTTP on any stream of
//! bytes, [`Server`] puts TLS and a port in front, [`Local`] is a client that needs neither.

mod actor;
mod board;
mod disk;
mod folder;
mod forward;
mod http;
mod keys;
mod limits;
mod local;
mod patient;
mod pump;
mod scratch;
mod server;
mod socket;
mod spdy;
mod visitors;

pub use actor::{Gone, Handle};
pub use disk::{Disk, System};
pub use folder::Folder;
pub use http::{Door, connection};
pub use keys::Identity;
pub use limits::{Limits, open_files};
pub use local::Local;
pub use scratch::{Scratch, private_place};
pub use server::{Options, Server};

use std::path::PathBuf;

/// Why a world cannot be served or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("port {port} on 127.0.0.1 is in use by another program")]
    PortInUse { port: u16 },
    #[error("cannot listen on 127.0.0.1:{port}: {why}")]
    Listen { port: u16, why: std::io::Error },
    #[error("the world in {} is open in another process (pid {pid})", folder.display())]
    Locked { pid: u32, folder: PathBuf },
    #[error("cannot write to {}: it is read-only for you", path.display())]
    ReadOnly { path: PathBuf },
    #[error("cannot use {}: {why}", path.display())]
    Io { path: PathBuf, why: std::io::Error },
    #[error("the saved world in {} cannot be read: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("cannot make the sandbox's certificate: {0}")]
    Certificate(String),
}

impl Error {
    /// A file error with its path; what comes from missing permission has a kind of its own.
    pub(crate) fn file(path: impl Into<PathBuf>, why: std::io::Error) -> Error {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let path = path.into();
        match why.kind() {
            PermissionDenied | ReadOnlyFilesystem => Error::ReadOnly { path },
            _ => Error::Io { path, why },
        }
    }
}
