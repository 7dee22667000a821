//! Which representation an `Accept` header asks for, reduced to the few that exist. With the headers as browsers send them,
//! `Vary: Accept` would make the cache keep a variant for each browser.

/// A representation of a resource, as the cache distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// An event stream.
    Stream,
    /// JSON.
    Json,
    /// HTML, as a browser's address bar asks. The browser also accepts other types, such as the plain value of a counter.
    Html,
    /// Any type: the plain value.
    Any,
    /// The header weighs the service's types against each other with `q`. Only the origin decides between them, and such headers
    /// are too rare to be cached.
    Weighed {
        /// Whether the header accepts an event stream.
        stream: bool,
    },
}

impl Variant {
    /// The variant that all values of `Accept`, joined by commas, ask for. The text is empty where there is no such header.
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

    /// The `Accept` that replaces all headers with the same meaning; `None` where the header must stay as it is.
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

/// The weight of a parameter: the value of `q`; any other parameter weighs 1.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(1.0))
}

/// Whether the answer for this path may be compressed, and the client names gzip among the codings that it accepts. Only files for pages
/// may be compressed: Fanout holds streams, and values are short.
pub fn takes_gzip(path: &str, codings: &str) -> bool {
    (path.starts_with("/assets/") || path == "/live-counter.js")
        && codings.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_pages_are_compressed_for_clients_that_name_gzip() {
        for path in ["/assets/home.js", "/live-counter.js"] {
            for (codings, taken) in [
                ("gzip, deflate, br, zstd", true),
                ("br,GZIP", true),
                ("", false),
                ("gzip;q=0", false),
                ("br", false),
            ] {
                assert_eq!(takes_gzip(path, codings), taken, "{path} {codings}");
            }
        }
        for path in ["/", "/counters/2/", "/topics/counter-2/", "/live-counter.js/x"] {
            assert!(!takes_gzip(path, "gzip"), "{path}");
        }
    }

    #[test]
    fn accept_headers_become_as_few_variants_as_there_are_representations() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, variant) in [
            ("text/event-stream", Variant::Stream),
            ("text/event-stream; charset=utf-8", Variant::Stream),
            ("Text/Event-Stream, */*", Variant::Stream),
            ("application/json", Variant::Json),
            ("application/json, text/plain, */*", Variant::Json),
            // The type that is named first wins, as at the origin.
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
    fn the_accept_sent_for_a_variant_means_the_same() {
        for variant in [Variant::Stream, Variant::Json, Variant::Any] {
            assert_eq!(Variant::of(variant.normal().expect("a text")), variant);
        }
    }
}
