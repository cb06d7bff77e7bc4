//! Which offsets of acknowledgements can be believed.
//!
//! Where the broker says that it has a batch already, or an acknowledgement is implied by a later one, librdkafka
//! reports success with an offset that it does not know: -1001, or numbers that count up from -1 through plausible
//! ones. Acknowledgements of one partition come in order, so what counts on from a bad one, and what does not rise, is
//! made up too. Wrongly doubted ones do no harm: nobody knows, and the asker finds out.

/// Of one partition, by one producer.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// The last that was believed.
    last: Option<i64>,
    /// What the next one of a batch with a made-up offset would have.
    made_up: Option<i64>,
}

impl Trust {
    /// The offset of an acknowledgement, if it can be believed.
    pub(super) fn judge(&mut self, offset: i64) -> Option<u64> {
        let counts_on = self.made_up == Some(offset);
        let rises = self.last.is_none_or(|last| offset > last);
        if offset < 0 || counts_on || !rises {
            self.made_up = Some(offset.saturating_add(1));
            return None;
        }
        self.made_up = None;
        self.last = Some(offset);
        u64::try_from(offset).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Trust;

    fn judge(offsets: &[i64]) -> Vec<Option<u64>> {
        let mut trust = Trust::default();
        offsets.iter().map(|offset| trust.judge(*offset)).collect()
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
        assert_eq!(judge(&[7, 7, 8, 10]), [Some(7), None, None, Some(10)], "8 counts on from what is not believed");
        assert_eq!(judge(&[7, 5, 9]), [Some(7), None, Some(9)]);
    }
}
