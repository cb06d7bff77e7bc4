//! Findings for people (miette) and for programs (JSON).
