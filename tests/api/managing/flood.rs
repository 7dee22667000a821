//! A deletion while other clients add.

use futures_util::future::join_all;

use super::{SOON, deleted, on_each};
use crate::support::server::Server;
use crate::support::wait::until;

/// While eight clients add, one deletes. Each addition took place either before the deletion or after it.
#[tokio::test]
async fn a_deletion_in_a_flood_is_before_or_behind_each_post() {
    on_each(&[], async |service| {
        let app = service.app;
        let add = async || {
            let mut values = Vec::new();
            for _ in 0..50 {
                values.push(app.add("2").await);
            }
            values
        };
        let delete = async {
            until("some were added", async || app.read("2").await >= 40).await;
            deleted(service.delete("2")).await;
        };
        let (added, ()) = tokio::join!(join_all((0..8).map(|_| add())), delete);
        let last = app.read("2").await;
        let mut values: Vec<i64> = added.into_iter().flatten().collect();
        values.sort_unstable();
        // Before the deletion the values 1, 2, 3, … were given once each, and behind it again.
        let before = 400 - last;
        let mut expected: Vec<i64> = (1..=before).chain(1..=last).collect();
        expected.sort_unstable();
        assert_eq!(values, expected, "{before} before the deletion and {last} behind it");
        if app.holds_streams() {
            assert_eq!(app.listen("2").await.next(SOON).await.data, last.to_string());
        }
    })
    .await;
}
