//! What is wrong with the sizes of a launch.

use diag::Diagnostic;
use diag::codes::{E0304, E0307, E0308, E0309, E0706};
use isa::object::{KernelMeta, LaunchError};

/// A size that the launch has to give and nothing gives.
pub(crate) fn size_not_given(kernel: &str, name: &str) -> Diagnostic {
    Diagnostic::new(E0308, format!("nothing gives size `{name}` of `{kernel}`"))
        .help(format!("give an array that has it, or `-D {name}=64`"))
}

/// `-D` for a size that the object does not leave open.
pub(crate) fn no_size_of_launch(kernel: &KernelMeta, name: &str) -> Diagnostic {
    let message = format!("the launch of `{}` takes no size `{name}`", kernel.name);
    let taken: Vec<String> = kernel
        .launch
        .sizes
        .iter()
        .map(|size| format!("`{size}`"))
        .collect();
    Diagnostic::new(E0706, message).note(format!("it takes {}", taken.join(", ")))
}

/// Two arguments, or an argument and `-D`, give a size different values.
pub(crate) fn two_sizes(extent: &str, first: (u64, &String), other: &(u64, String)) -> Diagnostic {
    let (value, place) = first;
    Diagnostic::new(E0304, format!("`{extent}` is {} in {}", other.0, other.1))
        .note(format!("{place} gives {value}"))
}

/// The object refuses the sizes.
pub(crate) fn refused(kernel: &KernelMeta, values: &[u64], why: &LaunchError) -> Diagnostic {
    let sizes = kernel.launch.sizes.iter().zip(values);
    let sizes: Vec<String> = sizes
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let code = match why {
        LaunchError::Condition(_) => E0309,
        LaunchError::Value(_) => E0307,
        LaunchError::Size(..) | LaunchError::Count(..) => E0706,
    };
    Diagnostic::new(code, format!("`{}` cannot be launched: {why}", kernel.name))
        .note(format!("the sizes are {}", sizes.join(", ")))
}
