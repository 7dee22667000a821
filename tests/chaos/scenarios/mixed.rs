//! All faults in one world, several at once. A seed chooses the faults and their order, but their exact times differ.

use std::time::{Duration, Instant};

use super::number;
use crate::fault_proxy::Fault;
use crate::random::Random;
use crate::sse::AFTER_A_START_OF_PUSHPIN;
use crate::start::Shape;
use crate::wire::Mode;
use crate::world::{End, World};

/// The duration in `cargo test`; `CHAOS_SECONDS` sets another.
const SHORT: u64 = 15;
const ORIGINS: usize = 3;
const PROXIES: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_failures_lose_and_double_nothing_and_all_see_the_last_value() {
    let seconds = number("CHAOS_SECONDS").unwrap_or(SHORT);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("CHAOS_SECONDS={seconds} CHAOS_SEED={seed}");
    let shape = Shape { origins: ORIGINS, pushpins: PROXIES, listeners: 240, seed, ..Shape::default() };
    let mut world = World::start(shape).await;
    // Purges are lost in this world, and fetches take as long as the slow Redis.
    world.listeners.allow_stale_openings();
    let (mut random, until) = (Random::new(seed), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < until {
        spoil(&world, &mut random);
        let troubles = [Trouble::draw(&mut random), Trouble::draw(&mut random)];
        let lasting = Duration::from_millis(200 + random.next() % 2500);
        eprintln!("{troubles:?} for {lasting:?}");
        for trouble in &troubles {
            trouble.begin(&mut world).await;
        }
        tokio::time::sleep(lasting).await;
        for trouble in &troubles {
            trouble.end(&mut world).await;
        }
        world.write_on(60).await;
    }
    world.controls.iter().for_each(|control| control.all(Fault::None));
    world.purges.all(Fault::None);
    world.write_on(50).await;
    world.last_changes().await;
    // If a recovery fails, Pushpin repeats it after 1, 2, 4, 8 and 16 s, each with up to a second more. Until one succeeds,
    // Pushpin sends these listeners no value. A listener at a Pushpin that was just started may wait longer.
    let (within, late) = (AFTER_A_START_OF_PUSHPIN, Duration::from_secs(30));
    world.end(End { within, late, ambiguous: true, ..End::default() }).await;
}

/// The faults besides those of publishes and purges. At most two happen at once, so that never all origins are away.
#[derive(Debug)]
enum Trouble {
    Nothing,
    OriginKilled(usize),
    ProxyKilled(usize),
    ControlPortAway(usize),
    RedisKilled,
    RedisCut,
    RedisSlow(Duration),
    RedisHanging,
}

impl Trouble {
    fn draw(random: &mut Random) -> Trouble {
        match random.below(8) {
            0 => Trouble::OriginKilled(random.below(ORIGINS)),
            1 => Trouble::ProxyKilled(random.below(PROXIES)),
            2 => Trouble::ControlPortAway(random.below(PROXIES)),
            3 => Trouble::RedisKilled,
            4 => Trouble::RedisCut,
            5 => Trouble::RedisSlow(Duration::from_millis(200 + random.next() % 2000)),
            6 => Trouble::RedisHanging,
            _ => Trouble::Nothing,
        }
    }

    async fn begin(&self, world: &mut World) {
        match *self {
            Trouble::Nothing => {}
            Trouble::OriginKilled(origin) => world.origins[origin].kill(),
            Trouble::ProxyKilled(proxy) => world.pushpins[proxy].kill().await,
            Trouble::ControlPortAway(proxy) => world.controls[proxy].go_away(),
            Trouble::RedisKilled => world.redis.server.kill(),
            Trouble::RedisCut => world.redis.wire.cut(),
            Trouble::RedisSlow(late) => world.redis.wire.set(Mode::Slow(late)),
            Trouble::RedisHanging => world.redis.wire.set(Mode::Hanging),
        }
    }

    async fn end(&self, world: &mut World) {
        match *self {
            Trouble::Nothing | Trouble::RedisCut => {}
            Trouble::OriginKilled(origin) if world.origins[origin].is_running() => {}
            Trouble::OriginKilled(origin) => world.origins[origin].run().await,
            Trouble::ProxyKilled(proxy) => world.pushpins[proxy].start_again().await,
            Trouble::ControlPortAway(proxy) => world.controls[proxy].come_back().await,
            Trouble::RedisKilled if world.redis.server.try_cli(&["PING"]).is_some() => {}
            Trouble::RedisKilled => world.redis.server.run(),
            Trouble::RedisSlow(_) | Trouble::RedisHanging => world.redis.wire.set(Mode::Well),
        }
    }
}

/// From now on some publishes and purges fail.
fn spoil(world: &World, random: &mut Random) {
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
