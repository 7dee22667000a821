//! The tool of the home page: an address goes in, and the numbers of the page, its badge and the code for it come out.

use super::entry::Entry;
use super::tag_form::{TagForm, readable};
use crate::domain::PageAddress;
use crate::http::html::shown::sentence;

/// The form, and what there is to say about the page whose address is in it.
pub(super) struct Tool {
    /// The form, as it was filled in.
    pub(super) form: TagForm,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
    /// The address of the picture in the preview.
    pub(super) preview: Option<String>,
    /// The page and its site; empty if no address is filled in.
    pub(super) found: Vec<Entry>,
    /// The code for pages; empty if something is wrong.
    pub(super) snippets: Vec<Snippet>,
}

/// Code that shows a number on a page. The address of this service belongs between its two parts.
pub(super) struct Snippet {
    /// What kind of code it is.
    pub(super) title: &'static str,
    /// When to take it.
    pub(super) text: &'static str,
    /// The code before the service's address.
    pub(super) before: String,
    /// The code behind it.
    pub(super) after: String,
}

impl Tool {
    /// The tool for a form in which something is wrong.
    pub(super) fn refused(form: TagForm, problem: &str) -> Self {
        let problem = sentence(problem);
        Tool { form, problem: Some(problem), preview: None, found: Vec::new(), snippets: Vec::new() }
    }

    /// The tool for a form without an address. The preview shows the page with the address `example`.
    pub(super) fn empty(form: TagForm, example: Option<&PageAddress>) -> Self {
        let preview = example.map(|example| preview(&form, example));
        let snippets = vec![on_every_page(&form), element(&form, None), script(&form, None)];
        Tool { form, problem: None, preview, found: Vec::new(), snippets }
    }

    /// The tool for a page. `found` is the page and its site, with their numbers.
    pub(super) fn found(form: TagForm, page: &PageAddress, found: Vec<Entry>) -> Self {
        let snippets = vec![
            image(&form, page),
            markdown(&form, page),
            on_every_page(&form),
            element(&form, Some(page)),
            script(&form, Some(page)),
            live(page),
        ];
        Tool { problem: None, preview: Some(preview(&form, page)), found, snippets, form }
    }

    /// What a screen reader says when the answer has come.
    pub(super) fn says(&self) -> String {
        let said = self.found.iter().map(|found| match found.number.recorded().as_str() {
            "" => format!("{}: unknown.", found.short()),
            number => format!("{}: {number} views.", found.short()),
        });
        said.collect::<Vec<_>>().join(" ")
    }
}

/// The path of the badge, with its query: a view of the preview does not count.
fn preview(form: &TagForm, page: &PageAddress) -> String {
    format!("/nocount/tag.svg?{}", form.tag_query(Some(page.as_str())))
}

/// The path of the badge of a page, or of the page that shows the badge.
fn tag(form: &TagForm, page: Option<&PageAddress>) -> String {
    let query = form.tag_query(page.map(PageAddress::as_str));
    let mark = if query.is_empty() { "" } else { "?" };
    [path(form), "/tag.svg", mark, &query].concat()
}

fn path(form: &TagForm) -> &'static str {
    if form.counts() { "/count" } else { "/nocount" }
}

fn image(form: &TagForm, page: &PageAddress) -> Snippet {
    Snippet {
        title: "HTML",
        text: "For this page, wherever the badge is shown.",
        before: "<img src=\"".to_owned(),
        after: format!("{}\" alt=\"Hits\">", tag(form, Some(page))),
    }
}

fn markdown(form: &TagForm, page: &PageAddress) -> Snippet {
    Snippet {
        title: "Markdown",
        text: "For a README.",
        before: "![Hits](".to_owned(),
        after: format!("{})", tag(form, Some(page))),
    }
}

fn on_every_page(form: &TagForm) -> Snippet {
    Snippet {
        title: "HTML for every page",
        text: "The same line on each page of a site: the browser says which page it is.",
        before: "<img src=\"".to_owned(),
        after: format!(
            "{}\"\n  referrerpolicy=\"no-referrer-when-downgrade\" alt=\"Hits\">",
            tag(form, None)
        ),
    }
}

fn element(form: &TagForm, page: Option<&PageAddress>) -> Snippet {
    let number = if form.get("of") == "site" { "site" } else { "page" };
    // An address has no quotation mark, as its form encodes them.
    let named = page.map(|page| format!("=\"{}\"", page.as_str().replace('&', "&amp;"))).unwrap_or_default();
    let counts = if form.counts() { " count" } else { "" };
    Snippet {
        title: "Live, in HTML",
        text: "The number as it grows, in a text of your own.",
        before: "<script type=\"module\" src=\"".to_owned(),
        after: format!(
            "/live-counter.js\"></script>\n<live-counter {number}{named}{counts}>…</live-counter>"
        ),
    }
}

fn script(form: &TagForm, page: Option<&PageAddress>) -> Snippet {
    let path = path(form);
    let (query, names_page) = match page {
        Some(page) => (["?url=", &readable(page.as_str())].concat(), ""),
        None => (String::new(), "\n  referrerPolicy: \"no-referrer-when-downgrade\","),
    };
    // The cookie keeps a reload from counting.
    let after = format!(
        "{path}{query}\", {{{names_page}\n  credentials: \"include\",\n}});\n\
         document.querySelector(\"#hits\").textContent = await answer.text();"
    );
    let before = "const answer = await fetch(\"".to_owned();
    Snippet { title: "JavaScript", text: "The bare number, in an element of your own.", before, after }
}

/// Listening never counts.
fn live(page: &PageAddress) -> Snippet {
    Snippet {
        title: "JavaScript, live",
        text: "The number as it grows, while the page is open. Listening does not count.",
        before: "new EventSource(\"".to_owned(),
        after: format!(
            "/nocount?url={}\").onmessage =\n  ({{ data }}) => document.querySelector(\"#hits\").textContent = data;",
            readable(page.as_str())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(query: &str) -> Tool {
        let (form, checked) = TagForm::of(query, Vec::new());
        assert!(checked.is_ok(), "{query}");
        let page = form.get("url").parse().expect("an address");
        let found = vec![Entry::page(&page, Some(1234)), Entry::site(&page, None)];
        Tool::found(form, &page, found)
    }

    #[test]
    fn the_code_asks_for_the_chosen_badge() {
        let tool = tool("url=https%3A%2F%2FExample.com%2Fit's%3Fa%3Db&style=flat&label=a%22b");
        let codes: Vec<String> =
            tool.snippets.iter().map(|code| [code.before.as_str(), "HOST", &code.after].concat()).collect();
        let query = "url=example.com/it%27s&style=flat&label=a%22b";
        assert_eq!(codes[0], format!("<img src=\"HOST/count/tag.svg?{query}\" alt=\"Hits\">"));
        assert_eq!(codes[1], format!("![Hits](HOST/count/tag.svg?{query})"));
        assert!(
            codes[2].starts_with("<img src=\"HOST/count/tag.svg?style=flat&label=a%22b\"\n  referrerpolicy=")
        );
        assert!(
            codes[4].starts_with("const answer = await fetch(\"HOST/count?url=example.com/it%27s\", {\n")
        );
        assert_eq!(tool.preview.as_deref(), Some(format!("/nocount/tag.svg?{query}").as_str()));
        assert_eq!(tool.says(), "example.com/it's: 1234 views. example.com: unknown.");
    }

    #[test]
    fn a_badge_that_only_shows_is_never_counted() {
        for snippet in tool("url=example.com&count=no").snippets {
            let only_reads = snippet.after.starts_with("/nocount")
                || snippet.after.contains("<live-counter page=\"example.com\">");
            assert!(only_reads, "{}", snippet.after);
        }
        let empty = Tool::empty(TagForm::of("", Vec::new()).0, None);
        assert_eq!((empty.snippets.len(), empty.preview), (3, None));
    }

    #[test]
    fn the_element_names_the_page_or_its_site() {
        let element = |query: &str| tool(query).snippets.remove(3).after;
        for (query, expected) in [
            ("url=example.com/a%26copy", "<live-counter page=\"example.com/a&amp;copy\" count>"),
            ("url=example.com/a&of=site", "<live-counter site=\"example.com/a\" count>"),
            ("url=example.com/%22a", "<live-counter page=\"example.com/%22a\" count>"),
        ] {
            assert!(element(query).contains(expected), "{query}: {}", element(query));
        }
    }
}
