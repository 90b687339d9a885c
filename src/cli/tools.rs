//! `egress-lab kubectl ..`, `egress-lab istioctl ..`, and the same when the program is called by that name.

use super::{End, Trouble, runtime};
use crate::base::clock::SystemClock;
use crate::base::files::WholeDisk;
use crate::base::io::{Editor, Input, Io, RawMode, Stream};
use crate::lab::target::{self, Target};
use crate::tui::terminal::Keyboard;
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
        tokio::select! {
            code = run_on(tool, argv, target) => code,
            code = terminated() => Ok(code),
        }
    });
    runtime.shutdown_background();
    code.map(|code| code.clamp(0, 255) as u8).map_err(Trouble::from)
}

async fn run_on(tool: Tool, argv: &[String], target: Target) -> anyhow::Result<i32> {
    let typed = std::io::stdin().is_terminal();
    let mut io = Io {
        stdin: Box::pin(stdin(tool, argv)),
        out: Box::new(|stream, bytes| {
            let _ = match stream {
                Stream::Out => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
                Stream::Err => std::io::stderr().write_all(bytes),
            };
        }),
        files: Arc::new(WholeDisk),
        tty: (typed && (tool == Tool::Kubectl || std::io::stdout().is_terminal())).then(Keyboard::size),
        editor: super::learn::editor().map(|editor| Arc::new(editor) as Arc<dyn Editor>),
        raw: typed.then(|| Arc::new(Keyboard) as Arc<dyn RawMode>),
    };
    match tool {
        Tool::Kubectl => {
            let ctx = target.kubectl(crate::kubectl::Restrictions::none(), Arc::new(SystemClock));
            let code = crate::kubectl::run(&ctx, &mut io, argv).await;
            let after = ctx.config.lock().unwrap_or_else(|e| e.into_inner()).clone();
            target.save(&after)?;
            Ok(code)
        }
        Tool::Istioctl => Ok(crate::istioctl::run(&target.istioctl(), &mut io, argv).await),
    }
}

/// Waits for SIGTERM or SIGHUP and gives the exit code they stand for: what runs is dropped, and with it a raw terminal.
async fn terminated() -> i32 {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            return tokio::select! {
                _ = term.recv() => 143,
                _ = hup.recv() => 129,
            };
        }
    }
    std::future::pending().await
}

/// Tells each new size of the terminal.
#[cfg(unix)]
async fn resizes(send: mpsc::Sender<Input>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut changed) = signal(SignalKind::window_change()) else { return };
    while changed.recv().await.is_some() {
        let (cols, rows) = Keyboard::size();
        if send.send(Input::Resize { cols, rows }).await.is_err() {
            return;
        }
    }
}

/// Standard input, read only when a command asks for it, the terminal's sizes then too, and Ctrl-C.
fn stdin(tool: Tool, argv: &[String]) -> impl futures::Stream<Item = Input> + Send + 'static {
    let own: Vec<&str> = argv.iter().map(String::as_str).take_while(|arg| *arg != "--").collect();
    let line = own.join(" ");
    let reads = crate::lab::prompt::reads_input(&line) || (tool == Tool::Istioctl && !std::io::stdin().is_terminal());
    let asks = tool == Tool::Istioctl && std::io::stdin().is_terminal();
    let (send, receive) = mpsc::channel(16);
    if reads || asks {
        let send = send.clone();
        #[cfg(unix)]
        if std::io::stdin().is_terminal() {
            tokio::spawn(resizes(send.clone()));
        }
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
