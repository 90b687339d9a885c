//! `istioctl proxy-config ..`: what a proxy was told, read from its admin port or from a file (S: istioctl/pkg/proxyconfig).

mod bootstrap;
mod certificate;
mod clusters;
pub mod dump;
mod endpoints;
mod listeners;
mod log;
mod routes;
mod secrets;

use super::args::{self, Flag, Parsed, switch, valued};
use super::{Context, Stop, api, forward, pods, read_stdin_up_to, table};
use crate::base::io::Io;
use crate::base::{not_simulated, yaml};
use crate::mesh::admin::fields::Message;
use crate::mesh::admin::json::{Style, indented, write};
use dump::Dump;
use serde_json::Value;

/// The largest dump that is read from standard input, in bytes.
const MAX_DUMP: usize = 256 * 1024 * 1024;

/// Envoy's admin port.
const ADMIN_PORT: u16 = 15000;

const FLAGS: &[Flag] = &[
    valued("output", Some('o')),
    valued("file", Some('f')),
    valued("proxy-admin-port", None),
    valued("fqdn", None),
    valued("direction", None),
    valued("subset", None),
    valued("port", None),
    valued("address", None),
    valued("type", None),
    valued("name", None),
    valued("cluster", None),
    valued("status", None),
    switch("verbose", None),
    switch("with-headers", None),
    switch("waypoint", None),
    valued("level", None),
    switch("reset", Some('r')),
    valued("selector", Some('l')),
];

/// The parts that can be asked for: names, which flags they take besides `--output`, `--file` and `--proxy-admin-port`.
const PARTS: &[(&[&str], &[&str])] = &[
    (&["cluster", "clusters", "c"], &["fqdn", "direction", "subset", "port", "file"]),
    (&["listener", "listeners", "l"], &["address", "type", "port", "verbose", "waypoint", "file"]),
    (&["route", "routes", "r"], &["name", "verbose", "file"]),
    (&["endpoint", "endpoints", "ep"], &["address", "port", "cluster", "status", "file"]),
    (&["bootstrap", "b"], &["file"]),
    (&["secret", "secrets", "s"], &["file"]),
    (&["ecds", "ec"], &["file"]),
    (&["eds"], &["address", "port", "cluster", "status", "file"]),
    (&["all", "a"], &["fqdn", "direction", "subset", "port", "address", "type", "name", "verbose", "with-headers", "file"]),
    (&["log", "o"], &["level", "reset", "selector"]),
    (&["rootca-compare", "rc"], &[]),
];

/// Runs `proxy-config WORDS..`.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let Some((part, rest)) = words.split_first().filter(|(part, _)| !part.starts_with('-')) else {
        return super::help::print(io, &["proxy-config"]);
    };
    let Some((names, flags)) = PARTS.iter().find(|(names, _)| names.contains(part)) else {
        return Err(Stop::usage(format!(
            "unknown command {part:?} for \"istioctl proxy-config\"\nRun 'istioctl proxy-config --help' for usage."
        )));
    };
    let own: Vec<Flag> = FLAGS
        .iter()
        .filter(|flag| matches!(flag.long, "output" | "proxy-admin-port") || flags.contains(&flag.long))
        .copied()
        .collect();
    let parsed = args::parse(rest, &own)?;
    let ask = Ask::read(names[0], &parsed)?;
    match names[0] {
        "log" => log::run(context, io, &ask, &parsed).await,
        "rootca-compare" => Err(Stop::failed(not_simulated("istioctl proxy-config rootca-compare"))),
        _ => show(context, io, &ask, &parsed).await,
    }
}

/// What all parts have in common.
struct Ask {
    part: &'static str,
    output: String,
    port: u16,
    filter_port: u64,
}

impl Ask {
    fn read(part: &'static str, parsed: &Parsed) -> Result<Ask, Stop> {
        let number = |flag: &str, default: i64| match parsed.last(flag) {
            None => Ok(default),
            Some(text) => text.parse::<i64>().map_err(|_| {
                let why = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
                Stop::usage(format!("invalid argument {text:?} for \"--{flag}\" flag: {why}"))
            }),
        };
        let port = number("proxy-admin-port", i64::from(ADMIN_PORT))?;
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Stop::failed("port number must be in the range 1..65535".to_string()))?;
        let default = if part == "bootstrap" { "json" } else { "short" };
        let output = parsed.last("output").unwrap_or(default).to_string();
        Ok(Ask { part, output, port, filter_port: u64::try_from(number("port", 0)?).unwrap_or(0) })
    }

    /// The page that the part is shown from.
    fn page(&self) -> &'static str {
        match self.part {
            "cluster" => "config_dump?mask=dynamic_active_clusters,dynamic_warming_clusters,static_clusters",
            "listener" => "config_dump?mask=dynamic_listeners,static_listeners",
            "route" => "config_dump?mask=dynamic_route_configs,static_route_configs",
            "bootstrap" => "config_dump?mask=bootstrap",
            "secret" => "config_dump?mask=dynamic_active_secrets,dynamic_warming_secrets",
            "endpoint" => "clusters?format=json",
            _ => "config_dump?include_eds=true",
        }
    }
}

async fn show(context: &Context, io: &mut Io, ask: &Ask, parsed: &Parsed) -> Result<(), Stop> {
    let file = parsed.last("file").unwrap_or("");
    if (parsed.operands.len() == 1) != file.is_empty() {
        let part = if ask.part == "endpoint" || ask.part == "eds" { "endpoints" } else { ask.part };
        return Err(Stop::failed(format!("{part} requires pod name or --file parameter")));
    }
    if parsed.on("waypoint") {
        return Err(Stop::failed(not_simulated("istioctl proxy-config listeners --waypoint")));
    }
    let bytes = match parsed.operands.first() {
        Some(operand) => fetch(context, ask, operand, parsed).await?,
        None if file == "-" => read_stdin_up_to(io, MAX_DUMP).await?.into_bytes(),
        None => io.files.read(file).map_err(|error| Stop::failed(format!("open {file}: {}", super::file_words(&error))))?,
    };
    let text = match (ask.part, ask.output.as_str()) {
        (_, output) if !matches!(output, "short" | "json" | "yaml") => {
            if ask.part != "all" {
                Dump::read(&bytes)?;
            }
            return Err(Stop::failed(format!("output format {output:?} not supported")));
        }
        ("all", "json") => String::from_utf8_lossy(&bytes).into_owned() + "\n",
        ("all", "yaml") => {
            let value: Value = serde_json::from_slice(&bytes).map_err(|e| Stop::failed(e.to_string()))?;
            yaml::write(&value) + "\n"
        }
        ("all", _) => return whole(io, &Dump::read(&bytes)?, ask, parsed),
        ("endpoint", _) => endpoint_text(&bytes, ask, parsed)?,
        (_, "short") => short(&Dump::read(&bytes)?, ask, parsed, false)?,
        (_, output) => resources(&Dump::read(&bytes)?, ask, parsed, output)?,
    };
    io.write(text.as_bytes());
    Ok(())
}

async fn fetch(context: &Context, ask: &Ask, operand: &str, parsed: &Parsed) -> Result<Vec<u8>, Stop> {
    let namespace = parsed.last("namespace").unwrap_or(&context.namespace);
    let (pod, namespace) = pods::find(context, operand, namespace).await?;
    let answer = forward::fetch(&context.client, &namespace, &pod, ask.port, "GET", ask.page()).await;
    answer.map_err(|why| {
        Stop::failed(match ask.part {
            "endpoint" => format!("failed to execute command on Envoy: {why}"),
            _ => format!("failed to execute command on {pod}.{namespace} sidecar: {why}"),
        })
    })
}

fn given(parsed: &Parsed, flag: &str) -> String {
    parsed.last(flag).unwrap_or("").to_string()
}

fn listener_filter(ask: &Ask, parsed: &Parsed) -> listeners::Filter {
    let verbose = parsed.last("verbose").is_none_or(|v| v == "true");
    listeners::Filter { address: given(parsed, "address"), port: ask.filter_port, kind: given(parsed, "type"), verbose }
}

fn cluster_filter(ask: &Ask, parsed: &Parsed) -> clusters::Filter {
    let port = i64::try_from(ask.filter_port).unwrap_or(0);
    let [fqdn, subset, direction] = ["fqdn", "subset", "direction"].map(|flag| given(parsed, flag));
    clusters::Filter { fqdn, port, subset, direction }
}

fn endpoint_filter(ask: &Ask, parsed: &Parsed) -> endpoints::Filter {
    let [address, cluster, status] = ["address", "cluster", "status"].map(|flag| given(parsed, flag));
    endpoints::Filter { address, port: ask.filter_port, cluster, status }
}

/// The table of a part; `named`: as `proxy-config all` has it.
fn short(dump: &Dump, ask: &Ask, parsed: &Parsed, named: bool) -> Result<String, Stop> {
    let verbose = parsed.last("verbose").is_none_or(|v| v == "true");
    Ok(match ask.part {
        "cluster" => table::write(&clusters::rows(&dump.clusters()?, &cluster_filter(ask, parsed), named), 5),
        "listener" => table::write(&listeners::rows(&dump.listeners()?, &listener_filter(ask, parsed), named), 1),
        "route" => table::write(&routes::rows(&dump.routes()?, &given(parsed, "name"), verbose, named), 5),
        "secret" => secrets::table(dump, api::now(), named)?,
        "bootstrap" => bootstrap::summary(dump)?,
        "eds" => table::write(&endpoints::assignment_rows(&dump.endpoints(), &endpoint_filter(ask, parsed), named), 5),
        _ => table::write(&ecds(dump)?, 5),
    })
}

/// `proxy-config all`: every table, with heads on demand.
fn whole(io: &mut Io, dump: &Dump, ask: &Ask, parsed: &Parsed) -> Result<(), Stop> {
    let parts = [
        ("bootstrap", "BOOTSTRAP"),
        ("cluster", "CLUSTER"),
        ("listener", "LISTENER"),
        ("route", "ROUTE"),
        ("secret", "SECRET"),
        ("eds", "ENDPOINTS"),
    ];
    for (part, head) in parts {
        if part != "bootstrap" {
            io.write(b"\n");
        }
        if parsed.on("with-headers") {
            io.write(format!("------ {head} INFO ------\n\n").as_bytes());
        }
        let ask = Ask { part, output: ask.output.clone(), ..*ask };
        let table = short(dump, &ask, parsed, true)?;
        io.write(table.as_bytes());
    }
    Ok(())
}

fn ecds(dump: &Dump) -> Result<Vec<Vec<String>>, Stop> {
    let section = dump.ecds()?;
    let mut found: Vec<(String, String)> = dump::list(&section, "ecds_filters")
        .map(|f| {
            let filter = dump::at(f, "ecds_filter");
            let kind = dump::at(filter, "typed_config")["@type"].as_str().unwrap_or("");
            (kind.trim_start_matches("type.googleapis.com/").to_string(), dump::text(filter, "name").to_string())
        })
        .collect();
    found.sort();
    let mut rows = vec![table::row(["ECDS NAME", "TYPE"])];
    rows.extend(found.into_iter().map(|(kind, name)| vec![name, kind]));
    Ok(rows)
}

fn endpoint_text(bytes: &[u8], ask: &Ask, parsed: &Parsed) -> Result<String, Stop> {
    let page: Value = serde_json::from_slice(bytes)
        .map_err(|error| Stop::failed(format!("error unmarshalling config dump response from Envoy: {error}")))?;
    let filter = endpoint_filter(ask, parsed);
    match ask.output.as_str() {
        "short" => Ok(table::write(&endpoints::rows(&page, &filter), 5)),
        output => {
            let wanted = endpoints::wanted(&page, &filter);
            Ok(printed(&wanted, dump::message("envoy.admin.v3.ClusterStatus"), output))
        }
    }
}

/// Resources as JSON or YAML.
fn resources(dump: &Dump, ask: &Ask, parsed: &Parsed, output: &str) -> Result<String, Stop> {
    let section = |name: &str| {
        let value = dump.section(name)?;
        let message = dump::message(&format!("envoy.admin.v3.{name}"));
        Ok(in_output(write(message, value, Style::Go, "    "), output))
    };
    Ok(match ask.part {
        "cluster" => {
            let filter = cluster_filter(ask, parsed);
            let wanted: Vec<&Value> = dump.clusters()?.into_iter().filter(|c| filter.takes(c)).collect();
            printed(&wanted, dump::message("envoy.config.cluster.v3.Cluster"), output)
        }
        "listener" => {
            let filter = listener_filter(ask, parsed);
            let wanted: Vec<&Value> = dump.listeners()?.into_iter().filter(|l| filter.takes(l)).collect();
            printed(&wanted, dump::message("envoy.config.listener.v3.Listener"), output)
        }
        "route" => {
            let name = given(parsed, "name");
            let all = dump.routes()?;
            let wanted: Vec<&Value> = all.into_iter().filter(|r| name.is_empty() || dump::text(r, "name") == name).collect();
            printed(&wanted, dump::message("envoy.config.route.v3.RouteConfiguration"), output)
        }
        "eds" => {
            let wanted = endpoints::wanted_assignments(&dump.endpoints(), &endpoint_filter(ask, parsed));
            let wanted: Vec<&Value> = wanted.iter().collect();
            printed(&wanted, dump::message("envoy.config.endpoint.v3.ClusterLoadAssignment"), output)
        }
        "secret" => section("SecretsConfigDump")
            .map_err(|stop: Stop| Stop::failed(format!("sidecar doesn't support secrets: {}", stop.message)))?,
        "bootstrap" => section("BootstrapConfigDump")?,
        // protojson rather than jsonpb: empty messages on one line.
        _ => {
            let text = write(dump::message("envoy.admin.v3.EcdsConfigDump"), &dump.ecds()?, Style::Go, "");
            in_output(indented(&text, "    "), output)
        }
    })
}

/// A list of messages, as Go's json.MarshalIndent of jsonpb's text.
fn printed(values: &[&Value], message: Option<&'static Message>, output: &str) -> String {
    let texts: Vec<String> = values.iter().map(|value| write(message, value, Style::Go, "")).collect();
    in_output(indented(&format!("[{}]", texts.join(",")), "    "), output)
}

fn in_output(json: String, output: &str) -> String {
    match (output, serde_json::from_str::<Value>(&json)) {
        ("yaml", Ok(value)) => yaml::write(&value) + "\n",
        _ => json + "\n",
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    crate::k8s::base64::decode(text).ok()
}
