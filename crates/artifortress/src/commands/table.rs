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

/// Prints the fields of one thing, one a line; what lies deeper has its path for a name.
pub(super) fn fields(console: &Console, value: &Value) {
    let mut lines = Vec::new();
    flatten("", value, &mut lines);
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    lines.iter().for_each(|(name, text)| console.line(format!("{name:<width$}  {text}").trim_end()));
}

fn flatten(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(part, value)| flatten(&below(part), value, lines)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            (1..).zip(items).for_each(|(number, value): (u32, _)| flatten(&below(&number.to_string()), value, lines));
        }
        plain => lines.push((name.to_owned(), cell(plain))),
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
