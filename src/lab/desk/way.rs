//! The way of a request that is only asked about: the pictures of its exchanges, and the lab prompt's `picture`.

use crate::base::io::Io;
use crate::finding::picture::{self, Picture};
use crate::kubectl;
use crate::lab::explain::world::World;
use crate::lab::explain::{Request, request};
use crate::lab::target;

/// What would become of `[FROM] URL`, with the options of `explain` and curl that change the request.
///
/// # Errors
/// A sentence: no such pod, no such request, an environment that does not answer.
pub async fn pictures(ctx: &kubectl::Context, words: &[String]) -> anyhow::Result<Vec<Picture>> {
    let Request { from, ask, .. } = request("picture", words, &ctx.namespace()).map_err(anyhow::Error::msg)?;
    let url = &ask.url;
    let sandbox = target::is_sandbox(&ctx.client).await;
    let world = World::of_client("lab", &ctx.client, &from, sandbox, ("", ctx.clock.now())).await?;
    let explanation = world.explain(&from, &ask).map_err(anyhow::Error::msg)?;
    let named = |nth: usize| if nth == 0 { url.clone() } else { format!("{url} (redirect {nth})") };
    let drawn = explanation.exchanges.iter().enumerate().map(|(nth, record)| {
        let mut drawn = picture::of_record(&named(nth), record);
        if let Some(pod) = drawn.stations.first_mut() {
            pod.name = from.to_string();
        }
        drawn
    });
    Ok(drawn.collect())
}

/// The word of the lab prompt.
pub async fn run(ctx: &kubectl::Context, io: &mut Io, words: &[String]) -> i32 {
    match pictures(ctx, words).await {
        Ok(pictures) => {
            for picture in &pictures {
                io.write(picture::text(picture).as_bytes());
            }
            io.say("(as the model sees it; nothing was sent)");
            0
        }
        Err(error) => {
            io.warn(&crate::lab::words::line(&error));
            2
        }
    }
}
