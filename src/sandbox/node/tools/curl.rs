//! curl 8.1.2, as in the image `curlimages/curl:8.1.2`: what it prints, and how it ends. Where a request goes is the data plane's
//! business. Checked against a real curl for the meter, `-v`, redirects and usage errors.

mod connect;
mod meter;
mod options;
mod request;
mod texts;
mod transfer;
mod url;
mod verbose;
mod write_out;

use crate::sandbox::node::tools::Tool;
use crate::shell::join;
use options::{Config, Out, Stop};
use std::collections::BTreeMap;
use transfer::Transfer;

/// Runs curl; gives its exit code.
pub fn run(tool: &mut Tool<'_>) -> i32 {
    let words = tool.call.argv[1..].to_vec();
    let mut read = |name: &str| tool.read_argument(name);
    match options::parse(&words, &mut read) {
        Err(Stop::Error(text, code)) => {
            tool.err(&text);
            code
        }
        Err(Stop::Version) => tool.say(texts::VERSION),
        Err(Stop::Help(None)) => tool.say(texts::HELP),
        Err(Stop::Help(Some(category))) => tool.refuse(&format!("curl --help {category}")),
        Ok(config) => transfers(tool, &config),
    }
}

fn transfers(tool: &mut Tool<'_>, config: &Config) -> i32 {
    if let Some(path) = &config.cacert
        && tool.env.read(&join(&tool.call.cwd, path)).is_err()
    {
        if !config.silent || config.show_error {
            tool.err(&format!("curl: (77) error setting certificate file: {path}\n"));
        }
        return 77;
    }
    let mut outputs = config.outputs.iter();
    let mut code = 0;
    let mut files = Files::default();
    let mut connections = Vec::new();
    for (nth, url) in config.urls.iter().enumerate() {
        let out = outputs.next().cloned().unwrap_or(Out::Stdout);
        let mut transfer = Transfer::new(tool, config, url, nth, &mut files, &mut connections);
        code = transfer.run(&out);
        if code == 125 {
            return code;
        }
    }
    code
}

/// Files written by this curl: the first write replaces, later ones add.
#[derive(Debug, Default)]
struct Files(BTreeMap<String, ()>);

impl Files {
    /// Writes to a file of the container; false when that is not possible.
    fn write(&mut self, tool: &mut Tool<'_>, path: &str, bytes: &[u8]) -> bool {
        if path == "/dev/null" {
            return true;
        }
        if path == "-" || path == "/dev/stdout" {
            tool.out(bytes);
            return true;
        }
        if path == "/dev/stderr" {
            tool.err_bytes(bytes);
            return true;
        }
        let whole = join(&tool.call.cwd, path);
        let append = self.0.insert(whole.clone(), ()).is_some();
        tool.env.write(&whole, bytes, append).is_ok()
    }
}

#[cfg(test)]
mod tests;
