use super::*;
use crate::base::files::MemoryFiles;
use crate::lab::tools::replay::Replay;

const OPERATOR: &str = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n";

fn own(replay: Replay, allowed: bool) -> (Arc<Replay>, OwnIstioctl) {
    let replay = Arc::new(replay);
    let kubeconfigs = vec![PathBuf::from("/k/one"), PathBuf::from("/k/two")];
    (replay.clone(), OwnIstioctl { tools: replay, kubeconfigs, context: "kind-lab".into(), allowed })
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_string).collect()
}

async fn typed(own: &OwnIstioctl, line: &str) -> (i32, String) {
    let files = MemoryFiles::default();
    files.write("istio.yaml", OPERATOR.as_bytes()).expect("written");
    files.write("charts.yaml", b"spec:\n  installPackagePath: https://a.example/charts\n").expect("written");
    let (mut io, heard) = Io::collecting(Arc::new(files));
    let code = own.run(&mut io, &words(line)).await;
    (code, heard.text(Stream::Out) + &heard.text(Stream::Err))
}

#[tokio::test]
async fn an_installation_runs_the_istioctl_of_this_machine_on_the_named_context_and_shows_the_line() {
    let (seen, own) = own(Replay::new().prints("KUBECONFIG=/k/one:/k/two istioctl", "done"), true);
    let shown = "KUBECONFIG=/k/one:/k/two istioctl install -f - -y --set profile=demo --context kind-lab";
    let (code, text) = typed(&own, "install -f istio.yaml -y --set=profile=demo").await;
    assert_eq!((code, seen.seen()), (0, vec![shown.to_string()]));
    assert!(text.contains(&format!("$ {shown}\n")) && text.contains("done\n"), "{text}");
    assert!(own.install("demo", &["meshConfig.x=y".into()], &mut |_, _| ()).await.is_ok());
    assert!(seen.seen()[1].ends_with("istioctl install -y --set profile=demo --set meshConfig.x=y --context kind-lab"));
}

#[tokio::test]
async fn nothing_but_known_flags_and_files_of_the_lab_reach_it() {
    let (seen, own) = own(Replay::new(), true);
    for (line, why) in [
        ("install -y --kubeconfig /other", "not `--kubeconfig`"),
        ("install -y --context other", "not `--context`"),
        ("install -y --manifests=https://a.example/charts", "not `--manifests="),
        ("install -y -c /other", "not `-c`"),
        ("install -y extra", "not `extra`"),
        ("install -f istio.yaml", "say -y"),
        ("install -y -f /etc/passwd", "could not read"),
        ("install -y -f ../istio.yaml", "could not read"),
        ("install -y -f charts.yaml", "installPackagePath"),
        ("install -y --set installPackagePath=/tmp", "installPackagePath"),
        ("install -y -f istio.yaml -f istio.yaml", "one file at a time"),
        ("install -y --set", "needs a value"),
    ] {
        let (code, text) = typed(&own, line).await;
        assert!(code == 1 && text.contains(why), "{line}: {code} {text}");
    }
    assert!(seen.seen().is_empty(), "{:?}", seen.seen());
}

#[tokio::test]
async fn what_is_missing_not_allowed_or_fails_is_said() {
    let (_, none) = own(Replay::new().without("istioctl"), true);
    let (code, text) = typed(&none, "install -y").await;
    assert!(code == 1 && text.contains("egress-lab doctor"), "{text}");
    let (seen, shared) = own(Replay::new(), false);
    let (code, text) = typed(&shared, "uninstall -y --purge").await;
    assert!(code == 1 && text.contains("--allow-mesh-config") && seen.seen().is_empty(), "{text}");
    let (_, broken) = own(Replay::new().fails("KUBECONFIG", 3, "no space"), true);
    let (code, text) = typed(&broken, "install -y").await;
    assert!(code == 3 && text.contains("no space"), "{code} {text}");
    assert!(broken.install("demo", &[], &mut |_, _| ()).await.is_err_and(|why| why.contains("exit code 3")));
}

/// An istioctl that never ends.
struct Hangs;

impl Tools for Hangs {
    fn run<'a>(
        &'a self,
        _: &'a Line,
        _: crate::lab::tools::Ear<'a>,
    ) -> futures::future::BoxFuture<'a, Result<crate::lab::tools::Ran, Failure>> {
        Box::pin(futures::future::pending())
    }

    fn find(&self, _: &str) -> Option<PathBuf> {
        None
    }
}

#[tokio::test]
async fn one_that_hangs_is_given_up_and_ctrl_c_ends_the_wait() {
    let (shown, within) = ("istioctl install -y".to_string(), INSTALLS_WITHIN);
    let (_, late) = own(Replay::new().breaks("KUBECONFIG", Failure::Late { shown, within }), true);
    let (code, text) = typed(&late, "install -y").await;
    assert!(code == 1 && text.contains("gave no end within 15 minutes"), "{code} {text}");
    let hangs = OwnIstioctl { tools: Arc::new(Hangs), ..own(Replay::new(), true).1 };
    let (mut io, _) = Io::collecting(Arc::new(MemoryFiles::default()));
    io.stdin = futures::stream::iter([Input::Bytes(b"x".as_slice().into()), Input::Interrupt]).boxed();
    let line = words("install -y");
    let ended = tokio::time::timeout(Duration::from_secs(5), hangs.run(&mut io, &line)).await;
    assert_eq!(ended, Ok(INTERRUPTED));
}

#[test]
fn only_what_changes_the_cluster_is_passed_on() {
    for line in ["install -y", "uninstall --purge -y", "--set a=b"] {
        assert_eq!(OwnIstioctl::takes(&words(line)), !line.starts_with("--set"), "{line}");
    }
    for line in ["analyze", "version", "install --help", "install --dry-run", "proxy-config routes test"] {
        assert!(!OwnIstioctl::takes(&words(line)), "{line}");
    }
}
