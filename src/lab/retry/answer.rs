//! What came back for a request: read whole, or a stream that goes on.

use bytes::Bytes;
use futures::StreamExt;
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 512 << 20;

/// The body of a response to the caller.
pub type Reply = UnsyncBoxBody<Bytes, kube::Error>;

/// One try: an answer, or why there is none.
pub type Outcome = kube::Result<Answer>;

/// An answer.
pub enum Answer {
    Whole {
        head: http::response::Parts,
        bytes: Bytes,
    },
    /// A watch, a followed log, a command's channels.
    Stream {
        response: Response<Body>,
        watch: bool,
    },
}

impl Answer {
    /// Reads an answer to its end.
    ///
    /// # Errors
    /// The connection broke before.
    pub async fn whole(response: Response<Body>) -> Outcome {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(kube::Error::Service)?;
        Ok(Answer::Whole { head, bytes: body.to_bytes() })
    }

    /// An answer of our own: what the server would have said, had its answer arrived.
    pub fn of(status: StatusCode, value: &Value) -> Answer {
        let mut response = Response::new(());
        *response.status_mut() = status;
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        Answer::Whole { head: response.into_parts().0, bytes: value.to_string().into() }
    }

    /// What the API server says of an object that is gone.
    pub fn deleted(name: &str) -> Answer {
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {"name": name}});
        Answer::of(StatusCode::OK, &status)
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Answer::Whole { head, .. } => head.status,
            Answer::Stream { response, .. } => response.status(),
        }
    }

    pub fn header(&self, name: http::HeaderName) -> Option<&str> {
        let headers = match self {
            Answer::Whole { head, .. } => &head.headers,
            Answer::Stream { response, .. } => response.headers(),
        };
        headers.get(name)?.to_str().ok()
    }

    /// The body, if it is JSON and read.
    pub fn json(&self) -> Option<Value> {
        match self {
            Answer::Whole { bytes, .. } => serde_json::from_slice(bytes).ok(),
            Answer::Stream { .. } => None,
        }
    }

    /// For the caller. A watch that is cut ends like one that the server closed: its readers all take that up again.
    pub fn into_response(self) -> Response<Reply> {
        match self {
            Answer::Whole { head, bytes } => {
                Response::from_parts(head, Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
            }
            Answer::Stream { response, watch: false } => response.map(BodyExt::boxed_unsync),
            Answer::Stream { response, watch: true } => response.map(|body| {
                let pieces = body.into_data_stream().take_while(|piece| std::future::ready(piece.is_ok()));
                StreamBody::new(pieces.map(|piece| piece.map(hyper::body::Frame::data))).boxed_unsync()
            }),
        }
    }
}
