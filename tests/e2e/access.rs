//! Keys behind the whole chain: wherever a client puts one, it reaches an origin, and the refusal reaches the client.

use crate::support::chain::Chain;
use crate::support::front::Front;
use crate::support::http::{Ask, client, header};
use crate::support::keys::{key_table, secret};
use crate::support::pushpin::Options;

#[tokio::test]
async fn a_key_reaches_an_origin_through_front_pushpin_and_cache() {
    let secret = secret();
    let keys = key_table("shop", &secret, r#"["write:counters/shop-"]"#);
    let settings = [("LIVECOUNTER__ACCESS__WRITE", "key"), ("LIVECOUNTER__KEYS", &keys)];
    let chain = Chain::with(1, &settings, Options::default()).await;
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    let (key, mut expected) = (secret.expose(), 0);
    for url in [front.url("/counters/shop-1/"), chain.pushpin.url("/counters/shop-1/")] {
        for request in [
            client().post(&url).bearer_auth(key),
            client().post(&url).header("x-ocean-key", key),
            client().post(format!("{url}?_key={key}")),
        ] {
            expected += 1;
            assert_eq!(request.answer().await.text().await.expect("a text"), format!("{expected}\n"));
        }
        let other = url.replace("shop-1", "1");
        for (request, status) in [
            (client().post(&url), 401),
            (client().post(&url).bearer_auth("lc_wrong"), 401),
            (client().post(&other).bearer_auth(key), 403),
        ] {
            let answer = request.header("origin", "https://page.example").answer().await;
            assert_eq!(answer.status(), status, "{url}");
            assert!(header(&answer, "www-authenticate").starts_with("Bearer realm=\"livecounter\""));
            assert_eq!(header(&answer, "access-control-allow-origin"), "https://page.example");
        }
        // Whatever a reader presents, reading is public.
        for read in [
            client().get(&url),
            client().get(&url).bearer_auth("lc_wrong"),
            client().get(format!("{url}?_key=x")),
        ] {
            assert_eq!(read.answer().await.status(), 200, "{url}");
        }
    }
}
