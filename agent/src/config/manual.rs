//! Writes agent.toml(5) from the table of keys.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::keys::{Default, Key, SECTIONS, Section};
use super::template::{section_name, shown};

const ABOUT: &str = "The configuration of lumos-agent(1), in TOML. Every key can also be set by a variable, \
LUMOS_AGENT__SECTION__KEY, which wins over the file: LUMOS_AGENT__DISPATCH__MAX_IN_FLIGHT=64. Relative paths are relative \
to the file's directory. Time spans: \"30s\", \"5m\", \"1h 30m\", or seconds. Sizes: \"512KiB\", \"16MiB\", or bytes.";
const RELOAD: &str = "A running agent reads the file again when it changes or when it gets SIGHUP. A file with an error \
is refused as a whole, and the last good one stays in force. Keys that are marked so count from the next start on. \
`lumos-agent check-config` tells whether a file is good, and what is not.";

/// The page, for troff.
pub(crate) fn page() -> String {
    let mut page = Roff::new();
    let source = concat!("lumos-agent ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["agent.toml", "5", "", source]);
    page.control("SH", ["NAME"]);
    page.text([roman("agent.toml - configuration of lumos-agent")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(ABOUT)]);
    page.control("PP", []);
    page.text([roman(RELOAD)]);
    for section in SECTIONS {
        describe(&mut page, section);
    }
    page.control("SH", ["FILES"]);
    page.text([italic("/etc/lumos-agent/agent.toml")]);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("lumos-agent(1), lumos-agent-check-config(1)")]);
    page.to_roff()
}

fn describe(page: &mut Roff, section: &Section) {
    page.control("SH", [format!("[{}]", section_name(section)).as_str()]);
    page.text([roman(section.doc)]);
    for key in section.keys {
        page.control("TP", []);
        page.text(heading(key));
        page.text([roman(explanation(key))]);
    }
}

fn heading(key: &Key) -> Vec<Inline> {
    vec![bold(key.name), roman(" = "), italic(shown(key))]
}

fn explanation(key: &Key) -> String {
    let mut text = key.doc.to_owned();
    if let Some(variable) = key.variable {
        text += &format!(" Also set by {variable}.");
    }
    if matches!(key.default, Default::None(_)) {
        text += " Not set by default; the value is an example.";
    }
    if !key.reload {
        text += " Counts from the next start on.";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_on_the_page() {
        let page = page();
        for section in SECTIONS {
            for key in section.keys {
                let name = key.name.replace('-', r"\-");
                assert!(page.contains(&format!("\\fB{name}\\fR = ")), "{name}\n{page}");
            }
        }
    }
}
