//! The home page: its numbers, its tool for badges, what it weighs, and what it does with hostile texts.

use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;

/// The status of the page for a form with these fields, and the page.
async fn asked(app: &TestApp, fields: &[(&str, &str)]) -> (u16, String) {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let url = format!("{}/?{}", app.address, query.extend_pairs(fields).finish());
    let answer = client().get(url).answer().await;
    (answer.status().as_u16(), answer.text().await.expect("a page"))
}

/// What is wrong with the form, as the page says.
fn problem(page: &str) -> &str {
    let (_, rest) = page.split_once("aria-live=\"assertive\">").expect("a place for problems");
    rest.split_once('<').expect("an end").0
}

async fn visit(app: &TestApp, page: &str, hits: usize) {
    for _ in 0..hits {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", page).finish();
        let answer = client().get(format!("{}/count?{query}", app.address)).answer().await;
        assert_eq!(answer.status(), 200, "{page}");
    }
}

#[tokio::test]
async fn the_tool_answers_without_a_script() {
    let app = TestApp::spawn().await;
    visit(&app, "www.example.com/a", 3).await;
    visit(&app, "www.example.com/b", 2).await;
    let look = [("style", "flat"), ("label", "a\"<b>"), ("color", "#007ec6"), ("utm_source", "x")];
    let fields = [&[("url", "https://www.example.com/a?b=c"), ("count", "no")][..], &look].concat();
    let (status, page) = asked(&app, &fields).await;
    assert_eq!((status, problem(&page)), (200, ""));
    let query = "url=www.example.com/a&#38;style=flat&#38;label=a%22%3Cb%3E&#38;color=007ec6";
    for expected in [
        "value=\"https://www.example.com/a?b=c\"",
        "value=\"a&#34;&#60;b&#62;\"",
        "value=\"#007ec6\"",
        "<option value=\"flat\" selected>",
        "data-topic=\"site-www.example.com\" data-value=\"5\">5</b>",
        "data-value=\"3\">3</b>",
        &format!("<img src=\"/nocount/tag.svg?{query}\""),
        &format!(
            "&#60;img src=&#34;<b>{}</b>/nocount/tag.svg?{query}&#34; alt=&#34;Hits&#34;&#62;",
            app.address
        ),
        &format!("![Hits](<b>{}</b>/nocount/tag.svg?{query})", app.address),
        "referrerpolicy=&#34;no-referrer-when-downgrade&#34;",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    // The preview is a picture with the number that the page shows.
    let preview = client().get(format!("{}/nocount/tag.svg?{}", app.address, query.replace("&#38;", "&")));
    let preview = preview.text().await;
    assert!(preview.contains("a&quot;&lt;b&gt;: 3"), "{preview}");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_on_the_page() {
    let denied = ("LIVECOUNTER__HITS__DENY", "secret");
    let app = TestApp::with(&[denied, ("LIVECOUNTER__HISTORY__DAYS", "0")]).await;
    let long = format!("example.com/{}", "a".repeat(10_000));
    // Its beginning is an address.
    let zeros = "0".repeat(4097);
    let (url, good) = ("url", "example.com");
    for (fields, status, expected) in [
        (
            &[(url, long.as_str())][..],
            400,
            "An address may have at most 4096 bytes, and 2048 without its query.",
        ),
        (&[(url, zeros.as_str())], 400, "An address may have at most"),
        (
            &[(url, "javascript:alert(1)")],
            400,
            "An address begins with a host name or an IP address, such as www.example.com/page.",
        ),
        (&[(url, "data:text/html,x")], 400, "An address begins with a host name"),
        (&[(url, "http://example.com/\r\nX: y")], 400, "An address has no control characters."),
        (&[(url, "secret.example.com")], 403, "This service does not count this page: hits.deny covers it."),
        (
            &[(url, good), ("label", "a\u{202e}b")],
            400,
            "Label must not have control characters, and its character 2 is one.",
        ),
        (&[(url, good), ("color", "\"><script>")], 400, "Color must be 3 or 6 hex digits"),
        (&[(url, good), ("style", "<script>")], 400, "Style must be flat-square or flat"),
        (&[(url, good), ("of", "day")], 400, "Of must be page or site."),
        (&[(url, good), (url, "b.example")], 400, "Url is given twice in the query."),
        (&[(url, " ")], 200, ""),
    ] {
        let (answered, page) = asked(&app, fields).await;
        assert_eq!(answered, status, "{fields:.80?}");
        assert!(problem(&page).starts_with(expected), "{fields:.80?}: {}", problem(&page));
        assert_eq!(page.contains("aria-invalid"), status != 200);
        assert!(page.len() < 40_000 && !page.contains("<script>") && page.ends_with("</html>"), "{page}");
    }
    let listed = client().get(format!("{}/nocount?url=example.com", app.address));
    assert_eq!(listed.text().await, "0", "a form counts nothing");
}

#[tokio::test]
async fn the_lists_show_strangers_addresses_as_text() {
    let app = TestApp::with(&[("LIVECOUNTER__HITS__WINDOW", "0s")]).await;
    let long = format!("long.example/{}/the-end", "a".repeat(1500));
    for (page, hits) in [
        ("https://a.example/'onmouseover='alert(1)'&x;\"><script>alert(1)</script>", 4),
        (long.as_str(), 3),
        ("http://b\u{fc}cher.example/\u{202e}gpj.exe", 2),
    ] {
        visit(&app, page, hits).await;
    }
    let mut page = String::new();
    // On a busy machine the page may come without the lists, if they are not read in time.
    let has_lists = async || {
        page = asked(&app, &[]).await.1;
        page.contains("id=\"top\"")
    };
    until("the page with its lists", has_lists).await;
    for expected in [
        "<a href=\"//a.example/&#39;onmouseover=&#39;alert(1)&#39;&#38;x;%22%3E%3Cscript%3Ealert(1)%3C/script%3E\" title=\"",
        "\" rel=\"nofollow noopener ugc\">long.example/aaaaaaaaaa",
        "aaa\u{2026}aaaaaaaaaa/the-end</a>",
        ">xn--bcher-kva.example/%E2%80%AEgpj.exe</a>",
        "data-topic=\"site-a.example\" data-value=\"4\">4</b>",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("<script>") && !page.contains('\u{202e}'), "{page}");
    assert_eq!(page.matches("rel=\"nofollow noopener ugc\"").count(), 6);
}

#[tokio::test]
async fn settings_decide_what_the_page_has() {
    let (known, off) = (("LIVECOUNTER__COUNTERS__KNOWN", "likes"), ("LIVECOUNTER__HITS__ENABLED", "false"));
    let unlisted =
        [("LIVECOUNTER__HITS__TOP_PAGES", "0"), ("LIVECOUNTER__HITS__TOP_IGNORE", "^hidden\\.example")];
    for (environment, tool, lists) in
        [(&[known, off][..], false, false), (&unlisted, true, true), (&[known], true, true)]
    {
        let app = TestApp::with(environment).await;
        if tool {
            visit(&app, "a.example", 1).await;
            visit(&app, "hidden.example", 2).await;
        }
        let mut page = String::new();
        // On a busy machine the page may come without the lists, if they are not read in time.
        let has_lists = async || {
            let (status, text) = asked(&app, &[("url", "hidden.example/x")]).await;
            assert_eq!(status, 200);
            page = text;
            page.contains("id=\"top\"") == lists
        };
        until("the page with its lists", has_lists).await;
        for name in ["id=\"tag\"", "href=\"#tag\"", "/nocount/tag.svg"] {
            assert_eq!(page.contains(name), tool, "{environment:?} {name}");
        }
        for name in ["id=\"top\"", "href=\"#top\""] {
            assert_eq!(page.contains(name), lists, "{environment:?} {name}");
        }
        assert_eq!(page.contains("id=\"top-pages\""), environment == [known], "{environment:?}");
        assert_eq!(page.contains("href=\"//hidden.example\""), environment == [known], "{environment:?}");
        assert_eq!(page.contains("data-counter=\"2\""), environment == unlisted, "{environment:?}");
    }
}

#[tokio::test]
async fn the_page_stays_when_the_store_is_away() {
    let redis = RedisServer::start();
    let proxy = ("GRIP_URL", "http://127.0.0.1:9/?iss=pushpin&key=a-secret-for-these-tests");
    let app = TestApp::with(&[("REDIS_URL", &redis.url()), proxy]).await;
    app.add_by("2", 26).await;
    visit(&app, "a.example", 1).await;
    let has_numbers = |page: &str| {
        page.contains("data-counter=\"2\" data-value=\"26\"")
            && page.contains("data-topic=\"site-a.example\"")
    };
    until("the page with its numbers", async || has_numbers(&asked(&app, &[]).await.1)).await;
    drop(redis);
    // The page reads its numbers again after a second.
    let dropped = std::time::Instant::now();
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
    while dropped.elapsed() < std::time::Duration::from_millis(1500) {
        pace.tick().await;
        let (status, page) = asked(&app, &[]).await;
        assert!(status == 200 && has_numbers(&page), "{status} {page}");
    }
    let (status, page) = asked(&app, &[("url", "a.example")]).await;
    assert_eq!(status, 200);
    assert!(page.contains("data-topic=\"site-a.example\" data-value=\"\">\u{2013}</b>"), "{page}");
}

#[tokio::test]
async fn the_page_and_its_files_take_less_than_40_kb() {
    let app = TestApp::spawn().await;
    for index in 0..10 {
        visit(&app, &format!("site-{index}.example.com/{}", "a".repeat(60)), 1).await;
    }
    let mut total = 0;
    let (_, page) = asked(&app, &[("url", "www.example.com/a-page-with-a-usual-address")]).await;
    let files: Vec<_> =
        page.split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for path in ["/?url=www.example.com/a-page-with-a-usual-address".to_owned()].iter().chain(&files) {
        let request = client().get(format!("{}{path}", app.address)).header("accept-encoding", "gzip");
        let answer = request.answer().await;
        assert!(header(&answer, "content-security-policy").contains("form-action 'self'"), "{path}");
        total += answer.bytes().await.expect("a body").len();
    }
    assert!(total < 40_000, "{total} bytes");
}
