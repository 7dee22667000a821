//! Where a browser goes after its login: to the page that it has asked for.

use actix_web::HttpRequest;

/// The page to which a login leads if no other was asked for.
pub(super) const OVERVIEW: &str = "/admin";
/// The pages to which a login can lead.
const PAGES: [&str; 3] = [OVERVIEW, "/admin/counters", "/admin/console"];
/// The longest address: a form of a login has room for it beside the key.
const LONGEST: usize = 400;

/// The page that the request asks for, with its query; the overview if it asks for something else.
pub(super) fn asked_for(request: &HttpRequest) -> &str {
    let whole = request.uri().path_and_query().map_or("", |it| it.as_str());
    destination(if whole.len() > LONGEST { request.path() } else { whole })
}

/// The text, if it is the path of one of the pages, with any query; else the overview. So nobody can make a login lead to another site.
pub(super) fn destination(text: &str) -> &str {
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let is_page =
        PAGES.contains(&path) && text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic());
    if is_page { text } else { OVERVIEW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_the_service_and_nowhere_else() {
        for page in
            ["/admin", "/admin?x", "/admin/counters?prefix=a%2Fb&after=c", "/admin/console?//b.example"]
        {
            assert_eq!(destination(page), page);
        }
        let long = format!("/admin?{}", "x".repeat(LONGEST));
        for text in [
            "",
            "/",
            "https://b.example/admin",
            "//b.example/admin",
            "/\\b.example",
            "\\\\b.example/admin",
            "/admin/../..//b.example",
            "/admin@b.example",
            "/admin.b.example",
            "/admin/logout",
            "/admin/stream",
            "/counters/1/",
            "javascript:alert(1)",
            " /admin/counters",
            "/admin?a b",
            "/admin?a\r\nset-cookie:b",
            &long,
        ] {
            assert_eq!(destination(text), OVERVIEW, "{text}");
        }
    }
}
