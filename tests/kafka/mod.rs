//! On a real Kafka. Where there is no Java or Maven these tests are skipped, and say so.

mod adapter;
mod booking;
mod bridges;
pub(crate) mod broker;
mod conformance;
mod culprits;
mod demands;
mod deploying;
mod faults;
mod foreign;
mod guarded;
mod health;
mod house;
mod java;
mod limits;
mod looking;
mod moving;
mod outage;
mod probe;
mod python;
mod running;
mod secrets;
mod stage;
mod telling;
mod tools;
mod triggers;
mod typescript;
