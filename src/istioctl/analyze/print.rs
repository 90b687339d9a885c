//! The three forms of output (S: istioctl/pkg/util/formatting).

use crate::base::io::{Io, Stream};
use crate::base::yaml;
use crate::istioctl::Stop;
use crate::istioctl::args::Parsed;
use crate::mesh::analyze::{Level, Message, analyzers, lab, schema_analyzers};
use crate::mesh::versions;
use serde_json::{Value, json};

/// How messages are printed.
pub enum Format {
    Log { colour: bool },
    Json,
    Yaml,
}

impl Format {
    /// From `--output` and `--color`; colour by default on a terminal only.
    ///
    /// # Errors
    /// A format that there is not.
    pub fn read(parsed: &Parsed, io: &Io) -> Result<Format, Stop> {
        let name = parsed.last("output").unwrap_or("log").to_lowercase();
        let colour = parsed.last("color").map_or(io.tty.is_some(), |value| value == "true");
        match name.as_str() {
            "log" => Ok(Format::Log { colour }),
            "json" => Ok(Format::Json),
            "yaml" => Ok(Format::Yaml),
            _ => Err(Stop::usage(format!("{name} not a valid option for format. See istioctl analyze --help"))),
        }
    }

    /// Whether lines are printed.
    pub fn is_log(&self) -> bool {
        matches!(self, Format::Log { .. })
    }
}

/// `istioctl analyze -L`.
pub fn list(io: &mut Io) {
    let mut all: Vec<(String, String)> = analyzers().iter().map(|a| (a.name.into(), a.description.into())).collect();
    all.extend(schema_analyzers());
    all.sort();
    all.iter().for_each(|(name, description)| io.say(&format!("* {name}:\n    {description}")));
}

/// A text on standard error without a line end.
pub fn error(io: &mut Io, text: &str) {
    (io.out)(Stream::Err, text.as_bytes());
}

/// Where the codes are described, for this release.
pub fn reference(version: &str) -> String {
    let release = versions::find(version).unwrap_or_else(versions::default_release);
    format!("https://istio.io/v{}/docs/reference/config/analysis", release.line)
}

/// Prints the messages, and what the lab adds.
pub fn messages(io: &mut Io, format: &Format, version: &str, messages: &[&Message], own: &[&lab::Finding]) {
    let values = || {
        let theirs = messages.iter().map(|m| value(m, version));
        Value::from(theirs.chain(own.iter().map(|f| finding(f))).collect::<Vec<_>>())
    };
    match format {
        Format::Json => io.say(&indented(&values())),
        Format::Yaml => io.say(&yaml::write(&values())),
        Format::Log { colour } => {
            let lines: Vec<String> = messages.iter().map(|m| painted(&m.line(), m.level, *colour)).collect();
            io.say(&lines.join("\n"));
            if !own.is_empty() {
                io.say("\nWhat istioctl does not notice (egress-lab):");
                own.iter().for_each(|f| io.say(&painted(&f.line(), f.level, *colour)));
            }
        }
    }
}

fn painted(line: &str, level: Level, colour: bool) -> String {
    if !colour {
        return line.to_string();
    }
    let (start, rest) = (level.name(), &line[level.name().len()..]);
    let prefix = match level {
        Level::Error => "\u{1b}[1;31m",
        Level::Warning => "\u{1b}[33m",
        Level::Info => "",
    };
    format!("{prefix}{start}\u{1b}[0m{rest}")
}

fn value(message: &Message, version: &str) -> Value {
    let url = format!("{}/{}/?ref=istioctl-analyze", reference(version), message.code.to_lowercase());
    let mut value = json!({"code": message.code, "documentationUrl": url, "level": message.level.name(),
        "message": message.text, "origin": message.origin()});
    if let Some(reference) = &message.reference {
        value["reference"] = Value::from(reference.as_str());
    }
    value
}

fn finding(finding: &lab::Finding) -> Value {
    let mut value = json!({"code": finding.id, "level": finding.level.name(), "message": finding.text, "origin": finding.object,
        "field": finding.field, "next": finding.next});
    if let Some(reference) = &finding.reference {
        value["reference"] = Value::from(reference.as_str());
    }
    value
}

/// JSON as Go's MarshalIndent writes it with tabs: `<`, `>` and `&` escaped, an empty list on one line.
fn indented(value: &Value) -> String {
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    if serde::Serialize::serialize(value, &mut serializer).is_err() {
        return String::new();
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
