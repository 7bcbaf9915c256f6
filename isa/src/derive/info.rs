//! The table as data, for the manual, hovers, fuzzers and completeness tests.

macro_rules! derive_info {
    ($(engine $pipe:ident executes $unit:ident { $(
        $(#[doc = $doc:literal])*
        $code:literal $mnemonic:ident $name:ident { $($field:ident: $ty:ty),* $(,)? };
    )* })*) => {
        /// Every instruction, in table order.
        pub static INFO: &[crate::inst::InstInfo] = &[
            $($(crate::inst::InstInfo {
                opcode: Opcode::$name,
                mnemonic: crate::inst::plain_name(stringify!($mnemonic)),
                pipe: crate::types::Pipe::$pipe,
                unit: stringify!($unit),
                doc: concat!($($doc, "\n"),*),
                operands: &[$(crate::inst::OperandInfo {
                    name: stringify!($field),
                    ty: stringify!($ty),
                    kind: <$ty as crate::operand::Operand>::KIND,
                    bits: <$ty as crate::operand::Operand>::BITS,
                    suffix: <$ty as crate::operand::Operand>::SUFFIX,
                }),*],
            },)*)*
        ];
    };
}
