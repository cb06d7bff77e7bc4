//! Inputs that cannot be had: the partition stands still until a person accepts the loss.

use std::sync::Arc;

use super::defect::Defect;
use super::inputs::Lane;
use super::phases::Phase;
use super::told::{Do, Signed, Stop, lost};
use super::{ASK_AGAIN, Partition};
use crate::journal::record::Body;
use crate::log::{Range, Ticket};

/// Topics of inputs that are others than were read, of which people have been told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Renewed {
    requests: Option<Told>,
    replies: Option<Told>,
}

/// What people were told of one. It is kept until reading has gone on elsewhere by the journal: once the topic has as many
/// records as were read of the one before, nothing else tells the two apart.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// The next unread offset of the old one.
    read: u64,
    /// Where the new one ended. What comes behind that nobody has accepted to lose.
    end: u64,
    is_accepted: bool,
}

impl Renewed {
    const fn of(&mut self, lane: Lane) -> &mut Option<Told> {
        match lane {
            Lane::Requests => &mut self.requests,
            Lane::Replies => &mut self.replies,
        }
    }
}

impl Partition {
    /// A read found that its topic has other offsets.
    pub(super) fn not_there(&mut self, lane: Lane, range: Range, out: &mut Vec<Do>) {
        let Phase::Running(tenure) = &self.phase else { return };
        let feed = if lane == Lane::Replies { &tenure.replies } else { &tenure.requests };
        let (partition, read) = (self.set.config.partition, feed.next);
        let Some(stop) = lost(partition, &feed.topic, read, range) else { return };
        if !matches!(stop, Stop::OtherTopic { .. }) {
            return self.gap(lane, range.start, stop, out);
        }
        *self.renewed.of(lane) = Some(Told { read, end: range.end, is_accepted: false });
        self.stop(stop, out);
    }

    /// An owner begins: it goes on in topics that were made anew where they ended, if that is accepted, and else stands still
    /// again.
    pub(super) fn begin_in_renewed(&mut self, accepts: bool, out: &mut Vec<Do>) {
        let Phase::Running(tenure) = &mut self.phase else { return };
        let mut goes_back = false;
        for lane in [Lane::Requests, Lane::Replies] {
            let feed = if lane == Lane::Replies { &mut tenure.replies } else { &mut tenure.requests };
            let Some(told) = self.renewed.of(lane) else { continue };
            if feed.next != told.read {
                *self.renewed.of(lane) = None; // the journal has it
                continue;
            }
            told.is_accepted |= accepts;
            let Told { read, end, is_accepted } = *told;
            if !is_accepted {
                let (partition, topic) = (self.set.config.partition, Arc::clone(&feed.topic));
                return self.stop(Stop::OtherTopic { partition, topic, read, end }, out);
            }
            feed.go_on_at(end);
            goes_back = true;
        }
        if goes_back {
            // Whoever reads the journal back is not to meet the offsets of before.
            tenure.checkpoints.is_wanted = true;
            let to = tenure.read();
            let Signed { by, reason } = self.accepted.clone();
            let came = tenure.note(&mut self.set, "", Body::Gap { to, by, reason }, out);
            self.go_on(came, out);
        }
    }

    /// Inputs cannot be had: the partition stops, or goes on at `to` if that is accepted.
    pub(super) fn gap(&mut self, lane: Lane, to: u64, stop: Stop, out: &mut Vec<Do>) {
        let Phase::Running(tenure) = &mut self.phase else { return };
        let feed = if lane == Lane::Replies { &mut tenure.replies } else { &mut tenure.requests };
        let accepted = match self.set.config.defect {
            Some(Defect::GapUnasked) => true,
            Some(Defect::GapForEver) => self.accepts_gap,
            _ => std::mem::take(&mut feed.accepts_gap),
        };
        if !(accepted && stop.is_gap()) {
            return self.stop(stop, out);
        }
        feed.go_on_at(to);
        let to = tenure.read();
        let Signed { by, reason } = self.accepted.clone();
        let came = tenure.note(&mut self.set, "", Body::Gap { to, by, reason }, out);
        self.go_on(came, out);
    }

    /// What the log holds is not what was written. Journal: nobody can go on. Inputs: as if they were lost.
    pub(super) fn damaged(&mut self, ticket: Ticket, why: String, until: Option<u64>, out: &mut Vec<Do>) {
        let partition = self.set.config.partition;
        let (lane, topic, read) = match &mut self.phase {
            Phase::Looking { ticket: asked, .. } | Phase::Recovering { ticket: asked, .. } if *asked == ticket => {
                return self.stop(Stop::Unreadable { partition, why }, out);
            }
            Phase::Running(tenure) => {
                let (feed, lane) = if tenure.requests.is_for(ticket) {
                    (&tenure.requests, Lane::Requests)
                } else if tenure.replies.is_for(ticket) {
                    (&tenure.replies, Lane::Replies)
                } else {
                    return;
                };
                if !feed.is_drained() {
                    // What came before it is taken first; asked again, the damage begins at the next input.
                    tenure.quiet = Some(self.now + ASK_AGAIN);
                    return;
                }
                (lane, Arc::clone(&feed.topic), feed.next)
            }
            _ => return,
        };
        match until.filter(|until| *until > read) {
            Some(until) => self.gap(lane, until, Stop::InputsDamaged { partition, topic, read, until, why }, out),
            None => self.stop(Stop::Unreadable { partition, why }, out),
        }
    }
}
