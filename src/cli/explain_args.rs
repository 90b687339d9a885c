//! The flags of `explain`. Doc comments are the help texts.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args, Default)]
#[command(
    after_help = "Exit codes: 0 good, 1 an expectation is not met, 2 usage or bad input, 3 not modelled, 4 environment unavailable.\n\n\
    Examples:\n  egress-lab explain default/test https://www.wikipedia.org/\n  egress-lab explain -f manifests/ --assume demo,REGISTRY_ONLY shop/web \
    http://api.example.com/\n  egress-lab explain -f manifests/ --expect-file egress.yaml\n  kubectl kustomize . | egress-lab explain -f - --expect \
    blocked http://example.com/"
)]
pub struct Explain {
    /// FROM (POD, WORKLOAD or NAMESPACE/NAME; test by default) and URL: http://, https://, tcp://HOST:PORT or udp://HOST:PORT
    #[arg(num_args = 0..=2, value_name = "[FROM] URL")]
    pub operands: Vec<String>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub request: Request,
    #[command(flatten)]
    pub judge: Judge,
    #[command(flatten)]
    pub survey: Survey,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args, Default)]
#[command(next_help_heading = "What to ask about")]
pub struct Source {
    /// Manifests: a file, a folder with what is below it, or - for standard input; can be repeated
    #[arg(long, short = 'f', value_name = "PATH")]
    pub filename: Vec<PathBuf>,
    /// Folders are always read with what is below them; accepted because kubectl has it
    #[arg(long, short = 'R', hide = true)]
    pub recursive: bool,
    /// sandbox (the lab's saved world) or context:NAME
    #[arg(long, default_value = "sandbox", value_name = "ENV", conflicts_with = "filename")]
    pub env: String,
    /// The saved world
    #[arg(long, default_value = "default", value_name = "NAME", conflicts_with = "filename")]
    pub world: String,
    /// The namespace of FROM, and of manifests that name none
    #[arg(long, short = 'n', value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Add what the demo profile installs where manifests lack it: demo, demo,REGISTRY_ONLY or demo,ALLOW_ANY
    #[arg(long, value_name = "WHAT")]
    pub assume: Option<String>,
    /// Labels of a pod that stands for FROM when manifests do not have it: app=web,version=v1
    #[arg(long, value_name = "LABELS")]
    pub from_labels: Option<String>,
    /// The Istio release to imitate: 1.26 or 1.30
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub istio: String,
}

#[derive(Debug, Args, Default)]
#[command(next_help_heading = "The request, as curl has it")]
pub struct Request {
    /// HTTP method
    #[arg(long, short = 'X', value_name = "METHOD")]
    pub method: Option<String>,
    /// A request header, `Name: value`
    #[arg(long, short = 'H', value_name = "HEADER")]
    pub header: Vec<String>,
    /// A HEAD request
    #[arg(long, short = 'I')]
    pub head: bool,
    /// Follow redirects
    #[arg(long, short = 'L')]
    pub location: bool,
    /// Take any certificate
    #[arg(long, short = 'k')]
    pub insecure: bool,
    /// HOST:PORT:ADDRESS instead of DNS
    #[arg(long, value_name = "TRIPLE")]
    pub resolve: Vec<String>,
    /// HOST1:PORT1:HOST2:PORT2: connect elsewhere, ask for the same
    #[arg(long, value_name = "QUAD")]
    pub connect_to: Vec<String>,
    /// HTTP/1.0
    #[arg(long = "http1.0", short = '0')]
    pub http10: bool,
    /// The server name of the TLS hello; '' sends none
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
}

#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Expectations")]
pub struct Judge {
    /// allowed, blocked, via-gateway, via-gateway=NAMESPACE/NAME or outcome=NAME
    #[arg(long, value_name = "WHAT")]
    pub expect: Option<String>,
    /// A YAML list of from, url, expect
    #[arg(long, value_name = "FILE", conflicts_with = "expect")]
    pub expect_file: Option<PathBuf>,
    /// Where an expectation is not met: the smallest change of one or two fields that meets them all and opens nothing else
    #[arg(long)]
    pub fix: bool,
}

#[derive(Debug, Args, Default)]
#[command(next_help_heading = "The whole mesh")]
pub struct Survey {
    /// Every workload against every registered host and port
    #[arg(long, conflicts_with_all = ["expect", "expect_file", "diff", "find_open"])]
    pub matrix: bool,
    /// With --matrix: also a host that nothing registers
    #[arg(long, requires = "matrix")]
    pub outside: bool,
    /// What changed between two folders or files, or two revisions of the saved world: OLD NEW, OLD -f NEW, rev:12 rev:15, rev:12..head
    #[arg(long, num_args = 1..=2, value_names = ["OLD", "NEW"], conflicts_with_all = ["expect", "expect_file", "find_open"])]
    pub diff: Vec<String>,
    /// Requests that get through beyond the named hosts, and what lets them; of all workloads or of FROM
    #[arg(long, conflicts_with_all = ["expect", "expect_file"])]
    pub find_open: bool,
    /// With --diff: exit 1 when something became allowed or denied; with --find-open: when something is open
    #[arg(long)]
    pub exit_code: bool,
}
