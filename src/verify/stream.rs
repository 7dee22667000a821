//! One event stream of the service under check.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout};

use super::probe::{Trouble, body, no_redirect};
use super::reader::{EventReader, ReadError, ReadEvent};
use super::reply::{CheckReply, media_type};
use super::report::quote;

/// An open stream.
#[derive(Debug)]
pub(super) struct OpenStream {
    response: Response,
    reader: EventReader,
    /// Events that have come and not been taken.
    events: VecDeque<ReadEvent>,
    /// The id of the last event that was taken.
    pub(super) last_id: String,
    /// The value of the last event that was taken.
    pub(super) value: i64,
}

/// Why a stream cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamTrouble {
    #[error(transparent)]
    NoAnswer(#[from] Trouble),
    /// Another answer than a stream.
    #[error("{}", .0.described())]
    NoStream(Box<CheckReply>),
    #[error("no event within {0:?}")]
    Silent(Duration),
    #[error("the stream has ended")]
    Ended,
    #[error("the stream has {0}")]
    Unreadable(#[from] ReadError),
    #[error("an event that is none of the counter: id {}, data {}", quote(&.0.id), quote(&.0.data))]
    Foreign(Box<ReadEvent>),
    #[error("the older value {1} behind {0}")]
    Older(i64, i64),
}

impl OpenStream {
    /// Sends the request and reads the head of the answer.
    pub(super) async fn open(request: RequestBuilder, within: Duration) -> Result<Self, StreamTrouble> {
        let started = Instant::now();
        let opening = async {
            let mut response = request.send().await.map_err(Trouble::from)?;
            no_redirect(&response)?;
            if response.status() == 200 && media_type(response.headers()) == "text/event-stream" {
                return Ok(response);
            }
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = body(&mut response).await?;
            Err(StreamTrouble::NoStream(Box::new(CheckReply {
                status,
                headers,
                body,
                took: started.elapsed(),
            })))
        };
        let response = timeout(within, opening).await.unwrap_or(Err(Trouble::Late(within).into()))?;
        Ok(OpenStream {
            response,
            reader: EventReader::default(),
            events: VecDeque::new(),
            last_id: String::new(),
            value: i64::MIN,
        })
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The id and the value of the next event, which must be one of these counters.
    pub(super) async fn next(
        &mut self,
        counters: &[&str],
        within: Duration,
    ) -> Result<(String, i64), StreamTrouble> {
        let event = timeout(within, self.event()).await.unwrap_or(Err(StreamTrouble::Silent(within)))?;
        let value = event.data.parse::<i64>().ok().filter(|_| event.kind == "message");
        let counter = event.id.split_once('@').map_or("", |(counter, _)| counter).to_owned();
        match value.filter(|_| counters.contains(&counter.as_str())) {
            Some(value) => {
                self.last_id = event.id;
                self.value = value;
                Ok((counter, value))
            }
            None => Err(StreamTrouble::Foreign(Box::new(event))),
        }
    }

    /// Waits until the stream of one counter shows this value or a greater one, and never a smaller one behind a greater.
    pub(super) async fn until(
        &mut self,
        counter: &str,
        value: i64,
        within: Duration,
    ) -> Result<(), StreamTrouble> {
        let end = Instant::now() + within;
        while self.value < value {
            let before = self.value;
            let left = end.saturating_duration_since(Instant::now());
            let next = match self.next(&[counter], left).await {
                Err(StreamTrouble::Silent(_)) => return Err(StreamTrouble::Silent(within)),
                next => next?.1,
            };
            if next < before {
                return Err(StreamTrouble::Older(before, next));
            }
        }
        Ok(())
    }

    async fn event(&mut self) -> Result<ReadEvent, StreamTrouble> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let bytes = self.response.chunk().await.map_err(Trouble::from)?.ok_or(StreamTrouble::Ended)?;
            let mut events = Vec::new();
            self.reader.read(&bytes, &mut events)?;
            self.events.extend(events);
        }
    }
}
