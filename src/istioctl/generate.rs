//! `istioctl manifest generate`.

use super::options::{self, FLAGS};
use super::{Context, Stop, args};
use crate::base::io::Io;
use crate::base::yaml;
use crate::mesh::install;

/// Prints every object of an installation as YAML, without talking to a server.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let parsed = args::parse(words, FLAGS)?;
    let options = options::read(context, io, &parsed, "manifest generate").await?;
    let plan = install::plan(&options).map_err(|e| Stop::failed(e.to_string()))?;
    for object in plan.components.iter().flat_map(|(_, objects)| objects) {
        io.write(format!("{}---\n", yaml::write(&object.0)).as_bytes());
    }
    Ok(())
}
