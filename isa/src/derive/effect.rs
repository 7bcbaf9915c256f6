//! What the operands of an `Inst` name: registers, memory and labels, from the operand types.

macro_rules! derive_effect {
    ($(engine $pipe:ident executes $unit:ident { $(
        $(#[doc = $doc:literal])*
        $code:literal $mnemonic:ident $name:ident { $($field:ident: $ty:ty),* $(,)? };
    )* })*) => {
        impl Inst {
            /// Reports every register, place in memory and label, in row order.
            pub fn visit(&self, visitor: &mut dyn crate::operand::Visitor) {
                let _ = &visitor;
                match self {
                    $($(Inst::$name(_inst) => {
                        $(crate::operand::Operand::visit(&_inst.$field, stringify!($field), visitor);)*
                    })*)*
                }
            }
        }
    };
}
