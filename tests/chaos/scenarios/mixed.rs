//! All faults in one world, one after the other and several at once, as a seed says.

use std::time::{Duration, Instant};

use crate::gate::Fault;
use crate::random::Random;
use crate::start::Shape;
use crate::wire::Mode;
use crate::world::{End, World};

/// In `cargo test`; `CHAOS_SECONDS` says otherwise.
const SHORT: u64 = 15;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_in_whatever_order_nothing_is_lost_or_doubled_and_all_see_the_last_value() {
    let seconds = number("CHAOS_SECONDS").unwrap_or(SHORT);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("CHAOS_SECONDS={seconds} CHAOS_SEED={seed}");
    let shape = Shape { origins: 3, pushpins: 2, listeners: 240, seed, ..Shape::default() };
    let mut world = World::start(shape).await;
    // Purges are lost here, and fetches take as long as Redis does.
    world.listeners.allow_stale_openings();
    let (mut random, until) = (Random::new(seed), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < until {
        let began = Instant::now();
        let what = happen(&mut world, &mut random).await;
        eprintln!("{what}; {:?}", began.elapsed());
    }
    mend(&mut world).await;
    world.write_on(50).await;
    world.writers.stop(Duration::from_secs(30)).await;
    for counter in world.counters.clone() {
        world.add(&counter).await;
    }
    let late = Duration::from_secs(30);
    world.end(End { within: Duration::from_secs(15), late, ambiguous: true, ..End::default() }).await;
}

/// One fault, beside those that are at work on publishes and purges.
async fn happen(world: &mut World, random: &mut Random) -> &'static str {
    let (origin, proxy) = (random.below(world.origins.len()), random.below(world.pushpins.len()));
    for control in &world.controls {
        let mut fate = Random::new(random.next());
        control.plan(move |_| publish_fault(&mut fate));
    }
    let mut fate = Random::new(random.next());
    world.purges.plan(move |_| match fate.below(10) {
        0 => Fault::Lose,
        1 => Fault::Answer(503),
        2 => Fault::Delay(Duration::from_millis(300)),
        _ => Fault::None,
    });
    let what = match random.below(8) {
        0 => {
            world.origins[origin].kill();
            world.write_on(40).await;
            world.origins[origin].run().await;
            "an origin was killed"
        }
        1 => {
            world.redis.kill();
            world.redis.run();
            "Redis was killed"
        }
        2 => {
            world.wire.cut();
            "connections to Redis were cut"
        }
        3 => {
            world.wire.set(Mode::Slow(Duration::from_millis(200 + random.next() % 2000)));
            tokio::time::sleep(Duration::from_secs(3)).await;
            world.wire.set(Mode::Well);
            "Redis was slow"
        }
        4 => {
            world.wire.set(Mode::Hanging);
            tokio::time::sleep(Duration::from_secs(3)).await;
            world.wire.set(Mode::Well);
            "Redis hung"
        }
        5 => {
            world.pushpins[proxy].kill().await;
            world.pushpins[proxy].start_again().await;
            "a proxy was killed"
        }
        6 => {
            world.controls[proxy].go_away();
            world.write_on(60).await;
            world.controls[proxy].come_back().await;
            "a control port was away"
        }
        _ => "nothing but faults of publishes and purges",
    };
    world.write_on(60).await;
    what
}

fn publish_fault(random: &mut Random) -> Fault {
    match random.below(20) {
        0 => Fault::Lose,
        1 => Fault::Cut,
        2 => Fault::LoseAnswer,
        3 => Fault::Delay(Duration::from_millis(random.next() % 3000)),
        4 | 5 => Fault::Repeat,
        6 => Fault::Swap,
        7 => Fault::Answer(500),
        8 => Fault::Answer(502),
        _ => Fault::None,
    }
}

async fn mend(world: &mut World) {
    world.controls.iter().for_each(|control| control.all(Fault::None));
    world.purges.all(Fault::None);
    world.wire.set(Mode::Well);
}
