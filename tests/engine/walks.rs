//! Random walks through random definitions: each ends, and holds what is promised on the way.

use proptest::prelude::*;
use saga::json::Json;

use super::walk::Walk;
use super::{drawn, shapes};

/// `PROPTEST_CASES` for a longer search.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_and_holds_what_is_promised(
        shape in drawn::saga(),
        flags in 0u8..16,
        large in prop::bool::weighted(0.2),
        choices in prop::collection::vec(any::<u16>(), 0..160),
    ) {
        let mut walk = Walk::new(shapes::plan(&shape), choices);
        walk.start(Json::parse(shapes::input(flags, large)).unwrap());
        while !walk.has_ended() {
            walk.step();
        }
        walk.check_end();
    }
}
