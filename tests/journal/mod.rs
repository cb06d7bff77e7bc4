//! The journal's form: what was written once can be read for ever, and nothing else is taken for a record.

mod versions;

use proptest::prelude::*;
use saga::engine::{InstanceId, Refusal, Rejection, Run};
use saga::journal::record::{Body, Cause, Past, PastOutcome, Positions, Record, VERSION};
use saga::journal::{Damage, JournalError, Ledger, Plans, Rule, decode, encode, read};
use saga::time::Timestamp;

use self::versions::{
    V1, V2, V3, V4, V5, V6, V7, V8, all_kinds, ended, lines, of_version_2, of_version_3, of_version_4, of_version_5,
    of_version_6, of_version_7, of_version_8,
};

#[test]
fn older_versions_read_as_they_always_did_and_are_written_as_this_one() {
    let older = [
        (1, V1, all_kinds()),
        (2, V2, of_version_2()),
        (3, V3, of_version_3()),
        (4, V4, of_version_4()),
        (5, V5, of_version_5()),
        (6, V6, of_version_6()),
        (7, V7, of_version_7()),
    ];
    for (version, lines, records) in older {
        assert_eq!(lines.lines().count(), records.len(), "version {version}");
        for (line, record) in lines.lines().zip(&records) {
            assert_eq!(decode(line.as_bytes()).unwrap(), *record, "{line}");
            let written = line.replacen(&format!(r#""v":{version}"#), &format!(r#""v":{VERSION}"#), 1);
            assert_eq!(String::from_utf8(encode(record).into_vec()).unwrap(), written);
        }
    }
}

#[test]
fn version_8_reads_and_writes_as_it_always_did() {
    let records = of_version_8();
    assert_eq!(V8.lines().count(), records.len());
    for (line, record) in V8.lines().zip(&records) {
        assert_eq!(String::from_utf8(encode(record).into_vec()).unwrap(), *line);
        assert_eq!(decode(line.as_bytes()).unwrap(), *record, "{line}");
    }
}

#[test]
fn a_newer_version_is_refused_plainly_whatever_its_form() {
    for text in [
        r#"{"v":10,"epoch":0,"n":0,"read":{"requests":0,"replies":0},"sent":0,"checkpoint":0,"at":0,"body":"mark"}"#,
        r#"{"v":9,"something":"else"}"#,
    ] {
        let damage = decode(text.as_bytes()).unwrap_err();
        assert!(matches!(damage, Damage::Newer { found: 9 | 10 }), "{damage}");
        let error = JournalError { topic: saga::log::JOURNAL.into(), partition: 3, offset: 17, damage }.to_string();
        assert!(error.starts_with("read partition 3 of saga.journal at offset 17: it has version "), "{error}");
        assert!(error.contains("run the newer saga that wrote it"), "{error}");
    }
    assert!(matches!(decode(br#"{"v":0}"#), Err(Damage::NoVersion { found: 0 })));
}

#[test]
fn what_is_unknown_is_refused_and_not_skipped() {
    let known = V1.lines().find(|line| line.contains("\"called\"")).unwrap();
    decode(known.as_bytes()).unwrap();
    for (from, to) in [
        (r#""sent":99"#, r#""sent":99,"new":1"#),
        (r#""attempt":1"#, r#""attempt":1,"new":1"#),
        (r#""topic":"shop.answers""#, r#""topic":"shop.answers","new":1"#),
        (r#""seq":1"#, r#""seq":1,"new":1"#),
        (r#"{"called":"#, r#"{"shouted":"#),
        (r#"{"change":"#, r#"{"exchange":"#),
        (r#"{"request":7}"#, r#"{"rumour":7}"#),
        (r#""replies":34"#, r#""replies":34,"rumours":1"#),
    ] {
        let other = known.replacen(from, to, 1);
        assert_ne!(other, known, "{from} is not in there");
        assert!(matches!(decode(other.as_bytes()), Err(Damage::Malformed(_))), "{other}");
    }
}

/// An owner's clock may be ahead, if its claim was long on its way, and the next owner's is not.
#[test]
fn a_bar_takes_a_life_above_the_one_it_follows() {
    let id = InstanceId::try_from("x").unwrap();
    let past = Past { run: Run(1_000), outcome: PastOutcome::Barred, at: Timestamp(5) };
    let rejection = Rejection { code: Refusal::UnknownInstance, message: String::new() };
    let bar = Body::Bar { instance: id.clone(), cause: Cause::Request(0), rejection, tell: None, order: None };
    let mut ledger = Ledger::default();
    for (n, at, body) in [(1, 5, Body::Ended { ended: vec![ended(&id, past, &[])] }), (2, 10, bar)] {
        let (read, at) = (Positions::default(), Timestamp(at));
        let record = Record { v: VERSION, epoch: 0, n, read, sent: 0, checkpoint: 0, at, body };
        ledger.book(&Plans::default(), &record, 0, None).unwrap();
    }
    assert_eq!(ledger.past(&id).unwrap().run, Run(1_001), "or the next start might be named as the first was");
}

#[test]
fn what_is_no_record_ends_the_run_and_what_may_be_one_is_refused() {
    let known = V1.lines().find(|line| line.contains("\"called\"")).unwrap(); // epoch 100, n 2
    let later = format!(r#""v":{}"#, VERSION + 1);
    for (offset, text) in [
        (102, known.replace(r#""sent":99"#, r#""sent":99,"new":1"#)),
        (7, known.replace(r#""n":2"#, r#""n":0,"new":1"#)),
    ] {
        assert!(matches!(read(offset, text.as_bytes()), Err(Damage::Malformed(_))), "{text}");
        let newer = read(offset, text.replace(r#""v":1"#, &later).as_bytes());
        assert!(matches!(newer, Err(Damage::Newer { found }) if found == VERSION + 1), "{newer:?}");
    }
    assert!(read(103, known.as_bytes()).unwrap().is_some(), "out of its place it is a record all the same");
    let newer = known.replace(r#""v":1"#, &later);
    for nothing in [newer.as_str(), "", "{}", r#"{"v":2}"#, r#"{"v":0,"epoch":103,"n":0}"#, "\u{0}"] {
        assert!(read(103, nothing.as_bytes()).unwrap().is_none(), "{nothing}");
    }
}

#[test]
fn a_record_that_was_overwritten_is_found_out() {
    let mark = |n, sent| Record {
        v: VERSION,
        epoch: 0,
        n,
        read: Positions::default(),
        sent,
        checkpoint: 0,
        at: Timestamp(0),
        body: if n == 0 { Body::Claim { owner: "x".into(), attempt: 1 } } else { Body::Mark },
    };
    let rule = || {
        let mut rule = Rule::from_the_beginning();
        assert!(rule.counts(0, &mark(0, 0)).unwrap() && rule.counts(1, &mark(1, 0)).unwrap());
        rule.ends(2);
        rule
    };
    // Its owner waits for it still, so it may have been lost, and a stranger has filled the gap.
    assert!(!rule().counts(3, &mark(3, 2)).unwrap());
    // Its owner had it acknowledged, so it stood there.
    assert!(matches!(rule().counts(3, &mark(3, 3)), Err(Damage::Overwritten { at: 2 })));
    // Not where it says: this one's writer knows nothing of what stands here.
    assert!(!rule().counts(4, &mark(3, 3)).unwrap());
    let mut claimed = rule();
    assert!(claimed.counts(3, &mark(0, 0)).unwrap());
    assert!(!claimed.counts(4, &mark(4, 4)).unwrap(), "another claim has begun another run");
}

#[test]
fn every_cut_record_is_an_error() {
    for line in lines() {
        for end in 0..line.len() {
            assert!(decode(&line.as_bytes()[..end]).is_err(), "cut at {end}: {line}");
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_another_record_and_never_a_panic() {
    for line in lines() {
        let right = decode(line.as_bytes()).unwrap();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut bytes = line.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                // Only a hexadecimal digit has two forms. What else changes unseen is for the log's own checksums.
                if let Ok(other) = decode(&bytes) {
                    assert!(other != right || bytes[at].is_ascii_hexdigit(), "byte {at}, bit {bit} of {line}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    /// The rule of reading, in its own words: a record counts iff its epoch is the latest claim, it stands at
    /// `epoch + n`, and every record between that claim and it counts.
    #[test]
    fn the_rule_of_reading_is_what_it_says(
        log in prop::collection::vec((any::<bool>(), 0u64..6, 0u64..8), 0..24)
    ) {
        let records: Vec<Record> = log.iter().map(|(claim, epoch, n)| {
            let body = if *claim { Body::Claim { owner: "x".into(), attempt: 1 } } else { Body::Mark };
            Record {
                v: VERSION, epoch: *epoch, n: *n, read: Positions::default(), sent: 0, checkpoint: 0,
                at: Timestamp(0), body,
            }
        }).collect();
        let is_claim = |at: usize| matches!(records[at].body, Body::Claim { .. });
        let mut rule = Rule::from_the_beginning();
        for (at, record) in records.iter().enumerate() {
            let fits = |o: usize, claim: usize| {
                records[o].epoch == claim as u64 && records[o].epoch + records[o].n == o as u64
            };
            let expected = is_claim(at)
                || (0..at).rev().find(|before| is_claim(*before)).is_some_and(|claim| (claim + 1..=at).all(|o| fits(o, claim)));
            prop_assert_eq!(rule.counts(at as u64, record).unwrap(), expected, "record {}", at);
        }
    }
}
