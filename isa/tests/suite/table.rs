//! Completeness of the table: words and texts round-trip, opcodes and documentation are in order.

use crate::common::Xorshift;
use isa::inst::{DecodeError, INFO, Inst, Opcode, TextCx, parse_inst};

fn samples(rounds: usize) -> impl Iterator<Item = Inst> {
    let mut rng = Xorshift(0x9e37_79b9_7f4a_7c15);
    (0..rounds)
        .flat_map(|_| Opcode::ALL)
        .map(move |&opcode| Inst::sample(opcode, &mut || rng.next()))
}

fn no_labels(_: &str) -> Option<u32> {
    None
}

#[test]
fn instructions_round_trip_through_words() {
    for inst in samples(500) {
        let word = inst.encode().expect("samples encode");
        assert_eq!(Inst::decode(&word), Ok(inst), "{inst}");
    }
}

#[test]
fn instructions_round_trip_through_text() {
    for inst in samples(200) {
        let text = inst.to_string();
        assert_eq!(parse_inst(&text, &no_labels), Ok(inst), "{text}");
    }
}

#[test]
fn random_words_decode_to_what_encodes_them_or_not_at_all() {
    let mut rng = Xorshift(7);
    let mut decoded = 0;
    for round in 0..400_000_usize {
        let mut word = [0; 16];
        word[..8].copy_from_slice(&rng.next().to_le_bytes());
        word[8..].copy_from_slice(&rng.next().to_le_bytes());
        let opcode = Opcode::ALL[round % Opcode::ALL.len()];
        word[0] = opcode as u8;
        let mask = u128::MAX >> (128 - opcode_bits(opcode));
        let word = (u128::from_le_bytes(word) & mask).to_le_bytes();
        if let Ok(inst) = Inst::decode(&word) {
            decoded += 1;
            assert_eq!(inst.encode(), Ok(word), "{inst}");
        }
    }
    assert!(
        decoded > 50_000,
        "only {decoded} of the random words were instructions"
    );
}

fn opcode_bits(opcode: Opcode) -> u32 {
    isa::inst::info(opcode).bits()
}

#[test]
fn reserved_bits_are_refused() {
    for inst in samples(3) {
        let word = u128::from_le_bytes(inst.encode().expect("samples encode"));
        for bit in opcode_bits(inst.opcode())..128 {
            let refused = Inst::decode(&(word | 1 << bit).to_le_bytes());
            assert_eq!(
                refused,
                Err(DecodeError::Reserved(inst.opcode())),
                "{inst} with bit {bit}"
            );
        }
    }
}

#[test]
fn unknown_opcodes_are_refused() {
    for code in 0..=u8::MAX {
        let known = Opcode::ALL.iter().any(|&opcode| opcode as u8 == code);
        let mut word = [0; 16];
        word[0] = code;
        assert_eq!(
            known,
            Inst::decode(&word) != Err(DecodeError::Opcode(code)),
            "opcode {code:#x}"
        );
    }
}

#[test]
fn rows_are_in_order_and_documented() {
    for (opcode, info) in Opcode::ALL.iter().zip(INFO) {
        assert_eq!(*opcode, info.opcode);
        assert_eq!(
            Opcode::from_mnemonic(info.mnemonic),
            Some(*opcode),
            "two rows are called {}",
            info.mnemonic
        );
        assert!(
            info.summary().ends_with('.'),
            "{}: the summary is one sentence: {:?}",
            info.mnemonic,
            info.summary()
        );
        assert!(info.bits() <= 128);
    }
    assert!(
        Opcode::ALL
            .windows(2)
            .all(|pair| (pair[0] as u8) < pair[1] as u8),
        "opcodes ascend"
    );
}

#[test]
fn labels_print_by_name_within_the_section() {
    let cx = TextCx { labels: Some(9) };
    let mut text = String::new();
    let jump = parse_inst("jmp @9", &no_labels).expect("a jump");
    jump.print(&mut text, cx);
    assert_eq!(text, "jmp L9");
    assert_eq!(
        parse_inst("jmp L9", &|name| (name == "L9").then_some(9)),
        Ok(jump)
    );
}
