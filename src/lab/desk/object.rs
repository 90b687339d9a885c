//! One object as YAML, named as causes name it.

use crate::base::files::MemoryFiles;
use crate::base::io::{Io, Stream};
use crate::kubectl;
use futures::StreamExt;
use std::sync::{Arc, Mutex};

/// What `kubectl get KIND NAME -o yaml` prints.
///
/// # Errors
/// What kubectl says: no such kind, no such object.
pub async fn yaml(ctx: &kubectl::Context, kind: &str, namespace: &str, name: &str) -> anyhow::Result<String> {
    let mut argv = vec!["get".to_string(), kind.to_lowercase(), name.into(), "-o".into(), "yaml".into()];
    if !namespace.is_empty() {
        argv.extend(["-n".into(), namespace.into()]);
    }
    let (text, said) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (out, err) = (text.clone(), said.clone());
    let mut io = Io {
        stdin: futures::stream::empty().boxed(),
        out: Box::new(move |stream, bytes| {
            let to = if stream == Stream::Out { &out } else { &err };
            to.lock().unwrap_or_else(|p| p.into_inner()).extend_from_slice(bytes);
        }),
        files: Arc::new(MemoryFiles::default()),
        tty: None,
        editor: None,
        raw: None,
    };
    let code = kubectl::run(ctx, &mut io, &argv).await;
    let read = |bytes: &Mutex<Vec<u8>>| String::from_utf8_lossy(&bytes.lock().unwrap_or_else(|p| p.into_inner())).into_owned();
    anyhow::ensure!(code == 0, "{}", read(&said).trim());
    Ok(read(&text))
}
