//! Answers for people: columns of a list, lines of one thing. Scripts ask for JSON.

use serde_json::Value;

use crate::console::Console;

/// Prints `value` as JSON.
pub(super) fn json(console: &Console, value: &Value) {
    console.line(&format!("{value:#}"));
}

/// Prints `items` as columns: a title and the field that it shows.
pub(super) fn list(console: &Console, items: &[Value], columns: &[(&str, &str)]) {
    let head = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let body = items.iter().map(|item| columns.iter().map(|(_, field)| cell(&item[*field])).collect());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        console.line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Prints the fields of one thing, one a line.
pub(super) fn fields(console: &Console, value: &Value) {
    if let Value::Object(fields) = value {
        let width = fields.keys().map(String::len).max().unwrap_or(0);
        fields.iter().for_each(|(name, value)| console.line(&format!("{name:<width$}  {}", cell(value))));
    }
}

/// A value in one line, without what could disturb a terminal.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
