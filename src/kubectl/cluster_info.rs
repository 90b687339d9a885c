//! `kubectl cluster-info`.

use super::error::{Error, Result};
use super::flags::Parsed;
use super::session::{Ask, Session};

/// Runs `kubectl cluster-info`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.operands.is_empty() {
        return Err(Error::not_simulated(&format!("kubectl cluster-info {}", p.operands.join(" "))));
    }
    let path = "/api/v1/namespaces/kube-system/services";
    let services = s.json(Ask::get(path).query("labelSelector", "kubernetes.io/cluster-service=true")).await?;
    let server = s.ctx.config.lock().unwrap_or_else(|e| e.into_inner()).current().map(|c| c.server.clone()).unwrap_or_default();
    let color = |code: &str, text: &str| if s.ctx.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() };
    let line = |what: &str, url: &str| format!("{} is running at {}", color("0;32", what), color("0;33", url));
    let mut lines = vec![line("Kubernetes control plane", &server)];
    for service in services["items"].as_array().into_iter().flatten() {
        let text = |key: &str| service["metadata"][key].as_str().unwrap_or("");
        let label = service["metadata"]["labels"]["kubernetes.io/name"].as_str().unwrap_or(text("name"));
        let port = service["spec"]["ports"][0]["name"].as_str().map(|n| format!(":{n}")).unwrap_or_default();
        lines.push(line(
            label,
            &format!("{server}/api/v1/namespaces/{}/services/{}{port}/proxy", text("namespace"), text("name")),
        ));
    }
    for text in lines {
        s.say(&text);
    }
    s.say("");
    s.say("To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
    Ok(0)
}
