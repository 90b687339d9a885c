use super::{sandbox, text};
use crate::seed::kit::Sandbox;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

const WEB: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: web, image: kennethreitz/httpbin, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 8000, targetPort: http}]}
"#;

/// A port-forward and the local ports that kubectl chose.
struct Forward {
    child: Child,
    ports: Vec<u16>,
}

impl Forward {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Forward {
        let mut command = sandbox.command(&[&["port-forward"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ports = Vec::new();
        while ports.len() < args.iter().filter(|a| a.starts_with(':')).count() {
            let line = lines.next().expect("a port").unwrap();
            if let Some(rest) = line.strip_prefix("Forwarding from 127.0.0.1:") {
                ports.push(rest.split(' ').next().unwrap().parse().unwrap());
            }
        }
        // kubectl stops at a pipe that nobody reads.
        std::thread::spawn(move || lines.for_each(drop));
        Forward { child, ports }
    }

    fn connect(&self, place: usize) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.ports[place])).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// One request on a connection of its own.
    fn ask(&self, place: usize, request: &str) -> String {
        let mut stream = self.connect(place);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        text(&answer)
    }

    /// What kubectl had to complain about once it has ended by itself.
    fn end(mut self) -> String {
        let mut error = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        self.child.wait().unwrap();
        error
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn served() -> Option<Sandbox> {
    let sandbox = sandbox()?;
    sandbox.apply(WEB);
    sandbox.k(&["wait", "--for=condition=Ready", "pod/web", "--timeout=20s"]);
    Some(sandbox)
}

#[test]
fn ports_that_a_pod_serves_are_reached() {
    let Some(sandbox) = served() else { return };
    for target in ["pod/web", "svc/web"] {
        let ports: &[&str] = if target == "svc/web" { &[":8000"] } else { &[":80"] };
        let forward = Forward::start(&sandbox, &[&[target], ports].concat());
        let answer = forward.ask(0, "GET /status/418 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 418 "), "{answer}");
        // Two requests on one connection, the second with a body in chunks.
        let two = "GET /get?a=1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /status/201 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let answer = forward.ask(0, two);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("/get?a=1\""), "{answer}");
        assert!(answer.contains("HTTP/1.1 201 "), "{answer}");
        // Many connections at a time, one of them silent.
        let _silent = forward.connect(0);
        std::thread::scope(|scope| {
            for n in 0..24 {
                let forward = &forward;
                scope.spawn(move || {
                    let answer = forward.ask(0, &format!("GET /status/{} HTTP/1.0\r\n\r\n", 200 + n));
                    assert!(answer.starts_with(&format!("HTTP/1.0 {} ", 200 + n)), "{answer}");
                });
            }
        });
    }
}

#[test]
fn a_port_that_nobody_serves_is_refused_in_the_runtimes_words() {
    let Some(sandbox) = served() else { return };
    let forward = Forward::start(&sandbox, &["pod/web", ":81"]);
    let port = forward.ports[0];
    assert_eq!(forward.ask(0, "GET / HTTP/1.0\r\n\r\n"), "");
    let error = forward.end();
    for part in [
        "rror forwarding port 81 to pod ",
        ", uid : failed to execute portforward in network namespace \"/var/run/netns/cni-",
        "failed to connect to localhost:81 inside namespace \"",
        "IPv4: dial tcp4 127.0.0.1:81: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found ",
        "error: lost connection to pod",
    ] {
        let error = error.replace("\\\"", "\"");
        assert!(error.contains(part), "{port}: no {part:?} in {error}");
    }
    // A command of its own serves nothing, whatever the image would.
    sandbox.apply("apiVersion: v1\nkind: Pod\nmetadata: {name: idle}\nspec: {containers: [{name: c, image: nginx, command: [sleep, infinity], ports: [{containerPort: 80}]}]}\n");
    sandbox.k(&["wait", "--for=condition=Ready", "pod/idle", "--timeout=20s"]);
    let forward = Forward::start(&sandbox, &["pod/idle", ":80"]);
    forward.ask(0, "GET / HTTP/1.0\r\n\r\n");
    assert!(forward.end().contains("connection refused"));
    let forward = Forward::start(&sandbox, &["pod/web", ":80"]);
    forward.ask(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(forward.end().contains("not simulated here: HTTP/2 to port 80"));
}

#[test]
fn pods_that_cannot_be_reached_are_refused() {
    let Some(sandbox) = sandbox() else { return };
    for (pod, why) in [
        ("pp", "error: unable to forward port because pod is not running. Current status=Pending\n"),
        ("done", "error: unable to forward port because pod is not running. Current status=Failed\n"),
        ("nosuch", "Error from server (NotFound): pods \"nosuch\" not found\n"),
    ] {
        assert_eq!(sandbox.refused(&["port-forward", &format!("pod/{pod}"), ":80"], b""), (1, why.to_string()));
    }
}

#[test]
fn a_proxys_own_ports_are_reached() {
    let Some(sandbox) = sandbox() else { return };
    sandbox.lab(&["istioctl", "install", "--set", "profile=demo", "-y"]);
    sandbox.k(&["wait", "--for=condition=Available", "deploy/istio-egressgateway", "-n", "istio-system", "--timeout=30s"]);
    let target = ["deploy/istio-egressgateway", "-n", "istio-system"];
    let sidecars = "apiVersion: v1\nkind: Namespace\nmetadata: {name: mesh, labels: {istio-injection: enabled}}\n";
    sandbox.apply(sidecars);
    sandbox.apply(
        &WEB.replace("{name: web, labels", "{name: web, namespace: mesh, labels")
            .replace("{name: web}\nspec: {selector", "{name: web, namespace: mesh}\nspec: {selector"),
    );
    sandbox.k(&["wait", "--for=condition=Ready", "pod/web", "-n", "mesh", "--timeout=30s"]);
    for (target, port, path) in [
        (&target[..], "15021", "/healthz/ready"),
        (&["pod/web", "-n", "mesh"], "15021", "/healthz/ready"),
        (&["pod/web", "-n", "mesh"], "15020", "/healthz/ready"),
        (&["pod/web", "-n", "mesh"], "80", "/status/200"),
    ] {
        let forward = Forward::start(&sandbox, &[&target[..1], &[&format!(":{port}")], &target[1..]].concat());
        let answer = forward.ask(0, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{target:?} {port}: {answer}");
    }
    // What the proxy would say there is not imitated: it is not called refused.
    let forward = Forward::start(&sandbox, &[&target[..1], &[":15020"], &target[1..]].concat());
    forward.ask(0, "GET /app-health/web/livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        forward
            .end()
            .contains("not simulated here: GET 15020/app-health/web/livez of the proxy in Pod istio-system/istio-egressgateway-")
    );
    let forward = Forward::start(&sandbox, &[&target[..1], &[":8080"], &target[1..]].concat());
    forward.ask(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(forward.end().contains("connection refused"), "no Gateway opens this port");
}
