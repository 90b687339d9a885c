//! What a learner on a cluster sees and may do: an `egress-lab sandbox` of another process is the cluster.

use crate::faulty::{Fault, Faults, Faulty, Planned};
use crate::program::{Home, Served, finish, text};

const LESSON: &str = "control-external-egress";

/// Runs the program on the cluster of a kubeconfig, beside this runtime.
async fn on(
    home: &std::sync::Arc<Home>,
    kubeconfig: std::path::PathBuf,
    args: &[&str],
    input: &str,
) -> (Option<i32>, String, String) {
    let (home, input) = (home.clone(), input.to_string());
    let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
    let work = move || {
        let mut command = home.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("KUBECONFIG", kubeconfig);
        finish(command, &input, 120)
    };
    let ended = tokio::task::spawn_blocking(work).await.unwrap();
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_makes_people_wait_for_is_one_line_of_the_lesson() {
    let home = std::sync::Arc::new(Home::new());
    let served = Served::start(&home, &["--instant"], 2);
    // A kind that nobody reads but the learner.
    let planned = vec![Planned { verb: "list", resource: "events", fault: Fault::Unavailable, times: 2 }];
    let proxy = Faulty::before(served.kubeconfig(), Faults { planned, ..Faults::default() }).await;
    let args = ["learn", LESSON, "--env", "context:faulty", "--allow-mesh-config", "--yes", "--plain"];
    let (code, out, err) = on(&home, proxy.kubeconfig(), &args, "kubectl get events\nquit\n").await;
    assert_eq!(code, Some(0), "{out}\n{err}");
    let waits: Vec<&str> = out.lines().filter(|line| line.contains("aiting for the API server")).collect();
    assert_eq!(waits.len(), 1, "{out}\n{err}");
    assert!(waits[0].starts_with("Waiting for the API server: not available (503") && waits[0].ends_with("try 2 of 8."), "{out}");
    assert!(err.contains("No resources found in default namespace."), "it was answered: {err}");
    assert!(!err.contains("aiting for"), "said twice: {err}");
    assert_eq!(proxy.seen().refused, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controls_echo_gets_its_sidecar_once_istio_is_there() {
    let home = std::sync::Arc::new(Home::new());
    let served = Served::start(&home, &["--instant"], 2);
    let args = ["learn", LESSON, "--env", "context:sandbox", "--allow-mesh-config", "--yes", "--plain"];
    // Before Istio: one container. Pods are listed by their name, so that the echo's row is the first.
    let row = |out: &str| out.lines().find(|line| line.starts_with("echo-")).map(str::to_string);
    let kubeconfig = served.kubeconfig().to_path_buf();
    let (code, out, err) = on(&home, kubeconfig, &args, "kubectl get pods -n lab-control\nquit\n").await;
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(row(&out).unwrap().contains(" 1/1 "), "{out}");
    assert!(err.contains("its echo is made again once Istio is installed"), "{err}");
    let lines = "kubectl run test --image=curlimages/curl:8.1.2 --restart=Never --command -- sleep 3600\ncheck\n\
                 kubectl get pods -n lab-control\nquit\n";
    // A cluster and a home of their own: the lesson begins behind the installation.
    let home = std::sync::Arc::new(Home::new());
    let served = Served::start(&home, &["--instant"], 2);
    let kubeconfig = served.kubeconfig().to_path_buf();
    let began = std::time::Instant::now();
    let (code, out, err) = on(&home, kubeconfig, &[&args[..], &["--from", "run-test-pod"]].concat(), lines).await;
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(out.contains("PASS: step"), "{out}\n{err}");
    // The prompt does not wait out the minute that the check gives a pod that nobody has made yet.
    assert!(began.elapsed().as_secs() < 45, "{:?}", began.elapsed());
    assert!(row(&out).unwrap().contains(" 2/2 "), "{out}\n{err}");
}
