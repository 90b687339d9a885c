//! The bar at the top: where in the lesson the learner is, and where commands go. What does not fit is left out in the order of what
//! is missed least; the namespace, the step and a failure to save never are.

use super::LessonScreen;
use crate::base::text::{clip, width};

/// Columns of the lesson's title that the right side leaves.
const TITLE: usize = 24;

/// The left and the right side in so many columns. `title` is that of a screen over the lesson's.
pub fn sides(screen: &LessonScreen, title: Option<&str>, columns: usize) -> (String, String) {
    let session = &screen.session;
    let step = format!("step {}/{}", session.shown() + 1, session.steps().len());
    let (title, tail) = match title {
        Some(title) => (title, String::new()),
        None => (session.lesson().title.as_str(), format!("  {step}")),
    };
    let more = if tail.is_empty() { String::new() } else { format!("{tail}  {} done", session.done()) };
    // What lies over the lesson is named in full where it can be: it says what one is about to do.
    let least = if tail.is_empty() { columns / 2 } else { TITLE };
    let wanted = width(title).min(least) + width(&tail);
    let right = right(screen, columns.saturating_sub(wanted + 5));
    let room = columns.saturating_sub(width(&right) + 5);
    let tail = if width(title) + width(&more) <= room { more } else { tail };
    (format!("{}{tail}", clip(title, room.saturating_sub(width(&tail)).max(8), true)), right)
}

/// The fullest form that fits: `sandbox, Istio 1.30  ctx sandbox  ns default  saved`.
fn right(screen: &LessonScreen, columns: usize) -> String {
    let saved = screen.session.is_saved();
    let (context, namespace) = (screen.place.context.as_str(), screen.place.namespace.as_str());
    let short = screen.environment.split(',').next().unwrap_or("");
    // A context that is called as its environment says nothing new.
    let named = if context == short { "" } else { context };
    let ns = if namespace.is_empty() { String::new() } else { format!("ns {namespace}") };
    let ctx = |name: &str| if name.is_empty() { String::new() } else { format!("ctx {name}") };
    let forms = [
        [screen.environment.clone(), ctx(context), ns.clone(), "saved".into()],
        [screen.environment.clone(), ctx(context), ns.clone(), String::new()],
        [screen.environment.clone(), ctx(named), ns.clone(), String::new()],
        [short.into(), ctx(named), ns.clone(), String::new()],
        [String::new(), ctx(context), ns.clone(), String::new()],
        [String::new(), String::new(), ns, String::new()],
    ];
    let join = |mut parts: [String; 4]| {
        if !saved {
            parts[3] = "not saved".into();
        }
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    };
    let mut last = String::new();
    for form in forms {
        last = join(form);
        if width(&last) <= columns {
            break;
        }
    }
    last
}
