//! Data that a library would share with every other image in the process, its own predecessor included.
//!
//! The static data of C++ templates and inline functions is marked as unique (`STB_GNU_UNIQUE`, GNU C++'s habit): the loader
//! keeps the first of a name for the whole process, whatever a library was loaded with. A new generation would then work on
//! what its predecessor, or another connector, made of it, and that may have another layout by now.
#![forbid(unsafe_code)]

use std::fs::File;
use std::path::Path;

use object::LittleEndian;
use object::elf::{FileHeader64, SHN_UNDEF, SHT_DYNSYM, STB_GNU_UNIQUE};
use object::read::ReadCache;
use object::read::elf::{FileHeader, Sym};

/// Why `library` must not be loaded into the agent. What cannot be read as a library is left to the loader. Blocks.
pub(in crate::hosting) fn unfit(library: &Path) -> Option<String> {
    let (name, count) = shared(library).ok()??;
    Some(format!(
        "{count} of its data symbols are unique in a process (STB_GNU_UNIQUE; the first is {name}): inside the agent it would \
         share them with every other build of it and with other connectors. Build it with -fno-gnu-unique or with a version \
         script that exports lumos_connector_entry_v1 alone, or set its isolation to \"process\""
    ))
}

/// The name of one, and how many there are.
fn shared(library: &Path) -> Result<Option<(String, usize)>, Box<dyn std::error::Error>> {
    let file = ReadCache::new(File::open(library)?);
    let header = FileHeader64::<LittleEndian>::parse(&file)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, &file)?;
    let symbols = sections.symbols(endian, &file, SHT_DYNSYM)?;
    let mut unique = symbols
        .iter()
        .filter(|symbol| symbol.st_bind() == STB_GNU_UNIQUE && symbol.st_shndx(endian) != SHN_UNDEF);
    let Some(first) = unique.next() else {
        return Ok(None);
    };
    let name = symbols.symbol_name(endian, first)?;
    let name: String = String::from_utf8_lossy(name).chars().take(120).collect();
    Ok(Some((name.escape_debug().to_string(), unique.count() + 1)))
}
