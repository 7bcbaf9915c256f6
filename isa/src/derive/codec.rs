//! Instruction word ↔ `Inst`, with a check at compile time that every row fits 128 bits.

macro_rules! derive_codec {
    ($(engine $pipe:ident executes $unit:ident { $(
        $(#[doc = $doc:literal])*
        $code:literal $mnemonic:ident $name:ident { $($field:ident: $ty:ty),* $(,)? };
    )* })*) => {
        $($(
            const _: () = assert!(8 $(+ <$ty as crate::operand::Operand>::BITS)* <= 128, "the row fits its word");
        )*)*

        impl Inst {
            /// The instruction word.
            pub fn encode(&self) -> Result<[u8; 16], crate::codec::EncodeError> {
                let mut word = crate::codec::start_word(self.opcode());
                match self {
                    $($(Inst::$name(_inst) => {
                        $(crate::codec::put_operand(&_inst.$field, stringify!($field), &mut word)?;)*
                    })*)*
                }
                Ok(word.finish())
            }

            /// The instruction of a word.
            pub fn decode(bytes: &[u8; 16]) -> Result<Inst, crate::codec::DecodeError> {
                let (opcode, mut word) = crate::codec::open_word(bytes)?;
                let inst = match opcode {
                    $($(Opcode::$name => Inst::$name($name {
                        $($field: crate::codec::take_operand(opcode, stringify!($field), &mut word)?,)*
                    }),)*)*
                };
                crate::codec::finish_word(opcode, word)?;
                Ok(inst)
            }
        }
    };
}
