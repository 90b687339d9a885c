//! A pipe between the program and the API of its own sandbox that holds everything back for a while: an API that stalls.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long the program may take to make its kubeconfig.
const LIMIT: Duration = Duration::from_secs(60);

/// The variable that sends the program's requests through it.
pub const THROUGH: &str = "EGRESS_LAB_API_THROUGH";

/// Listens until the process ends.
pub struct Pipe {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    kubeconfig: OnceLock<PathBuf>,
    /// Nothing passes before this.
    held: Mutex<Instant>,
    passed: AtomicUsize,
}

impl Pipe {
    pub fn open() -> Pipe {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (kubeconfig, held) = (OnceLock::new(), Mutex::new(Instant::now()));
        let shared = Arc::new(Shared { kubeconfig, held, passed: AtomicUsize::new(0) });
        let its = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let its = its.clone();
                std::thread::spawn(move || its.serve(client));
            }
        });
        Pipe { address, shared }
    }

    /// Where it leads: to the server that the kubeconfig of the program's default world names.
    pub fn leads_to(&self, state: &Path) {
        self.shared.kubeconfig.set(state.join("worlds/default/kubeconfig")).unwrap();
    }

    /// Lets nothing through for so long from now.
    pub fn hold(&self, time: Duration) {
        *self.shared.held.lock().unwrap() = Instant::now() + time;
    }

    /// Bytes that went through, both ways.
    pub fn passed(&self) -> usize {
        self.shared.passed.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn server(&self) -> Option<SocketAddr> {
        let text = std::fs::read_to_string(self.kubeconfig.get()?).ok()?;
        let (_, rest) = text.split_once("https://")?;
        rest.split(|c: char| c.is_whitespace() || c == '"').next()?.parse().ok()
    }

    fn serve(self: Arc<Shared>, client: TcpStream) {
        let begun = Instant::now();
        let server = loop {
            match self.server() {
                Some(server) => break TcpStream::connect(server).unwrap(),
                None => assert!(begun.elapsed() < LIMIT, "no kubeconfig names a server"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let its = self.clone();
        std::thread::spawn(move || its.copy(up, server));
        self.copy(down, client);
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let _ = to.set_nodelay(true);
        let mut buffer = [0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            loop {
                let left = self.held.lock().unwrap().saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                std::thread::sleep(left.min(Duration::from_millis(5)));
            }
            if to.write_all(&buffer[..n]).is_err() {
                return;
            }
            self.passed.fetch_add(n, Ordering::Relaxed);
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}
