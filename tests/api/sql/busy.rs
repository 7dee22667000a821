//! What statements that take long leave for other requests.

use super::*;
use crate::support::app::TestApp;
use crate::support::server::Server;

#[tokio::test]
async fn statements_hold_up_no_other_request_of_their_worker() {
    let app = TestApp::with(&[("LIVECOUNTER__WORKERS", "1")]).await;
    let digits = "ten(n) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))";
    let statement = format!(
        "WITH {digits} SELECT count(*) FROM ten a, ten b, ten c, ten d, ten e, ten f, ten g, ten h, ten i, ten j"
    );
    let slow = [(), ()].map(|()| {
        let request = client().post(format!("{}/sql", app.address)).body(statement.clone());
        tokio::spawn(told(request))
    });
    // A worker that ran a statement itself would answer no request for a second.
    let mut answered = 0;
    while !slow.iter().any(tokio::task::JoinHandle::is_finished) {
        assert_eq!(app.read("1").await, 0);
        answered += 1;
    }
    for statement in slow {
        let (status, refused) = statement.await.expect("an answer");
        assert!(
            status == 422 && refused.starts_with("the statement was stopped after 1s"),
            "{status} {refused}"
        );
    }
    assert!(answered >= 10, "only {answered} requests were answered while the statements ran");
}
