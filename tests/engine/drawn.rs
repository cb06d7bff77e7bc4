//! Random sagas, as shapes, sagas that take steps back and others inside of those among them.

use std::time::Duration;

use proptest::prelude::*;
use saga::definition::{Limit, Per};

use super::shapes::{PivotShape, SagaShape, Shape, UndoShape};

pub(crate) fn saga() -> impl Strategy<Value = SagaShape> {
    let pivot = prop_oneof![Just(PivotShape::None), Just(PivotShape::Step), Just(PivotShape::Bare)];
    let before = prop::collection::vec(shape(Size::WHOLE), 0..5);
    (before, pivot, prop::collection::vec(forward_shape(Size::WHOLE), 0..3), any::<bool>(), limits()).prop_map(
        |(before, pivot, behind, deadline, limits)| {
            let behind = if matches!(pivot, PivotShape::None) { Vec::new() } else { behind };
            SagaShape { before, pivot, behind, deadline, limits }
        },
    )
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let at_once = (1u32..3).prop_map(|count| Limit { count, per: Per::Once });
    let rate = (1u32..3).prop_map(|count| Limit { count, per: Per::Time(Duration::from_secs(3)) });
    prop_oneof![
        2 => Just(Vec::new()),
        2 => at_once.clone().prop_map(|limit| vec![limit]),
        1 => rate.clone().prop_map(|limit| vec![limit]),
        1 => (at_once, rate).prop_map(|(one, other)| vec![one, other]),
    ]
}

/// How much is drawn.
#[derive(Clone, Copy)]
struct Size {
    /// How deep blocks stand in blocks, of about how many statements in all, and in one block.
    blocks: (u32, u32, u32),
    /// How deep sagas that take a step back stand in each other.
    sagas: u32,
}

impl Size {
    const WHOLE: Self = Self { blocks: (3, 24, 4), sagas: 2 };

    /// Of a saga that takes a step back.
    const fn inside(self) -> Self {
        Self { blocks: (2, 5, 3), sagas: self.sagas - 1 }
    }
}

fn undo(size: Size) -> BoxedStrategy<UndoShape> {
    let plain = prop_oneof![
        1 => Just(UndoShape::Nothing),
        4 => Just(UndoShape::Same),
        1 => Just(UndoShape::Other),
        1 => Just(UndoShape::Message),
    ];
    if size.sagas == 0 {
        return plain.boxed();
    }
    let any = prop::collection::vec(forward_shape(size.inside()), 0..3);
    prop_oneof![
        7 => plain,
        1 => (0u8..7).prop_map(|number| UndoShape::Saga(way_back(number))),
        1 => any.prop_map(UndoShape::Saga),
    ]
    .boxed()
}

fn shape(size: Size) -> BoxedStrategy<Shape> {
    let leaf = prop_oneof![
        8 => (undo(size), any::<bool>()).prop_map(|(undo, queries)| Shape::Step { undo, queries }),
        2 => undo(size).prop_map(|undo| Shape::Send { undo }),
        1 => Just(Shape::UndoOnly),
        1 => (0u8..4).prop_map(Shape::Sleep),
        1 => Just(Shape::Let),
        1 => Just(Shape::Fail),
    ];
    let (deep, all, wide) = size.blocks;
    let blocks = leaf.prop_recursive(deep, all, wide, move |inner| {
        let block = prop::collection::vec(inner, 0..4);
        prop_oneof![
            3 => block.clone().prop_map(Shape::Parallel),
            1 => block.clone().prop_map(Shape::Sequence),
            3 => (any::<bool>(), block.clone(), prop::option::of(block.clone()), prop::option::of(block.clone()))
                .prop_map(|(timed, body, picky, all)| Shape::Try { timed, body, picky, all }),
            2 => (any::<bool>(), block.clone()).prop_map(|(filtered, otherwise)| Shape::Await { filtered, otherwise }),
            3 => (block.clone(), prop::option::of((any::<bool>(), undo(size))), prop::collection::vec(forward_leaf(), 0..3))
                .prop_map(|(before, own, behind)| {
                    let own = own.map(|(step, undo)| (if step { PivotShape::Step } else { PivotShape::Bare }, undo));
                    let behind = if own.is_some() { behind } else { Vec::new() };
                    Shape::Run { before, own, behind }
                }),
            3 => (1u16..4, any::<bool>(), block.clone())
                .prop_map(|(window, filtered, body)| Shape::Each { window, filtered, body }),
            3 => (1u16..4, prop::option::of(0u8..4), block.clone(), block.clone())
                .prop_map(|(times, flag, body, otherwise)| Shape::Repeat { times, flag, body, otherwise }),
            2 => (0u8..4, block.clone(), block)
                .prop_map(|(flag, then, otherwise)| Shape::When { flag, then, otherwise }),
        ]
    });
    blocks.boxed()
}

/// Behind the point of no return nothing may fail.
fn forward_shape(size: Size) -> BoxedStrategy<Shape> {
    let leaf = prop_oneof![
        8 => forward_leaf(),
        // What fails in a `try` is taken back wherever it stands; a `catch` without codes takes it.
        1 => (any::<bool>(), prop::collection::vec(shape(size), 1..3))
            .prop_map(|(timed, body)| Shape::Try { timed, body, picky: None, all: Some(Vec::new()) }),
    ];
    let blocks = leaf.prop_recursive(2, 8, 3, |inner| {
        let block = prop::collection::vec(inner, 0..3);
        prop_oneof![
            block.clone().prop_map(Shape::Parallel),
            block.clone().prop_map(Shape::Sequence),
            (block.clone(), prop::option::of(any::<bool>()), block.clone()).prop_map(|(before, own, behind)| {
                let pivot = |step| if step { PivotShape::Step } else { PivotShape::Bare };
                Shape::Run { before, own: own.map(|step| (pivot(step), UndoShape::Nothing)), behind }
            }),
            (1u16..4, any::<bool>(), block.clone()).prop_map(|(window, filtered, body)| Shape::Each {
                window,
                filtered,
                body
            }),
            (1u16..4, prop::option::of(0u8..4), block.clone(), block.clone())
                .prop_map(|(times, flag, body, otherwise)| Shape::Repeat { times, flag, body, otherwise }),
            (any::<bool>(), block).prop_map(|(filtered, otherwise)| Shape::Await { filtered, otherwise }),
        ]
    });
    blocks.boxed()
}

fn forward_leaf() -> impl Strategy<Value = Shape> {
    prop_oneof![
        4 => any::<bool>().prop_map(|queries| Shape::Step { undo: UndoShape::Nothing, queries }),
        2 => Just(Shape::Send { undo: UndoShape::Nothing }),
        1 => (0u8..4).prop_map(Shape::Sleep),
    ]
}

/// What stands behind the point of no return with which a saga begins that takes a step back: a few that are rarely drawn.
pub(crate) fn way_back(number: u8) -> Vec<Shape> {
    let step = || Shape::Step { undo: UndoShape::Nothing, queries: true };
    let undone = |undo| Shape::Step { undo, queries: false };
    let run = Shape::Run { before: Vec::new(), own: Some((PivotShape::Bare, UndoShape::Same)), behind: vec![step()] };
    let tried = |body| Shape::Try { timed: true, body, picky: None, all: Some(vec![step()]) };
    match number {
        0 => Vec::new(),
        1 => vec![step()],
        2 => vec![step(), Shape::Sleep(2), Shape::Send { undo: UndoShape::Nothing }],
        3 => vec![Shape::Parallel(vec![step(), Shape::Await { filtered: true, otherwise: vec![step()] }])],
        4 => vec![Shape::Each { window: 2, filtered: false, body: vec![step()] }],
        5 => vec![tried(vec![undone(UndoShape::Same), undone(UndoShape::Other)]), step()],
        _ => vec![tried(vec![undone(UndoShape::Saga(way_back(2))), run, Shape::Fail])],
    }
}
