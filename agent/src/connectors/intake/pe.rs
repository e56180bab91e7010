//! The tables of a Windows library (PE format, Microsoft's specification), read without trusting any of them.

use object::LittleEndian as LE;
use object::pe;
use object::read::ReadRef;

use super::Refusal;
use super::verify::{broken, foreign, incomplete};

const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    pe::IMAGE_FILE_MACHINE_ARM64
} else {
    pe::IMAGE_FILE_MACHINE_AMD64
};
/// Its entry counts bytes of the file, not of memory: the certificate table.
const SECURITY: usize = pe::IMAGE_DIRECTORY_ENTRY_SECURITY;

/// Judges the `size` bytes behind `data`.
pub(super) fn verify<'data, R: ReadRef<'data>>(data: R, size: u64) -> Result<(), Refusal> {
    let dos: &pe::ImageDosHeader = at(data, size, 0)?;
    let start = u64::from(dos.nt_headers_offset());
    let signature: &object::U32Bytes<LE> = at(data, size, start)?;
    if signature.get(LE) != pe::IMAGE_NT_SIGNATURE {
        return Err(broken("no PE signature"));
    }
    let file: &pe::ImageFileHeader = at(data, size, start + 4)?;
    check_machine(file)?;
    let optional_at = start + 4 + size_of::<pe::ImageFileHeader>() as u64;
    let optional: &pe::ImageOptionalHeader64 = at(data, size, optional_at)?;
    if optional.magic.get(LE) != pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC {
        return Err(broken("no 64-bit header"));
    }
    check_certificates(data, size, optional_at, optional)?;
    let mut section_at = optional_at + u64::from(file.size_of_optional_header.get(LE));
    for _ in 0..file.number_of_sections.get(LE) {
        let section: &pe::ImageSectionHeader = at(data, size, section_at)?;
        section_at += size_of::<pe::ImageSectionHeader>() as u64;
        let end =
            u64::from(section.pointer_to_raw_data.get(LE)) + u64::from(section.size_of_raw_data.get(LE));
        if end > size {
            return Err(incomplete(size, end));
        }
    }
    Ok(())
}

fn check_machine(file: &pe::ImageFileHeader) -> Result<(), Refusal> {
    let machine = file.machine.get(LE);
    if machine != MACHINE {
        return Err(foreign(&machine_name(machine)));
    }
    if file.characteristics.get(LE) & pe::IMAGE_FILE_DLL == 0 {
        return Err(Refusal::File(
            "it is a program; link it as a library (`-shared`, /DLL, or crate-type = [\"cdylib\"])".into(),
        ));
    }
    Ok(())
}

fn machine_name(machine: u16) -> String {
    match machine {
        pe::IMAGE_FILE_MACHINE_I386 => "32-bit x86".into(),
        pe::IMAGE_FILE_MACHINE_AMD64 => "x86_64".into(),
        pe::IMAGE_FILE_MACHINE_ARM64 => "aarch64".into(),
        other => format!("another machine (PE number {other:#x})"),
    }
}

fn check_certificates<'data, R: ReadRef<'data>>(
    data: R,
    size: u64,
    optional_at: u64,
    optional: &pe::ImageOptionalHeader64,
) -> Result<(), Refusal> {
    if optional.number_of_rva_and_sizes.get(LE) as usize <= SECURITY {
        return Ok(());
    }
    let entry_size = size_of::<pe::ImageDataDirectory>();
    let entry_at = optional_at + (size_of::<pe::ImageOptionalHeader64>() + SECURITY * entry_size) as u64;
    let entry: &pe::ImageDataDirectory = at(data, size, entry_at)?;
    let end = u64::from(entry.virtual_address.get(LE)) + u64::from(entry.size.get(LE));
    if end > size {
        Err(incomplete(size, end))
    } else {
        Ok(())
    }
}

fn at<'data, T: object::pod::Pod, R: ReadRef<'data>>(
    data: R,
    size: u64,
    offset: u64,
) -> Result<&'data T, Refusal> {
    let end = offset + size_of::<T>() as u64;
    if end > size {
        return Err(incomplete(size, end));
    }
    data.read_at(offset).map_err(|()| broken("its headers"))
}
