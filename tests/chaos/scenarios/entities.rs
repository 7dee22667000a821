//! A thousand additions to one entity at once, over three processes on one Redis.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

use crate::answers::Answer;
use crate::managers::Owner;
use crate::routes::{Target, drop_id};
use crate::start::Shape;
use crate::world::{End, World, until};

const ORIGINS: usize = 3;
const ADDS: usize = 1_000;
const TARGET: Target = Target::ALL[3];
/// The pause before a request without an answer is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What adds: a client, a key, and the origins.
struct Adder {
    client: Client,
    owner: Owner,
    bases: Vec<String>,
}

impl Adder {
    /// Sends an addition with a key of its own, first to this origin, until it is answered. Returns the `drop_id`.
    async fn add(&self, number: usize, origin: usize) -> String {
        for attempt in 0..200 {
            let base = &self.bases[(origin + attempt) % ORIGINS];
            let request = TARGET.request(&self.client, base, &self.owner, "adder", 1);
            match Answer::to(request.header("Idempotency-Key", format!("add-{number}"))).await {
                Answer::Done(text) => return drop_id(&text).expect("a drop_id"),
                Answer::Wrong(answer) => panic!("an addition was answered {answer}"),
                Answer::Unknown(_) | Answer::Unsent => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
        panic!("addition {number} was not answered");
    }

    /// Sends each addition to two of the origins at the same time, with one key.
    async fn add_all(&self) {
        let adds = (0..ADDS).map(async |number| {
            let (one, other) = tokio::join!(self.add(number, number), self.add(number, number + 1));
            assert_eq!(one, other, "addition {number}");
            one
        });
        let ids: HashSet<String> = join_all(adds).await.into_iter().collect();
        assert_eq!(ids.len(), ADDS, "each addition has an id of its own");
        let sums = json!({"total": ADDS, "adder": ADDS, "last adder": 1});
        assert_eq!(self.payload().await, Some(sums));
    }

    async fn payload(&self) -> Option<Value> {
        TARGET.state(&self.client, &self.bases[0], &self.owner).await
    }
}

async fn world() -> (World, Adder) {
    let shape = Shape { origins: ORIGINS, listeners: 10, writers: 0, ..Shape::default() };
    let world = World::start(shape).await;
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client");
    let bases = world.origins.iter().map(|origin| origin.url("")).collect();
    let adder = Adder { client, owner: world.owner.clone(), bases };
    (world, adder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_adds_at_once_over_three_processes_count_once_each() {
    let (mut world, adder) = world().await;
    adder.add_all().await;
    world.end(End::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn adds_at_once_while_a_process_is_killed_count_once_each() {
    let (mut world, adder) = world().await;
    let killing = async {
        let added = async || adder.payload().await.map_or(0, |it| it["total"].as_i64().unwrap_or(0));
        until("the first additions", Duration::from_secs(10), added, |added| added > 0).await;
        world.origins[1].kill();
    };
    tokio::join!(adder.add_all(), killing);
    world.end(End { within: Duration::from_secs(10), ..End::default() }).await;
}
