//! The pages of the findings: the first example of a page has that finding and no other, the second has none.

use std::collections::BTreeSet;

use saga::diagnostic::codes::CATALOGUE;

use super::Shelf;

/// An example as `case.saga`, with the files that examples use beside it.
fn beside(example: &str) -> Shelf {
    let accounts = "participant accounts {
  command Charge { amount: decimal }
  command Refund { amount: decimal }
}";
    let parts: Vec<(String, String)> =
        (0..120).map(|part| (format!("part{part}.saga"), format!("type Part{part} = int"))).collect();
    let uses: Vec<String> = parts.iter().map(|(name, _)| format!("use \"{name}\"")).collect();
    let mut shelf = Shelf::of(&[("case.saga", example), ("accounts.saga", accounts)]);
    shelf.0.push(("everything.saga".to_owned(), uses.join("\n")));
    shelf.0.extend(parts);
    shelf
}

#[test]
fn the_examples_of_every_page_show_what_it_says() {
    // What cannot be run yet is no finding of a check.
    for (code, page) in CATALOGUE.iter().filter(|(code, _)| !("SG0000".."SG0200").contains(&code.0)) {
        let examples: Vec<&str> =
            page.split("```saga\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(text, _)| text).collect();
        let (bad, good) = examples.split_first().unwrap_or_else(|| panic!("{code} shows a bad example"));
        let codes: BTreeSet<&str> = beside(bad).check().findings.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes, BTreeSet::from([code.0]), "{code}:\n{}", beside(bad).findings());
        for good in good {
            assert!(beside(good).findings().is_empty(), "{code}:\n{}", beside(good).findings());
        }
    }
}
