//! `/logging`: the loggers of a proxy and their levels (S: envoy source/server/admin/logs_handler.cc, common/common/logger.h).

use super::{Memory, Page};

/// The level that Istio starts proxies with.
pub const FIRST: &str = "warning";

const LEVELS: &[&str] = &["trace", "debug", "info", "warning", "error", "critical", "off"];

/// Envoy's loggers (1.40), in the order in which they are listed.
pub const LOGGERS: &[&str] = &[
    "a2a",
    "admin",
    "ai_protocol_manager",
    "alternate_protocols_cache",
    "aws",
    "assert",
    "backtrace",
    "basic_auth",
    "cache_filter",
    "client",
    "config",
    "connection",
    "conn_handler",
    "compression",
    "credential_injector",
    "decompression",
    "dns",
    "dubbo",
    "envoy_bug",
    "ext_authz",
    "ext_proc",
    "rocketmq",
    "file",
    "filter",
    "forward_proxy",
    "geolocation",
    "grpc",
    "happy_eyeballs",
    "hc",
    "health_checker",
    "http",
    "http2",
    "hystrix",
    "init",
    "io",
    "jwt",
    "json_rpc",
    "kafka",
    "key_value_store",
    "lua",
    "local_rate_limit",
    "main",
    "matcher",
    "mcp",
    "misc",
    "mongo",
    "multi_connection",
    "notification",
    "oauth2",
    "quic",
    "quic_stream",
    "pool",
    "rate_limit_quota",
    "rbac",
    "rds",
    "redis",
    "router",
    "runtime",
    "stats",
    "secret",
    "sse",
    "tap",
    "testing",
    "thrift",
    "tracing",
    "upstream",
    "udp",
    "wasm",
    "websocket",
    "golang",
    "stats_sinks",
    "dynamic_modules",
    "ip_tagging",
];

const USAGE: &str = "usage: /logging?<name>=<level> (change single level)\n\
                     usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n\
                     usage: /logging?level=<level> (change all levels)\n\
                     levels: trace debug info warning error critical off \n";

/// The page; a query changes levels first. With more than one parameter, or a word that is none, usage is told.
pub fn page(memory: &mut Memory, query: &[(String, String)]) -> Page {
    let changed = match query {
        [] => Ok(()),
        [(name, value)] => change(memory, name, value),
        _ => Err("invalid number of parameters"),
    };
    if let Err(why) = changed {
        return Page::text(400, format!("error: {why}\n\n{USAGE}"));
    }
    let rows: String = LOGGERS.iter().map(|logger| format!("  {logger}: {}\n", memory.level(logger))).collect();
    Page::text(200, format!("active loggers:\n{rows}\n"))
}

fn change(memory: &mut Memory, name: &str, value: &str) -> Result<(), &'static str> {
    match name {
        "level" => {
            let level = level(value)?;
            memory.levels = LOGGERS.iter().map(|logger| (*logger, level)).collect();
        }
        "paths" => {
            let mut wanted = Vec::new();
            for part in value.split(',').filter(|part| !part.is_empty()) {
                let (logger, word) = part.split_once(':').ok_or("empty logger name or empty logger level")?;
                wanted.push((known(logger)?, level(word)?));
            }
            memory.levels.extend(wanted);
        }
        logger => {
            let level = level(value)?;
            memory.levels.insert(known(logger)?, level);
        }
    }
    Ok(())
}

fn known(logger: &str) -> Result<&'static str, &'static str> {
    LOGGERS.iter().find(|known| **known == logger).copied().ok_or("unknown logger name")
}

fn level(word: &str) -> Result<&'static str, &'static str> {
    LEVELS.iter().find(|known| **known == word).copied().ok_or("unknown logger level")
}
