//! Real requests: send, read the logs, decode, and put the model's prediction beside it.

use super::accesslog::Entry;
use super::ctx::Ctx;
use super::curl::{self, Answer, MAX_REDIRECTS, Target};
use super::decode::{Decoded, GatewayLine, Sighting, decode};
use super::reader::{Error, Executed, MAX_LOG_LINES, Reader};
use super::workload::{self, GatewayPod, Source};
use crate::base::outcome::Outcome;
use crate::base::shared::Text;
use crate::finding::{Exchanged, words};
use crate::k8s::Snapshot;
use crate::lesson::model::{LogField, ProbeRequest, Workload};
use crate::mesh::model::{Inputs, Model, Options};
use crate::mesh::{Cause, Hop, Record};
use crate::outside::wire::Scheme;
use std::collections::HashMap;
use std::time::Duration;

/// Looks at the logs for the lines of one exchange, where lines come late (Envoy flushes once a second).
const LOG_LOOKS: usize = 6;
/// Between two of them.
const LOG_PAUSE: Duration = Duration::from_millis(400);

/// A request is sent so often where the connection to the cluster is lost under it.
const ASKED: usize = 4;

/// Why a probe has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The world is not so that it can be asked: a sentence for the learner.
    #[error("{0}")]
    NotReady(String),
    /// The environment failed.
    #[error(transparent)]
    Environment(#[from] Error),
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    pub exchanges: Vec<Exchanged>,
    /// `sidecar: LINE`, `gateway: LINE`.
    pub log: Vec<String>,
    /// Whether every log line that tells the way was there.
    pub certain: bool,
    /// What the client said when it got no answer.
    pub stderr: String,
}

/// Sends the probes of one evaluation.
pub struct Prober<'a> {
    ctx: &'a Ctx,
    reader: &'a Reader,
    snapshot: &'a Snapshot,
    model: Model,
    gateways: Vec<GatewayPod>,
    services: Vec<String>,
    /// The log of each proxy as last read.
    seen: HashMap<(String, String), String>,
    sent: u64,
    /// Probes already made in this evaluation, by source and request: controls are asked for again and again.
    made: Vec<((String, ProbeRequest), Probed)>,
}

impl<'a> Prober<'a> {
    /// For one look at the world.
    pub fn new(ctx: &'a Ctx, reader: &'a Reader, snapshot: &'a Snapshot) -> Prober<'a> {
        Prober {
            ctx,
            reader,
            snapshot,
            model: Model::compile(snapshot, &Options { secrets_unread: true, ..Options::of_objects(snapshot) }),
            gateways: workload::gateways(snapshot),
            services: workload::gateway_services(snapshot),
            seen: HashMap::new(),
            sent: 0,
            made: Vec::new(),
        }
    }

    /// The model of the same objects.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Sends a request from a workload and follows redirects if it says so.
    ///
    /// # Errors
    /// [`Refused`] when there is nothing to send from, or the API failed.
    pub async fn send(&mut self, from: &Workload, probe: &ProbeRequest) -> Result<Probed, Refused> {
        let source = workload::source(self.snapshot, from).map_err(Refused::NotReady)?;
        let key = (format!("{}/{}/{}", source.pod.namespace(), source.pod.name(), source.container), probe.clone());
        if let Some((_, made)) = self.made.iter().find(|(made, _)| *made == key) {
            return Ok(made.clone());
        }
        let mut target = Target::parse(&probe.url).ok_or_else(|| Refused::NotReady(format!("{} is no URL.", probe.url)))?;
        let mut probed = Probed { exchanges: Vec::new(), log: Vec::new(), certain: true, stderr: String::new() };
        for _ in 0..=MAX_REDIRECTS {
            let location = self.exchange(&source, probe, &target, &mut probed).await?;
            match location.filter(|_| probe.follow).and_then(|location| target.join(&location)) {
                Some(next) => target = next,
                None => break,
            }
        }
        self.made.push((key, probed.clone()));
        Ok(probed)
    }

    /// One exchange; where it redirects to.
    async fn exchange(
        &mut self,
        source: &Source,
        probe: &ProbeRequest,
        target: &Target,
        probed: &mut Probed,
    ) -> Result<Option<String>, Refused> {
        let url = target.url();
        let (agent, ran) = self.ask(source, probe, &url).await?;
        let pod = source.pod.name();
        if matches!(ran.exit_code, 126 | 127) {
            return Err(Refused::NotReady(format!("Container {} of pod {pod} has no curl to ask with.", source.container)));
        }
        let answer = Answer::parse(&ran.stdout);
        let location = answer.as_ref().and_then(|answer| answer.location()).map(str::to_string);
        let mut sighting = Sighting {
            scheme: target.scheme,
            host: target.host.clone(),
            exit_code: ran.exit_code,
            stderr: ran.stderr.clone(),
            status: answer.as_ref().map(|answer| answer.status),
            headers: answer.as_ref().map(|answer| answer.headers.clone()).unwrap_or_default(),
            body: answer.map(|answer| answer.body).unwrap_or_default(),
            has_sidecar: source.has_sidecar,
            sidecar: Vec::new(),
            gateway: Vec::new(),
            gateways: self.services.clone(),
        };
        self.read_lines(source, target, &agent, &mut sighting).await?;
        let decoded = decode(&sighting);
        let request = target.request(probe, &agent);
        let inputs = Inputs { outside: &self.ctx.outside, now: self.ctx.now, seed: self.ctx.seed, nth: self.sent };
        let predicted = self.model.trace(&source.pod, &request, &inputs).record;
        probed.certain &= decoded.certain;
        probed.stderr = ran.stderr.trim().to_string();
        probed.log.extend(sighting.sidecar.iter().map(|entry| format!("sidecar: {}", entry.line)));
        probed.log.extend(sighting.gateway.iter().map(|line| format!("gateway: {}", line.entry.line)));
        let observation = record(source, &sighting, decoded, &predicted);
        probed.exchanges.push(Exchanged { url, observation, prediction: Some(predicted) });
        Ok(location)
    }

    /// Sends the request. Where the connection to the cluster is lost under it, another one of another name is sent: what came of the
    /// first nobody knows.
    async fn ask(&mut self, source: &Source, probe: &ProbeRequest, url: &str) -> Result<(String, Executed), Error> {
        let (namespace, pod) = (source.pod.namespace(), source.pod.name());
        let mut tries = 1;
        loop {
            self.sent += 1;
            let agent = format!("egress-lab/{}", &self.ctx.seed.uuid(&["probe", &self.sent.to_string()])[..13]);
            self.mark(source).await?;
            let argv = curl::argv(probe, url, &agent);
            match self.reader.exec(namespace, pod, &source.container, &argv).await {
                Err(error) if error.is_lost() && tries < ASKED => {
                    tries += 1;
                    // Its log lines may still come; they are not to be taken for the next one's.
                    tokio::time::sleep(LOG_PAUSE).await;
                    self.seen.clear();
                }
                ran => return Ok((agent, ran?)),
            }
        }
    }

    /// Remembers where the logs end before a request, so that new lines can be told from old.
    async fn mark(&mut self, source: &Source) -> Result<(), Error> {
        let mut proxies = Vec::new();
        if source.has_sidecar {
            proxies.push((source.pod.namespace().to_string(), source.pod.name().to_string()));
            proxies.extend(self.gateways.iter().map(|g| (g.namespace.clone(), g.pod.clone())));
        }
        for proxy in proxies {
            if !self.seen.contains_key(&proxy) {
                let text = self.reader.log(&proxy.0, &proxy.1, "istio-proxy", MAX_LOG_LINES).await?;
                self.seen.insert(proxy, text);
            }
        }
        Ok(())
    }

    /// Reads the lines that belong to the exchange, looking again where they come late.
    async fn read_lines(&mut self, source: &Source, target: &Target, agent: &str, seen: &mut Sighting) -> Result<(), Error> {
        let looks = if self.ctx.patience.settled { 1 } else { LOG_LOOKS };
        for look in 0..looks {
            if look > 0 {
                tokio::time::sleep(LOG_PAUSE).await;
            }
            self.look_at_logs(source, target, agent, seen).await?;
            let decoded = decode(seen);
            let waits_for_gateway = seen.gateway.is_empty() && matches!(decoded.path, crate::base::outcome::Path::Gateway(_));
            if decoded.certain && !(waits_for_gateway && decoded.outcome != Outcome::GatewayNotListening) {
                break;
            }
        }
        Ok(())
    }

    async fn look_at_logs(&mut self, source: &Source, target: &Target, agent: &str, seen: &mut Sighting) -> Result<(), Error> {
        if source.has_sidecar && seen.sidecar.is_empty() {
            let proxy = (source.pod.namespace().to_string(), source.pod.name().to_string());
            seen.sidecar = self.fresh(proxy, target, agent).await?;
        }
        let to_gateway = |seen: &Sighting| {
            let hosts = seen.sidecar.iter().filter_map(Entry::cluster_host);
            hosts.into_iter().any(|host| host.ends_with(".svc.cluster.local"))
        };
        if !to_gateway(seen) {
            return Ok(());
        }
        for gateway in self.gateways.clone() {
            let lines = self.fresh((gateway.namespace.clone(), gateway.pod.clone()), target, agent).await?;
            let proxy = format!("{}/{}", gateway.namespace, gateway.pod);
            let line = |entry| GatewayLine { gateway: gateway.name.clone(), proxy: proxy.clone(), entry };
            seen.gateway.extend(lines.into_iter().map(line));
        }
        Ok(())
    }

    /// The lines of a proxy's log that are new and about this exchange.
    async fn fresh(&mut self, proxy: (String, String), target: &Target, agent: &str) -> Result<Vec<Entry>, Error> {
        let text = self.reader.log(&proxy.0, &proxy.1, "istio-proxy", MAX_LOG_LINES).await?;
        let before = self.seen.get(&proxy).map_or("", String::as_str);
        let new = news(before, &text);
        let own = new.lines().filter_map(Entry::parse).filter(|entry| is_about(entry, target, agent)).collect();
        self.seen.insert(proxy, text);
        Ok(own)
    }
}

/// Whether a line belongs to an exchange: by its User-Agent, or for a connection by server name and port.
fn is_about(entry: &Entry, target: &Target, agent: &str) -> bool {
    let named = entry.get(LogField::UserAgent);
    if named != "-" {
        return named == agent;
    }
    let sni = entry.get(LogField::RequestedServerName);
    match target.scheme {
        Scheme::Https if sni != "-" => sni.eq_ignore_ascii_case(&target.host) || sni.ends_with(".svc.cluster.local"),
        _ => true,
    }
}

/// What a log has now that it had not before. Both are tails of one growing text: the longest end of the old one with which the
/// new one begins is old.
fn news<'t>(before: &str, now: &'t str) -> &'t str {
    let starts = std::iter::once(0).chain(before.match_indices('\n').map(|(at, _)| at + 1));
    let old = starts.map(|at| &before[at..]).find(|end| now.starts_with(end)).unwrap_or("");
    &now[old.len()..]
}

fn record(source: &Source, seen: &Sighting, decoded: Decoded, predicted: &Record) -> Record {
    let sidecar = format!("{}/{}", source.pod.namespace(), source.pod.name());
    let hops = seen.sidecar.iter().map(|entry| hop(&sidecar, entry));
    let hops = hops.chain(seen.gateway.iter().map(|line| hop(&line.proxy, &line.entry))).collect();
    let mut record = Record {
        outcome: decoded.outcome,
        path: decoded.path,
        tls: decoded.tls,
        at: decoded.at,
        status: seen.status,
        exit_code: seen.exit_code,
        hops,
        cause: Cause::new("access log", "", decoded.because),
    };
    if words(&record) == words(predicted) {
        record.cause = predicted.cause.clone();
    }
    record
}

fn hop(proxy: &str, entry: &Entry) -> Hop {
    let value = |field| Some(entry.get(field)).filter(|value| *value != "-").map(Text::new);
    Hop {
        proxy: Text::new(proxy),
        route: value(LogField::RouteName),
        cluster: value(LogField::UpstreamCluster),
        endpoint: value(LogField::UpstreamHost),
        flags: Text::new(entry.get(LogField::ResponseFlags)),
        log: Some(Text::new(&entry.line)),
        ..Hop::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_there_before_is_new() {
        for (before, now, new) in [
            ("", "a\n", "a\n"),
            ("a\n", "a\n", ""),
            ("a\nb\n", "a\nb\nc\n", "c\n"),
            ("a\nb\n", "b\nc\n", "c\n"),
            ("a\na\n", "a\na\na\n", "a\n"),
            ("a\n", "x\ny\n", "x\ny\n"),
        ] {
            assert_eq!(news(before, now), new, "{before:?} then {now:?}");
        }
    }

    #[test]
    fn lines_of_others_are_not_taken() {
        let http = |agent: &str| {
            format!(r#"[t] "GET / HTTP/1.1" 502 - direct_response - "-" 0 0 0 - "-" "{agent}" "id" "h" "-" - - a b - block_all"#)
        };
        let tcp = |sni: &str| format!(r#"[t] "- - -" 0 UH - - "-" 0 0 0 - "-" "-" "-" "-" "-" BlackHoleCluster - a b {sni} -"#);
        let https = Target::parse("https://www.wikipedia.org/").unwrap();
        let plain = Target::parse("http://www.wikipedia.org/").unwrap();
        for (line, target, about) in [
            (http("egress-lab/1"), &plain, true),
            (http("curl/8.1.2"), &plain, false),
            (tcp("-"), &plain, true),
            (tcp("www.wikipedia.org"), &https, true),
            (tcp("en.wikipedia.org"), &https, false),
        ] {
            assert_eq!(is_about(&Entry::parse(&line).unwrap(), target, "egress-lab/1"), about, "{line}");
        }
    }
}
