//! The fenced blocks of the documents in `docs/`.

use super::connectors::workspace;

/// A fenced block: its language, what follows that, and its text.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) mark: String,
    pub(crate) text: String,
}

/// Those of one document, in order.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(workspace().join("docs").join(document)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), true) => inside = false,
            (Some(info), false) => {
                let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
                let (language, mark) = (language.to_owned(), mark.to_owned());
                blocks.push(Block {
                    language,
                    mark,
                    text: String::new(),
                });
                inside = true;
            }
            (None, true) => blocks.last_mut().unwrap().text += &format!("{line}\n"),
            (None, false) => {}
        }
    }
    blocks
}
