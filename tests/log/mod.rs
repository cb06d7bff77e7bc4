//! What the port `Log` promises, written once and held against every adapter.
//!
//! [`properties`] knows requests and reports alone. An adapter comes in by [`Adapter`]: how a log of its own is opened,
//! under which names the topics stand there, and what it [`Can`] do; and by one line of `holds_for!`. Reads are waited
//! for, never slept for. What is not acknowledged may be lost, late, doubled or out of order: properties speak of what
//! was acknowledged, and of order and number only where an adapter without faults is asked.

mod adapters;
pub(crate) mod probe;
pub(crate) mod owners;
pub(crate) mod properties;
pub(crate) mod wrapped;

use std::sync::Arc;

use saga::log::{DEAD, DEFINITIONS, JOURNAL, Log, REPLIES, REQUESTS, Reports};

/// Topics that the suite uses, each with [`PARTITIONS`] partitions, but [`DEFINITIONS`] with one.
pub(crate) const TOPICS: [&str; 6] = [REQUESTS, REPLIES, JOURNAL, DEAD, DEFINITIONS, "worker.commands"];

/// Partitions of each.
pub(crate) const PARTITIONS: u32 = 2;

/// What an adapter is able to do. What it is not, the suite does not ask of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Can {
    /// Appends of one asker land once each and in order, as long as nothing fails: no faults are put in.
    pub(crate) keep_order: bool,
    /// Several processes own partitions, and lose them to each other.
    pub(crate) share: bool,
    /// It keeps what it has while nobody has it open.
    pub(crate) reopen: bool,
}

/// An adapter under test: one log, empty at first, with the [`TOPICS`].
pub(crate) trait Adapter: Sized {
    /// What it is able to do.
    const CAN: Can;
    /// Worlds to be tried, where chance has a part in it.
    const SEEDS: std::ops::Range<u64> = 0..1;

    /// A log of its own: a directory, a prefix of topics. `None` where this machine has none, and why has been said.
    fn open(seed: u64) -> Option<Self>;

    /// The name that a topic has here.
    fn topic(&self, name: &str) -> Arc<str> {
        Arc::from(name)
    }

    /// Somebody who reads and appends and owns no partition. (Where only members of a group can: one in a group of its
    /// own.) Gone when it is dropped.
    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log>;

    /// A process that asks for partitions as an orchestrator does, all in one group. Gone when it is dropped, and then
    /// its partitions go to the others, as fast as the adapter can tell.
    fn own(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log>;

    /// An owner that was told [`Revoked`](saga::log::Report::Revoked) has let go of a partition.
    fn released(&self, _owner: &Arc<dyn Log>, _partition: u32) {}

    /// From here on nothing lands any more that was handed over before and not acknowledged. For adapters that make
    /// appends late on purpose.
    fn settle(&self) {}

    /// Everybody closes the log, and it is opened again. All users are gone before.
    fn reopen(&mut self) {}
}

/// Runs a property in every world of an adapter.
pub(crate) fn hold<A: Adapter>(property: fn(&mut A)) {
    /// Names the world in which a property fails.
    struct Named(u64);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("in the world of seed {}", self.0);
            }
        }
    }
    for seed in A::SEEDS {
        let _named = Named(seed);
        if let Some(mut adapter) = A::open(seed) {
            property(&mut adapter);
        }
    }
}

/// The tests of an adapter, by its name: every property.
macro_rules! holds_for {
    ($name:ident: $adapter:ty) => {
        mod $name {
            use super::*;
            $crate::log::holds_for! { in $adapter:
                properties {
                    every_topic_takes_records
                    acknowledged_records_stay_where_they_are
                    every_append_has_one_end
                    a_reader_at_the_end_is_woken_by_a_record
                    a_second_read_replaces_the_first
                    newcomers_that_ask_at_the_same_moment_are_all_answered
                    the_last_record_and_the_range
                    reads_outside_the_range_say_which_there_is
                    what_is_truncated_is_gone_and_offsets_go_on
                    what_is_appended_together_is_all_there
                    the_key_chooses_the_partition_where_nobody_says
                    what_can_never_be_taken_is_refused
                    the_largest_record_of_a_journal_is_taken
                    long_histories_are_read_in_pieces
                    messages_of_any_content_come_back
                    reports_name_the_partition_that_asked
                    times_never_go_back
                }
                owners {
                    an_owner_is_assigned_and_confirmed
                    who_owns_nothing_is_not_confirmed
                    a_former_owner_is_stale_once_another_is_confirmed
                    what_an_owner_left_behind_another_takes_over
                }
            }
        }
    };
    (in $adapter:ty: $($module:ident { $($property:ident)* })*) => {$($(
        #[test]
        fn $property() {
            $crate::log::hold::<$adapter>($crate::log::$module::$property);
        }
    )*)*};
}
pub(crate) use holds_for;
