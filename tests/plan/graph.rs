//! What comes before what.

use saga::plan::graph::{StepGraph, Vertex};

use super::{EVERYTHING, plan};

#[test]
fn order_is_that_of_the_text_but_not_between_branches() {
    let (plan, _) = plan(EVERYTHING);
    let before = |a: &str, b: &str| plan.is_before(plan.meant(a).unwrap(), plan.meant(b).unwrap());
    for (a, b) in [
        ("apologize", "one"),
        ("one", "greet"),
        ("two", "three"),
        ("three", "tell"),
        ("greeting", "greet"),
        ("sleep#1", "tell"),
    ] {
        assert!(before(a, b), "{a} is before {b}");
        assert!(!before(b, a), "{b} is not before {a}");
    }
    for (a, b) in [("one", "two"), ("one", "three"), ("sleep#1", "greet"), ("fail#1", "tell"), ("one", "one")] {
        assert!(!before(a, b) && !before(b, a), "{a} and {b} have no order");
    }
}

#[test]
fn the_graph_grows_with_the_text_and_not_faster() {
    let parallel = |count: usize| {
        let step = |n: usize| format!("step s{n} {{ call mail.Tell {{ text: \"x\" }} compensate nothing }}");
        let steps: Vec<String> = (0..count).map(step).collect();
        format!("parallel {{\n{}\n}}\n", steps.join("\n"))
    };
    // Blocks of blocks: every step of one is before every step of the next, and still no edge joins two of them.
    let body = format!("{}{}", parallel(300), parallel(300).replace("step s", "step t"));
    let (plan, _) = plan(&body);
    let graph = StepGraph::new(&plan);
    let points = graph.vertices().filter(|(_, vertex)| !matches!(vertex, Vertex::Leaf(_))).count();
    assert_eq!((points, graph.edges().count()), (6, 1_203));
}
