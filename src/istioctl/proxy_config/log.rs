//! `proxy-config log`: levels of a proxy's loggers (S: proxyconfig.go logCmd).

use super::{Ask, Parsed};
use crate::base::io::Io;
use crate::base::order::Order;
use crate::base::yaml;
use crate::istioctl::{Context, Stop, api, forward, pods};

const LEVELS: &[&str] = &["trace", "debug", "info", "warning", "error", "critical", "off"];

/// What stands for all loggers.
const ALL: &str = "level";

fn level(text: &str) -> Result<&'static str, Stop> {
    let text = if text == "warn" { "warning" } else { text };
    let known = LEVELS.iter().find(|known| **known == text).copied();
    known.ok_or_else(|| Stop::failed(format!("unrecognized logging level: {text}")))
}

/// Runs the command.
pub async fn run(context: &Context, io: &mut Io, ask: &Ask, parsed: &Parsed) -> Result<(), Stop> {
    let selector = parsed.last("selector").unwrap_or("");
    if selector.is_empty() && parsed.operands.is_empty() {
        return Err(Stop::failed("log requires pod name or --selector"));
    }
    let wanted = parsed.last("level").unwrap_or("");
    if parsed.on("reset") && !wanted.is_empty() {
        return Err(Stop::failed("--level cannot be combined with --reset"));
    }
    if !matches!(ask.output.as_str(), "" | "short") {
        return Err(Stop::failed("--output is not applicable for this command"));
    }
    let namespace = parsed.last("namespace").unwrap_or(&context.namespace);
    let found = match selector {
        "" => pods::find_all(context, &parsed.operands[0], namespace).await?,
        selector => pods::of_selector(context, selector, namespace).await?,
    };
    let mut loggers = String::new();
    for (pod, namespace) in &found {
        loggers = post(context, ask, pod, namespace, "").await.map_err(Stop::failed)?;
    }
    let changes =
        if parsed.on("reset") { vec![(ALL.to_string(), reset_level(context).await)] } else { changes(wanted, &loggers)? };
    let mut failures = Vec::new();
    for (pod, namespace) in &found {
        let mut answer = Ok(String::new());
        if changes.is_empty() {
            answer = post(context, ask, pod, namespace, "").await;
        }
        for (logger, level) in &changes {
            answer = post(context, ask, pod, namespace, &format!("?{logger}={level}")).await;
        }
        match answer {
            Ok(text) => io.write(format!("{pod}.{namespace}:\n{text}").as_bytes()),
            Err(why) => failures.push(format!("error configuring log level for {pod}.{namespace}: {why}")),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Stop::failed(failures.join("\n"))) }
}

/// `debug`, `http:debug,rbac=info`: all loggers first.
fn changes(text: &str, loggers: &str) -> Result<Vec<(String, &'static str)>, Stop> {
    let mut changes: Vec<(String, &'static str)> = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        if !part.contains([':', '=']) {
            changes = vec![(ALL.to_string(), level(part)?)];
            continue;
        }
        let last = part.rsplit("::").next().unwrap_or(part);
        let (logger, wanted) = last.split_once([':', '=']).unwrap_or((last, ""));
        if logger != ALL && !loggers.contains(logger) {
            return Err(Stop::failed(format!("unrecognized logger name: {logger}")));
        }
        let wanted = level(wanted)?;
        changes.retain(|(name, _)| name != logger);
        changes.push((logger.to_string(), wanted));
    }
    changes.order_by_key(|(name, _)| (name != ALL, name.clone()));
    Ok(changes)
}

/// The level that injected proxies start with.
async fn reset_level(context: &Context) -> &'static str {
    let map = api::read(&context.client, "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector").await;
    let values = map.ok().flatten().and_then(|map| map["data"]["values"].as_str().map(str::to_string));
    let values = values.and_then(|text| yaml::parse_documents(&text).ok()).and_then(|all| all.into_iter().next());
    let text = values.and_then(|v| v["global"]["proxy"]["logLevel"].as_str().map(str::to_string)).unwrap_or_default();
    level(&text).unwrap_or("warning")
}

async fn post(context: &Context, ask: &Ask, pod: &str, namespace: &str, query: &str) -> Result<String, String> {
    let answer = forward::fetch(&context.client, namespace, pod, ask.port, "POST", &format!("logging{query}")).await;
    let bytes = answer.map_err(|why| format!("failed to execute command on Envoy: {why}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_istioctl_reads_them() {
        let of = |text: &str| match changes(text, "active loggers:\n  http: warning\n  rbac: warning\n") {
            Ok(all) => all.iter().map(|(logger, level)| format!("{logger}={level}")).collect::<Vec<_>>().join(" "),
            Err(stop) => stop.message,
        };
        assert_eq!(of(""), "");
        assert_eq!(of("warn"), "level=warning");
        assert_eq!(of("http:debug,rbac=info"), "http=debug rbac=info");
        assert_eq!(of("rbac:info,level:error"), "level=error rbac=info");
        assert_eq!(of("none"), "unrecognized logging level: none");
        assert_eq!(of("redis:debug"), "unrecognized logger name: redis");
    }
}
