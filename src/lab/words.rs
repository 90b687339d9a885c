//! Errors in words for people: what an API server refused is said in its own sentence, once, without the library's view of it.

use crate::check::reader;

/// The chain of causes, outermost first; what a cause says that the one before has said already is left out.
pub fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let api = cause.downcast_ref::<kube::Error>();
        let sentence = api.map_or_else(|| cause.to_string(), reader::words);
        if !said.last().is_some_and(|before| before.contains(&sentence)) {
            said.push(sentence);
        }
        if matches!(api, Some(kube::Error::Api(_))) {
            break;
        }
    }
    said
}

/// The chain in one line.
pub fn line(error: &anyhow::Error) -> String {
    causes(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use kube::core::Status;

    fn forbidden() -> kube::Error {
        let sentence = "pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" at the cluster scope";
        kube::Error::Api(Status::failure(sentence, "Forbidden").with_code(403).boxed())
    }

    #[test]
    fn a_refusal_is_the_servers_sentence_once() {
        let error = Err::<(), _>(forbidden()).context("reading pods").unwrap_err();
        assert_eq!(
            line(&error),
            "reading pods: pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" at the cluster scope"
        );
        // As checks see it.
        let error = anyhow::Error::from(reader::Error::Api(forbidden())).context("looking");
        assert_eq!(line(&error).matches("cannot list").count(), 1, "{}", line(&error));
        assert!(!line(&error).contains("Some("), "{}", line(&error));
    }

    #[test]
    fn what_has_no_sentence_is_named_by_its_reason_or_number() {
        let of = |reason: &str, code| {
            line(&anyhow::Error::from(kube::Error::Api(Status::failure("", reason).with_code(code).boxed())))
        };
        assert_eq!(of("TooManyRequests", 429), "TooManyRequests");
        assert_eq!(of("", 503), "the API server answered 503");
    }

    #[test]
    fn other_chains_keep_every_cause() {
        let lost = std::io::Error::other(std::io::Error::other("connection refused"));
        let error = anyhow::Error::from(kube::Error::Service(Box::new(lost))).context("asking the cluster");
        assert!(
            line(&error).starts_with("asking the cluster: ") && line(&error).ends_with("connection refused"),
            "{}",
            line(&error)
        );
        assert_eq!(causes(&anyhow::anyhow!("c").context("b").context("a")), ["a", "b", "c"]);
    }
}
