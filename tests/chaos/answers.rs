//! What becomes of a request of a writer.

use reqwest::RequestBuilder;
use reqwest::header::SET_COOKIE;

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
        Answer::with_cookie(request).await.0
    }

    /// Sends the request and waits for its end. Also returns the cookie that the answer sets, as a client sends it back.
    pub(crate) async fn with_cookie(request: RequestBuilder) -> (Answer, Option<String>) {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return (Answer::Unsent, None),
            Err(error) => return (Answer::Unknown(format!("{error:?}")), None),
        };
        let cookie = answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let status = answer.status().as_u16();
        let answer = match (status, answer.text().await) {
            (200 | 204, Ok(text)) => Answer::Done(text),
            (200 | 204, Err(error)) => Answer::Unknown(format!("{error:?}")),
            (502..=504, text) => Answer::Unknown(text.unwrap_or_default()),
            (_, text) => Answer::Wrong(format!("{status} {}", text.unwrap_or_default())),
        };
        (answer, cookie)
    }
}
