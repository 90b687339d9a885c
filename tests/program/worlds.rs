//! Several worlds in one process, and several processes on one machine.

use super::{Home, text};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A sandbox that runs, and the lines that it printed.
pub struct Served {
    child: Child,
    lines: Vec<String>,
}

impl Served {
    pub fn start(home: &Home, args: &[&str], lines: usize) -> Served {
        let mut command = home.command(&[&["sandbox"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines = out.lines().take(lines).map(|line| line.unwrap()).collect();
        Served { child, lines }
    }

    pub fn kubeconfig(&self) -> &Path {
        Path::new(self.lines[0].strip_prefix("export KUBECONFIG=").unwrap())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ctrl-C; the exit code.
    fn interrupt(mut self) -> Option<i32> {
        let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
        super::wait(&mut self.child, 10).expect("it ends when it is interrupted").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn client(kubeconfig: &Path) -> (kube::Client, String) {
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    config.proxy_url = None;
    let url = config.cluster_url.to_string();
    (kube::Client::try_from(config).unwrap(), url)
}

async fn namespaces(client: &kube::Client) -> kube::Result<Vec<String>> {
    let all: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client.clone());
    Ok(all.list(&Default::default()).await?.items.into_iter().filter_map(|ns| ns.metadata.name).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_of_one_process_are_separate() {
    let home = Home::new();
    let served = Served::start(&home, &["--worlds", "3", "--name", "room"], 5);
    assert!(served.lines[1].starts_with("export KUBECACHEDIR=/"), "{:?}", served.lines);
    let worlds: Vec<(String, PathBuf)> = served.lines[2..]
        .iter()
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            ["world", name, path] => (name.to_string(), PathBuf::from(path)),
            _ => panic!("{line}"),
        })
        .collect();
    assert_eq!(worlds.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["room-1", "room-2", "room-3"]);
    assert_eq!(worlds[0].1, served.kubeconfig());
    let mut clients = Vec::new();
    for (_, kubeconfig) in &worlds {
        clients.push(client(kubeconfig).await);
    }
    assert_eq!(clients.iter().map(|(_, url)| url).collect::<BTreeSet<_>>().len(), 3, "each has a port");
    let namespace = serde_json::from_value(serde_json::json!({"metadata": {"name": "mine"}})).unwrap();
    let all: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(clients[1].0.clone());
    all.create(&Default::default(), &namespace).await.unwrap();
    for (n, (client, _)) in clients.iter().enumerate() {
        assert_eq!(namespaces(client).await.unwrap().contains(&"mine".to_string()), n == 1);
    }
    // The credential of one does not open another, even where its certificate is not looked at.
    let mut mixed = kube::config::Kubeconfig::read_from(&worlds[0].1).unwrap();
    let other = kube::config::Kubeconfig::read_from(&worlds[1].1).unwrap();
    mixed.clusters = other.clusters;
    let mut config = kube::Config::from_custom_kubeconfig(mixed, &Default::default()).await.unwrap();
    config.proxy_url = None;
    let error = namespaces(&kube::Client::try_from(config).unwrap()).await.expect_err("the other world's token");
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 401), "{error}");
    let folder = worlds[0].1.parent().unwrap().parent().unwrap().to_path_buf();
    assert_eq!(served.interrupt(), Some(0));
    assert!(!folder.exists(), "nothing is left behind");
}

#[test]
fn wrong_numbers_of_worlds_are_refused() {
    let home = Home::new();
    for args in [
        &["sandbox", "--worlds", "0"][..],
        &["sandbox", "--worlds", "many"],
        &["sandbox", "--worlds", "2", "--lab"],
        &["sandbox", "--worlds", "2", "--name", "../x"],
        &["sandbox", "--name", "x"],
        &["sandbox", "--worlds", "3", "--port", "65534"],
    ] {
        let output = home.run(args, "", 10);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
    }
}

/// A room full of people: as many processes at once, each with its own world, on ports and in folders that nobody else has.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_users_of_one_machine_do_not_meet() {
    let homes: Vec<Home> = (0..30).map(|_| Home::new()).collect();
    let shared = Home::new();
    // Ten of them are one user in ten terminals.
    let started: Vec<_> = homes.iter().enumerate().map(|(n, home)| if n % 3 == 0 { &shared } else { home }).collect();
    let servers: Vec<Served> = std::thread::scope(|scope| {
        let starting: Vec<_> = started.iter().map(|home| scope.spawn(|| Served::start(home, &["--instant"], 2))).collect();
        starting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut urls = BTreeSet::new();
    for (n, served) in servers.iter().enumerate() {
        let (client, url) = client(served.kubeconfig()).await;
        assert!(urls.insert(url), "two have one address");
        let all: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client.clone());
        let name = format!("user-{n}");
        let namespace = serde_json::from_value(serde_json::json!({"metadata": {"name": name}})).unwrap();
        all.create(&Default::default(), &namespace).await.unwrap();
        let found = namespaces(&client).await.unwrap();
        assert_eq!(found.iter().filter(|name| name.starts_with("user-")).collect::<Vec<_>>(), [&name]);
    }
    let files: BTreeSet<_> = servers.iter().map(|served| served.kubeconfig().to_path_buf()).collect();
    assert_eq!(files.len(), 30);
    for served in servers {
        assert_eq!(served.interrupt(), Some(0));
    }
    assert!(files.iter().all(|file| !file.exists()), "nothing is left behind");
}
