//! The page at `/docs`: the operations for people, with a form to try each. It loads nothing from elsewhere.

use std::fmt::Write;

use crate::operations::{Answer, Kind, OPERATIONS, Operation, Parameter, Place};

/// Everything of the page that does not come from the operations.
const TEMPLATE: &str = include_str!("docs.html");
const PLACEHOLDER: &str = "<!-- operations -->";

/// The whole page.
pub(crate) fn page() -> String {
    let mut sections = String::new();
    let mut group = "";
    for operation in OPERATIONS {
        if operation.group != group {
            group = operation.group;
            push(&mut sections, format_args!("<h2>{group}</h2>\n"));
        }
        section(&mut sections, operation);
    }
    TEMPLATE.replace(PLACEHOLDER, &sections)
}

fn section(out: &mut String, operation: &Operation) {
    let Operation {
        method,
        path,
        summary,
        description,
        ..
    } = operation;
    let id = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_matches(['_', '{', '}']);
    let id = if id == "reset" {
        id.to_owned()
    } else {
        format!("{method}-{id}")
    };
    let key = if operation.needs_token {
        " <span class=\"key\" title=\"needs a token\">token</span>"
    } else {
        ""
    };
    push(
        out,
        format_args!(
            "<details class=\"operation\" id=\"{id}\"><summary><span class=\"method {method}\">{method}</span>\
             <code class=\"path\">{path}</code><span class=\"what\">{summary}{key}</span></summary>\n\
             <div class=\"inside\">\n<p>{}</p>\n",
            escape(description)
        ),
    );
    parameters(out, operation.parameters);
    answers(out, operation.answers);
    form(out, operation);
    push(
        out,
        format_args!(
            "<h3>Command line</h3>\n<pre><code>{}</code></pre>\n",
            escape(&curl(operation))
        ),
    );
    out.push_str("</div></details>\n");
}

fn parameters(out: &mut String, parameters: &[Parameter]) {
    if parameters.is_empty() {
        return;
    }
    out.push_str("<h3>Parameters</h3>\n<table><tbody>\n");
    for parameter in parameters {
        let place = match (parameter.place, parameter.required) {
            (Place::Path, _) => "in the path",
            (Place::Query, true) => "in the query, required",
            (Place::Query, false) => "in the query",
        };
        let range = match parameter.kind {
            Kind::Text => String::new(),
            Kind::Integer {
                least,
                most: Some(most),
                default,
            } => {
                format!(" {least} to {most}; {default} if left out.")
            }
            Kind::Integer {
                least,
                most: None,
                default,
            } => {
                format!(" {least} or more; {default} if left out.")
            }
        };
        let Parameter {
            name, description, ..
        } = parameter;
        push(
            out,
            format_args!(
                "<tr><td><code>{name}</code></td><td>{place}</td><td>{description}{range}</td></tr>\n"
            ),
        );
    }
    out.push_str("</tbody></table>\n");
}

fn answers(out: &mut String, answers: &[Answer]) {
    out.push_str("<h3>Answers</h3>\n<table><tbody>\n");
    for Answer { status, when, body } in answers {
        let example = if body.is_empty() {
            String::new()
        } else {
            format!("<pre><code>{}</code></pre>", escape(&spaced(body)))
        };
        push(
            out,
            format_args!("<tr><td class=\"status\">{status}</td><td>{when}{example}</td></tr>\n"),
        );
    }
    out.push_str("</tbody></table>\n");
}

fn form(out: &mut String, operation: &Operation) {
    let token = if operation.needs_token {
        " data-token=\"yes\""
    } else {
        ""
    };
    push(
        out,
        format_args!(
            "<h3>Try it</h3>\n<form data-method=\"{}\" data-path=\"{}\"{token}>\n",
            operation.method, operation.path
        ),
    );
    for Parameter {
        name, place, example, ..
    } in operation.parameters
    {
        let place = if *place == Place::Path { "path" } else { "query" };
        push(
            out,
            format_args!(
                "<label>{name} <input name=\"{name}\" data-place=\"{place}\" value=\"{}\" autocomplete=\"off\"></label>\n",
                escape(example)
            ),
        );
    }
    if let Some(body) = operation.body {
        let body = escape(body);
        push(
            out,
            format_args!("<label>body <textarea spellcheck=\"false\">{body}</textarea></label>\n"),
        );
    }
    out.push_str("<button>Send</button>\n<output></output>\n</form>\n");
}

/// The example call as a line for a terminal, against the app's usual address.
fn curl(operation: &Operation) -> String {
    let mut path = operation.path.to_owned();
    let mut query = Vec::new();
    for parameter in operation
        .parameters
        .iter()
        .filter(|parameter| !parameter.example.is_empty())
    {
        match parameter.place {
            Place::Path => path = path.replace(&format!("{{{}}}", parameter.name), parameter.example),
            Place::Query => query.push(format!("{}={}", parameter.name, parameter.example)),
        }
    }
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let method = operation.method.to_uppercase();
    let token = if operation.needs_token {
        " -H 'Authorization: Bearer valid-token'"
    } else {
        ""
    };
    let body = operation
        .body
        .map(|body| format!(" -H 'Content-Type: application/json' -d '{body}'"))
        .unwrap_or_default();
    format!("curl -X {method}{token}{body} 'http://localhost:8000{path}{query}'")
}

/// JSON with a blank behind each separator, so that a browser can break the line there.
fn spaced(json: &str) -> String {
    json.replace("\":", "\": ")
        .replace(",\"", ", \"")
        .replace("},{", "}, {")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("a String takes whatever is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_each_operation_and_loads_nothing() {
        let page = page();
        assert!(!page.contains(PLACEHOLDER));
        assert_eq!(
            page.matches("<details class=\"operation\"").count(),
            OPERATIONS.len()
        );
        assert!(page.contains("id=\"reset\""));
        for outside in ["src=", "https://", "@import", "url("] {
            assert!(!page.contains(outside), "the page has {outside}");
        }
    }

    #[test]
    fn command_lines_are_ready_to_paste() {
        let unassign = OPERATIONS
            .iter()
            .find(|operation| operation.path.ends_with("{ent}"));
        assert_eq!(
            unassign.map(curl).as_deref(),
            Some(
                "curl -X DELETE -H 'Authorization: Bearer valid-token' \
                 'http://localhost:8000/api/users/user-000001/entitlements/project-2-editor?resource_id=project-2'"
            )
        );
    }
}
