//! The pages of the findings: the first example of a page has that finding and no other, the second has none.

use std::collections::BTreeSet;

use saga::diagnostic::codes::CATALOGUE;

use super::{check, findings};

#[test]
fn the_examples_of_every_page_show_what_it_says() {
    for (code, page) in CATALOGUE.iter().filter(|(code, _)| !("SG0100".."SG0200").contains(&code.0)) {
        let examples: Vec<&str> =
            page.split("```saga\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(text, _)| text).collect();
        let (bad, good) = examples.split_first().unwrap_or_else(|| panic!("{code} shows a bad example"));
        let (_, checked) = check(bad);
        let codes: BTreeSet<&str> = checked.findings.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes, BTreeSet::from([code.0]), "{code}:\n{}", findings(bad));
        for good in good {
            assert!(findings(good).is_empty(), "{code}:\n{}", findings(good));
        }
    }
}
