//! Which offsets of acknowledgements can be believed.
//!
//! Where the broker says that it has a batch already, or an acknowledgement is implied by a later one, librdkafka
//! reports success with an offset that it does not know: numbers that count up from -1 or -1001, through plausible ones.
//! Acknowledgements of one partition come in order, so what counts on from a bad one is made up, too, and so is what does
//! not rise; unless the topic was made anew, where offsets begin anew. Of a journal that is not believed, since all sagas
//! would run again. Of any other topic what does not rise is doubted once: what is doubted there is sent again, so none may
//! be doubted for ever.

/// What is believed of a topic that was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Nothing any more.
    Doubted,
    /// All but its first offset.
    Believed,
}

/// Of one partition, by one producer.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// The last that was not made up, as far as is known.
    last: Option<i64>,
    /// What the next one of a batch with a made-up offset would have.
    made_up: Option<i64>,
}

impl Trust {
    /// The offset of an acknowledgement, if it can be believed.
    pub(super) fn judge(&mut self, offset: i64, renewal: Renewal) -> Option<u64> {
        let rises = self.last.is_none_or(|last| offset > last);
        let is_made_up = offset < 0 || self.made_up == Some(offset);
        if is_made_up || (!rises && renewal == Renewal::Doubted) {
            self.made_up = Some(offset.saturating_add(1));
            return None;
        }
        self.made_up = None;
        self.last = Some(offset);
        u64::try_from(offset).ok().filter(|_| rises)
    }
}

#[cfg(test)]
mod tests {
    use super::{Renewal, Trust};

    fn judged(offsets: &[i64], renewal: Renewal) -> Vec<Option<u64>> {
        let mut trust = Trust::default();
        offsets.iter().map(|offset| trust.judge(*offset, renewal)).collect()
    }

    fn judge(offsets: &[i64]) -> Vec<Option<u64>> {
        let judged = [Renewal::Doubted, Renewal::Believed].map(|renewal| judged(offsets, renewal));
        assert_eq!(judged[0], judged[1]);
        judged[0].clone()
    }

    #[test]
    fn offsets_that_rise_are_believed() {
        assert_eq!(judge(&[3, 4, 5, 9]), [Some(3), Some(4), Some(5), Some(9)]);
    }

    #[test]
    fn a_batch_that_the_broker_had_already_is_not() {
        assert_eq!(judge(&[7, -1, 0, 1, 8, 9]), [Some(7), None, None, None, Some(8), Some(9)]);
        assert_eq!(judge(&[-1, 0, 1, 2, 40]), [None, None, None, None, Some(40)], "nor as the first one");
        assert_eq!(judge(&[-1001, -1001, 5]), [None, None, Some(5)]);
    }

    #[test]
    fn what_does_not_rise_is_not() {
        assert_eq!(judged(&[7, 7, 8, 10], Renewal::Doubted), [Some(7), None, None, Some(10)]);
        assert_eq!(judge(&[7, 5, 9]), [Some(7), None, Some(9)]);
    }

    /// As long as each was doubted, each command was sent again, and so the next one was doubted.
    #[test]
    fn a_topic_that_was_made_anew_is_believed_again() {
        let judge = |offsets| judged(offsets, Renewal::Believed);
        assert_eq!(judge(&[1_000, 0, 1, 2, 1_001]), [Some(1_000), None, Some(1), Some(2), Some(1_001)]);
        assert_eq!(judge(&[1_000, -1, 0, 0, 1]), [Some(1_000), None, None, None, Some(1)]);
    }

    #[test]
    fn a_journal_that_was_made_anew_is_not() {
        assert_eq!(judged(&[1_000, 0, 1, 2], Renewal::Doubted), [Some(1_000), None, None, None]);
    }
}
