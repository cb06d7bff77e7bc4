//! The step graph (petgraph), derived from the plan: order forward and back.
