//! A picture of a plan as SVG, complete by itself: it needs no program, no style sheet and no font of its own.
//!
//! The flow goes down; beside each step stands, dashed, what takes it back; a bar marks the point of no return; the
//! ways of a `when` carry the conditions as their author wrote them; a colour for each participant. The same plan
//! gives the same bytes.

mod layout;
mod measure;

use std::fmt::Write as _;

use self::layout::{Block, Form, Layout, Mark};
use self::measure::{FONT, Size, width};
use super::picture::{COLOURS, Participants};
use super::{Plan, ROOT};
use crate::source::{Sources, is_obeyed};

/// Around the picture.
const MARGIN: i32 = 24;

/// The legend's entries stand beside each other up to this width, or the picture's.
const LEGEND_MIN: i32 = 560;

/// The plan as an SVG document.
#[must_use]
pub fn svg(plan: &Plan, sources: &Sources) -> String {
    let mut layout = Layout { plan, sources, participants: Participants::default() };
    let mut flow = Block::of(Form::End, None, vec![(plan.saga.name.to_string(), Size::Name)]);
    flow.then(layout.block(ROOT));
    if !flow.closed {
        flow.then(Block::of(Form::End, None, vec![("completed".to_owned(), Size::Name)]));
    }
    let participants = layout.participants;

    let title = format!("{}, version {}", plan.saga.name, plan.saga.version);
    let top = MARGIN + Size::Title.line() + 12;
    let room = (flow.left + flow.right).max(LEGEND_MIN).max(width(&title, Size::Title));
    let legend = Legend::new(&participants, room);
    let (wide, high) = (room + 2 * MARGIN, top + flow.height + 28 + legend.height + MARGIN);
    // A narrow flow stands in the middle above its legend.
    let axis = MARGIN + flow.left + (room - flow.left - flow.right) / 2;

    let mut text = String::new();
    let size = format!("width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\"");
    let _ = writeln!(text, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" {size} font-family=\"{FONT}\">");
    let _ = writeln!(text, "<title>{}</title>", escaped(&format!("saga {title}")));
    text.push_str(&style(&participants));
    let _ = writeln!(text, "<rect width=\"{wide}\" height=\"{high}\" fill=\"#fff\"/>");
    let _ = writeln!(
        text,
        "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"{}\" font-weight=\"bold\">{}</text>",
        MARGIN + Size::Title.pixels(),
        Size::Title.pixels(),
        escaped(&title)
    );
    draw(&mut text, &flow.marks, (axis, top));
    draw(&mut text, &legend.marks, (MARGIN, top + flow.height + 28));
    text.push_str("</svg>\n");
    text
}

/// Classes, and the head of an arrow.
fn style(participants: &Participants) -> String {
    let mut text = String::from(
        "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0,0.5 L7.5,4 L0,7.5 z\" fill=\"#444\"/></marker></defs>\n<style>\n\
         text { fill: #111 }\n\
         .line { fill: none; stroke: #444; stroke-width: 1.3 }\n\
         .back { stroke-dasharray: 4 3 }\n\
         .end { fill: #333; stroke: #333 }\n\
         .ondark { fill: #fff }\n\
         .bar { fill: #444 }\n\
         .noreturn { fill: #b3261e }\n\
         .note { fill: #b3261e }\n\
         .choice { fill: #fff; stroke: #444; stroke-width: 1.3 }\n\
         .condition { fill: #fff }\n\
         .aside { fill: #fafafa; stroke: #888 }\n\
         .fail { fill: #fde7e6; stroke: #b3261e; stroke-width: 1.5 }\n",
    );
    for (number, (fill, border)) in (0..participants.names().len()).zip(COLOURS.iter().cycle()) {
        let _ = writeln!(text, ".p{number} {{ fill: {fill}; stroke: {border}; stroke-width: 1.3 }}");
        let _ =
            writeln!(text, ".u{number} {{ fill: #fff; stroke: {border}; stroke-width: 1.3; stroke-dasharray: 4 3 }}");
    }
    text.push_str("</style>\n");
    text
}

fn draw(text: &mut String, marks: &[Mark], (right, down): (i32, i32)) {
    // Lines first: where a line ends at a box, the box is above it.
    let is_line = |mark: &&Mark| matches!(mark, Mark::Line { .. });
    for mark in marks.iter().filter(is_line).chain(marks.iter().filter(|mark| !is_line(mark))) {
        match mark {
            Mark::Line { points, arrow, back } => {
                let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", x + right, y + down)).collect();
                let class = if *back { "line back" } else { "line" };
                let head = if *arrow { " marker-end=\"url(#head)\"" } else { "" };
                let _ = writeln!(text, "<polyline class=\"{class}\" points=\"{}\"{head}/>", points.join(" "));
            }
            Mark::Note { at: (x, y), text: words } => {
                let (x, y, pixels) = (x + right, y + down, Size::Small.pixels());
                let words = escaped(words);
                let _ =
                    writeln!(text, "<text class=\"note\" x=\"{x}\" y=\"{y}\" font-size=\"{pixels}\">{words}</text>");
            }
            Mark::Shape { form, at: (x, y), size, participant, lines } => {
                let at = (x + right, y + down);
                shape(text, *form, at, *size, *participant);
                let class = if *form == Form::End { " class=\"ondark\"" } else { "" };
                label(text, class, lines, at, *size);
            }
        }
    }
}

fn shape(text: &mut String, form: Form, (x, y): (i32, i32), (wide, high): (i32, i32), participant: Option<usize>) {
    let number = participant.unwrap_or_default();
    let mut rect = |class: &str, inset: i32, round: i32| {
        let (x, y, wide, high) = (x + inset, y + inset, wide - 2 * inset, high - 2 * inset);
        let _ = writeln!(
            text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"{round}\"/>"
        );
    };
    match form {
        Form::End => rect("end", 0, high / 2),
        Form::Step => rect(&format!("p{number}"), 0, 4),
        Form::Pivot => {
            rect(&format!("p{number}"), 0, 4);
            rect(&format!("p{number}"), 3, 2);
        }
        Form::Compensation => rect(&format!("u{number}"), 0, 4),
        Form::Condition => rect("condition", 0, 0),
        Form::Bar => rect("bar", 0, 2),
        Form::NoReturn => rect("noreturn", 0, 2),
        Form::Aside => rect("aside", 0, 10),
        Form::Fail => rect("fail", 0, 4),
        Form::Choice | Form::Loop => {
            let (left, right, middle) = (x - 8, x + wide + 8, y + high / 2);
            let points = format!(
                "{left},{middle} {},{y} {},{y} {right},{middle} {},{bottom} {},{bottom}",
                x,
                x + wide,
                x + wide,
                x,
                bottom = y + high
            );
            let _ = writeln!(text, "<polygon class=\"choice\" points=\"{points}\"/>");
        }
    }
}

/// Centred lines.
fn label(text: &mut String, class: &str, lines: &[(String, Size)], (x, y): (i32, i32), (wide, high): (i32, i32)) {
    let all: i32 = lines.iter().map(|(_, size)| size.line()).sum();
    let mut base = y + (high - all) / 2;
    for (line, size) in lines {
        let (middle, pixels) = (x + wide / 2, size.pixels());
        let at = base + pixels;
        let weight = if *size == Size::Name { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            text,
            "<text{class} x=\"{middle}\" y=\"{at}\" font-size=\"{pixels}\" text-anchor=\"middle\"{weight}>{}</text>",
            escaped(line)
        );
        base += size.line();
    }
}

/// What the colours and forms mean.
struct Legend {
    marks: Vec<Mark>,
    height: i32,
}

impl Legend {
    fn new(participants: &Participants, room: i32) -> Self {
        const SWATCH: i32 = 22;
        const ROW: i32 = 24;
        let mut this = Self { marks: Vec::new(), height: ROW };
        let mut edge = 0;
        let swatch = |number| (Form::Step, Some(number));
        let names = participants.names().iter().enumerate().map(|(number, name)| (swatch(number), name.to_string()));
        let forms = [
            ((Form::Pivot, Some(0)), "pivot: no way back once it is done"),
            ((Form::Compensation, Some(0)), "undo: takes a step back if the saga fails"),
        ];
        let forms = forms.into_iter().filter(|_| !participants.names().is_empty());
        for ((form, participant), words) in names.chain(forms.map(|(form, words)| (form, words.to_owned()))) {
            let entry = SWATCH + 6 + width(&words, Size::Small) + 22;
            if edge > 0 && edge + entry > room {
                edge = 0;
                this.height += ROW;
            }
            let y = this.height - ROW;
            let (at, size) = ((edge, y + 3), (SWATCH, 14));
            this.marks.push(Mark::Shape { form, at, size, participant, lines: Vec::new() });
            // Words stand in a box without a border, so that one way of setting text is enough.
            let (at, size) = ((edge + SWATCH + 6, y), (width(&words, Size::Small), 20));
            let lines = vec![(words, Size::Small)];
            this.marks.push(Mark::Shape { form: Form::Condition, at, size, participant: None, lines });
            edge += entry;
        }
        this
    }
}

/// Text inside an element or attribute. What XML cannot hold at all is shown as replaced.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            character if is_obeyed(character) => safe.push('\u{fffd}'),
            character => safe.push(character),
        }
    }
    safe
}
