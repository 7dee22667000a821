//! Which representation an `Accept` header asks for, reduced to as few as there are: `Vary: Accept` on what browsers
//! send would make a variant for each browser.

/// A representation of a resource, as the cache tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// An event stream.
    Stream,
    /// JSON.
    Json,
    /// A browser's address bar: also content with what is no HTML, like the plain value of a counter.
    Html,
    /// Whatever there is: the plain value.
    Any,
    /// One that weighs our types against each other with `q`: the origin's to judge, and too rare to be kept. `stream`
    /// says whether the judgement can be an event stream.
    Weighed {
        /// An event stream is among what is accepted.
        stream: bool,
    },
}

impl Variant {
    /// Of all values of `Accept`, joined by commas; empty where there is none.
    pub fn of(accept: &str) -> Self {
        let mut first = None;
        let (mut weighed, mut stream) = (false, false);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let Some(named) = parts.next().and_then(Variant::named) else { continue };
            let weight = parts.find_map(weight);
            weighed |= weight.is_some();
            stream |= named == Variant::Stream && weight != Some(0.0);
            first = first.or(Some(named));
        }
        if weighed { Variant::Weighed { stream } } else { first.unwrap_or(Variant::Any) }
    }

    /// Whether the answer can be an event stream, which Fanout has to hold.
    pub fn may_stream(self) -> bool {
        matches!(self, Variant::Stream | Variant::Weighed { stream: true })
    }

    /// The `Accept` that stands for all that mean the same; `None` where each must stay as it is.
    pub fn normal(self) -> Option<&'static str> {
        match self {
            Variant::Stream => Some("text/event-stream"),
            Variant::Json => Some("application/json"),
            Variant::Html => Some("text/html, */*;q=0.1"),
            Variant::Any => Some("*/*"),
            Variant::Weighed { .. } => None,
        }
    }

    fn named(range: &str) -> Option<Self> {
        match range.to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Variant::Stream),
            "application/json" => Some(Variant::Json),
            "text/html" => Some(Variant::Html),
            "text/plain" => Some(Variant::Any),
            _ => None,
        }
    }
}

/// The value of a `q` parameter; what is none weighs 1.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers_become_as_few_variants_as_there_are_representations() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, variant) in [
            ("text/event-stream", Variant::Stream),
            ("text/event-stream; charset=utf-8", Variant::Stream),
            ("Text/Event-Stream, */*", Variant::Stream),
            ("application/json", Variant::Json),
            ("application/json, text/plain, */*", Variant::Json),
            // Named first wins, as the origin has it.
            ("application/json, text/event-stream", Variant::Json),
            ("text/plain, application/json", Variant::Any),
            (browser, Variant::Html),
            ("*/*", Variant::Any),
            ("application/jsonp", Variant::Any),
            ("image/png", Variant::Any),
            ("", Variant::Any),
        ] {
            assert_eq!(Variant::of(accept), variant, "{accept}");
        }
    }

    #[test]
    fn types_weighed_against_each_other_are_left_to_the_origin() {
        for (accept, stream) in [
            ("application/json;q=0.5, text/event-stream;q=0.1", true),
            ("application/json, text/event-stream ; Q = 0.9", true),
            ("application/json, text/event-stream;q=0", false),
            ("application/json;q=0.000, */*", false),
            ("text/event-stream;q=high", true),
        ] {
            assert_eq!(Variant::of(accept), Variant::Weighed { stream }, "{accept}");
            assert_eq!(Variant::of(accept).normal(), None);
            assert_eq!(Variant::of(accept).may_stream(), stream);
        }
    }

    #[test]
    fn what_stands_for_a_variant_means_the_same() {
        for variant in [Variant::Stream, Variant::Json, Variant::Any] {
            assert_eq!(Variant::of(variant.normal().expect("a text")), variant);
        }
    }
}
