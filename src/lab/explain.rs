//! `explain [FROM] URL`: why a request of a pod would leave the mesh or be stopped - on a sandbox, a cluster, or a folder of
//! manifests. Reads objects; sends nothing.

pub mod cluster;
pub mod diff;
pub mod expect;
pub mod folder;
pub mod mend;
pub mod matrix;
pub mod openings;
pub mod source;
pub mod text;
pub mod world;

use crate::base::io::Io;
use crate::kubectl;
use crate::lab::target;
use crate::mesh::reach::{Ask, Client};
use world::World;

/// Who asks when nobody is named.
pub const CLIENT: &str = "test";

/// Reads operands: `[FROM] URL`, FROM being `POD` or `NAMESPACE/POD` (or a workload's name).
///
/// # Errors
/// A sentence on what is missing.
pub fn operands(words: &[String], namespace: &str) -> Result<(Client, String), String> {
    let (from, url) = match words {
        [url] => (CLIENT, url),
        [from, url] => (from.as_str(), url),
        _ => {
            return Err(
                "explain [FROM] URL: FROM is POD or NAMESPACE/POD (test by default), for instance `explain default/test \
                        http://www.wikipedia.org/`"
                    .into(),
            );
        }
    };
    Ask::get(url).request()?;
    let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
    Ok((Client::parse(from, namespace), url))
}

/// A question at the prompt.
pub struct Request {
    pub from: Client,
    pub ask: Ask,
    /// All its options, also those that nobody knows.
    options: Vec<String>,
}

/// Reads what stands behind `explain` or `picture`: operands, and the options of curl that change the request.
///
/// # Errors
/// A sentence on what is missing.
pub fn request(word: &str, words: &[String], namespace: &str) -> Result<Request, String> {
    let (options, words): (Vec<String>, Vec<String>) = words.iter().cloned().partition(|word| word.starts_with('-'));
    let (from, url) = operands(&words, namespace).map_err(|said| said.replace("explain [", &format!("{word} [")))?;
    let has = |flags: &[&str]| options.iter().any(|option| flags.contains(&option.as_str()));
    let method = if has(&["-I", "--head"]) { "HEAD" } else { "GET" };
    let ask = Ask { method: method.into(), follow: has(&["-L"]), insecure: has(&["-k"]), ..Ask::get(&url) };
    Ok(Request { from, ask, options })
}

/// The word of the lab prompt.
pub async fn run(ctx: &kubectl::Context, io: &mut Io, words: &[String]) -> i32 {
    let Request { from, ask, options } = match request("explain", words, &ctx.namespace()) {
        Ok(request) => request,
        Err(sentence) => {
            io.warn(&sentence);
            return 2;
        }
    };
    if let Some(unknown) = options.iter().find(|o| !["-L", "-I", "--head", "-k", "--json", "-ojson"].contains(&o.as_str())) {
        io.warn(&format!(
            "explain knows -L, -I, -k and --json here, not {unknown}; `egress-lab explain --help` lists what it knows elsewhere"
        ));
        return 2;
    }
    let json = options.iter().any(|o| o == "--json" || o == "-ojson");
    match asked(ctx, &from, &ask, json).await {
        Ok(text) => {
            io.write(text.as_bytes());
            0
        }
        Err(error) => {
            io.warn(&crate::lab::words::line(&error));
            1
        }
    }
}

async fn asked(ctx: &kubectl::Context, from: &Client, ask: &Ask, json: bool) -> anyhow::Result<String> {
    let sandbox = target::is_sandbox(&ctx.client).await;
    let name = if sandbox { "sandbox" } else { "cluster" };
    let world = World::of_client(name, &ctx.client, from, sandbox, ("", ctx.clock.now())).await?;
    let pod = from.find(world.model.snapshot()).map_err(anyhow::Error::msg)?;
    let explanation = world.explain(from, ask).map_err(anyhow::Error::msg)?;
    Ok(match json {
        true => format!("{}\n", serde_json::to_string_pretty(&text::to_json(&world, from, ask, &pod, &explanation))?),
        false => text::text(&world, from, ask, &pod, &explanation),
    })
}
