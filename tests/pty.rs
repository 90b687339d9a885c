//! A program on a pseudo terminal.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The terminal's end that a person would sit at.
pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
}

impl Pty {
    /// Starts a command on a terminal of this size.
    pub fn open(command: CommandBuilder, cols: u16, rows: u16) -> Pty {
        let pty = native_pty_system().openpty(size(cols, rows)).unwrap();
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let writer = pty.master.take_writer().unwrap();
        Pty { child, master: pty.master, writer, bytes }
    }

    /// The next bytes that the program shows.
    ///
    /// # Errors
    /// Nothing came in time, or the program has closed the terminal.
    pub fn read(&self, limit: Duration) -> Result<Vec<u8>, RecvTimeoutError> {
        self.bytes.recv_timeout(limit)
    }

    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        self.master.resize(size(cols, rows)).unwrap();
    }

    /// What the terminal does with keys: `ICANON` for lines, `ECHO`.
    pub fn flags(&self) -> String {
        format!("{:?}", self.master.get_termios().unwrap().local_flags)
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, ..PtySize::default() }
}
