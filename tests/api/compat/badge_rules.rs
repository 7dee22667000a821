//! What holds for the badges of all services: which requests count, and the limits.

use super::badges::{CAMO, HOSTS, get, hits, title};
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};

/// A badge of each service that counts, with the page that it counts.
const COUNTING: [(&str, &str); 4] = [
    ("hits.seeyoufarm.com/api/count/incr/badge.svg?url=example.com/a", "example.com/a"),
    ("hits.dwyl.com/user/a.svg", "github.com/user/a"),
    ("visitor-badge.glitch.me/badge?page_id=a", "visitor-badge/a"),
    ("komarev.com/ghpvc/?username=a", "github.com/a"),
];

#[tokio::test]
async fn badges_of_services_count_no_bots_and_no_preparations() {
    let app = TestApp::with(&HOSTS).await;
    for (url, page) in COUNTING {
        for (name, value) in [("user-agent", "Googlebot"), ("sec-purpose", "prefetch"), ("x-moz", "prefetch")]
        {
            title(get(&app.address, url).header(name, value), 200).await;
        }
        let (host, path) = url.split_once('/').expect("a path");
        let head = client().head(format!("{}/{path}", app.address)).header("host", host).answer().await;
        assert_eq!(head.status(), 200, "{url}");
        assert_eq!(hits(&app.address, page).await, "0", "{url}");
    }
}

#[tokio::test]
async fn the_window_the_limits_and_the_rules_hold_for_services() {
    let app = TestApp::with(&HOSTS).await;
    for (url, page) in COUNTING {
        // GitHub's image proxy stands for all readers, so it gets no cookie.
        let answer = get(&app.address, url).header("user-agent", CAMO).answer().await;
        assert_eq!(header(&answer, "set-cookie"), "", "{url}");
        let answer = get(&app.address, url).answer().await;
        let cookie = header(&answer, "set-cookie").to_owned();
        if url.starts_with("komarev") {
            assert_eq!((cookie.as_str(), hits(&app.address, page).await.as_str()), ("", "1"));
            continue;
        }
        assert!(cookie.contains("; Path=/;") && cookie.contains("HttpOnly"), "{url} {cookie}");
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        get(&app.address, url).header("cookie", cookie).answer().await;
        assert_eq!(hits(&app.address, page).await, "2", "{url}");
    }
    let few = [("LIVECOUNTER__LIMITS__NEW_TOPICS", "2/h"), ("LIVECOUNTER__HITS__DENY", "denied")];
    let app = TestApp::with(&[&HOSTS[..], &few].concat()).await;
    for url in [
        "hits.seeyoufarm.com/api/count/incr/badge.svg?url=example.com/denied",
        "hits.seeyoufarm.com/api/count/keep/badge.svg?url=example.com/denied",
        "hits.seeyoufarm.com/api/count/graph/dailyhits.svg?url=example.com/denied",
        "hits.dwyl.com/user/denied.svg",
        "visitor-badge.glitch.me/badge?page_id=denied",
        "komarev.com/ghpvc/?username=denied",
    ] {
        let error = title(get(&app.address, url).header("user-agent", CAMO), 403).await;
        assert!(error.starts_with("error 403: "), "{url} {error}");
    }
    let told = async |url: &str| get(&app.address, url).header("user-agent", CAMO).answer().await;
    assert_eq!(told(COUNTING[0].0).await.status(), 200);
    assert_eq!(told(COUNTING[1].0).await.status(), 200);
    let refused = told(COUNTING[2].0).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "content-type")), (429, "image/svg+xml"));
    assert!(!header(&refused, "retry-after").is_empty());
    let app = TestApp::with(&[&HOSTS[..], &[("LIVECOUNTER__LIMITS__TOPICS", "1")]].concat()).await;
    for (url, _) in COUNTING {
        title(get(&app.address, url).header("user-agent", CAMO), 507).await;
    }
}

#[tokio::test]
async fn services_are_answered_on_their_hosts_only() {
    let app = TestApp::with(&HOSTS).await;
    let all = [
        COUNTING[0].0,
        COUNTING[1].0,
        COUNTING[2].0,
        COUNTING[3].0,
        "busuanzi.ibruce.info/busuanzi?jsonpCallback=a",
    ];
    for url in all {
        let (_, path) = url.split_once('/').expect("a path");
        let elsewhere = client().get(format!("{}/{path}", app.address)).answer().await;
        assert_eq!(elsewhere.status(), 404, "{url}");
    }
    // The service's own routes come first.
    assert_eq!(get(&app.address, "hits.dwyl.com/counters/2").text().await, "0\n");
    assert_eq!(get(&app.address, "hits.dwyl.com/healthz").answer().await.status(), 200);
}
