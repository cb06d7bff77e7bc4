//! What a value is compared with, carried back through what is computed of it: of its values, those near that make a
//! difference.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::Excluded;

use compact_str::{CompactString, format_compact};
use rust_decimal::Decimal;

use super::{Cut, EXPLORED, START};
use crate::definition::expression::{BinaryOp, Expr, Function};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::time::Timestamp;

/// A list is made no longer than this for a condition that asks how many there are: a state takes as much more.
const COUNT_MAX: usize = 128;

/// A text is made no longer than this for a condition that asks how long it is.
const LENGTH_MAX: usize = 1_000;

/// So often a number is computed back through arithmetic: what a round computes of the round before has no end.
const BACK_MAX: u8 = 3;

/// A value is compared with no more numbers than these: each use of a name in a sum carries all of them on.
pub(super) const NUMBERS_MAX: usize = 200;

/// So many words that are looked for in one text are tried together in each way; of more, these.
const PARTS_MAX: usize = 4;

/// Instants and durations that are to be apart are so by days, in milliseconds.
const DAY_MILLIS: i64 = 86_400_000;
const DAY: u64 = DAY_MILLIS.unsigned_abs();

/// Digits behind the point that a quotient keeps.
const QUOTIENT_PLACES: u32 = 6;

/// Digits that a decimal has at most.
const DIGITS: u32 = 28;

/// Whether what is computed with a value may be too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Overflow {
    /// Nothing is computed with it.
    #[default]
    Never,
    /// Of a large one.
    Above,
    /// Of a large one, or a very negative one.
    AboveAndBelow,
}

impl Overflow {
    /// The last numbers that there are, whole ones and decimals.
    const fn ends(self) -> &'static [Decimal] {
        const BELOW: Decimal = Decimal::from_parts(0, 0x8000_0000, 0, true, 0);
        match self {
            Self::Never => &[],
            Self::Above => &[WHOLE, LARGEST],
            Self::AboveAndBelow => &[WHOLE, LARGEST, BELOW, LEAST],
        }
    }
}

/// The largest whole number.
pub(super) const WHOLE: Decimal = Decimal::from_parts(0xffff_ffff, 0x7fff_ffff, 0, false, 0);

/// The largest decimal.
pub(super) const LARGEST: Decimal = Decimal::from_parts(0x0fff_ffff, 0x3e25_0261, 0x204f_ce5e, false, 0);

/// The least decimal.
pub(super) const LEAST: Decimal = Decimal::from_parts(0x0fff_ffff, 0x3e25_0261, 0x204f_ce5e, true, 0);

/// What a value is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Against {
    /// Numbers, each with the times it was computed back.
    numbers: BTreeMap<Decimal, u8>,
    words: BTreeSet<CompactString>,
    /// In milliseconds.
    durations: BTreeSet<i64>,
    instants: BTreeSet<Timestamp>,
    /// Sizes with which the comparison comes to the other end than with none.
    sizes: BTreeSet<usize>,
    /// Other data, and what that is compared with in turn, this value included: so many values may all have to differ.
    linked: BTreeSet<CompactString>,
    /// It is looked for in it whether it has these words: it may have several.
    has_parts: bool,
    /// Something compares it, or what is computed with it.
    pub(super) is_compared: bool,
    /// Whether what is computed with it may be too large.
    pub(super) overflow: Overflow,
    /// Whether that may be so of what is computed with what is computed of it.
    carried_on: Overflow,
    /// There were more numbers than are kept.
    is_cut: bool,
}

impl Against {
    pub(super) const COMPARED: Self = Self {
        numbers: BTreeMap::new(),
        words: BTreeSet::new(),
        durations: BTreeSet::new(),
        instants: BTreeSet::new(),
        sizes: BTreeSet::new(),
        linked: BTreeSet::new(),
        has_parts: false,
        is_compared: true,
        overflow: Overflow::Never,
        carried_on: Overflow::Never,
        is_cut: false,
    };

    pub(super) fn and(&mut self, other: &Self) {
        for (number, back) in &other.numbers {
            self.add(*number, *back);
        }
        self.words.extend(other.words.iter().cloned());
        self.durations.extend(&other.durations);
        self.instants.extend(&other.instants);
        self.sizes.extend(&other.sizes);
        self.linked.extend(other.linked.iter().cloned());
        self.has_parts |= other.has_parts;
        self.is_compared |= other.is_compared;
        self.overflow = self.overflow.max(other.overflow);
        self.carried_on = self.carried_on.max(other.carried_on);
        self.is_cut |= other.is_cut;
    }

    /// Compared with other data, of which this is known.
    pub(super) fn link(&mut self, name: CompactString, known: Option<&Self>) {
        self.linked.insert(name);
        if let Some(known) = known {
            let (sizes, overflow, carried_on) = (BTreeSet::new(), Overflow::Never, Overflow::Never);
            self.and(&Self { sizes, overflow, carried_on, has_parts: false, ..known.clone() });
        }
    }

    /// Compared with what cannot be tried.
    pub(super) const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Looked through for what it is compared with.
    pub(super) fn with_parts(self) -> Self {
        Self { has_parts: true, ..self }
    }

    /// Why some of what makes a difference is not tried. Compared with the id of the saga and with other words, it may be
    /// that the id is one of those, and so with when it began.
    pub(super) fn cuts(&self) -> impl Iterator<Item = Cut> + use<> {
        let is_with_id = self.words.contains(EXPLORED) && self.words.len() > 1;
        let is_with_start = self.instants.contains(&START) && self.instants.len() > 1;
        let is_cut = self.is_cut || self.has_parts && self.parts().count() > PARTS_MAX;
        let own = (is_with_id || is_with_start).then_some(Cut::Own);
        is_cut.then_some(Cut::Payloads(None)).into_iter().chain(own)
    }

    /// So many values may all have to differ, beside one constant.
    fn levels(&self) -> usize {
        self.linked.len().max(1)
    }

    fn add(&mut self, number: Decimal, back: u8) {
        let number = number.normalize();
        let is_full = self.numbers.len() >= NUMBERS_MAX;
        match self.numbers.get_mut(&number) {
            Some(known) => *known = back.min(*known),
            None if is_full => self.is_cut = true,
            None => drop(self.numbers.insert(number, back)),
        }
    }

    /// Compared with all constants in an expression.
    pub(super) fn constants(other: &Expr) -> Self {
        let mut against = Self::COMPARED;
        other.walk(&mut |expr: &Expr| match expr {
            Expr::Literal(Value::Int(number)) => against.add(Decimal::from(*number), 0),
            Expr::Literal(Value::Decimal(number)) => against.add(*number, 0),
            Expr::Literal(Value::String(word)) => drop(against.words.insert(word.clone())),
            Expr::Literal(Value::Duration(millis)) => drop(against.durations.insert(*millis)),
            Expr::Literal(Value::Timestamp(instant)) => drop(against.instants.insert(*instant)),
            Expr::Negate(_) => literal(expr).into_iter().for_each(|number| against.add(number, 0)),
            _ => {}
        });
        against
    }

    /// What stands on the left of a comparison, with what stands on its right.
    pub(super) fn compared(op: BinaryOp, right: &Expr) -> Self {
        let mut against = Self::constants(right);
        if let Some(number) = literal(right).and_then(|number| usize::try_from(number.floor().mantissa()).ok()) {
            let is_beyond = matches!(op, BinaryOp::Greater | BinaryOp::LessEqual);
            against.sizes.insert(number.saturating_add(usize::from(is_beyond)));
        }
        against
    }

    /// Something of which this is the result, but for the numbers: those are others.
    fn operand(overflow: Overflow, of_result: Option<&Self>) -> Self {
        let Some(of) = of_result else { return Self { overflow, ..Self::default() } };
        Self {
            words: of.words.clone(),
            durations: of.durations.clone(),
            instants: of.instants.clone(),
            linked: of.linked.clone(),
            overflow: overflow.max(of.overflow),
            carried_on: of.carried_on.max(of.overflow),
            is_compared: of.is_compared,
            is_cut: of.is_cut,
            ..Self::default()
        }
    }

    /// One operand, by what comes of both; the other one is `other`.
    pub(super) fn computed(op: BinaryOp, of_result: Option<&Self>, other: &Expr, is_left: bool) -> Self {
        let overflow = if op == BinaryOp::Add { Overflow::Above } else { Overflow::AboveAndBelow };
        let mut against = Self::operand(overflow, of_result);
        let Some(of_result) = of_result else { return against };
        if let Expr::Literal(Value::Duration(millis)) = other {
            against.durations.insert(*millis);
        }
        let Some(constant) = literal(other) else {
            against.numbers.clone_from(&of_result.numbers);
            return against;
        };
        // The last numbers with which the result is not too large, and what is computed with it is.
        let ends = of_result.overflow.ends().iter().chain([&Decimal::ZERO]).map(|end| (*end, 0));
        for (number, back) in of_result.numbers.iter().map(|(number, back)| (*number, *back)).chain(ends) {
            let operand = match (op, is_left) {
                (BinaryOp::Add, _) => number.checked_sub(constant),
                (BinaryOp::Subtract, true) => number.checked_add(constant),
                (BinaryOp::Subtract, false) => constant.checked_sub(number),
                (BinaryOp::Multiply, _) => number.checked_div(constant),
                (BinaryOp::Divide, true) => number.checked_mul(constant),
                _ => constant.checked_div(number),
            };
            if let Some(operand) = operand.filter(|_| back < BACK_MAX) {
                let operand = operand.round_dp(QUOTIENT_PLACES);
                against.add(operand.round_sf(DIGITS).unwrap_or(operand), back + 1);
            }
        }
        against
    }

    /// One of those of which this is the sum: the others may be 0.
    pub(super) fn summed(of_sum: Option<&Self>) -> Self {
        let numbers = of_sum.map(|of_sum| of_sum.numbers.clone()).unwrap_or_default();
        Self { numbers, ..Self::operand(Overflow::Above, of_sum) }
    }

    /// What is negated.
    pub(super) fn negated(of_result: Option<&Self>) -> Self {
        let negative = of_result.into_iter().flat_map(|of_result| &of_result.numbers);
        let numbers = negative.map(|(number, back)| ((-*number).normalize(), *back)).collect();
        Self { numbers, ..Self::operand(Overflow::AboveAndBelow, of_result) }
    }

    /// What lies between two instants, by what it is compared with: each of the two.
    pub(super) fn apart(&self) -> Self {
        Self { durations: self.durations.clone(), ..Self::COMPARED }
    }

    /// Of what is written out as a text that is compared with these.
    pub(super) fn written_out(&self) -> Self {
        let mut against = self.clone();
        self.words.iter().filter_map(|word| word.parse().ok()).for_each(|number| against.add(number, 0));
        against
    }

    /// Sizes that make a difference where this says what a size is compared with.
    pub(super) fn sizes(&self) -> BTreeSet<usize> {
        let near = |number: &Decimal| {
            let floor = usize::try_from(number.floor().mantissa()).ok();
            floor.into_iter().flat_map(|floor| [floor, floor.saturating_add(1)])
        };
        // Of those that stand in a comparison itself, that said which make a difference.
        let computed = self.numbers.iter().filter(|(_, back)| **back > 0 || self.sizes.is_empty());
        let sizes = self.sizes.iter().copied().chain(computed.flat_map(|(number, _)| near(number)));
        sizes.filter(|size| *size <= COUNT_MAX).collect()
    }

    /// A text, by what its length is compared with.
    pub(super) fn of_length(&self) -> Self {
        let sizes = self.sizes.iter().copied().chain(self.sizes()).filter(|size| *size <= LENGTH_MAX).chain([0]);
        Self { words: sizes.map(|size| filled("", size)).collect(), ..Self::COMPARED }
    }

    /// 0, 1 and on, and the numbers that something is compared with and those beside them.
    pub(super) fn whole_numbers(&self) -> BTreeSet<i64> {
        let near = |number: &Decimal| {
            let floor = i64::try_from(number.floor().mantissa()).ok();
            let least = if number.is_integer() { -self.last() } else { 1 - self.last() };
            floor.into_iter().flat_map(move |floor| (least..=self.last()).map(move |by| floor.saturating_add(by)))
        };
        self.numbers.keys().flat_map(near).chain(self.levels_from_zero()).collect()
    }

    /// The same, with fractions; beside one of them is what differs in its last digit, and between two of them is one.
    pub(super) fn decimals(&self) -> BTreeSet<Decimal> {
        let near = |number: &Decimal| {
            let (number, scale) = (*number, number.scale());
            (-self.last()..=self.last()).filter_map(move |by| number.checked_add(Decimal::new(by, scale)))
        };
        let mut all: BTreeSet<Decimal> =
            self.numbers.keys().flat_map(near).chain(self.levels_from_zero().map(Decimal::from)).collect();
        for (less, more) in self.numbers.keys().zip(self.numbers.keys().skip(1)) {
            let has_one = all.range((Excluded(less), Excluded(more))).next().is_some();
            let between = less.checked_add(*more).and_then(|sum| sum.checked_div(Decimal::TWO));
            all.extend(between.filter(|between| !has_one && less < between && between < more));
        }
        all
    }

    /// Texts: the same one in all that is looked at, so that two can be equal, and others, so that none is; and those that
    /// something is compared with, alone and, where they are looked for in it, together.
    pub(super) fn texts(&self, word: &str) -> Vec<CompactString> {
        let others = (2..self.levels()).map(|number| format_compact!("{word} {number}"));
        let own = [CompactString::const_new("same"), word.into()];
        let mut texts: Vec<CompactString> = own.into_iter().chain(others).chain(self.words.iter().cloned()).collect();
        if self.has_parts {
            let words: Vec<&CompactString> = self.parts().take(PARTS_MAX).collect();
            let together = |set: u32| {
                let words = words.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
                words.map(|(_, word)| word.as_str()).collect()
            };
            texts.extend((1_u32..1 << words.len()).filter(|set| set.count_ones() > 1).map(together));
            // Of each length that makes a difference there is one that has a word in it, and one that has none.
            let sizes: Vec<usize> =
                self.words.iter().filter(|word| is_filler(word)).map(|word| word.chars().count()).collect();
            let longer = words.iter().flat_map(|word| {
                let long = sizes.iter().filter(|size| **size > word.chars().count());
                long.map(|size| filled(word, *size))
            });
            texts.extend(longer.collect::<Vec<_>>());
            // What is looked for is other data: there is one that has it in it and is not equal to it.
            texts.extend((!self.linked.is_empty()).then(|| format_compact!("same {word}")));
        }
        texts
    }

    /// Words that are looked for in it.
    fn parts(&self) -> impl Iterator<Item = &CompactString> {
        self.words.iter().filter(|word| !is_filler(word))
    }

    /// In milliseconds: those that something is compared with, and those beside them.
    pub(super) fn durations(&self) -> BTreeSet<i64> {
        let far = self.levels_from_zero().map(|day| day * DAY_MILLIS);
        self.durations.iter().flat_map(|millis| self.near(*millis)).chain(far).collect()
    }

    /// Those that something is compared with and what lies as far from `now` as is asked for, and those beside them.
    pub(super) fn instants(&self, now: Timestamp) -> BTreeSet<Timestamp> {
        let apart = self.durations.iter().flat_map(|millis| [*millis, millis.saturating_neg()]);
        let far = apart.filter_map(|millis| now.0.checked_add_signed(millis));
        let instants = self.instants.iter().map(|instant| instant.0).chain(far);
        let near = |instant: u64| self.near(0).map(move |by| instant.saturating_add_signed(by));
        let later = self.levels_from_zero().filter(|_| self.is_compared).map(|day| now.0 + day.unsigned_abs() * DAY);
        instants.flat_map(near).chain(later).map(Timestamp).collect()
    }

    /// In milliseconds: what comes to an end, or just beyond it, with a time that is computed with it later on.
    pub(super) fn before(&self, end: u64) -> impl Iterator<Item = u64> + use<'_> {
        let far = self.durations.iter().filter(|_| self.carried_on > Overflow::Never);
        far.flat_map(move |millis| [0, 1].map(|by| end.saturating_sub(millis.unsigned_abs()).saturating_add(by)))
    }

    /// How far from a constant the last value lies that makes a difference: all that are compared with each other may lie on
    /// one side of it.
    fn last(&self) -> i64 {
        i64::try_from(self.levels()).unwrap_or(i64::MAX)
    }

    fn levels_from_zero(&self) -> impl Iterator<Item = i64> + use<> {
        0..self.last().max(2)
    }

    fn near(&self, number: i64) -> impl Iterator<Item = i64> + use<> {
        (-self.last()..=self.last()).map(move |by| number.saturating_add(by))
    }
}

/// What makes a text long enough: a letter that nobody looks for.
const FILLER: char = '\u{b7}';

/// A text of so many letters, with this at its beginning.
fn filled(begin: &str, size: usize) -> CompactString {
    let missing = size.saturating_sub(begin.chars().count());
    begin.chars().chain(std::iter::repeat_n(FILLER, missing)).collect()
}

fn is_filler(word: &str) -> bool {
    word.chars().all(|letter| letter == FILLER)
}

/// A number that stands in the text.
pub(super) fn literal(expr: &Expr) -> Option<Decimal> {
    match expr {
        Expr::Literal(Value::Int(number)) => Some(Decimal::from(*number)),
        Expr::Literal(Value::Decimal(number)) => Some(*number),
        Expr::ToDecimal(inner) => literal(inner),
        Expr::Negate(inner) => literal(inner).map(|number| -number),
        _ => None,
    }
}

/// The same comparison with its sides in each other's place.
pub(super) const fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        op => op,
    }
}

/// Texts are put together, and that does not overflow.
pub(super) fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value) => matches!(value, Value::String(_)),
        Expr::Binary(BinaryOp::Add, operands) => is_text(&operands.0) || is_text(&operands.1),
        Expr::Call(function, _) => matches!(function, Function::Text | Function::Id),
        expr => is_read_as(expr, &|ty| matches!(ty, Type::String | Type::Choice(_))),
    }
}

pub(super) fn is_instant(expr: &Expr) -> bool {
    is_read_as(expr, &|ty| *ty == Type::Timestamp)
}

/// Whether what is read is of such a type; or one of several that are, if it is not there.
fn is_read_as(expr: &Expr, is_such: &dyn Fn(&Type) -> bool) -> bool {
    match expr {
        Expr::Read(read) => is_such(read.ty.required()),
        Expr::Into(.., ty) | Expr::Index(_, ty) => is_such(ty.required()),
        Expr::Binary(BinaryOp::Coalesce, operands) => {
            is_read_as(&operands.0, is_such) || is_read_as(&operands.1, is_such)
        }
        Expr::If(parts) => is_read_as(&parts.1, is_such),
        _ => false,
    }
}
