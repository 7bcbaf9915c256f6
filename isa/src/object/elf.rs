//! The ELF container: which section holds what.

use super::{ELF_MACHINE, LineRow, MAX_CODE, Object, ObjectError, claims, debug, meta};
use crate::codec::WORD_BYTES;
use crate::inst::Inst;
use crate::types::CoreKind;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::write::elf::{FileHeader, SectionHeader, Writer};
use object::{Endianness, LittleEndian, Object as _, ObjectSection as _, elf};

const CODE: [(CoreKind, &str); 2] = [
    (CoreKind::Cube, ".text.aic"),
    (CoreKind::Vector, ".text.aiv"),
];
const LINES: [(CoreKind, &str); 2] = [
    (CoreKind::Cube, ".vinci.lines.aic"),
    (CoreKind::Vector, ".vinci.lines.aiv"),
];
const META: &str = ".vinci.kernel";
const CLAIMS: &str = ".vinci.claims";
const CERTIFICATE: &str = ".vinci.certificate";
/// Bytes of a line row: six 32-bit numbers.
const ROW_BYTES: usize = 24;
/// Address of the first program; the second follows at the next multiple.
const CODE_BASE: u64 = 0x1000;

/// A section about to be written.
struct Section {
    name: String,
    kind: elf::SectionType,
    flags: elf::SectionFlags,
    address: u64,
    data: Vec<u8>,
}

/// Addresses of the two programs.
pub(super) fn code_bases(object: &Object) -> [u64; 2] {
    let aic_bytes = (object.aic.len() * WORD_BYTES) as u64;
    [CODE_BASE, CODE_BASE + aic_bytes.next_multiple_of(CODE_BASE)]
}

pub(super) fn write(object: &Object) -> Result<Vec<u8>, ObjectError> {
    let mut sections = Vec::new();
    for ((core, name), address) in CODE.into_iter().zip(code_bases(object)) {
        let flags = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
        sections.push(Section {
            name: name.to_owned(),
            kind: elf::SHT_PROGBITS,
            flags,
            address,
            data: code(object, core)?,
        });
    }
    sections.push(plain(META, meta::write(object)?.into_bytes()));
    for (core, name) in LINES {
        sections.push(plain(name, rows(object.lines(core))));
    }
    if !object.claims.is_empty() {
        sections.push(plain(CLAIMS, claims::write(&object.claims)));
    }
    if !object.certificate.is_empty() {
        let text = object.certificate.clone();
        sections.push(plain(CERTIFICATE, text.into_bytes()));
    }
    for (name, data) in debug::write(object)? {
        sections.push(plain(name, data));
    }
    container(&sections)
}

fn plain(name: &str, data: Vec<u8>) -> Section {
    let flags = elf::SectionFlags::default();
    Section {
        name: name.to_owned(),
        kind: elf::SHT_PROGBITS,
        flags,
        address: 0,
        data,
    }
}

fn code(object: &Object, core: CoreKind) -> Result<Vec<u8>, ObjectError> {
    let mut bytes = Vec::with_capacity(object.code(core).len() * WORD_BYTES);
    for (pc, inst) in object.code(core).iter().enumerate() {
        bytes.extend_from_slice(
            &inst
                .encode()
                .map_err(|e| ObjectError::Encode(core, pc, e))?,
        );
    }
    Ok(bytes)
}

fn rows(rows: &[LineRow]) -> Vec<u8> {
    let numbers = |row: &LineRow| {
        [
            row.pc,
            row.file,
            row.line,
            row.col,
            row.byte_start,
            row.byte_end,
        ]
    };
    rows.iter()
        .flat_map(numbers)
        .flat_map(u32::to_le_bytes)
        .collect()
}

fn container(sections: &[Section]) -> Result<Vec<u8>, ObjectError> {
    let failed = |e: object::write::Error| ObjectError::Elf(e.to_string());
    let mut buffer = Vec::new();
    let mut writer = Writer::new_single_phase(Endianness::Little, true, &mut buffer);
    writer.write_file_header(&file_header()).map_err(failed)?;
    let placed = place(&mut writer, sections);
    let names: Vec<_> = sections
        .iter()
        .map(|section| writer.add_section_name(section.name.as_bytes()))
        .collect();
    writer.write_shstrtab().map_err(failed)?;
    writer.write_align(8);
    writer.write_null_section_header();
    for ((section, sh_offset), name) in sections.iter().zip(placed).zip(names) {
        let sh_name = writer.section_name_offset(Some(name));
        writer.write_section_header(&header(section, sh_name, sh_offset));
    }
    writer.write_shstrtab_section_header();
    let mut head = Vec::new();
    writer.write_file_header_to(&mut head).map_err(failed)?;
    buffer[..head.len()].copy_from_slice(&head);
    Ok(buffer)
}

/// Writes the data of every section and returns the offsets.
fn place<M: object::write::elf::Mode>(
    writer: &mut Writer<'_, M>,
    sections: &[Section],
) -> Vec<u64> {
    let mut offsets = Vec::with_capacity(sections.len());
    for section in sections {
        offsets.push(writer.write_align(alignment(section)));
        writer.write(&section.data);
    }
    offsets
}

fn alignment(section: &Section) -> u64 {
    if section.address != 0 {
        WORD_BYTES as u64
    } else {
        1
    }
}

fn file_header() -> FileHeader {
    FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::Machine(ELF_MACHINE),
        e_entry: 0,
        e_flags: elf::FileFlags::default(),
    }
}

fn header(section: &Section, sh_name: u32, sh_offset: u64) -> SectionHeader {
    SectionHeader {
        sh_name,
        sh_type: section.kind,
        sh_flags: section.flags,
        sh_addr: section.address,
        sh_offset,
        sh_size: section.data.len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: alignment(section),
        sh_entsize: 0,
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
    let file =
        ElfFile64::<LittleEndian>::parse(bytes).map_err(|e| ObjectError::Elf(e.to_string()))?;
    let machine = file.elf_header().e_machine(LittleEndian).0;
    if machine != ELF_MACHINE {
        return Err(ObjectError::Machine(machine));
    }
    let text = std::str::from_utf8(section(&file, META)?)
        .map_err(|_| ObjectError::Meta("not UTF-8".to_owned()))?;
    let mut object = meta::read(text)?;
    object.aic = read_code(&file, 0)?;
    object.aiv = read_code(&file, 1)?;
    object.lines_aic = read_rows(section(&file, LINES[0].1)?, LINES[0].1)?;
    object.lines_aiv = read_rows(section(&file, LINES[1].1)?, LINES[1].1)?;
    if file.section_by_name(CLAIMS).is_some() {
        object.claims = claims::read(section(&file, CLAIMS)?)?;
    }
    if file.section_by_name(CERTIFICATE).is_some() {
        let text = std::str::from_utf8(section(&file, CERTIFICATE)?);
        object.certificate = text
            .map_err(|_| ObjectError::Text("the certificate"))?
            .to_owned();
    }
    Ok(object)
}

fn section<'a>(
    file: &ElfFile64<'a, LittleEndian>,
    name: &'static str,
) -> Result<&'a [u8], ObjectError> {
    let section = file
        .section_by_name(name)
        .ok_or(ObjectError::MissingSection(name))?;
    section.data().map_err(|e| ObjectError::Elf(e.to_string()))
}

fn read_code(file: &ElfFile64<'_, LittleEndian>, which: usize) -> Result<Vec<Inst>, ObjectError> {
    let (core, name) = CODE[which];
    let (words, rest) = section(file, name)?.as_chunks::<WORD_BYTES>();
    if !rest.is_empty() {
        return Err(ObjectError::SectionSize(name));
    }
    if words.len() >= MAX_CODE {
        return Err(ObjectError::TooLong(core));
    }
    let decode = |(pc, word)| Inst::decode(word).map_err(|e| ObjectError::Decode(core, pc, e));
    words.iter().enumerate().map(decode).collect()
}

fn read_rows(data: &[u8], name: &'static str) -> Result<Vec<LineRow>, ObjectError> {
    let (rows, rest) = data.as_chunks::<ROW_BYTES>();
    if !rest.is_empty() {
        return Err(ObjectError::SectionSize(name));
    }
    let row = |bytes: &[u8; ROW_BYTES]| {
        let (numbers, _) = bytes.as_chunks::<4>();
        let number = |i: usize| u32::from_le_bytes(numbers[i]);
        LineRow {
            pc: number(0),
            file: number(1),
            line: number(2),
            col: number(3),
            byte_start: number(4),
            byte_end: number(5),
        }
    };
    Ok(rows.iter().map(row).collect())
}
