//! A row of the table of settings: flags, variables, file keys, checks and the reference come from it.

use super::value::Value;

/// How careful we are with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Anyone may see it.
    Plain,
    /// Never on the command line; can also be named as a file.
    Secret,
    /// A database URL: can also be named as a file; on the command line only without a password.
    MayHoldPassword,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The table of the file that holds it; empty at the top.
    pub section: &'static str,
    /// Its name inside the section, unit included.
    pub key: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// What a value looks like.
    pub form: &'static str,
    /// The value when none is given; empty for none.
    pub default: &'static str,
    /// What the reference says instead of an empty default.
    pub otherwise: &'static str,
    /// The smallest and the largest number, both allowed.
    pub range: Option<(u64, u64)>,
    /// How careful we are with it.
    pub secrecy: Secrecy,
    /// The variable's name where the rule does not give it.
    pub fixed_variable: Option<&'static str>,
    /// The flag's name where the rule does not give it.
    pub fixed_flag: Option<&'static str>,
    /// Whether an empty text may be given: it turns the setting off.
    pub may_be_empty: bool,
    pub(super) check: fn(&str) -> Result<Option<u64>, String>,
}

impl Setting {
    /// A plain setting of type `T` without a range.
    pub const fn new<T: Value>(
        section: &'static str,
        key: &'static str,
        doc: &'static str,
        default: &'static str,
    ) -> Self {
        Self {
            section,
            key,
            doc,
            form: T::FORM,
            default,
            otherwise: "none",
            range: None,
            secrecy: Secrecy::Plain,
            fixed_variable: None,
            fixed_flag: None,
            may_be_empty: false,
            check: read_number::<T>,
        }
    }

    /// `section.key`, or the key alone at the top.
    pub fn name(&self) -> String {
        self.joined(".")
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        let ruled = || format!("ARTIFORTRESS_{}", self.joined("_").to_uppercase());
        self.fixed_variable.map_or_else(ruled, str::to_owned)
    }

    /// The flag, without its dashes.
    pub fn flag(&self) -> String {
        let ruled = || self.joined("-").replace('_', "-");
        self.fixed_flag.map_or_else(ruled, str::to_owned)
    }

    /// Whether the value can also be named as a file.
    pub fn has_file_form(&self) -> bool {
        self.secrecy != Secrecy::Plain
    }

    /// Whether `text` is a value of the right form and in range; the error says what would be.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let number = (self.check)(text)?;
        match (number, self.range) {
            (Some(number), Some((least, most))) if !(least..=most).contains(&number) => {
                Err(format!("{number} is out of range: {least} to {most}"))
            }
            _ => Ok(()),
        }
    }

    fn joined(&self, by: &str) -> String {
        if self.section.is_empty() { self.key.to_owned() } else { format!("{}{by}{}", self.section, self.key) }
    }
}

fn read_number<T: Value>(text: &str) -> Result<Option<u64>, String> {
    T::read(text).map(|value| value.number())
}

/// Declares a section: a plain struct, its rows of the table, and how it is read from checked texts.
macro_rules! section {
    (
        $(#[$about:meta])*
        $name:ident in $section:literal {
            $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:literal $({ $($option:ident: $value:expr),+ })?;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $key: $type),+
        }

        impl $name {
            /// The section's rows of the table.
            pub const SETTINGS: &'static [Setting] = &[$(
                Setting {
                    $($($option: $value,)+)?
                    ..Setting::new::<$type>($section, stringify!($key), concat!($($doc),+), $default)
                }
            ),+];

            /// Reads the section; `text` gives the checked text of each key, in the order of the table.
            pub(super) fn read(mut text: impl FnMut(&'static str) -> String) -> Result<Self, String> {
                Ok(Self { $($key: <$type as Value>::read(&text(stringify!($key)))?),+ })
            }
        }
    };
}
pub(super) use section;
