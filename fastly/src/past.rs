//! The past of counters, `/counters/{id}/history` and `/counters/{id}/chart.svg`.

use crate::path::resource_of_counter;

/// The parameters that these resources have.
pub(crate) const PARAMETERS: [&str; 6] = ["unit", "last", "tz", "format", "form", "theme"];

/// Whether this is a path of the past of a counter. A counter may have one of these names itself.
pub(crate) fn is_past(path: &str) -> bool {
    matches!(resource_of_counter(path), Some("history" | "chart.svg"))
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
