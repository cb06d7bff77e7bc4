//! Pictures of a plan: Mermaid and DOT.
