//! A struct per instruction, `Inst` and `Opcode`.

macro_rules! derive_inst {
    ($(engine $pipe:ident executes $unit:ident { $(
        $(#[doc = $doc:literal])*
        $code:literal $mnemonic:ident $name:ident { $($field:ident: $ty:ty),* $(,)? };
    )* })*) => {
        $($(
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name {
                $(#[doc = concat!("Operand `", stringify!($field), "`, `", stringify!($ty), "`.")] pub $field: $ty,)*
            }

            impl From<$name> for Inst {
                fn from(inst: $name) -> Inst {
                    Inst::$name(inst)
                }
            }
        )*)*

        /// One instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Inst {
            $($($(#[doc = $doc])* $name($name),)*)*
        }

        /// The low 8 bits of an instruction word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Opcode {
            $($($(#[doc = $doc])* $name = $code,)*)*
        }

        impl Opcode {
            /// Every opcode, in table order.
            pub const ALL: &[Opcode] = &[$($(Opcode::$name,)*)*];
        }

        impl Inst {
            /// Its opcode.
            pub const fn opcode(&self) -> Opcode {
                match self { $($(Inst::$name(_) => Opcode::$name,)*)* }
            }

            /// The pipe that executes it. The row alone says so for all but the flags and barriers, which queue in the
            /// pipe they name: see [`Inst::queue`](crate::inst::Inst::queue).
            pub const fn pipe(&self) -> crate::types::Pipe {
                match self { $($(Inst::$name(_) => crate::types::Pipe::$pipe,)*)* }
            }

            /// A random instruction that encodes, drawn from `next`.
            pub fn sample(opcode: Opcode, next: &mut dyn FnMut() -> u64) -> Inst {
                match opcode {
                    $($(Opcode::$name => {
                        let _ = &next;
                        Inst::$name($name { $($field: <$ty as crate::operand::Operand>::sample(next),)* })
                    })*)*
                }
            }
        }
    };
}
