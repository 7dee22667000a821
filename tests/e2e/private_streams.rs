//! Streams of entities through the whole chain: who may open them, and that they end when what allowed them is gone.

use std::time::Duration;

use livecounter::access::{AccessKey, Keys, NewSecret};

use crate::support::chain::Chain;
use crate::support::pushpin::Options;
use crate::support::sse::Listener;

const DEADLINE: Duration = Duration::from_secs(20);
/// A stream ends within a minute after its key is withdrawn; the rest is for a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(75);

fn secret() -> NewSecret {
    NewSecret::generate().expect("random numbers")
}

fn key(name: &str, secret: &NewSecret, scope: &str) -> AccessKey {
    let scopes = vec![scope.parse().expect("a scope")];
    AccessKey::new(name, secret.id(), &secret.sha256(), scopes).expect("a key")
}

fn table(name: &str, secret: &NewSecret, scope: &str) -> String {
    let (id, digest) = (secret.id(), secret.sha256());
    format!("[[keys]]\nname = \"{name}\"\nid = \"{id}\"\nsha256 = \"{digest}\"\nscopes = [\"{scope}\"]\n")
}

async fn listen(chain: &Chain, secret: &NewSecret) -> Listener {
    let bearer = format!("Bearer {}", secret.expose());
    let headers = [("accept", "text/event-stream"), ("authorization", bearer.as_str())];
    Listener::connect_with(chain.pushpin.addr(), "/entity/a/k", &headers).await
}

#[tokio::test]
async fn a_held_stream_ends_when_its_key_is_withdrawn_and_others_stay() {
    let (reader, other) = (secret(), secret());
    let keys = table("reader", &reader, "read:routes/a/") + &table("other", &other, "read:routes/a/");
    let chain = Chain::with(2, &[("LIVECOUNTER__KEYS", &keys)], Options::default()).await;
    let mut withdrawn = listen(&chain, &reader).await;
    let mut stays = listen(&chain, &other).await;
    for listener in [&mut withdrawn, &mut stays] {
        assert_eq!(listener.status(), 200);
        assert_eq!(listener.header("cache-control"), "private, no-store, no-transform");
        listener.until_data("null", DEADLINE).await;
    }
    for origin in &chain.origins {
        origin.replace_keys(Keys::new(vec![key("other", &other, "read:routes/a/")]).expect("keys"));
    }
    assert!(withdrawn.ends(ENDS_WITHIN).await, "the stream goes on");
    assert_eq!(listen(&chain, &reader).await.status(), 401);
    assert!(!stays.ends(Duration::from_millis(1)).await);
}
