//! One connection that port-forward carries to a pod: the runtime joins the pod's network and connects to localhost. What listens
//! there is for the network to say; requests are HTTP/1, everything else is named as not simulated.

mod http;

use super::exec::{Exit, Output};
use super::life::PodLife;
use super::{Env, HOST_IP, Node, life};
use crate::base::clock::Time;
use crate::base::not_simulated;
use crate::k8s::Object;
use crate::outside::wire::{self, Failure, HttpVersion, Reply, Request, Scheme};
use crate::sandbox::Pace;
use http::{Asked, Reader, Step};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Answers that wait for their moment.
const WAITING: usize = 64;

/// A connection to one port of one pod.
pub struct Port {
    uid: String,
    port: u16,
    reader: Reader,
    /// What is to be sent, and when.
    out: VecDeque<(Time, Vec<u8>)>,
    /// The text for the error stream.
    trouble: Option<String>,
    /// Nothing more is read: the connection ends when everything is sent.
    closing: bool,
    begun: bool,
}

impl Port {
    /// A connection to a pod (by uid) that has not been opened yet.
    pub fn new(uid: &str, port: u16) -> Port {
        let (uid, reader) = (uid.to_string(), Reader::default());
        Port { uid, port, reader, out: VecDeque::new(), trouble: None, closing: false, begun: false }
    }

    /// Bytes from the client; they are read at the next [`Node::forward`]. False: too many wait.
    pub fn input(&mut self, bytes: &[u8]) -> bool {
        self.closing || self.reader.take(bytes)
    }

    /// The client has nothing more to send.
    pub fn close_input(&mut self) {
        self.reader.ended = true;
    }

    fn fail(&mut self, why: String) {
        self.trouble = Some(why);
        self.closing = true;
    }

    fn request(&self, scheme: Scheme, asked: Asked) -> Request {
        Request {
            scheme,
            version: if asked.http10 { HttpVersion::Http10 } else { HttpVersion::Http11 },
            method: asked.method.into(),
            host: "localhost".into(),
            port: self.port,
            path: asked.path.into(),
            headers: wire::headers(asked.headers),
            sni: None,
            body_len: asked.body_len,
            address: Some([127, 0, 0, 1].into()),
            from_proxy_user: false,
            max_time_ms: None,
            connect_timeout_ms: None,
            insecure: false,
        }
    }
}

impl Node {
    /// Lets a connection go on. [`Output::stdout`] is for the data stream, `stderr` for the error stream; `exit` is its end.
    pub fn forward(&mut self, port: &mut Port, env: &mut Env<'_>) -> Output {
        let mut output = Output::default();
        let Some(pod) = env.state.list("", "Pod").find(|p| p.uid() == port.uid).cloned() else {
            let sandbox = self.sandbox_id(&port.uid);
            port.fail(format!("failed to find sandbox \"{sandbox}\" in store: not found"));
            return self.finish(port, output);
        };
        let listening = listening(&pod, self.life(&port.uid));
        if !port.begun {
            port.begun = true;
            if let Err(why) = self.connect(port, &listening, env) {
                port.fail(why);
            }
        }
        while !port.closing && port.out.len() < WAITING {
            match port.reader.step() {
                Step::More => {
                    port.closing = port.reader.ended;
                    break;
                }
                Step::Continue => port.out.push_back((*env.now, b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())),
                Step::NotHttp(what) => port.fail(not_simulated(&format!("{what} to port {}", port.port))),
                Step::Asked(asked) => {
                    output.commit = true;
                    self.answer(port, &listening, asked, env);
                }
            }
        }
        // A client that sees its answer late: only time that really passes makes it wait.
        let waits = matches!(self.pace, Pace::Wall { .. });
        while port.out.front().is_some_and(|(at, _)| !waits || *at <= *env.now) {
            output.stdout.extend(port.out.pop_front().map(|(_, bytes)| bytes).unwrap_or_default());
        }
        output.wake = port.out.front().map(|(at, _)| *at);
        if port.closing && port.out.is_empty() { self.finish(port, output) } else { output }
    }

    fn finish(&self, port: &mut Port, mut output: Output) -> Output {
        output.exit = Some(Exit::Code(i32::from(port.trouble.is_some())));
        if let Some(why) = port.trouble.take() {
            let sandbox = self.sandbox_id(&port.uid);
            output.stderr = format!("error forwarding port {} to pod {sandbox}, uid : {why}", port.port).into_bytes();
        }
        output
    }

    /// Whether something listens, told by a connection that says nothing.
    fn connect(&mut self, port: &Port, pod: &Object, env: &mut Env<'_>) -> Result<(), String> {
        let asked = Asked { method: "-".into(), path: "/".into(), http10: false, headers: Vec::new(), body_len: 0, close: true };
        let exchange = env.exchange(pod, &port.request(Scheme::Tcp, asked));
        match exchange.reply {
            Reply::Failure(Failure::NotModelled { object, field }) => Err(not_simulated(&format!("{object} {field}"))),
            Reply::Failure(Failure::ConnectionRefused { .. } | Failure::ConnectTimedOut) => Err(self.refused(port)),
            _ => Ok(()),
        }
    }

    /// containerd's words.
    fn refused(&self, port: &Port) -> String {
        let (sandbox, number) = (self.sandbox_id(&port.uid), port.port);
        let space = self.seed.uuid(&["netns", &port.uid]);
        format!(
            "failed to execute portforward in network namespace \"/var/run/netns/cni-{space}\": failed to connect to \
             localhost:{number} inside namespace \"{sandbox}\", IPv4: dial tcp4 127.0.0.1:{number}: connect: connection refused \
             IPv6 dial tcp6: address localhost: no suitable address found "
        )
    }

    fn sandbox_id(&self, uid: &str) -> String {
        ["a", "b", "c", "d"].map(|part| format!("{:016x}", self.seed.hash(&["sandbox", uid, part]))).concat()
    }

    fn answer(&mut self, port: &mut Port, pod: &Object, asked: Asked, env: &mut Env<'_>) {
        let (close, head, http10) = (asked.close, asked.method == "HEAD", asked.http10);
        let at = *env.now;
        let exchange = env.exchange(pod, &port.request(Scheme::Http, asked));
        let lines: Vec<_> = exchange.logs.into_iter().map(|line| (at, line)).collect();
        self.append_at(&lines);
        let due = at.plus_ms(i64::try_from(exchange.delay_ms).unwrap_or(i64::MAX / 4));
        match exchange.reply {
            Reply::Response(response) => {
                let (bytes, ends) = http::write(&response, head, http10);
                port.out.push_back((due, bytes));
                port.closing = close || ends;
            }
            Reply::Failure(Failure::NotModelled { object, field }) => port.fail(not_simulated(&format!("{object} {field}"))),
            Reply::Failure(Failure::ConnectionRefused { .. }) => {
                let why = self.refused(port);
                port.fail(why);
            }
            Reply::Failure(_) => {
                port.out.push_back((due, Vec::new()));
                port.closing = true;
            }
        }
    }

    /// The pod that port-forward asks for.
    ///
    /// # Errors
    /// 404, or 400 when it is on no node yet.
    pub fn forward_target(&self, namespace: &str, name: &str, env: &Env<'_>) -> Result<String, super::Refusal> {
        let missing = || super::Refusal { code: 404, message: format!("pods \"{name}\" not found") };
        let pod = env.state.find("", "Pod", namespace, name).ok_or_else(missing)?;
        match pod.str_at(&["spec", "nodeName"]).is_empty() {
            true => Err(super::Refusal::bad(format!("pod {name} does not have a host assigned"))),
            false => Ok(pod.uid().to_string()),
        }
    }
}

/// The pod with the containers in it whose servers run now: what a container declares says nothing once it has stopped, or when it
/// runs a command of its own.
fn listening(pod: &Object, life: Option<&PodLife>) -> Object {
    let mut seen = pod.clone();
    let runs = |container: &Value| {
        let run = life.and_then(|l| l.run(container["name"].as_str().unwrap_or("")));
        run.is_some_and(|r| r.is_running() && r.main.as_ref().is_some_and(|m| m.process.is_none()))
    };
    for list in ["containers", "initContainers"] {
        if let Some(all) = pod.at(&["spec", list]).as_array() {
            let kept: Vec<Value> = all.iter().filter(|c| runs(c)).cloned().collect();
            seen.set(&["spec", list], json!(kept));
        }
    }
    let ip = life.and_then(|l| l.ip.as_deref()).unwrap_or(HOST_IP);
    life::step::with_address(&seen, Some(ip))
}
