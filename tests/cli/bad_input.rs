//! Inputs of a saga that do not fit.

use super::Desk;

const ORDER: &str = r"
participant shop {
  command Take { order: string, count: int, total: decimal, note: string? }
  command Drop { order: string }
}
saga order {
  version 1
  input {
    /// The order's number.
    order: string
    count: int
    total: decimal
    personal note: string?
  }
  step take {
    call shop.Take { order: input.order, count: input.count, total: input.total, note: input.note }
    compensate shop.Drop { order: input.order }
  }
}
";

#[test]
fn none_where_the_file_gives_none_either() {
    insta::assert_snapshot!(Desk::with("order.saga", ORDER).saga(&["run", "order.saga"]));
}

#[test]
fn wrong_types_missing_and_unknown_fields_at_once() {
    let input = r#"{"order": 7, "count": "three", "totl": 1.5}"#;
    insta::assert_snapshot!(Desk::with("order.saga", ORDER).saga(&["run", "order.saga", "--input", input]));
}

#[test]
fn a_number_out_of_range() {
    let input = r#"{"order": "o-1", "count": 9223372036854775808, "total": 1e400}"#;
    insta::assert_snapshot!(Desk::with("order.saga", ORDER).saga(&["run", "order.saga", "--input", input]));
}

#[test]
fn no_json() {
    let desk = Desk::with("order.saga", ORDER);
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--input", "{order: 1}"]));
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--input", "input.json"]));
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--input", "@input.json"]));
    insta::assert_snapshot!(desk.saga_reading(&["run", "order.saga", "--input", "-"], ""));
}

#[test]
fn a_file_that_is_too_large_is_no_json_or_begins_with_a_mark() {
    let desk = Desk::with("order.saga", ORDER);
    let run = ["run", "order.saga", "--input", "@input.json"];
    std::fs::write(desk.path().join("input.json"), "x".repeat(3 << 20)).unwrap();
    insta::assert_snapshot!(desk.saga(&run));
    std::fs::write(desk.path().join("input.json"), "order: 1").unwrap();
    insta::assert_snapshot!(desk.saga(&run));
    std::fs::write(desk.path().join("input.json"), "\u{FEFF}{\"order\": 7}").unwrap();
    insta::assert_snapshot!(desk.saga(&run));
}

#[test]
fn a_participant_that_is_not_in_the_file() {
    let desk = Desk::with("order.saga", ORDER);
    let input = r#"{"order": "o-1", "count": 1, "total": "1.50"}"#;
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--input", input, "--participant", "shpo=simulated"]));
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--input", input, "--participant", "shop"]));
    insta::assert_snapshot!(desk.saga(&["run", "order.saga", "--input", input, "--participant", "shop=ftp://x"]));
}

#[test]
fn a_saga_that_is_not_in_the_file() {
    insta::assert_snapshot!(Desk::with("order.saga", ORDER).saga(&["run", "order.saga", "oder"]));
}

#[test]
fn settings_with_a_mistake() {
    let desk = Desk::with("order.saga", ORDER);
    desk.file("saga.toml", "dta = \"here\"\n");
    insta::assert_snapshot!(desk.saga(&["run", "order.saga"]));
    desk.file("saga.toml", "[participants]\nshop = \"ftp://shop\"\n");
    let input = r#"{"order": "1", "count": 1, "total": "1.00"}"#;
    insta::assert_snapshot!("an_address_in_the_settings", desk.saga(&["run", "order.saga", "--input", input]));
}
