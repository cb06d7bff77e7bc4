//! Tables for people: columns as wide as their widest cell, the last one free.

use unicode_width::UnicodeWidthStr as _;

use crate::source::is_obeyed;

/// Rows below a head.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these heads.
    #[must_use]
    pub fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()] }
    }

    /// Without a head.
    #[must_use]
    pub const fn headless() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row. What a terminal would obey is shown as a space, so that no data moves the cursor.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let shown = |cell: String| if cell.contains(is_obeyed) { cell.replace(is_obeyed, " ") } else { cell };
        self.rows.push(cells.into_iter().map(Into::into).map(shown).collect());
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
