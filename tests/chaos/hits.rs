//! The pages of a world, whose hits are counted, and their site.

use livecounter::domain::{PageAddress, Topic};

use crate::listeners::Stream;

/// The addresses of the pages. All are of one site.
const PAGES: [&str; 2] = ["www.example.com/a", "www.example.com/b"];

/// The topics of the pages, by name.
pub(crate) fn pages() -> Vec<String> {
    PAGES.iter().map(|page| Topic::page(&parsed(page)).name().to_owned()).collect()
}

/// The name of the site's topic.
pub(crate) fn site() -> String {
    Topic::site(&parsed(PAGES[0])).name().to_owned()
}

/// The topics of the pages and of their site, by name.
pub(crate) fn pages_and_site() -> Vec<String> {
    [pages(), vec![site()]].concat()
}

/// The address of the page with this topic.
pub(crate) fn address(page: &str) -> &'static str {
    let place = pages().iter().position(|known| known == page);
    PAGES[place.unwrap_or_else(|| panic!("{page} is the topic of no page"))]
}

/// The path at which clients read the number with this name: the hits of a page or of the site by its topic, or a counter by its id.
pub(crate) fn path(name: &str) -> String {
    if name == site() {
        format!("/nocount/site?url={}", PAGES[0])
    } else if pages().iter().any(|page| page == name) {
        format!("/nocount?url={}", address(name))
    } else {
        format!("/counters/{name}/")
    }
}

/// So many streams for each proxy that show pages and their site, alone, together, and with a counter.
pub(crate) fn streams(count: usize, proxies: usize, counter: &str) -> Vec<Stream> {
    let all = pages_and_site();
    let mut kinds: Vec<_> = all.iter().map(|name| Stream::new(path(name), vec![name.clone()])).collect();
    let both: Vec<String> = PAGES.iter().map(|page| format!("url={page}")).collect();
    kinds.push(Stream::new(format!("/nocount?{}", both.join("&")), pages()));
    let topics = format!("/topics/counter-{counter},{}/", all.join(","));
    kinds.push(Stream::new(topics, [vec![counter.to_owned()], all].concat()));
    (0..count * proxies).map(|number| kinds[number / proxies % kinds.len()].clone()).collect()
}

fn parsed(page: &str) -> PageAddress {
    page.parse().expect("the address of a page")
}
