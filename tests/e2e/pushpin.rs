//! What Pushpin does when something is slow or fails: what our documentation says of it.

use std::time::Duration;

use crate::origin::{Origin, event};
use crate::support::http::{client, header};
use crate::support::pushpin::Pushpin;
use crate::support::sse::Listener;

const COUNTER: &str = "/counters/2/";
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_item_waits_while_a_recovery_fails_and_comes_with_the_next_one() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    let mut listener = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(listener.next(SOON).await.data, "26");
    origin.fail();
    // A second after the channel's first subscription Pushpin asks what was missed.
    let asked = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while !origin.requests().iter().any(|request| request.path.ends_with("/recover")) {
            poll.tick().await;
        }
    };
    tokio::time::timeout(SOON, asked).await.expect("a recovery");
    pushpin.publish("counter-2", "e-27", "e-26", &event(27)).await;
    // It asks again a second later at the soonest.
    assert!(listener.try_next(Duration::from_millis(500)).await.is_none(), "held back, though it fits");
    origin.set_value(27);
    origin.mend();
    assert_eq!(listener.next(SOON).await.data, "27");
    pushpin.publish("counter-2", "e-28", "e-27", &event(28)).await;
    assert_eq!(listener.next(SOON).await.data, "28", "once, and it still listens");
}

#[tokio::test]
async fn who_joins_a_pushpin_whose_handler_is_stuck_gets_a_500_of_its_own() {
    let origin = Origin::start().await;
    let pushpin = Pushpin::start(origin.addr()).await;
    pushpin.process().signal_part("pushpin-handler", "STOP");
    let request = client().get(pushpin.url(COUNTER)).header("Accept", "text/event-stream");
    let answer = request.timeout(Duration::from_secs(30)).send().await.expect("an answer");
    pushpin.process().signal_part("pushpin-handler", "CONT");
    assert_eq!(answer.status(), 500);
    assert_eq!(header(&answer, "content-type"), "text/plain");
    assert_eq!(header(&answer, "access-control-allow-origin"), "");
    assert_eq!(answer.text().await.expect("a body"), "Accept service unavailable.\n");
    let mut later = Listener::connect(pushpin.addr(), COUNTER).await;
    assert_eq!(later.next(SOON).await.data, "26");
}
