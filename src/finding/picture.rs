//! The way of one request as a picture: the pod, the proxies on the way and the outside as stations, each with what became of the
//! request there and what decided. Values for the screen that draws boxes; [`text`] is the same in words.

use super::{Exchanged, Finding, Verdict, words};
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::base::text::wrap;
use crate::mesh::{Cause, Hop, Record};

/// Columns of the text.
const WIDTH: usize = 80;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub url: String,
    /// Where it comes from: a check's title and verdict, or nothing for one that was only asked about.
    pub check: Option<(Verdict, String)>,
    /// The command line that sent it; empty when nothing was sent.
    pub probe: String,
    /// What became of it, as [`words`] puts it.
    pub seen: String,
    /// What the model had said, where that was something else.
    pub model: Option<String>,
    /// At least the pod and the outside.
    pub stations: Vec<Station>,
    pub why: Decided,
}

/// A place on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    pub kind: Kind,
    pub name: String,
    pub state: State,
    /// How the request comes here from the station before: `HTTP`, `TLS`, `TCP`; empty where that is not known.
    pub by: &'static str,
    pub parts: Vec<Part>,
}

/// What a station is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Pod,
    Sidecar,
    Gateway,
    /// The sidecar of the pod that is called.
    Receiver,
    Outside,
}

/// What became of the request at a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Passed,
    /// It came here and was answered: the end of a way that led through.
    Answered,
    /// It ended here.
    Stopped,
    /// It left the station before and never got here.
    Lost,
    NotReached,
}

/// One thing that a station says about the request: its listener, route, cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub name: &'static str,
    pub value: String,
    pub decided: Option<Decided>,
    /// Whether this is what the outcome rests on.
    pub key: bool,
}

/// Object, field and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub object: String,
    pub field: String,
    pub text: String,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Pod => "pod",
            Kind::Sidecar => "sidecar",
            Kind::Gateway => "gateway",
            Kind::Receiver => "receiving sidecar",
            Kind::Outside => "destination",
        }
    }
}

impl State {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            State::Passed => "passed on",
            State::Answered => "ANSWERED",
            State::Stopped => "STOPPED HERE",
            State::Lost => "DID NOT GET HERE",
            State::NotReached => "not reached",
        }
    }
}

impl Decided {
    fn of(cause: &Cause) -> Decided {
        Decided { object: cause.object.to_string(), field: cause.field.to_string(), text: cause.text.to_string() }
    }

    /// `ServiceEntry default/wikipedia`, split into its kind, namespace and name; `None` for what is no object (a named default).
    pub fn reference(&self) -> Option<(&str, &str, &str)> {
        let (kind, name) = self.object.split_once(' ')?;
        let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.chars().all(|c| c.is_ascii_alphanumeric());
        let is_name = !name.is_empty() && !name.contains(' ');
        (is_kind && is_name).then(|| match name.split_once('/') {
            Some((namespace, name)) => (kind, namespace, name),
            None => (kind, "", name),
        })
    }
}

/// The requests of a step's checks: those of failed checks first.
pub fn of_findings(findings: &[Finding]) -> Vec<Picture> {
    let (met, failed): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| finding.verdict == Verdict::Met);
    failed.into_iter().chain(met).flat_map(of_finding).collect()
}

fn of_finding(finding: &Finding) -> Vec<Picture> {
    let evidence = &finding.evidence;
    let alone = evidence.observation.as_ref().filter(|_| evidence.exchanges.is_empty()).map(|observation| Exchanged {
        url: evidence.probe.split_whitespace().last().unwrap_or_default().to_string(),
        observation: observation.clone(),
        prediction: evidence.prediction.clone(),
    });
    let mut pictures: Vec<Picture> = evidence.exchanges.iter().chain(&alone).map(of_exchange).collect();
    for picture in &mut pictures {
        picture.check = Some((finding.verdict, finding.title.clone()));
        picture.probe.clone_from(&evidence.probe);
    }
    // Of the exchanges of one probe the one that was stopped says most.
    pictures.sort_by_key(|picture| picture.stations.iter().all(|station| !station.state.is_end_of_trouble()));
    pictures
}

impl State {
    fn is_end_of_trouble(self) -> bool {
        matches!(self, State::Stopped | State::Lost)
    }
}

fn of_exchange(exchange: &Exchanged) -> Picture {
    let seen = &exchange.observation;
    // What was seen decides; the model's hops say more, as long as it says the same.
    let told = exchange.prediction.as_ref().filter(|_| !exchange.disagrees());
    let mut picture = of_record(&exchange.url, told.unwrap_or(seen));
    picture.seen = words(seen);
    if told.is_none() {
        picture.model = exchange.prediction.as_ref().map(words);
    }
    for station in picture.stations.iter_mut().filter(|station| station.kind.is_proxy()) {
        if let Some(hop) = seen.hops.iter().find(|hop| *hop.proxy == *station.name)
            && let Some(log) = &hop.log
        {
            station.parts.retain(|part| part.name != "log");
            station.parts.push(Part::new("log", log));
        }
    }
    picture
}

/// The picture of one record.
pub fn of_record(url: &str, record: &Record) -> Picture {
    let mut picture = Picture {
        url: url.to_string(),
        check: None,
        probe: String::new(),
        seen: words(record),
        model: None,
        stations: Vec::new(),
        why: Decided::of(&record.cause),
    };
    picture.stations.push(Station::new(Kind::Pod, source(record)));
    for (nth, hop) in record.hops.iter().enumerate() {
        picture.stations.push(proxy(nth, hop, record));
    }
    if let Path::Gateway(name) = &record.path
        && picture.stations.iter().all(|station| station.kind != Kind::Gateway)
    {
        picture.stations.push(Station::new(Kind::Gateway, name.clone()));
    }
    picture.stations.push(Station::new(Kind::Outside, host_of(url)));
    states(&mut picture.stations, record);
    legs(&mut picture.stations, url, record.tls);
    mark_key(&mut picture, record);
    picture
}

impl Kind {
    /// Whether a proxy of the mesh stands there.
    pub fn is_proxy(self) -> bool {
        matches!(self, Kind::Sidecar | Kind::Gateway | Kind::Receiver)
    }
}

impl Station {
    fn new(kind: Kind, name: String) -> Station {
        Station { kind, name, state: State::NotReached, by: "", parts: Vec::new() }
    }

    /// The part that the outcome rests on, if it is here.
    pub fn key(&self) -> Option<usize> {
        self.parts.iter().position(|part| part.key)
    }
}

impl Part {
    fn new(name: &'static str, value: &str) -> Part {
        Part { name, value: value.to_string(), decided: None, key: false }
    }
}

/// The client's name, where something on the way told it.
fn source(record: &Record) -> String {
    let first = record.hops.first().filter(|_| record.path != Path::Uncaptured);
    let by_cause = || record.cause.object.strip_prefix("Pod ").map(str::to_string);
    first.map(|hop| hop.proxy.to_string()).or_else(by_cause).unwrap_or_else(|| "the client".into())
}

fn proxy(nth: usize, hop: &Hop, record: &Record) -> Station {
    let kind = match (nth, hop.listener.as_deref()) {
        (_, Some("virtualInbound")) => Kind::Receiver,
        (0, _) if record.path != Path::Uncaptured => Kind::Sidecar,
        _ => Kind::Gateway,
    };
    let mut station = Station::new(kind, hop.proxy.to_string());
    let parts = [
        ("listener", hop.listener.as_deref(), &hop.why.listener),
        ("filter chain", hop.filter_chain.as_deref(), &hop.why.filter_chain),
        ("routes", hop.route_config.as_deref(), &None),
        ("virtual host", hop.virtual_host.as_deref(), &hop.why.virtual_host),
        ("route", hop.route.as_deref().or(hop.why.route.as_ref().map(|_| "(unnamed)")), &hop.why.route),
        ("cluster", hop.cluster.as_deref(), &hop.why.cluster),
        ("endpoint", hop.endpoint.as_deref(), &None),
    ];
    for (name, value, why) in parts {
        if let Some(value) = value {
            station.parts.push(Part { decided: why.as_ref().map(Decided::of), ..Part::new(name, value) });
        }
    }
    if !hop.flags.is_empty() && *hop.flags != *"-" {
        station.parts.push(Part::new("flags", &hop.flags));
    }
    if let Some(log) = &hop.log {
        station.parts.push(Part::new("log", log));
    }
    station
}

/// What became of the request at each station.
fn states(stations: &mut [Station], record: &Record) {
    let last = stations.len() - 1;
    let proxies = record.hops.len();
    let (end, state) = match (record.at, record.outcome) {
        (_, Outcome::NotModelled) => (0, State::Stopped),
        (At::Client, _) => (0, State::Stopped),
        (At::Origin, Outcome::Delivered) => (last, State::Answered),
        (At::Origin, _) => (last, State::Stopped),
        (At::Network, Outcome::Delivered) => (last, State::Passed),
        (At::Network, _) => ((proxies + 1).min(last), State::Lost),
        (At::Sidecar | At::Gateway, Outcome::AnsweredByProxy) => (proxies.max(1).min(last), State::Answered),
        (At::Sidecar, _) if stations[1.min(last)].kind == Kind::Sidecar && record.path == Path::None => (1, State::Stopped),
        (At::Sidecar | At::Gateway, _) => (proxies.max(1).min(last), State::Stopped),
    };
    for (nth, station) in stations.iter_mut().enumerate() {
        station.state = match nth.cmp(&end) {
            std::cmp::Ordering::Less => State::Passed,
            std::cmp::Ordering::Equal => state,
            std::cmp::Ordering::Greater => State::NotReached,
        };
    }
}

/// What is spoken on the way to each station, as far as the record says.
fn legs(stations: &mut [Station], url: &str, tls: TlsBy) {
    let plain = match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("https") => "TLS",
        Some("tcp") => "TCP",
        Some("udp") => "UDP",
        _ => "HTTP",
    };
    let last = stations.len() - 1;
    for nth in 1..=last {
        let from = stations[nth - 1].kind;
        stations[nth].by = match (from, tls) {
            (Kind::Pod, _) => plain,
            _ if nth == last && tls != TlsBy::None => "TLS",
            _ if nth == last => plain,
            (Kind::Sidecar, TlsBy::Sidecar | TlsBy::Client) => "TLS",
            _ => "",
        };
    }
}

/// Marks the part whose object and field is the record's cause; where none is, the cause becomes a part of the station at which the
/// request ended, or of the first proxy.
fn mark_key(picture: &mut Picture, record: &Record) {
    let is_cause = |part: &Part| {
        let decided = part.decided.as_ref();
        decided.is_some_and(|d| *d.object == *record.cause.object && *d.field == *record.cause.field)
    };
    let end = picture.end();
    let first_proxy = picture.stations.iter().position(|station| station.kind.is_proxy());
    let order = [Some(end), first_proxy].into_iter().flatten().chain(0..picture.stations.len());
    for nth in order.collect::<Vec<_>>() {
        if let Some(part) = picture.stations[nth].parts.iter_mut().rev().find(|part| is_cause(part)) {
            part.key = true;
            return;
        }
    }
    let at = if picture.stations[end].kind == Kind::Outside { first_proxy.unwrap_or(0) } else { end };
    let value = if record.cause.field.is_empty() { &record.cause.text } else { &record.cause.field };
    let part = Part { decided: Some(picture.why.clone()), key: true, ..Part::new("decided by", value) };
    picture.stations[at].parts.insert(0, part);
}

impl Picture {
    /// The station at which the request ended.
    pub fn end(&self) -> usize {
        let passed = self.stations.iter().take_while(|station| station.state == State::Passed).count();
        passed.min(self.stations.len() - 1)
    }

    /// The station that holds the part on which the outcome rests.
    pub fn key(&self) -> usize {
        self.stations.iter().position(|station| station.key().is_some()).unwrap_or_else(|| self.end())
    }
}

fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest).to_string()
}

/// The picture in words: one numbered entry for each station, at most 80 columns wide.
pub fn text(picture: &Picture) -> String {
    let mut out = Vec::new();
    let mut say = |text: &str, indent: usize, hang: usize| {
        let pad = " ".repeat(indent);
        out.extend(wrap(text, WIDTH - indent, hang).into_iter().map(|row| format!("{pad}{row}\n")));
    };
    say(&format!("request: {}", picture.url), 0, 9);
    if let Some((verdict, title)) = &picture.check {
        say(&format!("check: {}, {title}", verdict.word()), 0, 7);
    }
    if !picture.probe.is_empty() {
        say(&format!("sent as: {}", picture.probe), 0, 9);
    }
    say(&format!("outcome: {}", picture.seen), 0, 9);
    if let Some(model) = &picture.model {
        say(&format!("model: said {model}; what was seen counts"), 0, 7);
    }
    for (nth, station) in picture.stations.iter().enumerate() {
        let by = if station.by.is_empty() || station.state == State::NotReached {
            String::new()
        } else {
            format!(", by {}", station.by)
        };
        let state = if nth == 0 && station.state == State::Passed { "sent it" } else { station.state.words() };
        say(&format!("{}. {} {}{by}: {state}", nth + 1, station.kind.word(), station.name), 0, 3);
        for part in &station.parts {
            let key = if part.key { " (this decided)" } else { "" };
            let by = part.decided.as_ref().filter(|d| d.field != part.value || !d.object.is_empty());
            let by = by.map(|d| format!(", from {} {}", d.object, d.field)).unwrap_or_default();
            say(&format!("{}: {}{}{key}", part.name, part.value, by.trim_end()), 3, 2);
        }
    }
    say(&format!("why: {}", picture.why.text), 0, 5);
    if let Some(command) = look_at(&picture.why) {
        say(&format!("look: {command}"), 0, 6);
    }
    out.concat()
}

/// The command that shows an object.
pub fn look_at(decided: &Decided) -> Option<String> {
    let (kind, namespace, name) = decided.reference()?;
    let place = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
    Some(format!("kubectl get {} {name}{place} -o yaml", kind.to_lowercase()))
}

#[cfg(test)]
mod tests;
