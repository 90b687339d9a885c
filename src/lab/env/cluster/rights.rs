//! What this user may do: every right that the lesson needs is asked for before the first write (SelfSubjectAccessReview of
//! authorization.k8s.io/v1, which every user may create).

use super::plan::{Plan, Right};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// Questions at the same time.
const AT_ONCE: usize = 8;

/// A right that is missing, with the steps that need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub right: Right,
    /// Ids; empty when the lab itself needs it.
    pub steps: Vec<String>,
}

/// The rights of a plan that this user does not have.
///
/// # Errors
/// The server cannot be asked.
pub async fn missing(client: &kube::Client, plan: &Plan) -> anyhow::Result<Vec<Missing>> {
    let everything = Right { verb: "*".into(), group: "*".into(), resource: "*".into(), namespace: String::new() };
    if may(client, &everything).await? {
        return Ok(Vec::new());
    }
    let answers: Vec<Option<Missing>> = stream::iter(plan.rights.clone().into_iter().map(|(right, steps)| async move {
        let steps = steps.into_iter().filter(|step| !step.is_empty()).collect();
        Ok::<_, anyhow::Error>((!may(client, &right).await?).then_some(Missing { right, steps }))
    }))
    .buffered(AT_ONCE)
    .try_collect()
    .await?;
    Ok(answers.into_iter().flatten().collect())
}

async fn may(client: &kube::Client, right: &Right) -> anyhow::Result<bool> {
    let (resource, part) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {
        "verb": right.verb, "group": right.group, "resource": resource, "subresource": part, "namespace": right.namespace}}});
    let request = http::Request::post(REVIEWS).header("content-type", "application/json").body(serde_json::to_vec(&review)?)?;
    let answer: Value = client.request(request).await?;
    Ok(answer["status"]["allowed"] == true)
}
