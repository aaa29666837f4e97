//! Measures how much of the operand stack a guest needs in WAMR's fast interpreter, while it
//! runs somewhere else: [`instrument`] puts a counter around every function, and whoever runs
//! the result keeps what it reports as a [`Maximum`].

mod frames;
mod instrument;

pub(crate) use frames::entry_bytes;
pub(crate) use instrument::{
    DEPTH_GLOBAL, HOST_FUNCTION, HOST_MODULE, Instrumented, MAXIMUM_GLOBAL, instrument,
};

/// The call that needed most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maximum {
    /// Bytes of the operand stack that it needed.
    pub(crate) bytes: u32,
    /// The functions under way, the innermost first, as the module numbers them.
    pub(crate) chain: Vec<u32>,
}

impl Instrumented {
    /// The functions under way at a maximum, outermost first, each with the bytes of its frame.
    pub(crate) fn describe(&self, maximum: &Maximum) -> String {
        let mut text = format!("{:>6} bytes for the call from outside\n", entry_bytes());
        let chain = maximum.chain.iter().rev().filter_map(|index| self.functions.get(index));
        for function in chain {
            text.push_str(&format!("{:>6} {}\n", function.frame_bytes, function.name));
        }
        text
    }
}
