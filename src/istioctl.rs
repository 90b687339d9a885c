//! The istioctl stand-in: its verbs on a `kube::Client`.

use crate::base::io::Io;

/// What a run of istioctl knows besides its arguments.
#[derive(Clone)]
pub struct Context {
    pub client: kube::Client,
    /// The namespace of the kubeconfig context.
    pub namespace: String,
    /// The Istio release to imitate (`1.30`, `1.26`, "" = default).
    pub version: String,
    /// How long to wait for workloads to become ready.
    pub readiness: Readiness,
}

/// Polling for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    pub poll_ms: u64,
    pub limit_ms: u64,
}

impl Default for Readiness {
    /// istioctl's own 300 s; polls more often than its 2 s, since a sandbox is quicker than a cluster.
    fn default() -> Readiness {
        Readiness { poll_ms: 50, limit_ms: 300_000 }
    }
}

/// Runs `istioctl ARGV..` (argv without the program's name). Answers the exit code.
pub async fn run(_context: &Context, io: &mut Io, argv: &[String]) -> i32 {
    io.warn(&crate::base::not_simulated(&format!("istioctl {}", argv.join(" "))));
    1
}

/// The closed action `install-istio` of lessons: installs with a profile and `--set` texts, without a prompt. Answers what
/// istioctl printed.
///
/// # Errors
/// What istioctl would have printed as its error.
pub async fn install_action(context: &Context, profile: &str, options: &[String]) -> Result<String, String> {
    let _ = (context, profile, options);
    Err(crate::base::not_simulated("istioctl install"))
}
