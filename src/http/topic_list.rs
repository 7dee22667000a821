//! Several numbers that a client reads together: which topics it names, and how their values are answered.

use actix_web::http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use smol_str::SmolStr;

use super::accept::form_of_number;
use super::caching::{NamedBy, begin, values_etag};
use super::context::WorkerContext;
use super::error::ApiError;
use super::media::Media;
use super::streams::{self, Holder};
use crate::domain::{PageAddress, SetTooLarge, Topic, TopicSet};
use crate::store::Reading;

/// With this header a cache asks for the canonical path of the list instead of the values, so that the cache keeps one answer for
/// all spellings of the list.
static CANONICAL_PATH: HeaderName = HeaderName::from_static("x-canonical-path");

/// The separator of the names in a recovery path. A comma would end the link in the header that tells Pushpin the path.
pub(super) const RECOVERY_SEPARATOR: char = '+';

/// The characters of topics' names that a path cannot have: those around an IPv6 address.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS.add(b'[').add(b']');

/// What a request calls the topics that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Ids of counters.
    Counters,
    /// Names of topics.
    Topics,
    /// Addresses of pages.
    Pages,
    /// Hosts, with a port if they have one.
    Sites,
}

impl Naming {
    fn plural(self) -> &'static str {
        match self {
            Naming::Counters => "counters",
            Naming::Topics => "topics",
            Naming::Pages => "pages",
            Naming::Sites => "sites",
        }
    }

    /// A topic and its value as a JSON object. No name has a character that JSON escapes: ids, names of topics and addresses
    /// consist of visible ASCII characters without quotes and backslashes.
    fn object(self, name: &str, topic: &Topic, value: i64) -> String {
        match self {
            Naming::Counters => format!("{{\"id\":\"{name}\",\"value\":{value}}}"),
            Naming::Topics => format!("{{\"topic\":\"{name}\",\"value\":{value}}}"),
            Naming::Pages => format!("{{\"page\":\"{name}\",\"topic\":\"{topic}\",\"value\":{value}}}"),
            Naming::Sites => format!("{{\"site\":\"{name}\",\"topic\":\"{topic}\",\"value\":{value}}}"),
        }
    }
}

/// 1 to 20 topics that a request names.
pub(super) struct TopicList {
    naming: Naming,
    set: TopicSet,
}

impl TopicList {
    /// The list that these texts name; `topic` gives the name and the topic of one text. 400 if the texts name more than 20
    /// topics. Where there are several texts, the error says which one is wrong.
    pub(super) fn parse(
        naming: Naming,
        texts: &[&str],
        topic: impl Fn(&str) -> Result<(SmolStr, Topic), ApiError>,
    ) -> Result<Self, ApiError> {
        let too_many = |count: usize| {
            let (most, what) = (TopicSet::MAX_LEN, naming.plural());
            ApiError::BadRequest(format!("a list names at most {most} {what}, this one names {count}"))
        };
        // A list of 10 kB is not worth a topic for each of its texts.
        if texts.len() > 10 * TopicSet::MAX_LEN {
            return Err(too_many(texts.len()));
        }
        let numbered = |(index, text): (usize, &&str)| {
            topic(text).map_err(|error| if texts.len() > 1 { error.in_list(index + 1) } else { error })
        };
        let named = texts.iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
        let set = TopicSet::of(named).map_err(|SetTooLarge(count)| too_many(count))?;
        Ok(TopicList { naming, set })
    }

    /// The list of this page alone.
    pub(super) fn of_page(page: &PageAddress) -> Result<Self, ApiError> {
        let named = |text: &str| Ok((text.into(), Topic::page(page)));
        TopicList::parse(Naming::Pages, &[page.as_str()], named)
    }

    /// The topics, in ascending order of the names by which the request calls them.
    pub(super) fn topics(&self) -> &[Topic] {
        self.set.topics()
    }

    /// Answers the values as lines of text or as a JSON array, or a stream that begins with them, in ascending order of the names;
    /// 304 if the client has the values already. The path of the request names the topics.
    pub(super) async fn get(
        &self,
        request: &HttpRequest,
        context: &WorkerContext,
    ) -> Result<HttpResponse, ApiError> {
        let path = self.path();
        if request.headers().contains_key(&CANONICAL_PATH) && request.path() != path {
            let mut response = HttpResponse::PermanentRedirect();
            context.shared.cache.redirect(&mut response);
            return Ok(response.insert_header((LOCATION, path)).finish());
        }
        let media = form_of_number(request.headers());
        if media == Media::Stream {
            let holder = Holder::of(request, context)?;
            return self.stream(request, context, holder, NamedBy::Url).await;
        }
        let readings = context.live.read_all(self.topics()).await.map_err(ApiError::unread)?;
        let etag = values_etag(media, readings.iter().map(Reading::value));
        let (mut response, is_known) = begin(request, &etag);
        context.shared.cache.value(&mut response, self.topics(), etag);
        if is_known {
            return Ok(response.finish());
        }
        response.insert_header((CONTENT_TYPE, media.content_type()));
        if media == Media::Json {
            return Ok(response.body(format!("[{}]", self.objects(&readings).join(","))));
        }
        let lines = self.set.names().iter().zip(&readings);
        Ok(response.body(lines.map(|(name, read)| format!("{name} {}\n", read.value())).collect::<String>()))
    }

    /// The topics with their values as JSON objects.
    pub(super) fn objects(&self, readings: &[Reading]) -> Vec<String> {
        let named = self.set.names().iter().zip(self.topics());
        let valued = named.zip(readings);
        valued.map(|((name, topic), read)| self.naming.object(name, topic, read.value())).collect()
    }

    /// Opens a stream of all topics. `named_by` says what in the request names them.
    pub(super) async fn stream(
        &self,
        request: &HttpRequest,
        context: &WorkerContext,
        holder: Holder<'_>,
        named_by: NamedBy,
    ) -> Result<HttpResponse, ApiError> {
        streams::open(request, context, holder, self.topics(), named_by, &self.recovery_path()).await
    }

    /// Answers a proxy that asks which events the listeners of the stream have missed.
    pub(super) async fn recover(
        &self,
        request: &HttpRequest,
        context: &WorkerContext,
    ) -> Result<HttpResponse, ApiError> {
        streams::recover(request, context, self.topics(), &self.recovery_path()).await
    }

    /// The one path of all that name these topics.
    fn path(&self) -> String {
        let (resource, names) = self.path_parts(",");
        format!("/{resource}/{names}/")
    }

    /// The path to which the proxy sends its requests for a recovery. It must be the same for all listeners of a stream, because
    /// the proxy sends one request for all listeners that have the same path.
    fn recovery_path(&self) -> String {
        let (resource, names) = self.path_parts(&RECOVERY_SEPARATOR.to_string());
        format!("/{resource}/{names}/recover")
    }

    fn path_parts(&self, separator: &str) -> (&'static str, String) {
        match self.naming {
            Naming::Counters => ("counters", self.set.names().join(separator)),
            Naming::Topics | Naming::Pages | Naming::Sites => {
                let names: Vec<_> = self.topics().iter().map(segment).collect();
                ("topics", names.join(separator))
            }
        }
    }
}

/// The name of the topic as it stands in a path.
fn segment(topic: &Topic) -> String {
    utf8_percent_encode(topic.name(), NOT_IN_PATHS).to_string()
}
