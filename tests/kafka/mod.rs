//! On a real Kafka. Where there is no Java or Maven these tests are skipped, and say so.

mod adapter;
mod booking;
pub(crate) mod broker;
mod conformance;
mod culprits;
mod deploying;
mod house;
mod java;
mod looking;
mod outage;
mod probe;
mod python;
mod running;
mod stage;
mod tools;
mod typescript;
