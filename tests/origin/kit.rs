//! The origins as a process, and the real curl of this machine.

use crate::program::Home;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The origins, running.
pub struct Origin {
    child: Child,
    pub home: Home,
    ca: PathBuf,
    /// Where a site's port really is: the address, the site's port, the sites.
    doors: Vec<(SocketAddr, u16, Vec<String>)>,
    log: Arc<Mutex<Vec<String>>>,
}

/// What curl ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Ports of the data, each mapped to a free one.
const FREE: [&str; 12] =
    ["--map", "80=0", "--map", "443=0", "--map", "8000=0", "--map", "8443=0", "--map", "9000=0", "--map", "5432=0"];

impl Origin {
    /// All sites on one address.
    pub fn whole() -> Origin {
        Origin::with(&["--listen", "127.0.0.1"])
    }

    /// On free ports, with a CA of its own.
    pub fn with(args: &[&str]) -> Origin {
        let home = Home::new();
        let ca = home.folder.path().join("ca");
        let folder = ca.display().to_string();
        Origin::of(home, ca, &[&["--ca", &folder][..], &FREE, args].concat())
    }

    /// With just these arguments, `--ca` among them.
    pub fn start(args: &[&str]) -> Origin {
        let ca = args.iter().position(|arg| *arg == "--ca").map(|at| PathBuf::from(args[at + 1])).expect("--ca");
        Origin::of(Home::new(), ca, args)
    }

    fn of(home: Home, ca: PathBuf, args: &[&str]) -> Origin {
        let mut command = home.command(&[&["origin"], args].concat());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let doors = lines.by_ref().take_while(|line| line != "ready").map(|line| door(&line)).collect();
        let log = Arc::new(Mutex::new(Vec::new()));
        let of_reader = log.clone();
        std::thread::spawn(move || lines.for_each(|line| of_reader.lock().unwrap().push(line)));
        Origin { child, home, ca, doors, log }
    }

    /// Where a site's port is.
    pub fn door(&self, port: u16, site: &str) -> SocketAddr {
        let fits = |(_, at, sites): &&(SocketAddr, u16, Vec<String>)| *at == port && sites.iter().any(|s| s == site);
        self.doors.iter().find(fits).unwrap_or_else(|| panic!("no port {port} of {site} in {:?}", self.doors)).0
    }

    /// curl's arguments: it trusts the lab's CA, asks no proxy, and goes to the first door for each port, whatever the name.
    pub fn curl_args(&self, args: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = ["-q", "--noproxy", "*", "-m", "30", "--cacert"].map(str::to_string).to_vec();
        all.push(self.ca.join("ca.crt").display().to_string());
        let mut ports = Vec::new();
        for (address, port, _) in &self.doors {
            if !ports.contains(port) {
                ports.push(*port);
                all.extend(["--connect-to".to_string(), format!(":{port}:{}:{}", address.ip(), address.port())]);
            }
        }
        all.extend(args.iter().map(ToString::to_string));
        all
    }

    pub fn curl(&self, args: &[&str]) -> Seen {
        run_curl(&self.curl_args(args))
    }

    /// A file that `origin ca` makes in the folder of the CA.
    pub fn of_ca(&self, name: &str) -> String {
        let folder = self.ca.display().to_string();
        if !self.ca.join(name).exists() {
            assert!(self.home.run(&["origin", "ca", "--out", &folder], "", 20).status.success());
        }
        format!("{folder}/{name}")
    }

    /// The lines about requests until now.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line that holds these words.
    pub fn logged(&self, words: &str) -> String {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(line) = self.log().into_iter().find(|line| line.contains(words)) {
                return line;
            }
            assert!(Instant::now() < end, "no line with {words:?} in {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The exit code, if it ends within so many seconds.
    pub fn wait(&mut self, seconds: u64) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                // The reader of its lines needs a moment more.
                std::thread::sleep(Duration::from_millis(100));
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `listening at ADDRESS:PORT as port N (SPEAKS): SITE, SITE`.
fn door(line: &str) -> (SocketAddr, u16, Vec<String>) {
    let (at, sites) =
        line.strip_prefix("listening at ").and_then(|rest| rest.split_once("): ")).unwrap_or_else(|| panic!("{line}"));
    let (address, port) = at.split_once(" as port ").unwrap();
    let port = port.split(' ').next().unwrap().parse().unwrap();
    (address.parse().unwrap(), port, sites.split(", ").map(str::to_string).collect())
}

/// A machine without curl cannot run these tests, and says so.
pub fn run_curl(args: &[String]) -> Seen {
    let mut command = Command::new("curl");
    command.args(args).env_remove("CURL_CA_BUNDLE").env_remove("SSL_CERT_FILE");
    let output = command.output().expect("these tests need curl on the search path");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Seen { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Sends bytes and reads the answer's head and as much body as comes with it.
pub fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
