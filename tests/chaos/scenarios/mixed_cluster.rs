//! Faults of the nodes and slots of a Cluster, one after the other. A seed chooses them.

use std::time::{Duration, Instant};

use super::cluster::{AFTER_A_LEASE, BETWEEN, LATE, STEPS, kill_master_of, slot};
use super::number;
use super::partitions_cluster::{cut_off_master_of, pause_master_of};
use crate::network::PartedCluster;
use crate::random::Random;
use crate::start::Shape;
use crate::world::{End, Lost, World};

/// The duration in `cargo test`; `CHAOS_SECONDS` sets another.
const SHORT: u64 = 10;

#[derive(Debug)]
enum Trouble {
    MasterKilled,
    MasterHandsOver,
    SlotMoves,
    OriginKilled(usize),
    MasterPaused,
    MasterCutOff,
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

    /// The same, and the faults by which two masters answer for a while.
    fn draw_parting(random: &mut Random) -> Trouble {
        match random.below(5) {
            0 => Trouble::MasterPaused,
            1 => Trouble::MasterCutOff,
            _ => Trouble::draw(random),
        }
    }

    /// Lets the trouble happen. Returns when it is over.
    async fn happen(&self, world: &mut World<PartedCluster>, random: &mut Random) {
        let counter = world.counters[random.below(world.counters.len())].clone();
        let cluster = &mut world.redis.cluster;
        let slot = slot(cluster, &counter);
        match *self {
            Trouble::MasterKilled => {
                let killed = kill_master_of(cluster, &counter).await;
                // The new master has no replica yet. If it has all counters, no POST succeeds until the old master runs again.
                cluster.nodes[killed].run();
            }
            Trouble::MasterHandsOver => cluster.hand_over(slot).await,
            Trouble::SlotMoves => {
                let masters = cluster.masters();
                let to = masters[random.below(masters.len())];
                if cluster.owner(slot) != Some(to) {
                    cluster.move_slot(slot, to, STEPS, async || tokio::time::sleep(BETWEEN).await).await;
                    cluster.until_known(slot, to).await;
                }
            }
            Trouble::OriginKilled(origin) => {
                world.origins[origin].kill();
                world.write_on(20).await;
                world.origins[origin].run().await;
            }
            Trouble::MasterPaused => pause_master_of(cluster, &counter).await,
            Trouble::MasterCutOff => cut_off_master_of(&world.redis, &counter, || {}).await,
        }
        // A master must not be killed while its replica is away.
        world.redis.cluster.until_in_step(1).await;
    }
}

/// Runs a world in which one trouble follows the other, for the duration that is set.
async fn troubled(draw: impl Fn(&mut Random) -> Trouble) -> World<PartedCluster> {
    let seconds = number("CHAOS_SECONDS").unwrap_or(SHORT);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("CHAOS_SECONDS={seconds} CHAOS_SEED={seed}");
    let redis = PartedCluster::start(3, 1, &[]).await;
    let mut world = World::start_on(redis, Shape { wait_replicas: 1, seed, ..Shape::default() }).await;
    let (mut random, until) = (Random::new(seed), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < until {
        let trouble = draw(&mut random);
        eprintln!("{trouble:?}");
        trouble.happen(&mut world, &mut random).await;
        world.write_on(40).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_cluster_failures_lose_and_double_nothing_that_replicas_had() {
    let mut world = troubled(Trouble::draw).await;
    // A killed master may have published additions that it had not acknowledged yet.
    let (within, lost) = (AFTER_A_LEASE, Lost::Unacknowledged);
    world.end(End { within, late: LATE, ambiguous: true, lost, ..End::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_parts_a_cluster_nothing_that_replicas_had_is_lost_or_doubled() {
    let mut world = troubled(Trouble::draw_parting).await;
    // A master that is cut off from its replica may publish additions that it then cannot acknowledge.
    let (within, lost) = (AFTER_A_LEASE, Lost::Unacknowledged);
    world.end(End { within, late: LATE, ambiguous: true, lost, apart: true, ..End::default() }).await;
}
