//! Types and participants.

use compact_str::CompactString;

use super::words::Place;
use super::{Builder, Pair, Pairs, Rule, Style, Wanted, word};
use crate::diagnostic::codes;
use crate::source::Span;
use crate::syntax::tree::{
    AtMost, Command, Field, Literal, Message, Name, Participant, ParticipantItem, Rate, Record, Text, TypeExpr,
    TypeExprKind,
};

/// What stands behind the name of a command or message.
#[derive(Default)]
struct Contract {
    wire: Option<Text>,
    shape: Option<TypeExpr>,
    returns: Option<TypeExpr>,
    fails: Option<Vec<Text>>,
}

impl Builder<'_> {
    /// `typeexpr`
    pub(super) fn type_expr(&mut self, pair: Pair<'_>) -> TypeExpr {
        let whole = self.span(&pair);
        let mut ty = TypeExpr { kind: TypeExprKind::Named(CompactString::default()), span: whole };
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::choice => ty = self.choice(part, span),
                Rule::record => ty = self.record(part),
                Rule::named => ty = self.named_type(part),
                Rule::wrong_array => {
                    self.report(
                        codes::FOREIGN_WORD,
                        span,
                        "a list is written `list<…>`",
                        "",
                        "write `list<T>` for `[T]`",
                    );
                    let element = part
                        .into_inner()
                        .find(|part| part.as_rule() == Rule::typeexpr)
                        .map(|part| self.type_expr(part));
                    let element = element.unwrap_or(TypeExpr { kind: TypeExprKind::Named("json".into()), span });
                    ty = TypeExpr { kind: TypeExprKind::List(Box::new(element)), span };
                }
                Rule::wrong_brackets => {
                    self.report(
                        codes::FOREIGN_WORD,
                        span,
                        "a list is written `list<…>`",
                        "",
                        "write `list<T>` for `T[]`",
                    );
                    ty = TypeExpr { span: ty.span.to(span), kind: TypeExprKind::List(Box::new(ty)) };
                }
                Rule::wrong_optionals => {
                    let second = Span { start: span.start + 1, ..span };
                    self.report(codes::SEPARATOR, second, "one `?` is enough", "optional already", "remove it");
                    ty = TypeExpr { span: ty.span.to(span), kind: TypeExprKind::Optional(Box::new(ty)) };
                }
                _ if matches!(ty.kind, TypeExprKind::Optional(_)) => {
                    self.report(codes::SEPARATOR, span, "one `?` is enough", "optional already", "remove it");
                }
                _ => ty = TypeExpr { span: ty.span.to(span), kind: TypeExprKind::Optional(Box::new(ty)) },
            }
        }
        ty
    }

    fn choice(&mut self, pair: Pair<'_>, span: Span) -> TypeExpr {
        let parts: Vec<Pair<'_>> = pair.into_inner().collect();
        let names: Vec<&Pair<'_>> = parts.iter().filter(|part| part.as_rule() == Rule::word).collect();
        // `string | null`, as other languages say it.
        if let ([first, second], [_, _]) = (names.as_slice(), parts.as_slice())
            && let Some(name) = [first, second].into_iter().find(|name| word(name) != "null")
            && (word(first) == "null" || word(second) == "null")
        {
            let hint = format!("write `{}?`", word(name));
            self.report(codes::FOREIGN_WORD, span, "a type that may be absent ends in `?`", "", hint);
            let name = TypeExpr { kind: TypeExprKind::Named(word(name).into()), span: self.span(name) };
            return TypeExpr { kind: TypeExprKind::Optional(Box::new(name)), span };
        }
        let mut words = Vec::new();
        for part in parts {
            match part.as_rule() {
                Rule::word if word(&part) == "null" => {
                    let place = self.span(&part);
                    self.incomplete = true;
                    let hint = "write `?` behind a type that may be absent";
                    self.report(codes::FOREIGN_WORD, place, "`null` is no type", "", hint);
                }
                Rule::string => words.push(self.text(&part)),
                Rule::missing_string => self.gap(&part, "a word in quotes behind `|`", "write `\"a\" | \"b\"`"),
                _ => words.push(self.unquoted(&part, "a word of a choice")),
            }
        }
        TypeExpr { kind: TypeExprKind::Choice(words), span }
    }

    fn named_type(&mut self, pair: Pair<'_>) -> TypeExpr {
        let span = self.span(&pair);
        let mut name = None;
        let mut arguments = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::generic_name => name = Some(self.name(&part)),
                Rule::typeexpr => arguments.push(self.type_expr(part)),
                Rule::missing_type => {
                    self.gap(&part, "a type between `<` and `>`", "write `list<string>` or `map<int>`");
                }
                _ => self.gap(&part, "`>` behind the type", ""),
            }
        }
        let name = name.unwrap_or(Name { text: CompactString::default(), span });
        let count = arguments.len();
        let Some(last) = arguments.pop() else {
            return TypeExpr { kind: TypeExprKind::Named(name.text), span: name.span };
        };
        let word = name.text.as_str();
        if count > 1 {
            let hint =
                format!("write `{word}<T>`{}", if word == "map" { "; the keys of a map are strings" } else { "" });
            self.report(codes::SEPARATOR, span, format!("`{word}` has one type"), "", hint);
        }
        let kind = match word.to_ascii_lowercase().as_str() {
            "map" => TypeExprKind::Map(Box::new(last)),
            "optional" | "option" => TypeExprKind::Optional(Box::new(last)),
            _ => TypeExprKind::List(Box::new(last)),
        };
        let instead = match &kind {
            TypeExprKind::Map(_) => "map<T>",
            TypeExprKind::Optional(_) => "T?",
            _ => "list<T>",
        };
        if !matches!(word, "list" | "map") {
            self.report(
                codes::FOREIGN_WORD,
                span,
                format!("`{word}<…>` is written `{instead}`"),
                "",
                format!("write `{instead}`"),
            );
        }
        TypeExpr { kind, span }
    }

    pub(super) fn record(&mut self, pair: Pair<'_>) -> TypeExpr {
        let span = self.span(&pair);
        let fields = pair.into_inner().filter_map(|field| self.field(field)).collect();
        TypeExpr { kind: TypeExprKind::Record(Record { fields, span }), span }
    }

    fn field(&mut self, pair: Pair<'_>) -> Option<Field> {
        if pair.as_rule() == Rule::junk_field {
            let span = self.span(&pair);
            if word(&pair) == "," {
                self.report(codes::SEPARATOR, span, "a `,` too many", "separates nothing", "remove it");
            } else if !self.silent(&pair) {
                self.incomplete = true;
                self.report(
                    codes::EXPECTED,
                    span,
                    "expected `name: type`",
                    "cannot be read as a field",
                    "write `name: string`, and `,` between fields of one line",
                );
            }
            return None;
        }
        let docs = self.docs(&pair);
        let mut span = self.span(&pair);
        let (mut personal, mut key, mut ty) = (None, None, None);
        let mut optional = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_personal => personal = Some(self.span(&part)),
                Rule::word | Rule::string => key = Some(self.key(&part)),
                Rule::wrong_optional => optional = Some(self.span(&part)),
                Rule::wrong_equals => {
                    let place = self.span(&part);
                    self.report(codes::SEPARATOR, place, "a field's name is followed by `:`", "", "write `name: type`");
                }
                Rule::missing_word => {
                    self.gap(&part, "`:` between the field's name and its type", "write `name: type`");
                }
                Rule::missing_type => {
                    self.gap(&part, "the field's type", "write `name: string`, `int`, `decimal`, `bool`, …");
                }
                _ => ty = Some(self.type_expr(part)),
            }
        }
        let key = key?;
        if let Some(place) = optional {
            let hint = format!("write `{}: …?`", key.text);
            self.report(codes::SEPARATOR, place, "`?` stands behind the type", "not behind the name", hint);
        }
        let ty = ty?;
        span.end = ty.span.end;
        Some(Field { docs, personal, key, ty, span })
    }

    /// A record or the name of a type.
    pub(super) fn shape(&mut self, pair: Pair<'_>) -> TypeExpr {
        if pair.as_rule() == Rule::record {
            return self.record(pair);
        }
        TypeExpr { kind: TypeExprKind::Named(word(&pair).into()), span: self.span(&pair) }
    }

    pub(super) fn participant(&mut self, pair: Pair<'_>) -> Option<Participant> {
        let docs = self.docs(&pair);
        let span = self.span(&pair);
        let mut name = None;
        let mut items = Vec::new();
        for part in pair.into_inner() {
            let place = self.span(&part);
            match part.as_rule() {
                Rule::word => name = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => self.gap(&part, "the participant's name", "write `participant hotels { … }`"),
                Rule::missing_block => self.gap_of(
                    codes::MISSING_BRACE,
                    &part,
                    "`{` behind the participant's name",
                    "write `participant name { … }`",
                ),
                Rule::commands => items.extend(self.topic(part).map(|topic| ParticipantItem::Commands(topic, place))),
                Rule::events => items.extend(self.topic(part).map(|topic| ParticipantItem::Events(topic, place))),
                Rule::answers => {
                    for gap in part.into_inner().filter(|part| part.as_rule() == Rule::missing_word) {
                        self.gap(&gap, "`queries` behind `answers`", "write `answers queries`");
                    }
                    items.push(ParticipantItem::AnswersQueries(place));
                }
                Rule::at_most => items.extend(self.at_most(part).map(ParticipantItem::AtMost)),
                Rule::command => items.extend(self.command(part).map(ParticipantItem::Command)),
                Rule::message => items.extend(self.message(part).map(ParticipantItem::Message)),
                Rule::junk_part => self.junk(part, Place::Participant, &mut Vec::new()),
                _ => {}
            }
        }
        Some(Participant { docs, name: name?, items, span })
    }

    /// `commands "topic"`, `events "topic"`, `on "topic"`
    pub(super) fn topic(&mut self, pair: Pair<'_>) -> Option<Text> {
        let mut topic = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_colon => self.colon(&part),
                Rule::string | Rule::wrong_path | Rule::missing_string => {
                    topic = self.text_slot(&part, "a topic", "the topic's name in quotes");
                }
                _ => {}
            }
        }
        topic
    }

    fn at_most(&mut self, pair: Pair<'_>) -> Option<AtMost> {
        let span = self.span(&pair);
        let (count, rate) = self.counted_rate(&mut pair.into_inner());
        Some(AtMost { count: count?, rate: rate?, span })
    }

    /// `100 at once`, `5 per second`
    pub(super) fn counted_rate(&mut self, inner: &mut Pairs<'_>) -> (Option<Literal>, Option<Rate>) {
        let hint = "write `at most 100 at once` or `at most 50 per second`";
        let (mut count, mut rate) = (None, None);
        while let Some(part) = inner.next() {
            match part.as_rule() {
                Rule::number | Rule::missing_number => {
                    count = self.number_slot(&part, inner, Wanted::Count, "a number behind `at most`");
                }
                Rule::kw_once => rate = Some(Rate::AtOnce),
                Rule::word => {
                    rate = match word(&part) {
                        "second" => Some(Rate::PerSecond),
                        "minute" => Some(Rate::PerMinute),
                        "hour" => Some(Rate::PerHour),
                        other => {
                            let place = self.span(&part);
                            self.incomplete = true;
                            self.report(
                                codes::UNKNOWN_WORD,
                                place,
                                format!("`per {other}` is not known"),
                                "",
                                "write `per second`, `per minute` or `per hour`",
                            );
                            None
                        }
                    }
                }
                Rule::missing_name => self.gap(&part, "`second`, `minute` or `hour` behind `per`", hint),
                Rule::missing_clause => self.gap(&part, "`at once` or `per second` behind the number", hint),
                Rule::missing_word if count.is_none() => self.gap(&part, "`most` behind `at`", hint),
                Rule::missing_word => self.gap(&part, "`once` behind `at`", hint),
                _ => {}
            }
        }
        (count, rate)
    }

    fn command(&mut self, pair: Pair<'_>) -> Option<Command> {
        let docs = self.docs(&pair);
        let span = self.span(&pair);
        let (name, contract) = self.contract(pair, "command");
        let Contract { wire, shape, returns, fails } = contract;
        Some(Command { docs, name: name?, wire, request: shape, returns, fails: fails.unwrap_or_default(), span })
    }

    fn message(&mut self, pair: Pair<'_>) -> Option<Message> {
        let docs = self.docs(&pair);
        let span = self.span(&pair);
        let (name, contract) = self.contract(pair, "message");
        if contract.returns.is_some() || contract.fails.is_some() {
            let title = "a message is not answered";
            let hint = "remove `returns` and `fails`, or declare a `command`";
            self.report(codes::FOREIGN_WORD, span, title, "so it returns nothing and cannot fail", hint);
        }
        Some(Message { docs, name: name?, wire: contract.wire, shape: contract.shape, span })
    }

    fn contract(&mut self, pair: Pair<'_>, what: &str) -> (Option<Name>, Contract) {
        let mut name = None;
        let mut contract = Contract::default();
        let mut latest: (u8, &str) = (0, "");
        for part in pair.into_inner() {
            let span = self.span(&part);
            let (rank, clause, twice) = match part.as_rule() {
                Rule::word => {
                    name = Some(self.new_name(&part, Style::Type));
                    continue;
                }
                Rule::missing_name => {
                    self.gap(&part, &format!("the {what}'s name"), &format!("write `{what} DoIt {{ … }}`"));
                    continue;
                }
                Rule::wire => (1, "as", contract.wire.as_ref().map(|wire| wire.span)),
                Rule::record | Rule::shape_name => (2, "the request", contract.shape.as_ref().map(|shape| shape.span)),
                Rule::returns => (3, "returns", contract.returns.as_ref().map(|shape| shape.span)),
                Rule::fails => {
                    (4, "fails", contract.fails.as_ref().and_then(|codes| codes.first()).map(|code| code.span))
                }
                _ => continue,
            };
            if !self.once(twice, span, clause) {
                continue;
            }
            if rank < latest.0 {
                let title = format!("`{clause}` stands behind `{}`", latest.1);
                let hint = "the order is `command Name as \"…\" { … } returns { … } fails \"…\"`";
                self.report(codes::CLAUSE_ORDER, span, title, "too late", hint);
            }
            latest = latest.max((rank, clause));
            match part.as_rule() {
                Rule::record | Rule::shape_name => contract.shape = Some(self.shape(part)),
                Rule::wire => {
                    for name in part.into_inner() {
                        contract.wire = self.text_slot(&name, "a name on the wire", "the name on the wire, in quotes");
                    }
                }
                Rule::returns => {
                    for shape in part.into_inner() {
                        match shape.as_rule() {
                            Rule::missing_type => {
                                self.gap(&shape, "what the command returns", "write `returns { field: type }`");
                            }
                            _ => contract.returns = Some(self.shape(shape)),
                        }
                    }
                }
                _ => contract.fails = Some(part.into_inner().flat_map(|part| self.codes(part)).collect()),
            }
        }
        (name, contract)
    }

    /// The codes of `codes`; anything else is looked at for a gap.
    pub(super) fn codes(&mut self, pair: Pair<'_>) -> Vec<Text> {
        match pair.as_rule() {
            Rule::codes => pair
                .into_inner()
                .filter_map(|code| self.text_slot(&code, "a code", "a code in quotes behind `,`"))
                .collect(),
            Rule::missing_string => {
                self.gap(&pair, "a code in quotes", "write `fails \"sold_out\"`");
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}
