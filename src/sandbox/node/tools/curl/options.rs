//! curl's command line as curl 8.1.2 reads it.

use crate::base::not_simulated;

/// Options: long name, short letter, whether it takes an argument. Order matters only for help.
const TABLE: &[(&str, char, bool)] = &[
    ("silent", 's', false),
    ("show-error", 'S', false),
    ("head", 'I', false),
    ("location", 'L', false),
    ("verbose", 'v', false),
    ("output", 'o', true),
    ("remote-name", 'O', false),
    ("dump-header", 'D', true),
    ("write-out", 'w', true),
    ("max-time", 'm', true),
    ("connect-timeout", '\0', true),
    ("resolve", '\0', true),
    ("connect-to", '\0', true),
    ("fail", 'f', false),
    ("fail-with-body", '\0', false),
    ("insecure", 'k', false),
    ("cacert", '\0', true),
    ("header", 'H', true),
    ("user-agent", 'A', true),
    ("request", 'X', true),
    ("data", 'd', true),
    ("data-raw", '\0', true),
    ("data-ascii", '\0', true),
    ("data-binary", '\0', true),
    ("json", '\0', true),
    ("user", 'u', true),
    ("include", 'i', false),
    ("referer", 'e', true),
    ("retry", '\0', true),
    ("retry-delay", '\0', true),
    ("retry-max-time", '\0', true),
    ("retry-connrefused", '\0', false),
    ("retry-all-errors", '\0', false),
    ("http1.0", '0', false),
    ("http1.1", '\0', false),
    ("http2", '\0', false),
    ("http2-prior-knowledge", '\0', false),
    ("ipv4", '4', false),
    ("ipv6", '6', false),
    ("proxy", 'x', true),
    ("noproxy", '\0', true),
    ("no-buffer", 'N', false),
    ("progress-bar", '#', false),
    ("progress-meter", '\0', false),
    ("max-redirs", '\0', true),
    ("url", '\0', true),
    ("get", 'G', false),
    ("cookie", 'b', true),
    ("version", 'V', false),
    ("help", 'h', false),
    ("globoff", 'g', false),
    ("disable", 'q', false),
    ("compressed", '\0', false),
    ("styled-output", '\0', false),
    ("keepalive", '\0', false),
    ("tcp-nodelay", '\0', false),
    ("create-dirs", '\0', false),
    ("path-as-is", '\0', false),
    ("tlsv1", '1', false),
    ("tlsv1.2", '\0', false),
    ("tlsv1.3", '\0', false),
    ("oauth2-bearer", '\0', true),
];

/// Options that curl has and that are not imitated: the name, and whether an argument follows.
const OTHERS: &[(&str, char)] = &[
    ("upload-file", 'T'),
    ("form", 'F'),
    ("cookie-jar", 'c'),
    ("next", ':'),
    ("config", 'K'),
    ("range", 'r'),
    ("time-cond", 'z'),
    ("interface", '\0'),
    ("cert", 'E'),
    ("key", '\0'),
    ("capath", '\0'),
    ("data-urlencode", '\0'),
    ("http3", '\0'),
    ("parallel", 'Z'),
    ("trace", '\0'),
    ("trace-ascii", '\0'),
    ("trace-time", '\0'),
    ("unix-socket", '\0'),
    ("haproxy-protocol", '\0'),
    ("doh-url", '\0'),
    ("dns-servers", '\0'),
    ("limit-rate", '\0'),
    ("socks5", '\0'),
    ("socks5-hostname", '\0'),
    ("stderr", '\0'),
    ("tls-max", '\0'),
    ("ciphers", '\0'),
    ("location-trusted", '\0'),
    ("remote-header-name", 'J'),
    ("output-dir", '\0'),
    ("speed-limit", 'Y'),
    ("speed-time", 'y'),
    ("netrc", 'n'),
    ("proxy-header", '\0'),
    ("proxytunnel", 'p'),
    ("request-target", '\0'),
    ("local-port", '\0'),
    ("negotiate", '\0'),
    ("digest", '\0'),
    ("basic", '\0'),
    ("crlf", '\0'),
    ("raw", '\0'),
    ("ssl-no-revoke", '\0'),
    ("rate", '\0'),
];

/// Where a transfer's body goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    Stdout,
    File(String),
    /// `-O`: the last part of the URL's path.
    RemoteName,
}

/// What the command line asked for.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub urls: Vec<String>,
    pub outputs: Vec<Out>,
    pub silent: bool,
    pub show_error: bool,
    pub head: bool,
    pub location: bool,
    pub verbose: bool,
    pub include: bool,
    pub fail: bool,
    pub fail_with_body: bool,
    pub insecure: bool,
    pub get: bool,
    pub progress_bar: bool,
    pub no_meter: bool,
    pub globoff: bool,
    pub plain_headers: bool,
    pub compressed: bool,
    pub path_as_is: bool,
    pub dump_header: Option<String>,
    pub write_out: Option<String>,
    pub max_time_ms: Option<u64>,
    pub connect_timeout_ms: Option<u64>,
    pub resolve: Vec<String>,
    pub connect_to: Vec<String>,
    pub cacert: Option<String>,
    pub headers: Vec<String>,
    pub user_agent: Option<String>,
    pub request: Option<String>,
    pub data: Option<Vec<u8>>,
    pub json: bool,
    pub user: Option<String>,
    pub bearer: Option<String>,
    pub referer: Option<String>,
    pub cookie: Option<String>,
    pub retry: u64,
    pub retry_delay_ms: u64,
    pub retry_max_ms: u64,
    pub retry_refused: bool,
    pub retry_all: bool,
    pub http: Option<Http>,
    pub ipv6: bool,
    pub proxy: Option<String>,
    pub noproxy: Option<String>,
    pub max_redirs: Option<i64>,
}

/// A version asked for by option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    V10,
    V11,
    V2,
    V2Prior,
}

/// The command line did not lead to transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// These lines on standard error, this exit code.
    Error(String, i32),
    Version,
    Help(Option<String>),
}

/// Reads `@file` arguments.
pub type ReadFile<'a> = &'a mut dyn FnMut(&str) -> Option<Vec<u8>>;

const TRY: &str = "curl: try 'curl --help' or 'curl --manual' for more information\n";

fn usage(text: &str) -> Stop {
    Stop::Error(format!("curl: {text}\n{TRY}"), 2)
}

fn refuse(option: &str) -> Stop {
    Stop::Error(format!("{}\n", not_simulated(&format!("curl {option}"))), 125)
}

/// Reads the words after `curl`. `read` gives the bytes of a file, or of standard input for `-`.
pub fn parse(words: &[String], read: ReadFile<'_>) -> Result<Config, Stop> {
    let mut config = Config::default();
    let mut words = words.iter();
    let mut only_urls = false;
    if words.len() == 0 {
        return Err(Stop::Error(TRY.to_string(), 2));
    }
    while let Some(word) = words.next() {
        if only_urls || !word.starts_with('-') || word == "-" {
            config.urls.push(word.clone());
        } else if word == "--" {
            only_urls = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, argument, on) = find_long(long, word)?;
            let value = if argument {
                Some(words.next().ok_or_else(|| usage(&format!("option {word}: requires parameter")))?)
            } else {
                None
            };
            apply(&mut config, name, value.map(String::as_str), on, word, read)?;
        } else {
            short(&mut config, word, &mut words, read)?;
        }
    }
    match config.urls.is_empty() {
        true => Err(usage("no URL specified!")),
        false => Ok(config),
    }
}

/// The option of a long name; a prefix will do when only one option has it.
fn find_long(long: &str, word: &str) -> Result<(&'static str, bool, bool), Stop> {
    if let Some((name, _, argument)) = TABLE.iter().find(|(name, ..)| *name == long) {
        return Ok((name, *argument, true));
    }
    if OTHERS.iter().any(|(name, _)| *name == long) {
        return Err(refuse(word));
    }
    if let Some(off) = long.strip_prefix("no-")
        && let Some((name, _, false)) = TABLE.iter().find(|(name, ..)| *name == off)
    {
        return Ok((name, false, false));
    }
    let mut close = TABLE.iter().filter(|(name, ..)| name.starts_with(long));
    match (close.next(), close.next()) {
        (Some((name, _, argument)), None) if !OTHERS.iter().any(|(other, _)| other.starts_with(long)) => {
            Ok((name, *argument, true))
        }
        (None, _) if !OTHERS.iter().any(|(name, _)| name.starts_with(long)) => Err(usage(&format!("option {word}: is unknown"))),
        _ => Err(usage(&format!("option {word}: is ambiguous"))),
    }
}

fn short(config: &mut Config, word: &str, words: &mut std::slice::Iter<'_, String>, read: ReadFile<'_>) -> Result<(), Stop> {
    let letters = &word[1..];
    for (at, letter) in letters.char_indices() {
        let Some((name, _, argument)) = TABLE.iter().find(|(_, short, _)| *short == letter && *short != '\0') else {
            return Err(match OTHERS.iter().any(|(_, short)| *short == letter && *short != '\0') {
                true => refuse(&format!("-{letter}")),
                false => usage(&format!("option {word}: is unknown")),
            });
        };
        if !argument {
            if *name == "help" {
                return Err(Stop::Help(words.next().cloned()));
            }
            apply(config, name, None, true, word, read)?;
            continue;
        }
        let rest = &letters[at + letter.len_utf8()..];
        let value = match rest.is_empty() {
            true => words.next().ok_or_else(|| usage(&format!("option {word}: requires parameter")))?.as_str(),
            false => rest,
        };
        return apply(config, name, Some(value), true, word, read);
    }
    Ok(())
}

fn apply(config: &mut Config, name: &str, value: Option<&str>, on: bool, word: &str, read: ReadFile<'_>) -> Result<(), Stop> {
    match value {
        None => switch(config, name, on),
        Some(value) => setting(config, name, value, word, read),
    }
}

fn switch(config: &mut Config, name: &str, on: bool) -> Result<(), Stop> {
    match name {
        "silent" => config.silent = on,
        "show-error" => config.show_error = on,
        "head" => config.head = on,
        "location" => config.location = on,
        "verbose" => config.verbose = on,
        "include" => config.include = on,
        "fail" => config.fail = on,
        "fail-with-body" => config.fail_with_body = on,
        "insecure" => config.insecure = on,
        "get" => config.get = on,
        "progress-bar" => config.progress_bar = on,
        "progress-meter" => config.no_meter = !on,
        "globoff" => config.globoff = on,
        "styled-output" => config.plain_headers = !on,
        "compressed" => config.compressed = on,
        "path-as-is" => config.path_as_is = on,
        "retry-connrefused" => config.retry_refused = on,
        "retry-all-errors" => config.retry_all = on,
        "remote-name" => config.outputs.push(Out::RemoteName),
        "http1.0" => config.http = Some(Http::V10),
        "http1.1" => config.http = Some(Http::V11),
        "http2" => config.http = Some(Http::V2),
        "http2-prior-knowledge" => config.http = Some(Http::V2Prior),
        "ipv4" => config.ipv6 = false,
        "ipv6" => config.ipv6 = true,
        "version" => return Err(Stop::Version),
        "help" => return Err(Stop::Help(None)),
        _ => (),
    }
    Ok(())
}

fn setting(config: &mut Config, name: &str, value: &str, word: &str, read: ReadFile<'_>) -> Result<(), Stop> {
    let text = value.to_string();
    match name {
        "output" if value == "-" => config.outputs.push(Out::Stdout),
        "output" => config.outputs.push(Out::File(text)),
        "dump-header" => config.dump_header = Some(text),
        "write-out" => config.write_out = Some(file_text(&text, word, read)?),
        "max-time" => config.max_time_ms = Some(seconds(value, word)?).filter(|ms| *ms > 0),
        "connect-timeout" => config.connect_timeout_ms = Some(seconds(value, word)?).filter(|ms| *ms > 0),
        "resolve" => config.resolve.push(text),
        "connect-to" => config.connect_to.push(text),
        "cacert" => config.cacert = Some(text),
        "header" if value.starts_with('@') => return Err(refuse("-H @file")),
        "header" => config.headers.push(text),
        "user-agent" => config.user_agent = Some(text),
        "request" => config.request = Some(text),
        "data" | "data-ascii" | "data-binary" | "data-raw" | "json" => add_data(config, name, value, read)?,
        "user" if !value.contains(':') => return Err(refuse("asking for a password (-u without one)")),
        "user" => config.user = Some(text),
        "oauth2-bearer" => config.bearer = Some(text),
        "referer" => config.referer = Some(text),
        "cookie" if !value.contains('=') => return Err(refuse("cookie files (-b)")),
        "cookie" => config.cookie = Some(text),
        "retry" => config.retry = number(value, word)?,
        "retry-delay" => config.retry_delay_ms = number(value, word)? * 1000,
        "retry-max-time" => config.retry_max_ms = number(value, word)? * 1000,
        "max-redirs" => config.max_redirs = Some(value.parse().map_err(|_| wrong_number(word))?),
        "proxy" => config.proxy = Some(text),
        "noproxy" => config.noproxy = Some(text),
        _ => config.urls.push(text),
    }
    Ok(())
}

fn wrong_number(word: &str) -> Stop {
    usage(&format!("option {word}: expected a proper numerical parameter"))
}

fn number(value: &str, word: &str) -> Result<u64, Stop> {
    value.parse::<u32>().map(u64::from).map_err(|_| wrong_number(word))
}

fn seconds(value: &str, word: &str) -> Result<u64, Stop> {
    match value.parse::<f64>() {
        Ok(n) if (0.0..1e9).contains(&n) => Ok((n * 1000.0).round() as u64),
        _ => Err(wrong_number(word)),
    }
}

/// `-w @file`
fn file_text(value: &str, word: &str, read: ReadFile<'_>) -> Result<String, Stop> {
    match value.strip_prefix('@') {
        None => Ok(value.to_string()),
        Some(name) => match read(name) {
            Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            None => Err(usage(&format!("option {word}: error encountered when reading a file"))),
        },
    }
}

fn add_data(config: &mut Config, name: &str, value: &str, read: ReadFile<'_>) -> Result<(), Stop> {
    let bytes = match value.strip_prefix('@').filter(|_| name != "data-raw") {
        None => value.as_bytes().to_vec(),
        Some(path) => match read(path) {
            Some(bytes) if name == "data-binary" || name == "json" => bytes,
            Some(bytes) => bytes.into_iter().filter(|b| !matches!(b, b'\r' | b'\n' | 0)).collect(),
            None => return Err(Stop::Error(format!("curl: Failed to open {path}\n{TRY}"), 26)),
        },
    };
    config.json |= name == "json";
    match &mut config.data {
        None => config.data = Some(bytes),
        Some(data) => {
            if name != "json" {
                data.push(b'&');
            }
            data.extend(bytes);
        }
    }
    Ok(())
}
