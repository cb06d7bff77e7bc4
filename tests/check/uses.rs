//! Files that use others: what comes in, what is said where, and the one text that means the same.

use saga::check::{Alone, as_one_text, check_file, check_text};
use saga::source::SourceFile;
use saga::syntax::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_STATEMENTS};

use super::Shelf;

/// Files, and a snapshot of them with what is said about the first.
macro_rules! files {
    ($name:ident, $($file:literal: $text:expr),+) => {
        #[test]
        fn $name() {
            let files = [$(($file, $text)),+];
            let shown: String = files.iter().map(|(name, text)| format!("── {name}\n{text}\n")).collect();
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(format!("{shown}\n{:─<100}\n\n{}", "", Shelf::of(&files).findings()));
            });
        }
    };
}

const ACCOUNTS: &str = r#"/// Keeps accounts.
participant accounts {
  command Charge { amount: Amount } returns { entry: string } fails "closed"
  command Refund { entry: string? }
  message Told { text: string }
}
type Amount = decimal"#;

const ACCOUNTS_TWIN: &str = "\
types:
  Amount: decimal
participants:
  accounts:
    command:
      Charge: { with: { amount: Amount }, returns: { entry: string }, fails: [closed] }
      Refund: { with: { entry: \"string?\" } }
    message:
      Told: { with: { text: string } }
";

const PAY: &str = r#"use "accounts.saga"
saga pay {
  version 1
  input { amount: Amount }
  step charge {
    call accounts.Charge { amount: input.amount }
    compensate accounts.Refund { entry: charge.entry }
  }
}
scenario "closed" for pay { given { amount: 1.00 } when charge fails "closed" expect compensated "closed" }"#;

const ORDER: &str = r#"// A remark.
use "pay.saga"
use "accounts.saga"
saga order {
  version 1
  step paid { run pay { amount: 2.50 } }
  pivot
  step tell { send accounts.Told { text: "paid" } }
}
scenario "good" for order { expect completed }"#;

#[test]
fn what_a_file_uses_is_as_if_it_stood_there() {
    let shelf = Shelf::of(&[("order.saga", ORDER), ("pay.saga", PAY), ("accounts.saga", ACCOUNTS)]);
    let checked = shelf.check();
    assert_eq!(shelf.findings(), "");
    assert_eq!(checked.sources.iter().count(), 3, "each file once");
    let program = &checked.program;
    assert_eq!(program.sagas.keys().collect::<Vec<_>>(), ["order", "pay"]);
    let scenarios: Vec<&str> = program.scenarios.iter().map(|scenario| scenario.title.as_str()).collect();
    assert_eq!(scenarios, ["good"], "those of other files stay there");

    // What travels is one text, and means the same.
    let one = as_one_text(&checked.sources, &checked.trees);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("one_text_that_needs_no_other_file", one);
    });
    let again = check_text("one.saga", &one);
    assert!(again.findings.is_empty(), "{:?}", again.findings);
    for (name, saga) in &program.sagas {
        assert_eq!(saga.hash(), again.program.sagas[name].hash(), "{name}");
    }
}

#[test]
fn either_form_uses_the_other() {
    let in_text = Shelf::of(&[("pay.saga", PAY), ("accounts.saga", ACCOUNTS)]);
    let mixed =
        [("pay.saga", PAY.replace("accounts.saga", "accounts.yaml")), ("accounts.yaml", ACCOUNTS_TWIN.to_owned())];
    let mixed = Shelf(mixed.map(|(name, text)| (name.to_owned(), text)).to_vec());
    let twin = "use: [ accounts.saga ]
sagas:
  pay:
    version: 1
    input: { amount: Amount }
    sequence:
      - step: charge
        call: accounts.Charge
        with: { amount: \"${ input.amount }\" }
        compensate: { call: accounts.Refund, with: { entry: \"${ charge.entry }\" } }
";
    let twin = Shelf::of(&[("pay.yaml", twin), ("accounts.saga", ACCOUNTS)]);
    let hashes = [in_text, mixed, twin].map(|shelf| {
        assert!(!shelf.check().has_errors(), "{}", shelf.findings());
        shelf.check().program.sagas["pay"].hash().clone()
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn a_single_file_travels_as_it_is() {
    let checked = check_text("a.saga", "// A remark.\ntype A   = int");
    assert_eq!(as_one_text(&checked.sources, &checked.trees), "// A remark.\ntype A   = int");
}

#[test]
fn a_text_by_itself_uses_nothing() {
    let checked = check_file(SourceFile::new("order.saga", ORDER), &Alone);
    let codes: Vec<&str> = checked.findings.iter().map(|finding| finding.code.0).collect();
    assert_eq!(codes, ["SG0221", "SG0221"], "and misses nothing else: {:?}", checked.findings);
}

#[test]
fn all_files_together_keep_the_limits_of_one() {
    let chain = |files: usize, text: &str| {
        let name = |file: usize| format!("f{file}.saga");
        let next = |file: usize| if file + 1 < files { format!("use \"{}\"\n", name(file + 1)) } else { String::new() };
        Shelf((0..files).map(|file| (name(file), format!("{}type T{file} = int\n{text}", next(file)))).collect())
    };
    let codes = |shelf: &Shelf| -> Vec<&str> { shelf.check().findings.iter().map(|finding| finding.code.0).collect() };
    assert_eq!(codes(&chain(MAX_FILES, "")), [""; 0]);
    assert_eq!(codes(&chain(MAX_FILES + 1, "")), ["SG0224"]);
    let half = format!("//{}\n", "x".repeat(MAX_FILE_BYTES / 2 - 100));
    assert_eq!(codes(&chain(2, &half)), [""; 0]);
    assert_eq!(codes(&chain(3, &half)), ["SG0224"]);
    let saga = |name: &str, statements: usize| {
        format!("saga {name} {{\n  version 1\n{}}}\n", "  sleep 1s\n".repeat(statements))
    };
    let two = |statements| {
        Shelf(vec![
            ("a.saga".to_owned(), format!("use \"b.saga\"\n{}", saga("a", MAX_STATEMENTS / 2))),
            ("b.saga".to_owned(), saga("b", statements)),
        ])
    };
    assert_eq!(codes(&two(MAX_STATEMENTS / 2)), [""; 0]);
    assert_eq!(codes(&two(MAX_STATEMENTS / 2 + 1)), ["SG0224"]);
}

#[test]
fn unused_is_said_of_files_that_have_a_saga() {
    let spare = "participant spare { command A { } }";
    let user = "use \"b.saga\"\nsaga a { version 1  sleep 1h }";
    assert_eq!(Shelf::of(&[("a.saga", user), ("b.saga", spare)]).findings(), "");
    let with_saga = format!("{spare}\nsaga b {{ version 1  sleep 1h }}");
    let codes = |shelf: Shelf| -> Vec<&str> { shelf.check().findings.iter().map(|finding| finding.code.0).collect() };
    assert_eq!(codes(Shelf::of(&[("a.saga", user), ("b.saga", &with_saga)])), ["SG0211"]);
}

files!(
    a_name_that_two_files_give,
    "a.saga": "use \"b.saga\"\nparticipant mail { message Told { } }\nsaga a { version 1  step t { send mail.Told { }  compensate nothing } }",
    "b.saga": "participant mail { message Other { } }"
);

files!(
    files_that_are_not_there,
    "a.saga": "use \"payments.saga\"\nuse \"folder/\"\nuse \"locked.saga\"\nuse \"../x.saga\"\nsaga a { version 1  step t { send mail.Told { }  compensate nothing } }",
    "payment.saga": "",
    "locked.saga": "locked"
);

files!(
    mistakes_in_a_file_that_is_used,
    "a.saga": "use \"b.saga\"\nsaga a { version 1  step t { send mail.Told { text: 1 }  compensate nothing } }",
    "b.saga": "participant mail { message Told { text: string, at: Tme } }"
);

files!(
    what_an_unreadable_file_would_give_is_not_missed,
    "a.saga": "use \"b.saga\"\nsaga a { version 1  step t { send mail.Told { text: 1 }  compensate nothing } }",
    "b.saga": "participant mail { message Told { text: string }"
);

files!(
    circles,
    "a.saga": "use \"b.saga\"\nsaga a { version 1  sleep 1h }",
    "b.saga": "use \"c.saga\"\ntype B = int",
    "c.saga": "use \"a.saga\"\nuse \"c.saga\"\ntype C = B"
);

files!(
    one_file_used_twice,
    "a.saga": "use \"b.saga\"\nuse \"./b.saga\"\nsaga a { version 1  sleep 1h }",
    "b.saga": "type B = int"
);
