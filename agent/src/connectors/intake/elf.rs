//! The tables of an ELF file (System V gABI, chapters 4 and 5), read without trusting any of them.

use object::elf;
use object::endian::LittleEndian;
use object::pod;
use object::read::ReadRef;

use super::Refusal;
use super::verify::{broken, foreign, incomplete};

type Header = elf::FileHeader64<LittleEndian>;
type Segment = elf::ProgramHeader64<LittleEndian>;
type Section = elf::SectionHeader64<LittleEndian>;

const LE: LittleEndian = LittleEndian;
const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    elf::EM_AARCH64
} else {
    elf::EM_X86_64
};
/// More than any linker makes.
const MAX_ENTRIES: u64 = 65_536;

/// Judges the `size` bytes behind `data`.
pub(super) fn verify<'data, R: ReadRef<'data>>(data: R, size: u64) -> Result<(), Refusal> {
    let header_size = size_of::<Header>() as u64;
    if size < header_size {
        return Err(incomplete(size, header_size));
    }
    let header: &Header = data.read_at(0).map_err(|()| broken("no header"))?;
    check_machine(header)?;
    let segments = table::<Segment, _>(
        data,
        size,
        header.e_phoff.get(LE),
        u64::from(header.e_phnum.get(LE)),
        header.e_phentsize.get(LE),
        "program headers",
    )?;
    if segments.is_empty() {
        return Err(broken("no program headers"));
    }
    for segment in segments {
        within(
            size,
            segment.p_offset.get(LE),
            segment.p_filesz.get(LE),
            "a segment",
        )?;
    }
    for section in sections(data, size, header)? {
        if section.sh_type.get(LE) != elf::SHT_NOBITS && section.sh_type.get(LE) != elf::SHT_NULL {
            within(
                size,
                section.sh_offset.get(LE),
                section.sh_size.get(LE),
                "a section",
            )?;
        }
    }
    Ok(())
}

fn check_machine(header: &Header) -> Result<(), Refusal> {
    let ident = &header.e_ident;
    let machine = header.e_machine.get(LE);
    if ident.data != elf::ELFDATA2LSB {
        return Err(foreign("a big-endian machine"));
    }
    if machine != MACHINE {
        return Err(foreign(&machine_name(machine)));
    }
    if ident.class != elf::ELFCLASS64 {
        return Err(foreign("32-bit programs"));
    }
    match header.e_type.get(LE) {
        elf::ET_DYN => Ok(()),
        elf::ET_REL => Err(Refusal::File(
            "it is an object file (.o); link it as a shared library (`cc -shared`)".into(),
        )),
        elf::ET_EXEC => Err(Refusal::File(
            "it is a program; link it as a shared library (`cc -shared -fPIC`, or crate-type = [\"cdylib\"])"
                .into(),
        )),
        other => Err(broken(&format!("its type is {other}"))),
    }
}

fn machine_name(machine: u16) -> String {
    match machine {
        elf::EM_386 => "32-bit x86".into(),
        elf::EM_X86_64 => "x86_64".into(),
        elf::EM_AARCH64 => "aarch64".into(),
        elf::EM_ARM => "32-bit arm".into(),
        elf::EM_RISCV => "riscv".into(),
        elf::EM_PPC64 => "powerpc64".into(),
        elf::EM_S390 => "s390x".into(),
        other => format!("another machine (ELF number {other})"),
    }
}

/// Section headers; where there are too many for the header's field, their number stands in the first of them.
fn sections<'data, R: ReadRef<'data>>(
    data: R,
    size: u64,
    header: &Header,
) -> Result<&'data [Section], Refusal> {
    let (offset, entry) = (header.e_shoff.get(LE), header.e_shentsize.get(LE));
    if offset == 0 {
        return Ok(&[]);
    }
    let mut count = u64::from(header.e_shnum.get(LE));
    if count == 0 {
        let first = table::<Section, _>(data, size, offset, 1, entry, "section headers")?;
        count = first.first().map_or(0, |section| section.sh_size.get(LE));
    }
    table(data, size, offset, count, entry, "section headers")
}

fn table<'data, T: pod::Pod, R: ReadRef<'data>>(
    data: R,
    size: u64,
    offset: u64,
    count: u64,
    entry: u16,
    what: &str,
) -> Result<&'data [T], Refusal> {
    if count == 0 {
        return Ok(&[]);
    }
    if usize::from(entry) != size_of::<T>() || count > MAX_ENTRIES {
        return Err(broken(what));
    }
    within(size, offset, count * u64::from(entry), what)?;
    let count = usize::try_from(count).map_err(|_| broken(what))?;
    data.read_slice_at(offset, count).map_err(|()| broken(what))
}

fn within(size: u64, offset: u64, length: u64, what: &str) -> Result<(), Refusal> {
    let end = offset.checked_add(length).ok_or_else(|| broken(what))?;
    if end > size {
        return Err(incomplete(size, end));
    }
    Ok(())
}
