//! Every code with its page. `saga explain SG0101` prints the page; `tests/tidy.rs` checks that each code has a
//! page in `codes/` and a test case that shows it, and that no number is used twice.

/// A stable code: `SG` and four digits. Never reused for another rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Declares the codes: a constant, and its row in the catalogue with the page.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($code);)*

        /// All codes with their pages (Markdown), in order.
        pub const CATALOGUE: &[(Code, &str)] =
            &[$(($name, include_str!(concat!("codes/", $code, ".md")))),*];
    };
}

codes! {
    /// A word of the language that is not built yet.
    NOT_BUILT_YET = "SG0001";

    /// A file in which nothing is declared.
    EMPTY_FILE = "SG0101";
    /// Bytes that are not UTF-8.
    NOT_UTF8 = "SG0102";
    /// A file above the limit.
    FILE_TOO_LARGE = "SG0103";
    /// A character that has no meaning where it stands.
    STRAY_CHARACTER = "SG0104";
    /// Single, curly or back quotes around a string.
    QUOTES = "SG0105";
    /// A string that its line ends.
    STRING_NOT_CLOSED = "SG0106";
    /// A backslash with something unknown behind it.
    BAD_ESCAPE = "SG0107";
    /// A string above the limit.
    STRING_TOO_LONG = "SG0108";
    /// A comment of another language.
    COMMENT_STYLE = "SG0109";
    /// A bracket without its closing one.
    NOT_CLOSED = "SG0110";
    /// A closing bracket too many.
    CLOSES_NOTHING = "SG0111";
    /// Nesting above the limit.
    TOO_DEEP = "SG0112";
    /// More statements than the limit.
    TOO_MANY_STATEMENTS = "SG0113";
    /// Something is missing, or something else was expected.
    EXPECTED = "SG0114";
    /// A word that begins nothing here.
    UNKNOWN_WORD = "SG0115";
    /// A name in the wrong letters.
    NAME_STYLE = "SG0116";
    /// A name that is a word of the language.
    RESERVED_NAME = "SG0117";
    /// A block that does not begin.
    MISSING_BRACE = "SG0118";
    /// A separator of another language, too many, or missing.
    SEPARATOR = "SG0119";
    /// An operator of another language.
    OPERATOR = "SG0120";
    /// A number or duration in a form that is not known.
    NUMBER_STYLE = "SG0121";
    /// Clauses in another order than they happen.
    CLAUSE_ORDER = "SG0122";
    /// A clause that stands there already.
    CLAUSE_TWICE = "SG0123";
    /// A word of another workflow language.
    FOREIGN_WORD = "SG0124";
    /// A code, topic or path without quotes.
    MISSING_QUOTES = "SG0125";
    /// A wait or a loop that does not say what follows when it ends without success.
    MISSING_OTHERWISE = "SG0126";
    /// A statement without a part that it needs.
    MISSING_PART = "SG0127";
    /// `a < b < c`.
    CHAINED_COMPARISON = "SG0128";
    /// An expression that needs parentheses.
    PARENTHESES = "SG0129";
    /// A documentation comment that documents nothing.
    STRAY_DOC = "SG0130";
    /// More findings than are shown.
    TOO_MANY_FINDINGS = "SG0131";

    // -- the YAML twin ----------------------------------------------------------------------------
    /// A text that is not YAML.
    YAML_SYNTAX = "SG0140";
    /// Tabs that indent.
    YAML_TABS = "SG0141";
    /// Aliases that multiply or never end.
    YAML_ALIASES = "SG0142";
    /// `<<`.
    YAML_MERGE_KEY = "SG0143";
    /// A key that stands there already.
    YAML_KEY_TWICE = "SG0144";
    /// A key that means nothing where it stands.
    YAML_UNKNOWN_KEY = "SG0145";
    /// A map, list or scalar where another of them is wanted.
    YAML_SHAPE = "SG0146";
    /// A plain scalar that readers of YAML take for different things, or that is no text where one is wanted.
    YAML_AMBIGUOUS = "SG0147";
    /// Text around `${ … }`.
    EXPRESSION_MIXED = "SG0148";
    /// `${` without its `}`.
    EXPRESSION_NOT_CLOSED = "SG0149";
    /// An expression where a literal is wanted.
    EXPRESSION_OUT_OF_PLACE = "SG0150";
    /// More than one document.
    YAML_DOCUMENTS = "SG0151";
    /// `!tag`.
    YAML_TAG = "SG0152";
    /// YAML that two readers read differently.
    YAML_READ_DIFFERENTLY = "SG0153";
    /// YAML in a `.saga` file, or the text form in a `.yaml` file.
    WRONG_FORM = "SG0154";

    // -- names ------------------------------------------------------------------------------------
    /// No step, value or root of that name.
    UNKNOWN_NAME = "SG0201";
    /// No type of that name.
    UNKNOWN_TYPE = "SG0202";
    /// No participant of that name.
    UNKNOWN_PARTICIPANT = "SG0203";
    /// The participant has no such command.
    UNKNOWN_COMMAND = "SG0204";
    /// No saga of that name.
    UNKNOWN_SAGA = "SG0205";
    /// The shape has no such field.
    UNKNOWN_FIELD = "SG0206";
    /// None of the twelve functions.
    UNKNOWN_FUNCTION = "SG0207";
    /// Two things of one kind have one name.
    NAME_TAKEN = "SG0208";
    /// A value used above the step that gives it.
    USED_TOO_EARLY = "SG0209";
    /// A value of another branch of the same `parallel`.
    USED_BESIDE = "SG0210";
    /// Defined and never used.
    UNUSED = "SG0211";
    /// Something stands twice that may stand once.
    SAID_TWICE = "SG0212";
    /// `failure`, `round`, `previous`, `event`, `saga` or `input` where they mean nothing.
    ROOT_OUT_OF_PLACE = "SG0213";
    /// A code of the engine's own in `fail` or `fails`.
    ENGINE_CODE = "SG0214";
    /// A type inside itself.
    TYPE_CONTAINS_ITSELF = "SG0215";
    /// `call` of a message.
    CALL_OF_MESSAGE = "SG0216";
    /// `send` of a command.
    SEND_OF_COMMAND = "SG0217";
    /// The saga has no such signal.
    UNKNOWN_SIGNAL = "SG0218";
    /// One signal is awaited in two branches of a `parallel`.
    AWAITED_BESIDE = "SG0219";
    /// A saga that would run inside itself.
    RUNS_ITSELF = "SG0220";
    /// A file that is used and is not there.
    USED_FILE_NOT_FOUND = "SG0221";
    /// A file that lies where none may be used from.
    USED_FILE_OUTSIDE = "SG0222";
    /// A file that uses itself.
    USES_ITSELF = "SG0223";
    /// More files than a program may have, or more in them.
    USES_TOO_MUCH = "SG0224";
    // -- types ------------------------------------------------------------------------------------
    /// A value of another type than the place wants.
    TYPE_MISMATCH = "SG0301";
    /// An optional where a value is wanted.
    MAYBE_ABSENT = "SG0302";
    /// Fields of an object missing or surplus.
    PAYLOAD_FIELDS = "SG0303";
    /// `??` or `== null` on what is always there.
    NEVER_ABSENT = "SG0304";
    /// An operator on operands that it does not take.
    BAD_OPERANDS = "SG0305";
    /// A literal beyond its type's range.
    OUT_OF_RANGE = "SG0306";
    /// Division by something else than a number that is not 0.
    DIVISION = "SG0307";
    /// A text that is not one of a choice's words.
    UNKNOWN_WORD_OF_CHOICE = "SG0308";
    /// Comparisons with some words of a choice and nothing for the others.
    WORDS_LEFT_OUT = "SG0309";
    /// Arguments that a function does not take.
    FUNCTION_ARGUMENTS = "SG0310";
    /// A field, element or `[*]` of what has none.
    NO_FIELDS = "SG0311";
    /// A type, expression, block or saga beyond a limit.
    TOO_LARGE = "SG0312";
    /// A shape that is not an object.
    NOT_A_RECORD = "SG0313";
    // -- structure --------------------------------------------------------------------------------
    /// A step before the point of no return that does not say how it is taken back.
    COMPENSATION_UNSAID = "SG0401";
    /// A failure code that can escape behind the point of no return.
    CODE_ESCAPES = "SG0402";
    /// A point of no return on some branches of a `when` only.
    PIVOT_ON_ONE_BRANCH = "SG0403";
    /// Two points of no return on one path.
    PIVOT_TWICE = "SG0404";
    /// A point of no return outside the saga's own sequence.
    PIVOT_MISPLACED = "SG0405";
    /// A pivot step that says how it is taken back.
    PIVOT_COMPENSATED = "SG0406";
    /// `fail` behind the point of no return.
    FAIL_BEHIND_PIVOT = "SG0407";
    /// A compensation whose command may refuse, or whose saga may fail.
    COMPENSATION_CAN_FAIL = "SG0408";
    /// `compensate` behind the point of no return.
    COMPENSATED_BEHIND_PIVOT = "SG0409";
    /// A step that does nothing.
    STEP_WITHOUT_WORK = "SG0410";
    /// Statements behind a `fail`.
    NEVER_REACHED = "SG0411";
    /// Arithmetic that may overflow where nothing may fail.
    OVERFLOW_IS_STUCK = "SG0412";
    /// A `try` in which nothing can fail.
    TRY_CANNOT_FAIL = "SG0413";
    /// A `catch` of a code that cannot come.
    CATCH_NEVER = "SG0414";
    /// A `catch` behind one that takes the same.
    CATCH_SHADOWED = "SG0415";
    /// `compensate` on a step whose saga unwinds itself.
    RUN_COMPENSATED = "SG0416";
    /// A list that may be too long where nothing may fail.
    LIST_IS_STUCK = "SG0417";
    /// A `fail` whose message is made of personal data.
    PERSONAL_MESSAGE = "SG0418";
    // -- time -------------------------------------------------------------------------------------
    /// 0 times, 0 seconds, `5s..1s`.
    SENSELESS_NUMBER = "SG0501";
    /// `within` too short for one attempt or for the pauses.
    WITHIN_TOO_SHORT = "SG0502";
    /// Sleeps that cannot fit the deadline.
    DEADLINE_TOO_SHORT = "SG0503";
    /// Times of a message, which is not waited for.
    TIMES_OF_SEND = "SG0504";
    /// Times of a sub-saga, whose steps have their own.
    TIMES_OF_RUN = "SG0505";
    // -- topics -----------------------------------------------------------------------------------
    /// Two participants on one topic.
    TOPIC_SHARED = "SG0601";
    /// A topic of the engine's own, or a name that no topic can have.
    TOPIC_NAME = "SG0602";
    /// A trigger that reads a participant's commands.
    TRIGGER_ON_COMMANDS = "SG0603";
    /// A trigger that neither starts nor signals anything.
    TRIGGER_WITHOUT_EFFECT = "SG0604";
    // -- choreography -----------------------------------------------------------------------------
    /// What only somebody can do who sees the whole.
    NOT_CHOREOGRAPHED = "SG0605";
    /// Data that a participant has not read when it needs it.
    NOT_READ = "SG0606";
    /// A participant that cannot learn of a failure.
    CANNOT_LEARN = "SG0607";
    /// Events that nobody reads.
    EVENT_UNREAD = "SG0608";
    // -- scenarios --------------------------------------------------------------------------------
    /// A step that the saga does not have.
    UNKNOWN_STEP = "SG0701";
    /// Something that can never come about.
    NEVER_HAPPENS = "SG0702";

}

/// The page of a code, written in any case.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    CATALOGUE.iter().find(|(known, _)| known.0.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}
