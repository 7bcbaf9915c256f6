//! The line tables as DWARF 5, so that `readelf`, `addr2line` and debuggers can read them.

use super::elf::code_bases;
use super::{LineRow, Object, ObjectError};
use crate::codec::WORD_BYTES;
use crate::types::CoreKind;
use gimli::write::{
    Address, AttributeValue, DwarfUnit, EndianVec, FileId, LineProgram, LineString, Range,
    RangeList, Sections,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian};

const ENCODING: Encoding = Encoding {
    format: Format::Dwarf32,
    version: 5,
    address_size: 8,
};
const PRODUCER: &str = concat!("Vinci ", env!("CARGO_PKG_VERSION"));

/// The debug sections; none if the object has no lines.
pub(super) fn write(object: &Object) -> Result<Vec<(&'static str, Vec<u8>)>, ObjectError> {
    let has_lines = !object.lines_aic.is_empty() || !object.lines_aiv.is_empty();
    let Some(primary) = object.files.first().filter(|_| has_lines) else {
        return Ok(Vec::new());
    };
    let mut dwarf = DwarfUnit::new(ENCODING);
    let name = LineString::new(primary.as_str(), ENCODING, &mut dwarf.line_strings);
    let here = LineString::new(".", ENCODING, &mut dwarf.line_strings);
    let mut program = LineProgram::new(ENCODING, LineEncoding::default(), here, None, name, None);
    let files = add_files(object, &mut program, &mut dwarf);
    let mut ranges = Vec::new();
    for (core, base) in [CoreKind::Cube, CoreKind::Vector]
        .into_iter()
        .zip(code_bases(object))
    {
        let length = (object.code(core).len() * WORD_BYTES) as u64;
        if !object.lines(core).is_empty() {
            add_rows(object.lines(core), &files, base, length, &mut program);
            ranges.push(Range::StartLength {
                begin: Address::Constant(base),
                length,
            });
        }
    }
    dwarf.unit.line_program = program;
    describe_unit(primary, ranges, &mut dwarf);
    sections(&mut dwarf)
}

fn add_files(object: &Object, program: &mut LineProgram, dwarf: &mut DwarfUnit) -> Vec<FileId> {
    let directory = program.default_directory();
    let mut add = |file: &String| {
        let name = LineString::new(file.as_str(), ENCODING, &mut dwarf.line_strings);
        program.add_file(name, directory, None)
    };
    object.files.iter().map(&mut add).collect()
}

fn add_rows(rows: &[LineRow], files: &[FileId], base: u64, length: u64, program: &mut LineProgram) {
    program.begin_sequence(Some(Address::Constant(base)));
    for row in rows {
        let out = program.row();
        out.address_offset = u64::from(row.pc) * WORD_BYTES as u64;
        out.file = files[row.file as usize];
        out.line = u64::from(row.line);
        out.column = u64::from(row.col);
        program.generate_row();
    }
    program.end_sequence(length);
}

fn describe_unit(primary: &str, ranges: Vec<Range>, dwarf: &mut DwarfUnit) {
    let name = AttributeValue::StringRef(dwarf.strings.add(primary));
    let here = AttributeValue::StringRef(dwarf.strings.add("."));
    let producer = AttributeValue::StringRef(dwarf.strings.add(PRODUCER));
    let ranges = AttributeValue::RangeListRef(dwarf.unit.ranges.add(RangeList(ranges)));
    let root = dwarf.unit.root();
    let entry = dwarf.unit.get_mut(root);
    entry.set(gimli::DW_AT_name, name);
    entry.set(gimli::DW_AT_comp_dir, here);
    entry.set(gimli::DW_AT_producer, producer);
    entry.set(gimli::DW_AT_ranges, ranges);
}

fn sections(dwarf: &mut DwarfUnit) -> Result<Vec<(&'static str, Vec<u8>)>, ObjectError> {
    let mut written = Sections::new(EndianVec::new(LittleEndian));
    dwarf
        .write(&mut written)
        .map_err(|e| ObjectError::Debug(e.to_string()))?;
    let mut out = Vec::new();
    let collect = |id: gimli::SectionId, data: &EndianVec<LittleEndian>| {
        if !data.slice().is_empty() {
            out.push((id.name(), data.slice().to_vec()));
        }
        Ok::<(), gimli::write::Error>(())
    };
    written
        .for_each(collect)
        .map_err(|e| ObjectError::Debug(e.to_string()))?;
    Ok(out)
}
