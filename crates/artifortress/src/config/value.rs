//! What a setting's text can mean.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::{Network, Secret};

/// A type that a setting can have.
pub trait Value: Sized {
    /// What a text of this type looks like, for messages and the reference.
    const FORM: &'static str;

    /// Reads the text; the error says what would be right and never repeats a secret.
    fn read(text: &str) -> Result<Self, String>;

    /// The number, where the value is one: ranges are checked on it.
    fn number(&self) -> Option<u64> {
        None
    }
}

fn expected<T>(text: &str, form: &str) -> Result<T, String> {
    Err(format!("'{text}' is not {form}"))
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Value for $type {
            const FORM: &'static str = "number";

            fn read(text: &str) -> Result<Self, String> {
                text.parse().or_else(|_| expected(text, "a whole number that fits"))
            }

            fn number(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )+};
}

numbers!(u16, u32, u64, usize);

impl Value for bool {
    const FORM: &'static str = "true or false";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" | "on" | "1" => Ok(true),
            "false" | "off" | "0" => Ok(false),
            _ => expected(text, "true or false"),
        }
    }
}

impl Value for PathBuf {
    const FORM: &'static str = "path";

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path is needed".to_owned()) } else { Ok(Self::from(text)) }
    }
}

impl Value for SocketAddr {
    const FORM: &'static str = "address:port";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().or_else(|_| expected(text, "an address and a port, such as 127.0.0.1:8080 or [::]:8080"))
    }
}

impl Value for String {
    const FORM: &'static str = "text";

    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for Network {
    const FORM: &'static str = "network";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| format!("'{text}': {error}"))
    }
}

impl Value for Secret<String> {
    const FORM: &'static str = "secret";

    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.to_owned()))
    }
}

/// An empty text is no value.
impl<T: Value> Value for Option<T> {
    const FORM: &'static str = T::FORM;

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

/// Values with commas between them.
impl<T: Value> Value for Vec<T> {
    const FORM: &'static str = "comma-separated list";

    fn read(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::read).collect()
    }
}

/// The name of an environment (`production`, `staging`): 1–50 of `a-z 0-9 -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentName(pub String);

impl Value for EnvironmentName {
    const FORM: &'static str = "name";

    fn read(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=50).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        expected(text, "a name of 1 to 50 lower-case letters, digits and '-'")
    }
}

/// The key that seals credentials which must be replayed: 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKey(pub Secret<[u8; 32]>);

impl Value for MasterKey {
    const FORM: &'static str = "secret: 32 bytes in hex or base64";

    fn read(text: &str) -> Result<Self, String> {
        use base64::Engine;
        let bytes = match text.len() {
            64 => model::digest::unhex(&text.to_ascii_lowercase()),
            _ => base64::engine::general_purpose::STANDARD.decode(text).ok(),
        };
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        key.map(|key| Self(Secret::new(key))).ok_or_else(|| "must be 32 bytes in hex or base64".to_owned())
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Value for LogFormat {
    const FORM: &'static str = "auto, json or text";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => expected(text, "auto, json or text"),
        }
    }
}

/// Which log lines are written: a level, or `target=level` directives with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(pub String);

impl Value for LogFilter {
    const FORM: &'static str = "level, or target=level list";

    fn read(text: &str) -> Result<Self, String> {
        let level = |word: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&word);
        let directive = |part: &str| match part.trim().split_once('=') {
            Some((target, word)) => !target.is_empty() && level(word),
            None => level(part.trim()),
        };
        if text.split(',').all(directive) {
            return Ok(Self(text.to_owned()));
        }
        expected(text, "a level (off, error, warn, info, debug, trace) or directives such as info,hyper=warn")
    }
}
