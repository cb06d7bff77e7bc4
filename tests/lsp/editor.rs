//! What is known of a text while it is written.

use std::fs;
use std::path::Path;

use saga::check::Alone;
use saga::editor::{Document, Refused, What};
use saga::files::Folder;

use super::ORDER;

/// The text with the place of `|` taken out.
fn at(text: &str) -> (String, u32) {
    let offset = text.find('|').expect("a place");
    (text.replacen('|', "", 1), u32::try_from(offset).unwrap())
}

/// The suggestions at `|`, in a text that was whole before.
fn labels(text: &str) -> Vec<String> {
    let (text, offset) = at(text);
    let whole = Document::new("case.saga", ORDER, None, &Alone);
    let document = Document::new("case.saga", &text, Some(&whole), &Alone);
    document.completions(offset).into_iter().map(|one| one.label).collect()
}

/// The text with one line in the place of the call.
fn with(line: &str) -> String {
    ORDER.replace("    call stock.Reserve { sku: \"😀\" + input.sku }\n", &format!("    {line}\n"))
}

#[track_caller]
fn assert_has(labels: &[String], wanted: &[&str]) {
    for label in wanted {
        assert!(labels.iter().any(|known| known == label), "{label} is not among {labels:?}");
    }
}

#[test]
fn what_fits_is_suggested() {
    assert_eq!(labels(&with("call |")), ["stock"]);
    assert_eq!(labels(&with("call st|")), ["stock"]);
    assert_eq!(labels(&with("call stock.|")), ["Reserve", "Release"]);
    assert_eq!(labels(&with("call stock.Res|")), ["Reserve", "Release"]);
    assert_eq!(labels(&with("call stock.Reserve { |")), ["sku"]);
    assert_eq!(labels(&with("call stock.Reserve { sku: input.| }")), ["sku"]);
    assert_eq!(labels(&ORDER.replace("output { hold: reserve.hold", "output { hold: reserve.|hold")), ["hold"]);
    assert_has(&labels(&with("call stock.Reserve { sku: | }")), &["input", "reserve", "text"]);
    assert_has(&labels(&ORDER.replace("compensate stock.Release", "compensate |")), &["stock", "nothing"]);
    assert_has(
        &labels(&ORDER.replace("  output", "  |\n  output")),
        &["step", "pivot step", "when", "for each", "compensate"],
    );
    assert_has(&labels(&format!("{ORDER}\n|")), &["saga", "participant", "scenario"]);
    assert_has(&labels(&ORDER.replace("input { sku: string", "input { sku: |string")), &["string", "decimal"]);
}

#[test]
fn codes_fields_and_steps_of_a_scenario_are_suggested() {
    let scenario = |body: &str| format!("{ORDER}scenario \"x\" for order {{\n  {body}\n}}\n");
    assert_eq!(labels(&scenario("when reserve fails \"|\"")), ["sold_out"]);
    assert_has(&labels(&scenario("expect compensated \"|\"")), &["sold_out", "timeout", "cancelled"]);
    assert_eq!(labels(&scenario("given { |")), ["sku"]);
    assert_eq!(labels(&scenario("expect calls |")), ["reserve"]);
}

#[test]
fn what_an_event_holds_is_suggested_in_triggers_and_there_alone() {
    let trigger = "trigger ordered {
  on \"shop.orders\"
  event { order: string, item: { sku: string, count: int } }
  where WHERE
  start order { id: ID, input: { sku: SKU } }
}
";
    let whole = |holes: [&str; 3]| {
        let trigger = ["WHERE", "ID", "SKU"]
            .iter()
            .zip(holes)
            .fold(trigger.to_owned(), |it, (hole, text)| it.replace(hole, text));
        format!("{ORDER}{trigger}")
    };
    let before = whole(["event.item.count > 0", "event.order", "event.item.sku"]);
    let within = |holes| {
        let (text, offset) = at(&whole(holes));
        let before = Document::new("case.saga", &before, None, &Alone);
        let document = Document::new("case.saga", &text, Some(&before), &Alone);
        document.completions(offset).into_iter().map(|one| one.label).collect::<Vec<_>>()
    };
    assert_eq!(within(["event.|", "event.order", "event.item.sku"]), ["order", "item"]);
    assert_eq!(within(["true", "\"o-\" + event.|", "event.item.sku"]), ["order", "item"]);
    assert_eq!(within(["true", "event.order", "event.item.| "]), ["sku", "count"]);
    assert_has(&within(["|", "event.order", "event.item.sku"]), &["event", "text"]);
    let roots = within(["true", "event.order", "|"]);
    assert!(!roots.iter().any(|label| ["input", "reserve", "id"].contains(&label.as_str())), "{roots:?}");
    // Elsewhere there is no event.
    assert_eq!(labels(&with("call stock.Reserve { sku: event.| }")), Vec::<String>::new());
}

#[test]
fn names_are_explained() {
    let hover = |text: &str| {
        let (text, offset) = at(text);
        Document::new("case.saga", &text, None, &Alone).hover(offset).map(|hover| hover.text).unwrap_or_default()
    };
    assert!(hover(&ORDER.replace("call stock", "call st|ock")).contains("participant stock"));
    assert!(hover(&ORDER.replace("call stock", "call st|ock")).contains("Keeps things."));
    assert!(
        hover(&ORDER.replace("hold: reserve.hold }\n}", "hold: res|erve.hold }\n}"))
            .contains("step reserve: { hold: string }")
    );
    assert!(hover(&ORDER.replace("hold: reserve.hold }\n}", "hold: reserve.ho|ld }\n}")).contains("hold: string"));
    assert!(hover(&ORDER.replace("\"sold_out\"", "\"sold|_out\"")).contains("`stock.Reserve` refuses with it"));
    assert!(hover(&ORDER.replace("saga order", "saga or|der")).contains("input { sku: string }"));
    assert_eq!(hover(&ORDER.replace("version 1", "ver|sion 1")), "");
}

#[test]
fn what_is_defined_elsewhere_or_is_no_name_keeps_it() {
    let rename = |text: &str, to: &str| {
        let (text, offset) = at(text);
        let document = Document::new("case.saga", &text, None, &Alone);
        document.named(offset).and_then(|named| document.rename(&named, to)).map(|spans| spans.len())
    };
    assert_eq!(rename(&ORDER.replace("participant stock", "participant st|ock"), "store"), Ok(3));
    assert_eq!(rename(&ORDER.replace("command Release", "command Rel|ease"), "GiveBack"), Ok(2));
    assert!(matches!(rename(&ORDER.replace("command Release", "command Rel|ease"), "Reserve"), Err(Refused::Taken(_))));
    assert!(matches!(
        rename(&ORDER.replace("command Release", "command Rel|ease"), "give_back"),
        Err(Refused::Form(..))
    ));
    assert!(matches!(rename(&ORDER.replace("\"sold_out\"", "\"sold|_out\""), "gone"), Err(Refused::Fixed(_))));
    assert!(matches!(rename(&ORDER.replace("version 1", "ver|sion 1"), "x"), Err(Refused::NoName)));
}

/// What is renamed is still a definition without findings, in every shipped workflow, for every name in it.
#[test]
fn names_of_loops_are_known_inside_and_below() {
    let looped = |inside: &str, output: &str| {
        format!(
            r"participant stock {{
  command Reserve {{ sku: string }} returns {{ hold: string }}
  command Release {{ hold: string? }}
}}
saga order {{
  version 1
  input {{ items: list<{{ sku: string, count: int }}> }}
  for each item in input.items {{
    step reserve {{ call stock.Reserve {{ sku: item.sku }}  compensate stock.Release {{ hold: reserve.hold }} }}
  }}
  repeat at most 3 times {{
    step again {{ call stock.Reserve {{ sku: {inside} }}  compensate stock.Release {{ hold: again.hold }} }}
  }}
  until round > 1 otherwise {{ }}
  output {{ holds: {output} }}
}}
"
        )
    };
    let whole = looped("previous.again.hold ?? \"\"", "reserve[*].hold");
    let labels = |text: &str| {
        let (text, offset) = at(text);
        let before = Document::new("case.saga", &whole, None, &Alone);
        let document = Document::new("case.saga", &text, Some(&before), &Alone);
        document.completions(offset).into_iter().map(|one| one.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(&whole.replace("sku: item.sku", "sku: item.|")), ["sku", "count"]);
    assert_eq!(labels(&looped("previous.again.|", "1")), ["hold"]);
    assert_has(&labels(&looped("previous.|", "1")), &["again"]);
    assert_eq!(labels(&looped("\"\"", "reserve[*].|")), ["hold"]);
    let hover = |text: &str| {
        let (text, offset) = at(text);
        Document::new("case.saga", &text, None, &Alone).hover(offset).map(|hover| hover.text).unwrap_or_default()
    };
    assert!(
        hover(&whole.replace("sku: item.sku", "sku: it|em.sku")).contains("for each item: { sku: string, count: int }")
    );
    assert!(hover(&whole.replace("previous.again", "previous.ag|ain")).contains("step again"));
}

#[test]
fn after_a_rename_everything_still_fits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
    let mut renamed = 0;
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|end| end != "saga") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let around = Folder::around(&file).unwrap();
        let document = Document::new("case.saga", &text, None, &around);
        for entry in document.outline().iter().filter(|entry| entry.what != What::Scenario) {
            let to =
                if entry.name.starts_with(|letter: char| letter.is_ascii_uppercase()) { "Other" } else { "another" };
            let spans = document.rename(&document.named(entry.name_span.start).unwrap(), to).unwrap();
            let mut changed = text.clone();
            for span in spans.iter().rev() {
                changed.replace_range(span.range(), to);
            }
            let after = Document::new("case.saga", &changed, None, &around);
            let codes: Vec<_> = after.findings.iter().map(|finding| (finding.code, finding.title.clone())).collect();
            assert!(codes.is_empty(), "{} in {}: {codes:?}", entry.name, file.display());
            renamed += 1;
        }
    }
    assert!(renamed > 20);
}

/// Nothing panics wherever a text ends, and whatever is asked there.
#[test]
fn half_of_a_text_is_no_defect() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows/booking.saga")).unwrap();
    let mut before = None;
    for end in (0..text.len()).step_by(7).filter(|end| text.is_char_boundary(*end)) {
        let document = Document::new("case.saga", text.get(..end).unwrap(), before.as_ref(), &Alone);
        let end = u32::try_from(end).unwrap();
        for offset in [end, end / 2] {
            drop((document.hover(offset), document.definition(offset), document.completions(offset)));
            drop((
                document.occurrences(offset),
                document.named(offset).map(|named| document.rename(&named, "x")),
                document.outline(),
            ));
        }
        drop((document.formatted(), document.picture(None)));
        before = Some(document);
    }
}
