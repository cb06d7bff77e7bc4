//! Inputs that cannot be had: the partition stands still until a person accepts the loss.

use std::sync::Arc;

use super::defect::Defect;
use super::inputs::Lane;
use super::phases::Phase;
use super::told::{Do, Stop};
use super::{ASK_AGAIN, Partition};
use crate::journal::record::Body;
use crate::log::Ticket;

impl Partition {
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
        feed.next = to;
        let to = tenure.read();
        let came = tenure.note(&mut self.set, "", Body::Gap { to }, out);
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
