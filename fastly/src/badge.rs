//! The badges of counters, `/counters/{id}/badge.svg` and `/counters/{id}/badge.json`.

use crate::path::resource_of_counter;

/// The parameters of a badge.
pub(crate) const PARAMETERS: [&str; 8] =
    ["of", "tz", "style", "label", "color", "labelColor", "format", "base"];

/// Whether this is the path of a badge. A counter may have one of these names itself.
pub(crate) fn is_badge(path: &str) -> bool {
    matches!(resource_of_counter(path), Some("badge.svg" | "badge.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_badge_of_a_counter_is_one() {
        for path in ["/counters/2/badge.svg", "/counters/badge.svg/badge.json"] {
            assert!(is_badge(path), "{path}");
        }
        for path in
            ["/counters/badge.svg", "/counters/badge.svg/", "/counters//badge.svg", "/counters/2/badge.png"]
        {
            assert!(!is_badge(path), "{path}");
        }
    }
}
