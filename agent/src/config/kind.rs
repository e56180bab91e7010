//! The forms that values can have, and how they are described to people.

/// The form of a value.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Any text but the empty one.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Count {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A time span; bare numbers are seconds.
    Duration {
        /// The least, in seconds.
        min: u64,
        /// The most, in seconds.
        max: u64,
    },
    /// A number of bytes, with or without a unit.
    Size {
        /// The least, in bytes.
        min: u64,
    },
    /// `ADDRESS:PORT`.
    Address,
    /// A file or directory.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A level of the Connector SDK guide.
    Level,
    /// A list of texts.
    Texts,
    /// A list of files and directories.
    Paths,
    /// A list of SHA-256 digests.
    Digests,
    /// A list of minisign public keys.
    Keys,
    /// A table from a name to a list of scopes.
    Scopes,
    /// A table from a variable's name to its value. Values are never shown.
    Variables,
    /// Whatever a connector wants. Values are never shown.
    Free,
}

/// The levels of the Connector SDK guide.
pub(super) const LEVELS: &[&str] = &["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

impl Kind {
    /// What is wanted, to complete "must be …".
    pub(super) fn wanted(self) -> String {
        match self {
            Kind::Text => "a text that is not empty".into(),
            Kind::Boolean => "true or false".into(),
            Kind::Count { min, max } if min == max => format!("{min}"),
            Kind::Count { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Duration { .. } => "a duration such as \"30s\", \"5m\" or \"1h 30m\"".into(),
            Kind::Size { .. } => "a size such as 1048576, \"512KiB\" or \"16MiB\"".into(),
            Kind::Address => "an IP address with a port, such as \"0.0.0.0:8443\" or \"[::1]:8443\"".into(),
            Kind::Path => "a path".into(),
            Kind::Choice(words) => one_of(words),
            Kind::Level => one_of(LEVELS),
            Kind::Texts => "a list of texts, such as [\"a\", \"b\"]".into(),
            Kind::Paths => "a list of paths, such as [\"/srv/data\"]".into(),
            Kind::Digests => "a list of SHA-256 digests of 64 hexadecimal digits each".into(),
            Kind::Keys => "a list of minisign public keys, such as [\"RWQf6LRCGA9i…\"]".into(),
            Kind::Scopes => "a table such as { \"lumos.example.com\" = [\"mockapp:read\"] }".into(),
            Kind::Variables => "a table of texts, such as { NAME = \"value\" }".into(),
            Kind::Free => "a table".into(),
        }
    }

    /// Whether its value may be shown in messages and logs.
    pub(super) fn is_private(self) -> bool {
        matches!(self, Kind::Variables | Kind::Free)
    }
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
