//! The pages of the findings: the first example of a page has that finding and no other, the second has none.

use std::collections::BTreeSet;

use saga::diagnostic::codes::CATALOGUE;

use super::{findings_as, parse_as};

/// Pages whose mistake is too large to be printed, or is none of a text; `limits` shows them.
const WITHOUT_EXAMPLE: [&str; 5] = ["SG0102", "SG0103", "SG0108", "SG0113", "SG0131"];

#[test]
fn the_examples_of_every_page_show_what_it_says() {
    for (code, page) in CATALOGUE.iter().filter(|(code, _)| ("SG0101".."SG0200").contains(&code.0)) {
        let (fence, name) =
            if page.contains("```yaml\n") { ("```yaml\n", "case.yaml") } else { ("```saga\n", "case.saga") };
        let examples: Vec<&str> =
            page.split(fence).skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(text, _)| text).collect();
        let [bad, good] = examples[..] else {
            assert!(WITHOUT_EXAMPLE.contains(&code.0), "{code} shows a bad and a good example");
            continue;
        };
        let (_, _, found) = parse_as(name, bad);
        let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes, BTreeSet::from([code.0]), "{code}:\n{}", findings_as(name, bad));
        assert!(findings_as(name, good).is_empty(), "{code}:\n{}", findings_as(name, good));
    }
}
