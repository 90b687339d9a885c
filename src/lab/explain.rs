//! `explain [FROM] URL`: why a request of a pod would leave the mesh or be stopped. Reads objects through a client; sends nothing.

use crate::base::clock::Time;
use crate::base::io::Io;
use crate::base::seed::Seed;
use crate::base::text::wrap;
use crate::check::curl::Target;
use crate::check::reader::Reader;
use crate::check::workload;
use crate::kubectl;
use crate::lesson::model::{PodRef, ProbeRequest, Workload};
use crate::mesh::{Explanation, Inputs, Model, Options, Record};
use crate::outside::Outside;
use anyhow::{Context, bail};

/// Columns of the text.
const WIDTH: usize = 80;
/// Redirects followed, as curl's `--max-redirs` default.
const REDIRECTS: usize = 50;

/// What to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub namespace: String,
    pub pod: String,
    pub request: ProbeRequest,
}

impl Question {
    /// Reads operands: `[FROM] URL`, FROM being `POD` or `NAMESPACE/POD`.
    ///
    /// # Errors
    /// A sentence on what is missing.
    pub fn parse(operands: &[String], default_namespace: &str) -> Result<Question, String> {
        let (from, url) = match operands {
            [url] => ("test".to_string(), url),
            [from, url] => (from.clone(), url),
            _ => return Err("explain [FROM] URL: FROM is POD or NAMESPACE/POD (test by default), for instance `explain default/test http://www.wikipedia.org/`.".into()),
        };
        let (namespace, pod) = match from.split_once('/') {
            Some((namespace, pod)) => (namespace.to_string(), pod.to_string()),
            None => (default_namespace.to_string(), from),
        };
        let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
        if Target::parse(&url).is_none() {
            return Err(format!(
                "{url} is not a URL that explain reads: http:// or https://, a host, perhaps a port and a path."
            ));
        }
        let request = ProbeRequest { method: "GET".into(), url, follow: false, headers: Vec::new() };
        Ok(Question { namespace, pod, request })
    }
}

/// Explains a request over the objects that the client sees. `known`: the outside world is the sandbox's own.
///
/// # Errors
/// The API cannot be read, or there is no such pod.
pub async fn explain(client: kube::Client, question: &Question, outside: &Outside, now: Time) -> anyhow::Result<Explanation> {
    let snapshot = Reader::new(client).snapshot(&[]).await?;
    let from = Workload { namespace: question.namespace.clone(), pod: PodRef::Name(question.pod.clone()), container: None };
    let pod = match workload::pods(&snapshot, &from).into_iter().next() {
        Some(pod) => pod,
        None => bail!(
            "there is no pod {} in namespace {}; `kubectl get pods -A` shows what there is",
            question.pod,
            question.namespace
        ),
    };
    let target = Target::parse(&question.request.url).context("the URL")?;
    let model = Model::compile(&snapshot, &Options::default());
    let inputs = Inputs { outside, now, seed: Seed(0), nth: 1 };
    let request = target.request(&question.request, "egress-lab/explain");
    let limit = if question.request.follow { REDIRECTS } else { 0 };
    Ok(model.trace_follow(&pod, &request, &inputs, limit))
}

/// The explanation at 80 columns.
pub fn text(question: &Question, explanation: &Explanation) -> String {
    let mut out = format!("{} {} from {}/{}\n", question.request.method, question.request.url, question.namespace, question.pod);
    for (nth, record) in explanation.exchanges.iter().enumerate() {
        if explanation.exchanges.len() > 1 {
            out.push_str(&format!("\nexchange {}\n", nth + 1));
        }
        out.push_str(&exchange(record));
    }
    if !explanation.assumptions.is_empty() {
        out.push_str("\nassumed\n");
        explanation.assumptions.iter().for_each(|a| out.push_str(&row("", a)));
    }
    out
}

fn exchange(record: &Record) -> String {
    let status = record.status.map_or("no HTTP answer".to_string(), |s| format!("status {s}"));
    let mut out = row("outcome", &format!("{} ({status}, curl exit {})", record.outcome, record.exit_code));
    out.push_str(&row("path", &format!("{}, TLS by {}, ended at {}", record.path, record.tls, record.at)));
    out.push_str(&row("why", &record.cause.text));
    out.push_str(&row("decided by", &format!("{}, {}", record.cause.object, record.cause.field)));
    for hop in &record.hops {
        out.push_str(&row("proxy", &hop.proxy));
        let parts = [
            ("listener", &hop.listener),
            ("chain", &hop.filter_chain),
            ("routes", &hop.route_config),
            ("vhost", &hop.virtual_host),
            ("route", &hop.route),
            ("cluster", &hop.cluster),
            ("endpoint", &hop.endpoint),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                out.push_str(&row("", &format!("{name:<9} {value}")));
            }
        }
        if hop.flags != "-" && !hop.flags.is_empty() {
            out.push_str(&row("", &format!("{:<9} {}", "flags", hop.flags)));
        }
    }
    out
}

fn row(label: &str, text: &str) -> String {
    let lines = wrap(text, WIDTH - 14, 0);
    let mut out = String::new();
    for (nth, line) in lines.iter().enumerate() {
        let label = if nth == 0 { label } else { "" };
        out.push_str(format!("  {label:<11} {line}").trim_end());
        out.push('\n');
    }
    out
}

/// The word of the lab prompt.
pub async fn run(ctx: &kubectl::Context, io: &mut Io, operands: &[String]) -> i32 {
    let follow = operands.iter().any(|o| o == "-L");
    let json = operands.iter().any(|o| o == "--json" || o == "-ojson");
    let words: Vec<String> = operands.iter().filter(|o| !o.starts_with('-')).cloned().collect();
    let namespace = ctx.config.lock().unwrap_or_else(|p| p.into_inner()).namespace();
    let mut question = match Question::parse(&words, &namespace) {
        Ok(question) => question,
        Err(sentence) => {
            io.warn(&sentence);
            return 2;
        }
    };
    question.request.follow = follow;
    match explain(ctx.client.clone(), &question, &Outside::standard(), ctx.clock.now()).await {
        Ok(explanation) if json => {
            io.say(&serde_json::to_string_pretty(&explanation).unwrap_or_default());
            0
        }
        Ok(explanation) => {
            io.write(text(&question, &explanation).as_bytes());
            0
        }
        Err(error) => {
            io.warn(&format!("{error:#}"));
            1
        }
    }
}
