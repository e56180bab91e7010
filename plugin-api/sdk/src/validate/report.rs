//! Mistakes in a request, and the text that tells them.
#![forbid(unsafe_code)]

use serde_json::Value;

use crate::pyrepr;

/// A step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Index(usize),
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) kind: &'static str,
    pub(super) path: Vec<Step>,
    pub(super) message: String,
    /// More about the mistake, by name; it holds nothing of the document.
    pub(super) context: Vec<(&'static str, Value)>,
    /// What people call the field, where that is known.
    pub(super) title: Option<String>,
}

impl Mistake {
    pub(super) fn new(kind: &'static str, path: &[Step], message: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.to_vec(),
            message: message.into(),
            context: Vec::new(),
            title: None,
        }
    }

    /// The document is not JSON.
    pub(super) fn json(error: &str) -> Self {
        let mut mistake = Self::new("json_invalid", &[], format!("Invalid JSON: {error}"));
        mistake.context.push(("error", error.into()));
        mistake
    }

    /// The same in a document that has this one as its member `name`.
    pub(super) fn below(&self, name: &str) -> Self {
        let mut mistake = self.clone();
        mistake.path.insert(0, Step::Field(name.to_owned()));
        mistake
    }

    /// What people call the field that is missing, if that is the mistake.
    pub(super) fn missing_field(&self) -> Option<&str> {
        if self.kind != "missing" {
            return None;
        }
        self.title.as_deref().or_else(|| {
            self.path.iter().rev().find_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Index(_) => None,
            })
        })
    }
}

/// `[{'type': 'missing', 'loc': ('request',), 'msg': 'Field required'}]`
pub(super) fn render(mistakes: &[Mistake]) -> String {
    let mut out = String::from("[");
    for (index, mistake) in mistakes.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str("{'type': ");
        pyrepr::string(&mut out, mistake.kind);
        out.push_str(", 'loc': ");
        path(&mut out, &mistake.path);
        out.push_str(", 'msg': ");
        pyrepr::string(&mut out, &mistake.message);
        if !mistake.context.is_empty() {
            out.push_str(", 'ctx': ");
            let context = mistake.context.iter().cloned();
            let context = context.map(|(name, value)| (name.to_owned(), value));
            out.push_str(&pyrepr::python_repr(&Value::Object(context.collect())));
        }
        out.push('}');
    }
    out.push(']');
    out
}

/// A Python tuple: one element is followed by a comma.
fn path(out: &mut String, steps: &[Step]) {
    out.push('(');
    for (index, step) in steps.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        match step {
            Step::Field(name) => pyrepr::string(out, name),
            Step::Index(index) => out.push_str(&index.to_string()),
        }
    }
    if steps.len() == 1 {
        out.push(',');
    }
    out.push(')');
}
