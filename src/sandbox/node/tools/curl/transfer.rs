//! One URL: its hops, its retries, its output and its end.

use super::connect::{Dial, dial, proxy};
use super::meter::{self, Progress};
use super::options::{Config, Out};
use super::request::{Hop, build, method};
use super::url::{Url, Wrong};
use super::{Files, texts, verbose, write_out};
use crate::base::not_simulated;
use crate::outside::wire::{Failure, HttpVersion, Reply, Request, Response};
use crate::sandbox::node::tools::Tool;

/// Redirects followed without `--max-redirs`.
const MAX_REDIRECTS: i64 = 50;
/// Retries, whatever `--retry` says.
const MAX_RETRIES: u64 = 100;

/// A connection that could be used again: scheme, host, port.
pub type Connection = (String, String, u16);

/// One URL being fetched.
pub struct Transfer<'t, 'e, 'c> {
    pub tool: &'t mut Tool<'e>,
    pub config: &'c Config,
    pub text: &'c str,
    pub nth: usize,
    files: &'t mut Files,
    connections: &'t mut Vec<Connection>,
    pub state: State,
}

/// What `-w` can tell afterwards.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub url: String,
    pub method: String,
    pub response: Option<Response>,
    pub redirects: i64,
    pub connects: u32,
    pub header_bytes: u64,
    pub request_bytes: u64,
    pub received: u64,
    pub sent: u64,
    pub start_ms: u64,
    pub end_ms: u64,
    pub code: i32,
    pub error: String,
    pub redirect_url: String,
    pub file: String,
    pub https: bool,
    pub verify: i32,
}

/// How an attempt ended: exit code and text, nothing for a good end.
type End = Result<(), (i32, String)>;

impl<'t, 'e, 'c> Transfer<'t, 'e, 'c> {
    pub(super) fn new(
        tool: &'t mut Tool<'e>,
        config: &'c Config,
        text: &'c str,
        nth: usize,
        files: &'t mut Files,
        connections: &'t mut Vec<Connection>,
    ) -> Transfer<'t, 'e, 'c> {
        Transfer { tool, config, text, nth, files, connections, state: State::default() }
    }

    /// Fetches; gives the exit code.
    pub fn run(&mut self, out: &Out) -> i32 {
        let meter = self.shows_meter(out);
        let mut delay = self.config.retry_delay_ms;
        let tries = self.config.retry.min(MAX_RETRIES);
        for attempt in 0..=tries {
            self.state = State { start_ms: self.tool.elapsed(), ..State::default() };
            let mut metered = meter;
            let end = self.attempt(out, &mut metered);
            self.state.end_ms = self.tool.elapsed();
            let (code, error) = match end {
                Ok(()) => (0, String::new()),
                Err((code, error)) => (code, error),
            };
            (self.state.code, self.state.error) = (code, error);
            if code == 125 {
                let text = format!("{}\n", self.state.error);
                self.tool.err(&text);
                return 125;
            }
            let problem = self.transient().filter(|_| attempt < tries);
            let Some(problem) = problem else {
                break;
            };
            let wait =
                if self.config.retry_delay_ms > 0 { self.config.retry_delay_ms } else { (delay.max(500) * 2).min(600_000) };
            delay = wait;
            if self.config.retry_max_ms > 0 && self.tool.elapsed() + wait > self.config.retry_max_ms {
                break;
            }
            self.warn(&format!("Problem: {problem}. Will retry in {} seconds. {} retries left.", wait / 1000, tries - attempt));
            self.tool.pass(wait);
        }
        self.finish()
    }

    /// A warning of the tool, as wide as curl folds it.
    fn warn(&mut self, text: &str) {
        if self.config.silent {
            return;
        }
        let mut line = String::new();
        let mut out = String::new();
        for word in text.split(' ') {
            if line.len() + word.len() + 1 > 70 {
                out.push_str(&format!("Warning: {line} \n"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.tool.err(&format!("{out}Warning: {line}\n"));
    }

    fn finish(&mut self) -> i32 {
        let code = self.state.code;
        if code != 0 && (!self.config.silent || self.config.show_error) {
            let more = if code == 60 { texts::CERTIFICATE } else { "" };
            let text = format!("curl: ({code}) {}\n{more}", self.state.error);
            self.tool.err(&text);
        }
        if let Some(format) = &self.config.write_out {
            write_out::write(self, format);
        }
        code
    }

    fn shows_meter(&self, out: &Out) -> bool {
        let to_terminal = self.tool.streams.out_tty && *out == Out::Stdout;
        !self.config.silent && !self.config.no_meter && !to_terminal && !self.config.progress_bar
    }

    /// Why another try makes sense.
    fn transient(&self) -> Option<&'static str> {
        let status = self.state.response.as_ref().map_or(0, |r| r.status);
        match self.state.code {
            28 => Some("timeout"),
            7 if self.config.retry_refused || self.config.retry_all => Some("connection refused"),
            0 | 22 if matches!(status, 408 | 429 | 500 | 502 | 503 | 504) => Some("HTTP error"),
            0 => None,
            _ if self.config.retry_all => Some("(retrying all errors)"),
            _ => None,
        }
    }

    fn attempt(&mut self, out: &Out, meter: &mut bool) -> End {
        let config = self.config;
        if !config.globoff && self.text.contains(['{', '}']) {
            return Err((125, not_simulated("curl's URL globbing ({..})")));
        }
        let url = Url::parse(self.text, config.path_as_is).map_err(wrong_url)?;
        let mut hop = Hop {
            first_host: url.host.clone(),
            method: method(config),
            body: !config.get && config.data.is_some(),
            follows: false,
            url,
        };
        if let Some(data) = config.data.as_ref().filter(|_| config.get) {
            let sign = if hop.url.path.contains('?') { '&' } else { '?' };
            hop.url.path.push_str(&format!("{sign}{}", String::from_utf8_lossy(data)));
        }
        let file = self.file(out, &hop.url)?;
        for _ in 0..=MAX_REDIRECTS.max(config.max_redirs.unwrap_or(0)).min(1000) {
            self.state.url = hop.url.text();
            self.state.method = hop.method.clone();
            self.state.https = hop.url.scheme == "https";
            let response = self.exchange(&hop, meter)?;
            self.state.header_bytes += verbose::header_bytes(&response);
            self.headers(&response, &file)?;
            self.state.response = Some(response.clone());
            match self.redirect(&hop, &response)? {
                Some(next) => {
                    self.ignore_body(&hop, &response, meter);
                    self.next_hop(&mut hop, next)?;
                }
                None => return self.body(&hop, &response, &file, meter),
            }
        }
        Err((47, format!("Maximum ({MAX_REDIRECTS}) redirects followed")))
    }

    /// The file that takes the body, `-` for standard output.
    fn file(&mut self, out: &Out, url: &Url) -> Result<String, (i32, String)> {
        let name = match out {
            Out::Stdout => return Ok("-".to_string()),
            Out::File(path) => path.clone(),
            Out::RemoteName => {
                let path = url.path.split('?').next().unwrap_or_default();
                let name = path.rsplit('/').next().unwrap_or_default();
                if name.is_empty() {
                    self.tool.err("curl: Remote file name has no length!\n");
                    return Err((23, "Failed writing received data to disk/application".to_string()));
                }
                name.to_string()
            }
        };
        self.state.file = name.clone();
        Ok(name)
    }

    fn exchange(&mut self, hop: &Hop, meter: &mut bool) -> Result<Response, (i32, String)> {
        if let Some(proxy) = proxy(self.tool, self.config, &hop.url) {
            return Err((125, not_simulated(&format!("curl through a client-side proxy ({proxy})"))));
        }
        let dial = dial(self.tool, self.config, &hop.url)?;
        let mut request = build(self.config, hop, &dial.host, dial.port, dial.address);
        let spent = self.tool.elapsed() - self.state.start_ms;
        request.max_time_ms = self.config.max_time_ms.map(|max| max.saturating_sub(spent).max(1));
        let exchange = self.tool.env.exchange(&request);
        if let Reply::Failure(Failure::NotModelled { object, field }) = &exchange.reply {
            return Err((125, not_simulated(&format!("{object} {field}"))));
        }
        if std::mem::take(meter) && !hop.follows {
            self.tool.err(&meter::start());
        }
        *meter = self.meter_wanted();
        let late = request.max_time_ms.is_some_and(|max| exchange.delay_ms > max);
        let reply = if late { Reply::Failure(Failure::TimedOut) } else { exchange.reply };
        match reply {
            Reply::Failure(failure) => Err(self.fail(&request, &dial, &failure, exchange.delay_ms, *meter)),
            Reply::Response(response) => {
                self.connected(&request, &dial, &response);
                self.tool.pass(exchange.delay_ms);
                verbose::response(self, &response);
                Ok(response)
            }
        }
    }

    fn meter_wanted(&self) -> bool {
        let out = self.config.outputs.get(self.nth).cloned().unwrap_or(Out::Stdout);
        self.shows_meter(&out)
    }

    fn connected(&mut self, request: &Request, dial: &Dial, response: &Response) {
        let key = (format!("{:?}", request.scheme), dial.host.clone(), dial.port);
        let known = self.connections.iter().position(|c| *c == key);
        let number = known.unwrap_or(self.connections.len());
        if known.is_none() {
            self.connections.push(key);
            self.state.connects += 1;
        }
        self.state.sent += request.body_len;
        self.state.request_bytes += verbose::request_bytes(request, response.version);
        verbose::request(self, request, response, number, known.is_some());
    }

    /// Lets the time pass that the failure took, shows what `-v` and the meter show, and gives code and text.
    fn fail(&mut self, request: &Request, dial: &Dial, failure: &Failure, delay_ms: u64, meter: bool) -> (i32, String) {
        let limit = match failure {
            Failure::ConnectTimedOut => [self.config.connect_timeout_ms, request.max_time_ms].into_iter().flatten().min(),
            Failure::TimedOut => request.max_time_ms,
            _ => None,
        };
        self.tool.pass(limit.map_or(delay_ms, |limit| limit + 1));
        let ms = self.tool.elapsed() - self.state.start_ms;
        let host = &dial.host;
        let port = dial.port;
        let text = match failure {
            Failure::NameNotResolved => format!("Could not resolve host: {host}"),
            Failure::ConnectionRefused { .. } => {
                format!("Failed to connect to {host} port {port} after {ms} ms: Couldn't connect to server")
            }
            Failure::ConnectTimedOut if limit.is_some() => format!("Connection timed out after {ms} milliseconds"),
            Failure::ConnectTimedOut => {
                format!("Failed to connect to {host} port {port} after {ms} ms: Couldn't connect to server")
            }
            Failure::TlsHandshakeClosed { reset: true } | Failure::ReceiveReset => {
                "Recv failure: Connection reset by peer".to_string()
            }
            Failure::TlsHandshakeClosed { reset: false } => {
                format!("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to {host}:{port} ")
            }
            Failure::TlsWrongVersion => "OpenSSL/3.1.1: error:0A00010B:SSL routines::wrong version number".to_string(),
            Failure::CertificateName { .. } => {
                let wanted = request.sni.as_deref().unwrap_or(host);
                format!("SSL: no alternative certificate subject name matches target host name '{wanted}'")
            }
            Failure::CertificateUnknownIssuer => "SSL certificate problem: unable to get local issuer certificate".to_string(),
            Failure::EmptyReply => "Empty reply from server".to_string(),
            Failure::TimedOut => format!("Operation timed out after {ms} milliseconds with 0 bytes received"),
            Failure::NotModelled { object, field } => not_simulated(&format!("{object} {field}")),
        };
        self.state.verify = i32::from(matches!(failure, Failure::CertificateUnknownIssuer)) * 20;
        self.state.response = None;
        verbose::failure(self, request, failure, &text, self.connections.len());
        if meter && *failure != Failure::NameNotResolved {
            let progress = Progress { elapsed_ms: ms, ..Progress::default() };
            self.tool.err(&format!("{}\n", meter::line(&progress)));
        }
        if self.config.verbose {
            let number = self.connections.len();
            self.tool.err(&format!("* Closing connection {number}\n"));
        }
        (failure.exit_code(), text)
    }

    /// Status line and headers, to where `-I`, `-i` and `-D` want them.
    fn headers(&mut self, response: &Response, file: &str) -> End {
        let plain = verbose::header_lines(response, false);
        if let Some(path) = &self.config.dump_header
            && !self.files.write(self.tool, path, plain.as_bytes())
        {
            return Err((23, "Failed writing header".to_string()));
        }
        if self.config.head || self.config.include {
            let styled = self.tool.streams.out_tty && file == "-" && !self.config.plain_headers;
            let text = verbose::header_lines(response, styled);
            if !self.files.write(self.tool, file, text.as_bytes()) {
                return Err((23, "Failed writing header".to_string()));
            }
        }
        Ok(())
    }

    fn redirect(&mut self, hop: &Hop, response: &Response) -> Result<Option<Url>, (i32, String)> {
        let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        let Some((_, location)) = location.filter(|_| (300..400).contains(&response.status)) else {
            return Ok(None);
        };
        let next = hop.url.join(location);
        self.state.redirect_url = next.as_ref().map(Url::text).unwrap_or_else(|_| location.to_string());
        if !self.config.location {
            return Ok(None);
        }
        let limit = self.config.max_redirs.unwrap_or(MAX_REDIRECTS);
        if limit >= 0 && self.state.redirects >= limit {
            return Err((47, format!("Maximum ({limit}) redirects followed")));
        }
        next.map(Some).map_err(wrong_url)
    }

    fn ignore_body(&mut self, hop: &Hop, response: &Response, meter: &mut bool) {
        let body = if hop.method == "HEAD" { 0 } else { response.body.len() };
        if self.config.verbose && body > 0 {
            self.tool.err("* Ignoring the response-body\n");
        }
        self.data_line('{', body);
        self.meter_line(hop, response, *meter);
        verbose::left_intact(self, hop, self.connections.len().saturating_sub(1));
    }

    fn next_hop(&mut self, hop: &mut Hop, next: Url) -> End {
        self.state.redirects += 1;
        self.state.redirect_url.clear();
        let status = self.state.response.as_ref().map_or(0, |r| r.status);
        let becomes_get = match status {
            301 | 302 => hop.method == "POST",
            303 => hop.method != "HEAD",
            _ => false,
        };
        if becomes_get {
            hop.body = false;
            if self.config.request.is_none() {
                hop.method = "GET".to_string();
            }
        }
        verbose::redirect(self, &hop.url, &next);
        hop.url = next;
        hop.follows = true;
        Ok(())
    }

    fn body(&mut self, hop: &Hop, response: &Response, file: &str, meter: &mut bool) -> End {
        let failed = response.status >= 400 && (self.config.fail || self.config.fail_with_body);
        let body: &[u8] = if self.config.head || hop.method == "HEAD" { &[] } else { &response.body };
        let error = (22, format!("The requested URL returned error: {}", response.status));
        if failed && !self.config.fail_with_body {
            if self.config.verbose {
                self.tool.err("* The requested URL returned error: ");
                self.tool.err(&format!("{}\n", response.status));
            }
            self.meter_line(hop, &Response { body: Vec::new(), headers: Vec::new(), ..response.clone() }, *meter);
            if self.config.verbose {
                self.tool.err(&format!("* Closing connection {}\n", self.connections.len().saturating_sub(1)));
            }
            return Err(error);
        }
        self.state.received = body.len() as u64;
        self.data_line('{', body.len());
        let written = self.write_body(file, body);
        if written {
            self.meter_line(hop, response, *meter);
            verbose::left_intact(self, hop, self.connections.len().saturating_sub(1));
        }
        match (written, failed) {
            (false, _) => Err((23, "Failure writing output to destination".to_string())),
            (true, true) => Err(error),
            (true, false) => Ok(()),
        }
    }

    fn write_body(&mut self, file: &str, body: &[u8]) -> bool {
        if file != "-" && file != "/dev/null" && !self.files.write(self.tool, file, b"") {
            let why = self.why_not(file);
            self.warn(&format!("Failed to open the file {file}: {why}"));
            return body.is_empty();
        }
        self.files.write(self.tool, file, body)
    }

    fn why_not(&mut self, file: &str) -> String {
        let whole = crate::shell::join(&self.tool.call.cwd, file);
        self.tool.env.write(&whole, b"", true).err().map(|e| e.to_string()).unwrap_or_default()
    }

    /// `{ [5 bytes data]`: only where standard output is not a terminal.
    pub fn data_line(&mut self, sign: char, bytes: usize) {
        if self.config.verbose && bytes > 0 && !self.tool.streams.out_tty {
            self.tool.err(&format!("{sign} [{bytes} bytes data]\n"));
        }
    }

    fn meter_line(&mut self, hop: &Hop, response: &Response, meter: bool) {
        if !meter {
            return;
        }
        let length = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body = if hop.method == "HEAD" || self.config.head { 0 } else { response.body.len() as u64 };
        let progress = Progress {
            elapsed_ms: self.tool.elapsed() - self.state.start_ms,
            total: length.and_then(|(_, n)| n.parse().ok()),
            received: body,
            sent: if hop.body { self.state.sent } else { 0 },
        };
        self.tool.err(&format!("{}\n", meter::line(&progress)));
    }

    /// Version as `-w %{http_version}` prints it.
    pub fn version(&self) -> &'static str {
        match self.state.response.as_ref().map(|r| r.version) {
            None => "0",
            Some(HttpVersion::Http10) => "1.0",
            Some(HttpVersion::Http11) => "1.1",
            Some(HttpVersion::Http2) => "2",
        }
    }
}

fn wrong_url(wrong: Wrong) -> (i32, String) {
    match wrong {
        Wrong::Malformed => (3, "URL using bad/illegal format or missing URL".to_string()),
        Wrong::Protocol(scheme) if texts::VERSION.contains(&format!(" {scheme} ")) => {
            (125, not_simulated(&format!("curl over {scheme}://")))
        }
        Wrong::Protocol(scheme) => (1, format!("Protocol \"{scheme}\" not supported or disabled in libcurl")),
    }
}
