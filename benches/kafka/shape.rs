//! What is run: sagas as text for `saga`, and the same as a bare pattern of messages for the floor.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The participants, each with a topic of commands; steps go round them.
pub(crate) const PARTICIPANTS: [&str; 3] = ["tickets", "hotels", "payments"];

/// The name of the saga.
pub(crate) const SAGA: &str = "bench";

/// What it is started with: as in the booking example.
pub(crate) const INPUT: &str = r#"{"traveller":"ana","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}"#;

/// What a participant answers.
pub(crate) const REPLY: &str = r#"{"hold":"h-0000117","seat":"12A"}"#;

/// The code of the refusal.
pub(crate) const REFUSAL: &str = "full";

/// A saga of a number of steps, each with a compensation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One after the other; the last one is the pivot.
    Chain(u32),
    /// The same, and the last one is refused: all before it are taken back.
    Failing(u32),
    /// All at once.
    FanOut(u32),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(steps) => write!(f, "chain-{steps}"),
            Self::Failing(steps) => write!(f, "failing-{steps}"),
            Self::FanOut(steps) => write!(f, "fanout-{steps}"),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, steps) = text.split_once('-').ok_or("a shape is KIND-STEPS")?;
        let steps = steps.parse().map_err(|_| "a number of steps")?;
        match kind {
            "chain" => Ok(Self::Chain(steps)),
            "failing" => Ok(Self::Failing(steps)),
            "fanout" => Ok(Self::FanOut(steps)),
            other => Err(format!("`{other}` is no shape")),
        }
    }
}

impl Shape {
    /// How many commands go out, compensations included.
    pub(crate) const fn commands(self) -> u32 {
        match self {
            Self::Chain(steps) | Self::FanOut(steps) => steps,
            Self::Failing(steps) => 2 * steps - 1,
        }
    }

    /// All messages of one saga: a request, a journal record for it and for each reply, commands, replies, an answer.
    pub(crate) const fn messages(self) -> u32 {
        3 * self.commands() + 3
    }

    /// The step that is refused.
    pub(crate) fn refused(self) -> Option<String> {
        match self {
            Self::Failing(steps) => Some(format!("s{steps}")),
            Self::Chain(_) | Self::FanOut(_) => None,
        }
    }

    /// How it ends, as the answer says.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Failing(_) => "compensated",
            Self::Chain(_) | Self::FanOut(_) => "completed",
        }
    }

    /// The definition.
    pub(crate) fn text(self, prefix: &str) -> String {
        let mut text = String::new();
        for participant in PARTICIPANTS {
            // No limits: they are no part of the pattern.
            let _ = writeln!(
                text,
                "participant {participant} {{
  commands \"{prefix}.{participant}.commands\"
  command Reserve {{ flight: string, traveller: string }} returns {{ hold: string, seat: string }} fails \"{REFUSAL}\"
  command Cancel {{ hold: string? }}
}}"
            );
        }
        let _ = writeln!(
            text,
            "saga {SAGA} {{
  version 1
  input {{ traveller: string, flight: string, hotel: string, nights: int, amount: decimal }}
  deadline 1h
  defaults {{ timeout 30m }}"
        );
        let (steps, at_once) = match self {
            Self::Chain(steps) | Self::Failing(steps) => (steps, false),
            Self::FanOut(steps) => (steps, true),
        };
        if at_once {
            text.push_str("  parallel {\n");
        }
        for (step, participant) in (1..=steps).zip(PARTICIPANTS.iter().cycle()) {
            let call = format!("call {participant}.Reserve {{ flight: input.flight, traveller: input.traveller }}");
            let _ = if step == steps && !at_once {
                writeln!(text, "  pivot step s{step} {{ {call} }}")
            } else {
                writeln!(text, "  step s{step} {{ {call} compensate {participant}.Cancel {{ hold: s{step}.hold }} }}")
            };
        }
        if at_once {
            text.push_str("  }\n");
        }
        let _ = writeln!(text, "  output {{ seat: s{steps}.seat }}\n}}");
        text
    }
}
