//! Keys typed into a shell, and what the screen shows.

use super::*;
use crate::shell::{FileError, FileInfo};
use std::collections::BTreeMap;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, FileError> {
        Err(FileError::NotFound)
    }
    fn write(&mut self, _: &str, _: &[u8], _: bool) -> Result<(), FileError> {
        Err(FileError::Denied)
    }
    fn list(&self, _: &str) -> Result<Vec<String>, FileError> {
        Ok(Vec::new())
    }
    fn stat(&self, _: &str) -> Result<FileInfo, FileError> {
        Err(FileError::NotFound)
    }
    fn command_path(&self, _: &str) -> Option<String> {
        None
    }
}

/// Runs until the session waits or ends; calls are answered with their words.
fn drive(session: &mut Session, event: Event) -> (String, Option<i32>) {
    let mut screen = String::new();
    let mut next = vec![event];
    for _ in 0..1000 {
        let event = if next.is_empty() { Event::Machine(Input::Next) } else { next.remove(0) };
        match session.poll(&mut NoFiles, event) {
            Step::Output { bytes, .. } => screen.push_str(&String::from_utf8(bytes).unwrap()),
            Step::Call(call) if call.argv[0] == "hang" => screen.push_str("<hangs>"),
            Step::Call(call) => {
                let bytes = format!("<{}>\n", call.argv.join(" ")).into_bytes();
                next.push(Event::Machine(Input::Output { stream: Stream::Out, bytes }));
                next.push(Event::Machine(Input::Returned { exit_code: 0, read_stdin: false }));
            }
            Step::Done { exit_code } => return (screen, Some(exit_code)),
            Step::Waiting if next.is_empty() => return (screen, None),
            _ => (),
        }
    }
    panic!("no rest");
}

fn session() -> Session {
    let env = BTreeMap::from([("HOME".to_string(), "/home/curl_user".to_string())]);
    Session::new(Shell::new("/bin/sh", &env, "/home/curl_user"))
}

#[test]
fn a_terminal_shell_shows_what_busybox_shows() {
    let table: &[(&str, &str, Option<i32>)] = &[
        ("", "~ $ ", None),
        ("echo hi\r", "~ $ echo hi\r\nhi\r\n~ $ ", None),
        ("curl -s x\r", "~ $ curl -s x\r\n<curl -s x>\r\n~ $ ", None),
        ("echo 'a\rb'\r", "~ $ echo 'a\r\n> b'\r\na\r\nb\r\n~ $ ", None),
        ("fi\r", "~ $ fi\r\n/bin/sh: syntax error: unexpected \"fi\"\r\n~ $ ", None),
        ("half\x03", "~ $ half^C\r\n~ $ ", None),
        ("hang\r\x03", "~ $ hang\r\n<hangs>", None),
        ("exit 3\r", "~ $ exit 3\r\n", Some(3)),
        ("\x04", "~ $ \r\n", Some(0)),
        ("sh\rexit\recho b\r", "~ $ sh\r\n~ $ exit\r\n~ $ echo b\r\nb\r\n~ $ ", None),
        ("A=1\recho $A $?\r", "~ $ A=1\r\n~ $ echo $A $?\r\n1 0\r\n~ $ ", None),
        ("read x\rtyped\recho $x\r", "~ $ read x\r\ntyped\r\n~ $ echo $x\r\ntyped\r\n~ $ ", None),
        ("\r\r", "~ $ \r\n~ $ \r\n~ $ ", None),
    ];
    for (keys, screen, exit) in table {
        let mut session = session();
        let first = drive(&mut session, Event::Machine(Input::Next));
        let (rest, done) =
            if keys.is_empty() { (String::new(), None) } else { drive(&mut session, Event::Keys(keys.as_bytes().to_vec())) };
        assert_eq!((format!("{}{rest}", first.0), done), (screen.to_string(), *exit), "{keys:?}");
    }
}

#[test]
fn ctrl_c_ends_a_running_command_and_shows_a_prompt() {
    let mut session = session();
    drive(&mut session, Event::Machine(Input::Next));
    drive(&mut session, Event::Keys(b"hang\r".to_vec()));
    assert!(session.busy());
    assert_eq!(drive(&mut session, Event::Keys(vec![3])), ("^C\r\n~ $ ".to_string(), None));
    assert!(!session.busy());
    assert_eq!(drive(&mut session, Event::Keys(b"echo $?\r".to_vec())).0, "echo $?\r\n130\r\n~ $ ");
}

#[test]
fn the_end_of_input_ends_the_shell() {
    let mut session = session();
    drive(&mut session, Event::Machine(Input::Next));
    drive(&mut session, Event::Keys(b"false\r".to_vec()));
    assert_eq!(drive(&mut session, Event::Eof), ("\r\n".to_string(), Some(1)));
}
