//! Log lines as JSON, one object each.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How every line is written. Those of the access log, one for each request, take a short way: the general one costs as
/// much as all that we do to find the answer.
pub(crate) struct JsonLines(pub(crate) Format<Json>);

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match event.metadata().target() {
            "access" => access_line(writer, event),
            _ => self.0.format_event(context, writer, event),
        }
    }
}

fn access_line(mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    writer.write_str("{\"timestamp\":\"")?;
    SystemTime.format_time(&mut writer)?;
    write!(writer, "\",\"level\":\"{}\"", event.metadata().level())?;
    let mut fields = Fields { writer, outcome: Ok(()) };
    event.record(&mut fields);
    fields.outcome?;
    fields.writer.write_str(",\"target\":\"access\"}\n")
}

/// Writes each field as a member of an object that is open.
struct Fields<'w> {
    writer: Writer<'w>,
    outcome: fmt::Result,
}

impl Fields<'_> {
    fn member(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_ok() {
            self.outcome = write!(self.writer, ",\"{}\":", field.name()).and_then(|()| write(&mut self.writer));
        }
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Inside<'_, '_>) -> fmt::Result) {
        self.member(field, |writer| {
            writer.write_char('"')?;
            write(&mut Inside(writer))?;
            writer.write_char('"')
        });
    }
}

impl Visit for Fields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |inside| inside.write_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, |inside| write!(inside, "{value:?}"));
    }
}

/// The inside of a JSON string (RFC 8259, section 7).
struct Inside<'a, 'w>(&'a mut Writer<'w>);

impl Write for Inside<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain_from = 0;
        for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\\' | ..0x20)) {
            self.0.write_str(&text[plain_from..at])?;
            write!(self.0, "\\u{byte:04x}")?;
            plain_from = at + 1;
        }
        self.0.write_str(&text[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::fmt::{self, MakeWriter};
    use tracing_subscriber::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Lines;

        fn make_writer(&'a self) -> Lines {
            self.clone()
        }
    }

    /// The lines of what is logged meanwhile, without their times.
    fn logged(tell: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let layer = fmt::layer().json().flatten_event(true).with_current_span(false).map_event_format(JsonLines);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.with_writer(lines.clone())), tell);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed
            .map(|mut line| {
                let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
                assert!(model::Timestamp::parse(time.as_str().unwrap()).is_some(), "{time}");
                line
            })
            .collect()
    }

    #[test]
    fn a_line_of_the_access_log_says_what_any_other_line_says() {
        let odd = "a\"b\\c\n\u{1}\u{7f}\u{2028}é🦀";
        let told = logged(|| {
            tracing::info!(target: "access", method = odd, path = %odd, status = 200_u16, subject = None::<&str>);
            tracing::info!(target: "other", method = odd, path = %odd, status = 200_u16, subject = None::<&str>);
        });
        assert_eq!(told[0], json!({"level": "INFO", "method": odd, "path": odd, "status": 200, "target": "access"}));
        let mut other = told[1].clone();
        other["target"] = json!("access");
        assert_eq!(told[0], other);
    }
}
