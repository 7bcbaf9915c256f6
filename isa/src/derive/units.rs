//! One trait per pipe, one method per instruction, and the dispatch over all of them.

macro_rules! derive_units {
    ($(engine $pipe:ident executes $unit:ident { $(
        $(#[doc = $doc:literal])*
        $code:literal $mnemonic:ident $name:ident { $($field:ident: $ty:ty),* $(,)? };
    )* })*) => {
        $(
            #[doc = concat!("Executes the instructions of pipe `", stringify!($pipe), "`.")]
            pub trait $unit: crate::inst::Executor {
                $($(#[doc = $doc])* fn $mnemonic(&mut self, i: &$name) -> Result<(), Self::Stop>;)*
            }
        )*

        /// Executes every instruction.
        pub trait AllUnits: crate::inst::Executor $(+ $unit)* {}

        impl<U: crate::inst::Executor $(+ $unit)*> AllUnits for U {}

        /// Calls the method of the instruction.
        pub fn execute<U: AllUnits>(inst: &Inst, unit: &mut U) -> Result<(), U::Stop> {
            match inst { $($(Inst::$name(i) => unit.$mnemonic(i),)*)* }
        }
    };
}
