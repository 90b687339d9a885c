//! `egress-lab kubectl ..`, `egress-lab istioctl ..`, and the same when the program is called by that name.

use super::{End, Trouble, runtime};
use crate::base::clock::SystemClock;
use crate::base::files::WholeDisk;
use crate::base::io::{Editor, Input, Io, Stream};
use crate::lab::target::{self, Target};
use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Kubectl,
    Istioctl,
}

/// The tool whose name the program was called by, with its operands.
pub(super) fn called_as(argv: &[String]) -> Option<(Tool, &[String])> {
    let (program, operands) = argv.split_first()?;
    let name = std::path::Path::new(program).file_stem()?.to_str()?;
    match name {
        "kubectl" | "k" => Some((Tool::Kubectl, operands)),
        "istioctl" => Some((Tool::Istioctl, operands)),
        _ => None,
    }
}

pub(super) fn run(tool: Tool, argv: &[String]) -> End {
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let target = target::from_flags(argv).await?;
        Ok::<_, anyhow::Error>(run_on(tool, argv, target).await)
    });
    runtime.shutdown_background();
    code.map(|code| code.clamp(0, 255) as u8).map_err(Trouble::from)
}

async fn run_on(tool: Tool, argv: &[String], target: Target) -> i32 {
    let mut io = Io {
        stdin: Box::pin(stdin(tool, argv)),
        out: Box::new(|stream, bytes| {
            let _ = match stream {
                Stream::Out => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
                Stream::Err => std::io::stderr().write_all(bytes),
            };
        }),
        files: Arc::new(WholeDisk),
        tty: None,
        editor: super::learn::editor().map(|editor| Arc::new(editor) as Arc<dyn Editor>),
    };
    match tool {
        Tool::Kubectl => {
            let ctx = target.kubectl(crate::kubectl::Restrictions::none(), Arc::new(SystemClock));
            crate::kubectl::run(&ctx, &mut io, argv).await
        }
        Tool::Istioctl => crate::istioctl::run(&target.istioctl(), &mut io, argv).await,
    }
}

/// Standard input, read only when a command asks for it, and Ctrl-C.
fn stdin(tool: Tool, argv: &[String]) -> impl futures::Stream<Item = Input> + Send + 'static {
    let line = argv.join(" ");
    let reads = crate::lab::prompt::reads_input(&line) || (tool == Tool::Istioctl && !std::io::stdin().is_terminal());
    let asks = tool == Tool::Istioctl && std::io::stdin().is_terminal();
    let (send, receive) = mpsc::channel(16);
    if reads || asks {
        let send = send.clone();
        std::thread::spawn(move || pump(&send));
    }
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if send.send(Input::Interrupt).await.is_err() {
                return;
            }
        }
    });
    futures::stream::unfold(receive, |mut receive| async { receive.recv().await.map(|input| (input, receive)) })
}

fn pump(send: &mpsc::Sender<Input>) {
    let mut buffer = [0; 8192];
    loop {
        let input = match std::io::stdin().lock().read(&mut buffer) {
            Ok(0) | Err(_) => Input::Eof,
            Ok(n) => Input::Bytes(buffer[..n].to_vec()),
        };
        let over = input == Input::Eof;
        if send.blocking_send(input).is_err() || over {
            return;
        }
    }
}
