//! Pictures of a plan as text, in Mermaid and in DOT; [`super::svg`] draws one by itself.
//!
//! Both show the same: the flow forward, compensations beside their steps with dashed lines, the point of no return
//! with a double border, the ways of a `when` with the conditions as their author wrote them, a colour for each
//! participant. The same plan gives the same text, so that a picture in a document can be compared with its source.

use std::fmt::Write as _;

use compact_str::CompactString;

use super::graph::{Edge, StepGraph, Vertex};
use super::{Class, Kind, NodeId, Plan, Trial, Work};
use crate::definition::{Compensation, Invocation, Sleep};
use crate::source::{Sources, Span};

/// Fill and border of each participant, by its first appearance; a ninth begins again. Chosen to be told apart by
/// people who do not see all colours, and to be read in print.
pub(super) const COLOURS: [(&str, &str); 8] = [
    ("#cfe2f3", "#2b6ca3"),
    ("#fce5cd", "#b45f06"),
    ("#d9ead3", "#38761d"),
    ("#ead1dc", "#a64d79"),
    ("#fff2cc", "#bf9000"),
    ("#d9d2e9", "#674ea7"),
    ("#d0e0e3", "#45818e"),
    ("#eeeeee", "#666666"),
];

/// The longest condition that is drawn, in characters; the rest is in the source.
const CONDITION_MAX: usize = 60;

/// The plan as a Mermaid flowchart.
#[must_use]
pub fn mermaid(plan: &Plan, sources: &Sources) -> String {
    let picture = Picture::new(plan, sources);
    let mut text = String::from("flowchart TD\n");
    for shape in &picture.shapes {
        let label = shape.lines.iter().map(|line| mermaid_text(line)).collect::<Vec<_>>().join("<br/>");
        let (open, close) = match shape.form {
            Form::End => ("([", "])"),
            Form::Step | Form::Compensation => ("[", "]"),
            Form::Pivot => ("[[", "]]"),
            Form::Choice => ("{", "}"),
            Form::Point => ("((", "))"),
            Form::Loop => ("{{", "}}"),
            Form::Aside => ("(", ")"),
            Form::Fail => (">", "]"),
        };
        let class = shape.class();
        let _ = writeln!(text, "  {}{open}\"{label}\"{close}{class}", shape.id, class = class_suffix(class.as_deref()));
    }
    for line in &picture.lines {
        let arrow = match (line.back, line.label.as_deref()) {
            (true, _) => "-.->".to_owned(),
            (false, None) => "-->".to_owned(),
            (false, Some(label)) => format!("-->|\"{}\"|", mermaid_text(label)),
        };
        let _ = writeln!(text, "  {} {arrow} {}", line.from, line.to);
    }
    for (number, (_, (fill, border))) in picture.participants.names().iter().zip(COLOURS.iter().cycle()).enumerate() {
        let _ = writeln!(text, "  classDef p{number} fill:{fill},stroke:{border},color:#000");
        let dashed = "stroke-dasharray:4 3";
        let _ = writeln!(text, "  classDef u{number} fill:#fff,stroke:{border},color:#000,{dashed}");
    }
    text
}

fn class_suffix(class: Option<&str>) -> String {
    class.map(|class| format!(":::{class}")).unwrap_or_default()
}

/// The plan as a DOT digraph.
#[must_use]
pub fn dot(plan: &Plan, sources: &Sources) -> String {
    let picture = Picture::new(plan, sources);
    let mut text = format!("digraph \"{}\" {{\n", dot_text(&plan.saga.name));
    text.push_str("  node [fontname=\"Helvetica\" fontsize=11 style=filled fillcolor=white]\n");
    text.push_str("  edge [fontname=\"Helvetica\" fontsize=10]\n");
    for shape in &picture.shapes {
        let label = shape.lines.iter().map(|line| dot_text(line)).collect::<Vec<_>>().join("\\n");
        let form = match shape.form {
            Form::End => "shape=oval",
            Form::Step => "shape=box",
            Form::Compensation => "shape=box style=dashed",
            Form::Pivot => "shape=box peripheries=2",
            Form::Choice => "shape=diamond",
            Form::Point => "shape=point width=0.12",
            Form::Loop => "shape=hexagon",
            Form::Aside => "shape=box style=\"rounded,filled\"",
            Form::Fail => "shape=octagon",
        };
        let colour = match (shape.participant.and_then(|number| COLOURS.iter().cycle().nth(number)), shape.form) {
            (Some((_, border)), Form::Compensation) => format!(" color=\"{border}\""),
            (Some((fill, border)), _) => format!(" fillcolor=\"{fill}\" color=\"{border}\""),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "  {} [label=\"{label}\" {form}{colour}]", shape.id);
    }
    for line in &picture.lines {
        let mut attributes = Vec::new();
        if let Some(label) = &line.label {
            attributes.push(format!("label=\"{}\"", dot_text(label)));
        }
        if line.back {
            attributes.push("style=dashed".to_owned());
        }
        let attributes = if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(" ")) };
        let _ = writeln!(text, "  {} -> {}{attributes}", line.from, line.to);
        if line.back {
            // Beside its step; without this, Graphviz puts all compensations in one row on top.
            let _ = writeln!(text, "  {{ rank=same {} {} }}", line.from, line.to);
        }
    }
    text.push_str("}\n");
    text
}

/// What is drawn, whichever way.
struct Picture {
    shapes: Vec<Shape>,
    lines: Vec<Line>,
    participants: Participants,
}

/// Participants by their first appearance, which gives them their colours.
#[derive(Default)]
pub(super) struct Participants {
    names: Vec<CompactString>,
}

impl Participants {
    /// Of whom something is asked, from 0.
    pub(super) fn number(&mut self, invocation: &Invocation) -> usize {
        let name = &invocation.participant.name;
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        })
    }

    /// Those that have appeared.
    pub(super) fn names(&self) -> &[CompactString] {
        &self.names
    }
}

struct Shape {
    id: String,
    form: Form,
    lines: Vec<String>,
    /// Its number, for the colour.
    participant: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Start and end.
    End,
    Step,
    Pivot,
    Compensation,
    Choice,
    /// Where a `parallel` parts or joins.
    Point,
    /// Where a loop begins.
    Loop,
    /// `let`, `sleep`, a step that only undoes.
    Aside,
    Fail,
}

struct Line {
    from: String,
    to: String,
    label: Option<String>,
    /// To a compensation.
    back: bool,
}

impl Shape {
    fn class(&self) -> Option<String> {
        let kind = if self.form == Form::Compensation { "u" } else { "p" };
        self.participant.map(|number| format!("{kind}{number}"))
    }
}

impl Picture {
    fn new(plan: &Plan, sources: &Sources) -> Self {
        let graph = StepGraph::new(plan);
        let mut this = Self { shapes: Vec::new(), lines: Vec::new(), participants: Participants::default() };
        for (index, vertex) in graph.vertices() {
            this.vertex(plan, sources, index, vertex);
        }
        let shown = graph.edges().map(|(from, to, edge)| Line {
            from: format!("n{from}"),
            to: format!("n{to}"),
            label: label(plan, sources, edge),
            back: false,
        });
        // The flow first: a reader of the text meets compensations behind it.
        let back = std::mem::take(&mut this.lines);
        this.lines = shown.chain(back).collect();
        this
    }

    fn vertex(&mut self, plan: &Plan, sources: &Sources, index: usize, vertex: Vertex) {
        let id = format!("n{index}");
        let (form, lines) = match vertex {
            Vertex::Start => (Form::End, vec![plan.saga.name.to_string()]),
            Vertex::End => (Form::End, vec!["completed".to_owned()]),
            Vertex::Fork(_) | Vertex::Join(_) => (Form::Point, vec![" ".to_owned()]),
            Vertex::Try(node) => {
                let within = match &plan.node(node).kind {
                    Kind::Try(Trial { within: Some(within), .. }) => {
                        Some(format!("within {}", written(sources, within.span)))
                    }
                    _ => None,
                };
                (Form::Aside, std::iter::once("try".to_owned()).chain(within).collect())
            }
            Vertex::Choice(_) => (Form::Choice, vec!["when".to_owned()]),
            Vertex::Each(node) | Vertex::Repeat(node) => (Form::Loop, loop_lines(plan, sources, node)),
            Vertex::Until(_) => (Form::Choice, vec!["until".to_owned()]),
            Vertex::Leaf(node) => return self.leaf(plan, sources, id, node),
        };
        self.shapes.push(Shape { id, form, lines, participant: None });
    }

    fn leaf(&mut self, plan: &Plan, sources: &Sources, id: String, node: NodeId) {
        let place = plan.node(node).place.to_string();
        if let Some((step, run)) = plan.sub_saga_of_input(node) {
            let lines = vec![step.place.to_string(), format!("run {}", run.saga)];
            self.shapes.push(Shape { id: id.clone(), form: Form::Aside, lines, participant: None });
            return self.compensation(plan, id, &run.work);
        }
        let (form, lines) = match &plan.node(node).kind {
            Kind::Step(work) => {
                let form = match (work.class, work.action()) {
                    (Class::Pivot | Class::InnerPivot, _) => Form::Pivot,
                    (Class::Compensatable | Class::Retriable, Some(_)) => Form::Step,
                    (Class::Compensatable | Class::Retriable, None) => Form::Aside,
                };
                let participant = work.action().map(|action| self.participants.number(action));
                let lines = std::iter::once(place).chain(work.action().map(called)).collect();
                self.shapes.push(Shape { id: id.clone(), form, lines, participant });
                return self.compensation(plan, id, work);
            }
            Kind::Pivot => (Form::Pivot, vec!["pivot".to_owned()]),
            Kind::Sleep(Sleep::For(until)) => (Form::Aside, vec![format!("sleep {}", written(sources, until.span))]),
            Kind::Sleep(Sleep::Until(until)) => {
                (Form::Aside, vec![format!("sleep until {}", written(sources, until.span))])
            }
            Kind::Await(wait, _) => (
                Form::Aside,
                vec![format!("await {}", wait.signal.name), format!("within {}", written(sources, wait.within.span))],
            ),
            Kind::Let(value) => (Form::Aside, vec![format!("let {place} = {}", written(sources, value.span))]),
            Kind::Fail { code, .. } => (Form::Fail, vec![format!("fail \"{code}\"")]),
            // The graph has no leaf of these kinds.
            Kind::Scope(_)
            | Kind::Sequence(_)
            | Kind::Parallel(_)
            | Kind::Choice { .. }
            | Kind::Try(_)
            | Kind::Each(_)
            | Kind::Repeat(_)
            | Kind::Run(_) => (Form::Aside, vec![place]),
        };
        self.shapes.push(Shape { id, form, lines, participant: None });
    }

    /// What takes a step back, beside it.
    fn compensation(&mut self, plan: &Plan, id: String, work: &Work) {
        if !work.has_compensation() {
            return;
        }
        let participant = plan.asked_back(work).map(|asked| self.participants.number(asked)).next();
        let undo = format!("{id}u");
        let lines = run_back(work).into_iter().chain(plan.asked_back(work).map(called)).collect();
        self.shapes.push(Shape { id: undo.clone(), form: Form::Compensation, lines, participant });
        self.lines.push(Line { from: id, to: undo, label: None, back: true });
    }
}

/// The saga that takes a step back, if one does.
pub(super) fn run_back(work: &Work) -> Option<String> {
    match &work.step.compensation {
        Compensation::Run(run) => Some(format!("run {}", run.saga)),
        Compensation::Unsaid | Compensation::Nothing | Compensation::Call(_) => None,
    }
}

fn called(invocation: &Invocation) -> String {
    format!("{}.{}", invocation.participant.name, invocation.command.name)
}

fn label(plan: &Plan, sources: &Sources, edge: Edge) -> Option<String> {
    match edge {
        Edge::Then => None,
        Edge::Again(node) => Some(again(plan, node).to_owned()),
        Edge::Done(_) => Some("all done".to_owned()),
        Edge::Met(node) => match &plan.node(node).kind {
            Kind::Repeat(repeat) => Some(written(sources, repeat.until.span)),
            _ => None,
        },
        Edge::Otherwise(_) => Some("otherwise".to_owned()),
        Edge::Catch(node, number) => match &plan.node(node).kind {
            Kind::Try(trial) => trial.catches.get(number as usize).map(|(codes, _)| {
                let codes: Vec<String> = codes.iter().map(|code| format!(" \"{code}\"")).collect();
                format!("catch{}", codes.join(","))
            }),
            _ => None,
        },
        Edge::Arm(node, number) => match &plan.node(node).kind {
            Kind::Choice { arms, .. } => {
                arms.get(number as usize).map(|(condition, _)| written(sources, condition.span))
            }
            _ => None,
        },
    }
}

/// What a loop says of itself: over what it goes, how often, how many at once.
pub(super) fn loop_lines(plan: &Plan, sources: &Sources, node: NodeId) -> Vec<String> {
    match &plan.node(node).kind {
        Kind::Each(each) => {
            let list = written(sources, each.list.span);
            let mut lines = vec![format!("for each {} in {list}", plan.node(each.element).place)];
            lines.extend(each.filter.as_ref().map(|filter| format!("where {}", written(sources, filter.span))));
            if each.window > 1 {
                lines.push(format!("at most {} at once", each.window));
            }
            lines
        }
        Kind::Repeat(repeat) => vec![format!("repeat at most {} times", repeat.times)],
        _ => Vec::new(),
    }
}

/// On the way back to where a loop begins.
pub(super) fn again(plan: &Plan, node: NodeId) -> &'static str {
    if matches!(plan.node(node).kind, Kind::Each(_)) { "next" } else { "again" }
}

/// The source text of a span on one line, cut where it is long.
pub(super) fn written(sources: &Sources, span: Span) -> String {
    let text = sources.get(span.file).and_then(|file| file.text.get(span.range())).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CONDITION_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Inside a quoted label; Mermaid has entities with `#`.
pub fn mermaid_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '#' => safe.push_str("#35;"),
            '"' => safe.push_str("#quot;"),
            '<' => safe.push_str("#lt;"),
            '>' => safe.push_str("#gt;"),
            '&' => safe.push_str("#amp;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Inside a quoted string of DOT.
fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
