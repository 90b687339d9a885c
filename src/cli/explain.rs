//! `egress-lab explain`: why a request would leave the mesh or be stopped.

use super::{End, GOOD, Trouble, args, print, runtime};
use crate::base::clock::{Clock, SystemClock};
use crate::lab::explain::{Question, explain, text};
use crate::lab::target::{self, Target};
use crate::outside::Outside;

pub(super) fn run(a: &args::Explain) -> End {
    let runtime = runtime()?;
    let end = runtime.block_on(async {
        let target: Target = match a.env.strip_prefix("context:") {
            Some(name) => target::named_context(name).await?,
            None if a.env == "sandbox" => target::saved_world(&a.world).await?,
            None => return Err(Trouble::usage(format!("--env is sandbox or context:NAME, not {}", a.env))),
        };
        let mut question = Question::parse(&a.operands, &target.config.namespace()).map_err(Trouble::usage)?;
        question.request.method = a.method.clone();
        question.request.follow = a.location;
        for header in &a.header {
            let (name, value) =
                header.split_once(':').ok_or_else(|| Trouble::usage(format!("-H takes `Name: value`, not {header}")))?;
            question.request.headers.push((name.trim().into(), value.trim().into()));
        }
        let outside = if target::is_sandbox(&target.client).await { Outside::standard() } else { Outside::assumed() };
        let explanation = explain(target.client, &question, &outside, SystemClock.now()).await.map_err(Trouble::from)?;
        Ok::<_, Trouble>(match a.json {
            true => format!("{}\n", serde_json::to_string_pretty(&explanation).unwrap_or_default()),
            false => text(&question, &explanation),
        })
    });
    runtime.shutdown_background();
    print(&end?);
    Ok(GOOD)
}
