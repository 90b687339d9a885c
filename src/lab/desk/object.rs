//! One object as YAML, named as causes name it.

use crate::base::files::MemoryFiles;
use crate::base::io::{Io, Stream};
use crate::kubectl;
use std::sync::Arc;

/// What `kubectl get KIND NAME -o yaml` prints.
///
/// # Errors
/// What kubectl says: no such kind, no such object.
pub async fn yaml(ctx: &kubectl::Context, kind: &str, namespace: &str, name: &str) -> anyhow::Result<String> {
    let mut argv = vec!["get".to_string(), kind.to_lowercase(), name.into(), "-o".into(), "yaml".into()];
    if !namespace.is_empty() {
        argv.extend(["-n".into(), namespace.into()]);
    }
    let (mut io, heard) = Io::collecting(Arc::new(MemoryFiles::default()));
    let code = kubectl::run(ctx, &mut io, &argv).await;
    anyhow::ensure!(code == 0, "{}", heard.text(Stream::Err).trim());
    Ok(heard.text(Stream::Out))
}
