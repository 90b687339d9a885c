//! Nothing of the machine is needed, and nothing of it is touched.

use super::{Home, finish, text};
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An address that counts who comes.
pub struct Recorder {
    pub port: u16,
    seen: Arc<AtomicUsize>,
}

impl Recorder {
    pub fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.map(|mut s| s.read(&mut [0; 16]));
            }
        });
        Recorder { port, seen }
    }

    /// A kubeconfig that names this address as the current cluster.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: other\n  cluster:\n    server: http://127.0.0.1:{}\n\
             contexts:\n- name: other\n  context: {{cluster: other, user: me}}\nusers:\n- name: me\n  user: {{token: x}}\n",
            self.port
        )
    }

    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

#[test]
fn a_recorder_sees_who_comes() {
    let recorder = Recorder::start();
    drop(std::net::TcpStream::connect(("127.0.0.1", recorder.port)).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(recorder.seen(), 1);
}

#[test]
fn the_whole_lesson_runs_without_tools_locale_or_network() {
    let home = Home::new();
    let recorder = Recorder::start();
    let config = home.folder.path().join("config");
    std::fs::write(&config, recorder.kubeconfig()).unwrap();
    let mut command = home.command(&["run", "control-external-egress"]);
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("https_proxy", "http://127.0.0.1:9").env("KUBECONFIG", &config);
    let output = finish(command, "", 120);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(recorder.seen(), 0);
    let said = text(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("steps passed") && !said.contains("FAIL"), "{said}");
    assert!(!home.folder.path().join("state/progress.jsonl").exists(), "a throw-away run writes no progress");
}
