//! How wide text is, without asking a font.
//!
//! Pictures are set in a monospaced font: those of all systems are within 0.55 and 0.602 of their size per column, so
//! the widest is counted on, and nothing is cut or runs into another whichever is there.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The fonts, widest last in doubt.
pub(super) const FONT: &str = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace";

/// A size of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// The picture's title.
    Title,
    /// Names.
    Name,
    /// All else.
    Small,
}

impl Size {
    /// In pixels.
    pub(super) const fn pixels(self) -> i32 {
        match self {
            Self::Title => 18,
            Self::Name => 13,
            Self::Small => 11,
        }
    }

    /// From one line's base to the next.
    pub(super) const fn line(self) -> i32 {
        self.pixels() * 14 / 10
    }
}

/// The width of a text in pixels, even: half of it lies on either side of its middle.
pub(super) fn width(text: &str, size: Size) -> i32 {
    let columns = i32::try_from(text.width()).unwrap_or(i32::MAX / 1_000);
    (columns * size.pixels() * 61 + 199) / 200 * 2
}

/// The text in lines of at most `columns`, broken at spaces, within a word that is longer, and cut behind `lines`.
pub(super) fn wrapped(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            broken.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for letter in word.chars() {
            if !line.is_empty() && line.width() + letter.width().unwrap_or_default() > columns {
                broken.push(std::mem::take(&mut line));
            }
            line.push(letter);
        }
    }
    if !line.is_empty() {
        broken.push(line);
    }
    if broken.len() > lines {
        broken.truncate(lines);
        if let Some(last) = broken.last_mut() {
            while last.width() >= columns {
                last.pop();
            }
            last.push('…');
        }
    }
    broken
}
