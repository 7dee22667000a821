//! What becomes of a request of a writer.

use reqwest::RequestBuilder;

/// The end of a request.
pub(crate) enum Answer {
    /// The change is made; the body says which value it has come to, if any.
    Done(String),
    /// The change may or may not have been made.
    Unknown(String),
    /// No connection was made, so that the change was not made.
    Unsent,
    /// An answer that no fault explains.
    Wrong(String),
}

impl Answer {
    /// Sends the request and waits for its end.
    pub(crate) async fn to(request: RequestBuilder) -> Answer {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Answer::Unsent,
            Err(error) => return Answer::Unknown(format!("{error:?}")),
        };
        let status = answer.status().as_u16();
        match (status, answer.text().await) {
            (200 | 204, Ok(text)) => Answer::Done(text),
            (200 | 204, Err(error)) => Answer::Unknown(format!("{error:?}")),
            (502..=504, text) => Answer::Unknown(text.unwrap_or_default()),
            (_, text) => Answer::Wrong(format!("{status} {}", text.unwrap_or_default())),
        }
    }
}
