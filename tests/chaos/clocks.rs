//! Origins whose clocks are wrong. Gates, leases and sweeps are measured by Redis's clock; what an origin measures by
//! its own is only how long the proxy's signature is valid, and until when its own token for publishing is.

use std::time::Duration;

use crate::world::{End, Shape, World};

/// A world whose first origin's clock is off.
async fn with_clock(offset: &'static str) {
    let mut world = World::start(Shape::default()).await;
    world.write_on(30).await;
    world.origins[0].kill();
    world.origins[0].set_clock(offset);
    world.origins[0].run().await;
    world.write_on(100).await;
    // Now everything depends on the one whose clock is off.
    world.origins[1].kill();
    world.write_on(50).await;
    world.end(End { within: Duration::from_secs(10), late: Duration::from_secs(10), ..End::default() }).await;
}

#[tokio::test]
async fn an_origin_whose_clock_is_an_hour_behind_does_as_the_others() {
    with_clock("-3700s").await;
}

#[tokio::test]
async fn an_origin_whose_clock_is_almost_an_hour_ahead_does_as_the_others() {
    with_clock("+3500s").await;
}
