//! The picture that needs no other program: it is XML, nothing in it overlaps or is cut, whatever the names are.

use std::fmt::Write as _;

use roxmltree::{Document, Node};
use saga::plan::svg::svg;
use unicode_width::UnicodeWidthStr as _;

use super::{EVERYTHING, LOOPS, SCOPES, SUB_SAGAS, plan};

fn draw(body: &str) -> String {
    let (plan, sources) = plan(body);
    svg(&plan, &sources)
}

#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn overlaps(self, other: Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn holds(self, other: Self) -> bool {
        self.left <= other.left && other.right <= self.right && self.top <= other.top && other.bottom <= self.bottom
    }
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap_or_else(|| panic!("{name} of {node:?}")).parse().unwrap()
}

fn area(node: Node<'_, '_>) -> Area {
    let (left, top) = (number(node, "x"), number(node, "y"));
    Area { left, top, right: left + number(node, "width"), bottom: top + number(node, "height") }
}

/// What the text takes in the widest monospaced font that systems have (`DejaVu Sans Mono`: 0.602 of its size).
fn text_area(node: Node<'_, '_>) -> Area {
    let size = number(node, "font-size");
    let wide = 0.602 * size * f64::from(u32::try_from(node.text().unwrap_or_default().width()).unwrap());
    let (x, y) = (number(node, "x"), number(node, "y"));
    let left = if node.attribute("text-anchor") == Some("middle") { x - wide / 2.0 } else { x };
    Area { left, top: y - size * 0.8, right: left + wide, bottom: y + size * 0.2 }
}

#[track_caller]
fn assert_readable(picture: &str) {
    let document = Document::parse(picture).unwrap_or_else(|error| panic!("{error}\n{picture}"));
    let root = document.root_element();
    let whole = Area { left: 0.0, top: 0.0, right: number(root, "width"), bottom: number(root, "height") };
    let named = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
    let texts: Vec<Area> = named("text").map(text_area).collect();
    // The ground has no class; the inner border of a pivot stands within the outer one.
    let mut boxes: Vec<Area> = named("rect").filter(|node| node.attribute("class").is_some()).map(area).collect();
    let all = boxes.clone();
    boxes.retain(|one| !all.iter().any(|other| other.holds(*one) && !one.holds(*other)));
    assert!(boxes.len() > 1 && texts.len() > 2, "{picture}");
    for (index, one) in boxes.iter().enumerate() {
        assert!(whole.holds(*one), "{one:?} is cut off");
        for other in boxes.iter().skip(index + 1) {
            assert!(!one.overlaps(*other), "{one:?} and {other:?} overlap");
        }
    }
    for (index, one) in texts.iter().enumerate() {
        assert!(whole.holds(*one), "{one:?} is cut off");
        for other in texts.iter().skip(index + 1) {
            assert!(!one.overlaps(*other), "{one:?} and {other:?} overlap");
        }
        for other in boxes.iter().filter(|other| one.overlaps(**other)) {
            assert!(other.holds(*one), "{one:?} sticks out of {other:?}");
        }
    }
}

/// A saga of so many steps with branches in branches.
fn large(steps: usize) -> String {
    let mut body = String::new();
    for number in 0..steps / 6 {
        let step = |name: &str| {
            let name = format!("{name}_{number}");
            format!(
                "step {name} {{ call stock.Reserve {{ sku: input.sku }} compensate stock.Release {{ hold: {name}.hold }} }}"
            )
        };
        let _ = write!(
            body,
            "{}\nparallel {{ {} sequence {{ {} {} }} }}\nwhen input.count > {number} && input.sku == \"any of those\" {{ {} }} otherwise \
             when input.vip {{ fail \"no\" }} otherwise {{ {} sleep 1h }}\n",
            step("first"),
            step("left"),
            step("right"),
            step("further"),
            step("many_of_them"),
            step("few")
        );
    }
    body
}

#[test]
fn everything_in_svg() {
    insta::assert_snapshot!(draw(EVERYTHING));
}

#[test]
fn scopes_and_waits_in_svg() {
    insta::assert_snapshot!(draw(SCOPES));
}

#[test]
fn sub_sagas_in_svg() {
    insta::assert_snapshot!(draw(SUB_SAGAS));
}

#[test]
fn loops_in_svg() {
    insta::assert_snapshot!(draw(LOOPS));
}

#[test]
fn the_same_text_gives_the_same_bytes() {
    assert_eq!(draw(EVERYTHING), draw(EVERYTHING));
}

#[test]
fn nothing_overlaps_and_nothing_is_cut() {
    assert_readable(&draw(EVERYTHING));
    assert_readable(&draw(SCOPES));
    assert_readable(&draw(SUB_SAGAS));
    assert_readable(&draw(LOOPS));
    assert_readable(&draw("repeat at most 2 times { fail \"no\" } until true otherwise { }"));
    assert_readable(&draw(&large(30)));
    assert_readable(&draw("sleep 1s"));
    assert_readable(&draw("fail \"at_once\""));
}

#[test]
fn whatever_the_names_and_texts_are() {
    let long = format!("a_{}", "very_long_name_".repeat(13));
    let body = format!(
        "step {long} {{ call stock.Reserve {{ sku: \"</text> & <script> ]]> 中文字符 {}\" }} compensate stock.Release {{}} }}
         when input.sku == \"</text><rect/> & \\u{{202e}} 中文字符的条件 {}\" {{ sleep 1h }}
         let wide = \"{}\" fail \"<&>\"",
        "x".repeat(200),
        "y".repeat(200),
        "中".repeat(60)
    );
    assert_readable(&draw(&body));
}

#[test]
fn thousands_of_statements_are_drawn() {
    let body = (0..2_000).map(|number| format!("let x{number} = {number}")).collect::<Vec<_>>().join("\n");
    let picture = draw(&body);
    assert_eq!(picture.matches("class=\"aside\"").count(), 2_000);
}
