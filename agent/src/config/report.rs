//! What is told about a wrong configuration: which file, line, column and key (or which variable), what is wrong with it,
//! and what to do. All that can be found is reported at once.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A range of bytes of the file.
    File(Range<usize>),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
    /// Nobody gave it: the default counts.
    Default,
    /// The file as a whole.
    WholeFile,
}

/// Whether the agent can run in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can't.
    Error,
    /// It can, but somebody should know.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it stops the agent.
    pub severity: Severity,
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The line may hold a secret and is not shown.
    pub private: bool,
}

/// The file's name and text, to show lines of.
#[derive(Debug, Clone)]
pub struct Source {
    /// As it was opened.
    pub file: PathBuf,
    /// Its content, if it could be read.
    pub text: Arc<str>,
}

/// A configuration that can't be used.
#[derive(Debug, Clone)]
pub struct ConfigError {
    /// The file.
    pub source: Source,
    /// Everything that is wrong with it; at least one is an error.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

impl Problem {
    /// An error at `origin`.
    #[must_use]
    pub fn error(origin: Origin, message: impl Into<String>, help: impl Into<String>) -> Self {
        Problem {
            severity: Severity::Error,
            origin,
            message: message.into(),
            help: help.into(),
            private: false,
        }
    }

    /// From the top of the file to its end, then what stands elsewhere.
    pub(super) fn line_order(&self) -> usize {
        match &self.origin {
            Origin::File(span) => span.start,
            _ => usize::MAX,
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

impl Source {
    /// Line and column of a byte, both from 1; columns count characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// Where `problem` stands, on one line.
    #[must_use]
    pub fn place(&self, origin: &Origin) -> String {
        let file = self.file.display();
        match origin {
            Origin::File(span) => {
                let (line, column) = self.position(span.start);
                format!("{file}:{line}:{column}")
            }
            Origin::Variable(name) => format!("environment variable {name}"),
            Origin::Flag(name) => format!("command line, {name}"),
            Origin::Default => format!("{file} (not set there; this is the default)"),
            Origin::WholeFile => file.to_string(),
        }
    }

    /// The problem as a block for a person, in the way of compilers. `text` may span lines.
    #[must_use]
    pub fn render(&self, problem: &Problem) -> String {
        let word = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut block = format!("{word}: {}\n", escape(&problem.message));
        let shown = match &problem.origin {
            Origin::File(span) if !problem.private => self.excerpt(span),
            _ => None,
        };
        let margin = shown.as_ref().map_or(1, |(number, ..)| number.len());
        let place = self.place(&problem.origin);
        block.push_str(&format!("{:margin$}--> {place}\n", ""));
        if let Some((number, line, caret)) = shown {
            block.push_str(&format!(
                "{:margin$} |\n{number} | {line}\n{:margin$} | {caret}\n",
                "", ""
            ));
        }
        block.push_str(&format!("{:margin$} = help: {}\n", "", escape(&problem.help)));
        block
    }

    /// The problem on one line, without any of the file's text, for logs and `/readyz`.
    #[must_use]
    pub fn line(&self, problem: &Problem) -> String {
        let place = self.place(&problem.origin);
        format!("{place}: {}; {}", escape(&problem.message), escape(&problem.help))
    }

    /// Line number, line, and a line with carets below the span.
    fn excerpt(&self, span: &Range<usize>) -> Option<(String, String, String)> {
        let (number, column) = self.position(span.start);
        let line = self.text.lines().nth(number - 1)?;
        let rest = line.chars().count().saturating_sub(column - 1).max(1);
        let width = self.text.get(span.clone()).map_or(1, |text| text.chars().count());
        let carets = "^".repeat(width.clamp(1, rest));
        let shown: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let indent = " ".repeat(column - 1);
        Some((
            number.to_string(),
            shown.trim_end().to_owned(),
            format!("{indent}{carets}"),
        ))
    }
}

/// A terminal must not obey what stands in a file.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

impl ConfigError {
    /// An error of the file as a whole.
    #[must_use]
    pub fn of_file(file: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        ConfigError {
            source: Source {
                file: file.to_owned(),
                text: "".into(),
            },
            problems: vec![Problem::error(Origin::WholeFile, message, help)],
        }
    }

    /// One line for each problem; see [`Source::line`].
    #[must_use]
    pub fn one_line(&self) -> String {
        let errors = self
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        let lines: Vec<_> = errors.map(|problem| self.source.line(problem)).collect();
        lines.join(" | ")
    }
}

/// The blocks of all problems.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks: Vec<_> = self
            .problems
            .iter()
            .map(|problem| self.source.render(problem))
            .collect();
        f.write_str(blocks.join("\n").trim_end())
    }
}
