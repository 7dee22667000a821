//! The past of counters, `/counters/{id}/history` and `/counters/{id}/chart.svg`: the only reads of a counter whose query counts.

/// The parameters that these resources have.
const KNOWN: [&str; 6] = ["unit", "last", "tz", "format", "form", "theme"];

/// Whether this is a path of the past of a counter. A counter may have one of these names itself.
pub fn is_past(path: &str) -> bool {
    let Some((id, resource)) = path.strip_prefix("/counters/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    !id.is_empty() && matches!(resource, "history" | "chart.svg")
}

/// The query with the known parameters alone, in one order: whatever else a client appends to get past caches must not get past this
/// one. `None` if nothing is left. Of a parameter that is given several times, the last one counts.
pub fn known_query(query: &str) -> Option<String> {
    let given = |name: &&str| {
        let of_name = |part: &&str| part.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        query.split('&').rfind(of_name)
    };
    let known: Vec<&str> = KNOWN.iter().filter_map(given).collect();
    (!known.is_empty()).then(|| known.join("&"))
}

/// The `Accept` with which the past is looked up. A client that names tables gets a table; the query decides for all other clients.
pub(crate) fn accept_of_past(accept: &str) -> &'static str {
    let named =
        |range: &str| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv");
    if accept.split(',').any(named) { "text/csv" } else { "*/*" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_past_of_a_counter_is_one() {
        for path in ["/counters/2/history", "/counters/2/chart.svg", "/counters/history/history"] {
            assert!(is_past(path), "{path}");
        }
        for path in [
            "/counters/history",
            "/counters/history/",
            "/counters/chart.svg/",
            "/counters//history",
            "/x/2/history",
            "/counters/2/history/",
        ] {
            assert!(!is_past(path), "{path}");
        }
    }

    #[test]
    fn known_parameters_stay_in_one_order() {
        for (query, known) in [
            ("last=7&unit=day", Some("unit=day&last=7")),
            ("_=123&unit=day&units=1&lasting", Some("unit=day")),
            ("last=7&last=8", Some("last=8")),
            (
                "theme=dark&form=bars&tz=Europe/Berlin&format=csv",
                Some("tz=Europe/Berlin&format=csv&form=bars&theme=dark"),
            ),
            ("x=1", None),
            ("", None),
        ] {
            assert_eq!(known_query(query).as_deref(), known, "{query}");
        }
    }

    #[test]
    fn a_table_is_sent_to_clients_that_name_one() {
        for (accept, of_past) in [
            ("text/csv", "text/csv"),
            ("Text/CSV; header=present, */*;q=0.1", "text/csv"),
            ("image/avif,image/*,*/*;q=0.8", "*/*"),
            ("application/json", "*/*"),
            ("", "*/*"),
        ] {
            assert_eq!(accept_of_past(accept), of_past, "{accept}");
        }
    }
}
