//! Mnemonic and operand list ↔ `Inst`.

macro_rules! derive_text {
    ($(engine $pipe:ident executes $unit:ident { $(
        $(#[doc = $doc:literal])*
        $code:literal $mnemonic:ident $name:ident { $($field:ident: $ty:ty),* $(,)? };
    )* })*) => {
        impl Inst {
            /// Writes mnemonic and operands.
            pub fn print(&self, out: &mut String, cx: crate::operand::TextCx) {
                out.push_str(crate::inst::info(self.opcode()).mnemonic);
                let mut _listed = false;
                match self {
                    $($(Inst::$name(_inst) => {
                        $(crate::operand::print_operand(&_inst.$field, out, &mut _listed, cx);)*
                    })*)*
                }
            }

            /// Reads suffixes and operands of an instruction whose mnemonic has been taken.
            pub fn parse(
                opcode: Opcode,
                cursor: &mut crate::operand::Cursor<'_>,
            ) -> Result<Inst, crate::operand::TextError> {
                let inst = match opcode {
                    $($(Opcode::$name => Inst::$name($name {
                        $($field: crate::operand::parse_operand(cursor)?,)*
                    }),)*)*
                };
                crate::operand::finish_line(cursor)?;
                Ok(inst)
            }
        }
    };
}
