//! What may happen to the nodes and slots of a Cluster, one after the other, as a seed says.

use std::time::{Duration, Instant};

use super::cluster::{AFTER_A_LEASE, BETWEEN, LATE, kill_master_of, slot};
use super::number;
use crate::random::Random;
use crate::start::Shape;
use crate::support::redis_cluster::RedisCluster;
use crate::world::{End, World};

/// In `cargo test`; `CHAOS_SECONDS` says otherwise.
const SHORT: u64 = 10;

#[derive(Debug)]
enum Trouble {
    MasterKilled,
    MasterHandsOver,
    SlotMoves,
    OriginKilled(usize),
}

impl Trouble {
    fn draw(random: &mut Random) -> Trouble {
        match random.below(5) {
            0 => Trouble::MasterKilled,
            1 => Trouble::MasterHandsOver,
            2 => Trouble::OriginKilled(random.below(2)),
            _ => Trouble::SlotMoves,
        }
    }

    /// Ends when it is over.
    async fn happen(&self, world: &mut World<RedisCluster>, random: &mut Random) {
        let counter = world.counters[random.below(world.counters.len())].clone();
        let slot = slot(&world.redis, &counter);
        match *self {
            Trouble::MasterKilled => {
                let killed = kill_master_of(&mut world.redis, &counter).await;
                // The new master has no replica: if it has all counters by now, no POST is answered well until then.
                world.redis.nodes[killed].run();
            }
            Trouble::MasterHandsOver => world.redis.hand_over(slot).await,
            Trouble::SlotMoves => {
                let masters = world.redis.masters();
                let to = masters[random.below(masters.len())];
                if world.redis.owner(slot) != Some(to) {
                    world.redis.move_slot(slot, to, 10, async || tokio::time::sleep(BETWEEN).await).await;
                }
            }
            Trouble::OriginKilled(origin) => {
                world.origins[origin].kill();
                world.write_on(20).await;
                world.origins[origin].run().await;
            }
        }
        // A master without its replica must not be lost.
        world.redis.until_in_step(1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_a_cluster_nothing_that_replicas_had_is_lost_or_doubled() {
    let seconds = number("CHAOS_SECONDS").unwrap_or(SHORT);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("CHAOS_SECONDS={seconds} CHAOS_SEED={seed}");
    let redis = RedisCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape { wait_replicas: 1, seed, ..Shape::default() }).await;
    let (mut random, until) = (Random::new(seed), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < until {
        let trouble = Trouble::draw(&mut random);
        eprintln!("{trouble:?}");
        trouble.happen(&mut world, &mut random).await;
        world.write_on(40).await;
    }
    world.end(End { within: AFTER_A_LEASE, late: LATE, ambiguous: true, ..End::default() }).await;
}
