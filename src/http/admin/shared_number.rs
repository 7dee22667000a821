//! What a page needs to show a recorded number elsewhere: its link, its stream, its badge and its chart.

/// The sum of a field in the last entities of one of the service's own routes.
pub(super) struct SharedNumber {
    /// What the number is, for people.
    pub(super) of: String,
    /// The address of the present entity.
    pub(super) link: String,
    /// The address of this service.
    origin: String,
    badge: String,
    chart: String,
}

impl SharedNumber {
    /// `origin` is the address of this service, and `key` that of the present entity of the route. A badge shows the last `shown` entities
    /// together, and a chart each of the last `charted` ones.
    pub(super) fn new(
        origin: &str,
        of: String,
        [route, key, field]: [&str; 3],
        (shown, charted): (usize, usize),
    ) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let named = query.append_pair("type", route).append_pair("field", field).finish();
        let badge = if shown == 1 { String::new() } else { format!("&last={shown}") };
        SharedNumber {
            of,
            link: format!("{origin}/entity/{route}/{key}"),
            origin: origin.to_owned(),
            badge: format!("badge.svg?{named}{badge}"),
            chart: format!("chart.svg?{named}&last={charted}"),
        }
    }

    /// The address of the badge for other pages.
    pub(super) fn badge(&self) -> String {
        format!("{}/fields/{}", self.origin, self.badge)
    }

    /// The address of the chart for other pages.
    pub(super) fn chart(&self) -> String {
        format!("{}/fields/{}", self.origin, self.chart)
    }

    /// The same pictures for a browser with a session.
    pub(super) fn pictures_here(&self) -> [String; 2] {
        [&self.badge, &self.chart].map(|picture| format!("/admin/{picture}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_the_field_and_how_many_entities() {
        let parts = ["_admin/endpoints", "2026-02-10", "GET /counters/{id}/"];
        let number = SharedNumber::new("https://a.example", "GET".into(), parts, (7, 7));
        assert_eq!(number.link, "https://a.example/entity/_admin/endpoints/2026-02-10");
        let query = "type=_admin%2Fendpoints&field=GET+%2Fcounters%2F%7Bid%7D%2F&last=7";
        assert_eq!(number.badge(), format!("https://a.example/fields/badge.svg?{query}"));
        assert_eq!(number.chart(), format!("https://a.example/fields/chart.svg?{query}"));
        let today = SharedNumber::new("", "today".into(), ["_admin/daily", "2026-02-10", "requests"], (1, 7));
        let [badge, chart] = today.pictures_here();
        assert_eq!(badge, "/admin/badge.svg?type=_admin%2Fdaily&field=requests");
        assert_eq!(chart, "/admin/chart.svg?type=_admin%2Fdaily&field=requests&last=7");
    }
}
