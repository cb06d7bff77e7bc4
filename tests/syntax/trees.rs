//! What texts become.

use super::{EXAMPLES, findings};

#[test]
fn the_examples_have_no_findings() {
    for (name, source) in EXAMPLES {
        let found = findings(source);
        assert!(found.is_empty(), "{name}:\n{found}");
    }
}
