//! Scenarios behind those of a document, all else as it is.

/// What to write behind a document for scenarios to stand behind its own, where those are its last key and stand below it, or
/// it has none; else nothing, or what makes it another document. `laid_out` has them in the one layout.
pub(in crate::syntax) fn scenarios(text: &str, laid_out: &str) -> Option<String> {
    let ends_line = if text.ends_with('\n') { "" } else { "\n" };
    let mut lines = text.lines().skip_while(|line| !is_key(line)).skip(1);
    let Some(first) = lines.by_ref().find(|line| !says_nothing(line)) else {
        let has_key = text.lines().any(is_key);
        return (!has_key).then(|| format!("{ends_line}\n{laid_out}"));
    };
    let indent = indent(first).filter(|_| is_element(first))?;
    // As far from each other as those that are there.
    let mut is_behind_space = false;
    let mut is_apart = false;
    for line in lines {
        is_apart |= is_behind_space && is_element(line) && self::indent(line) == Some(indent);
        is_behind_space = line.trim().is_empty() || is_behind_space && says_nothing(line);
    }
    let between = if is_apart && !is_behind_space { "\n" } else { "" };
    let mut more = format!("{ends_line}{between}");
    for (number, line) in laid_out.lines().skip(1).enumerate() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        if is_apart && number > 0 && is_element(line) && self::indent(line) == Some("") {
            more.push('\n');
        }
        more.extend([indent, line, "\n"]);
    }
    Some(more)
}

fn is_key(line: &str) -> bool {
    line.strip_prefix("scenarios:").is_some_and(says_nothing)
}

fn says_nothing(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn is_element(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

fn indent(line: &str) -> Option<&str> {
    line.get(..line.len() - line.trim_start().len())
}
