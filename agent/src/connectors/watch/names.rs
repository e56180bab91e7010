//! Which names in the connectors directory mean something.

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connectors) enum Name {
    /// A shared library of this system.
    Library,
    /// A kind of connector that this version does not run. The text names it.
    Unsupported(&'static str),
    /// Anything else: partial downloads, dot files, notes. Not a word about it.
    Ignored,
}

const LIBRARY: &str = if cfg!(windows) { ".dll" } else { ".so" };
const PARTIAL: [&str; 4] = [".tmp", ".part", ".crdownload", "~"];

/// Judges `name`.
pub(in crate::connectors) fn classify(name: &str) -> Name {
    let lower = name.to_ascii_lowercase();
    if name.starts_with('.') || PARTIAL.iter().any(|end| lower.ends_with(end)) {
        return Name::Ignored;
    }
    let folded = if cfg!(windows) { lower.as_str() } else { name };
    if folded.ends_with(LIBRARY) {
        Name::Library
    } else if lower.ends_with(".tar.gz") || lower.ends_with(".zip") {
        Name::Unsupported("archives of compiled connectors")
    } else if lower.ends_with(".connector.toml") {
        Name::Unsupported("connector manifests")
    } else {
        Name::Ignored
    }
}

/// What a file is called in listings as long as it has not said its app_id: its name without the end.
pub(in crate::connectors) fn stem(name: &str) -> &str {
    [".connector.toml", ".tar.gz", ".zip", LIBRARY]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_libraries_count() {
        let library = format!("mockapp{LIBRARY}");
        assert_eq!(classify(&library), Name::Library);
        for partial in [".tmp", ".part", ".crdownload", "~"] {
            assert_eq!(classify(&format!("{library}{partial}")), Name::Ignored);
        }
        assert_eq!(classify(&format!(".{library}")), Name::Ignored);
        for other in ["README.md", "so", "libx.so.1", "x.dylib", ""] {
            assert_eq!(classify(other), Name::Ignored, "{other}");
        }
    }

    #[test]
    fn later_kinds_are_named() {
        for name in ["a.tar.gz", "a.zip", "A.ZIP", "a.connector.toml"] {
            assert!(matches!(classify(name), Name::Unsupported(_)), "{name}");
        }
        assert_eq!(stem("a.tar.gz"), "a");
        assert_eq!(stem("a.connector.toml"), "a");
    }
}
